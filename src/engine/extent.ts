/**
 * Extents of an exported graph as formulas of its open axes. A trace has numbers for extents: a reshape to [6, 128] does not say
 * that 6 is a batch of 2 times 3 snippets. What the numbers of several traces, at different sizes, have in common does.
 */
import type { DType } from './ndarray.ts';
import type { GraphBuilder } from './onnx.ts';

/** Sizes of the open axes in one trace, by name. */
export type Sizes = Readonly<Record<string, number>>;

/**
 * Something that grows with an open axis: the axis itself, or max(floor((axis + add) / divisor), 1). A quotient counts something (pooled
 * steps, chosen snippets), of which there is at least one; traces at small sizes, which would tell, may be other graphs.
 */
type Factor = string | { readonly axis: string; readonly add: number; readonly divisor: number };

/** A product of factors. */
type Basis = readonly Factor[];

/** An integer as a formula: the sum of its terms, `coefficient * basis`, and `offset`. */
export interface Extent {
  readonly terms: readonly { readonly coefficient: number; readonly basis: Basis }[];
  readonly offset: number;
}

/** The largest divisor that is looked for. Samples at twice as many sizes in a row tell all quotients apart. */
export const maxDivisor = 32;

function factorAt(factor: Factor, sizes: Sizes): number {
  if (typeof factor === 'string') return sizes[factor];
  return Math.max(Math.floor((sizes[factor.axis] + factor.add) / factor.divisor), 1);
}

/** Axes, products of two, quotients, and products of a quotient with another axis: the simplest first. */
function bases(axes: readonly string[]): Basis[] {
  const quotients: Exclude<Factor, string>[] = [];
  for (let divisor = 2; divisor <= maxDivisor; divisor++)
    for (let add = 0; add < divisor; add++) for (const axis of axes) quotients.push({ axis, add, divisor });
  return [
    ...axes.map(axis => [axis]),
    ...axes.flatMap((a, i) => axes.slice(i + 1).map(b => [a, b])),
    ...quotients.map(quotient => [quotient]),
    ...quotients.flatMap(quotient => axes.filter(axis => axis !== quotient.axis).map(axis => [axis, quotient])),
  ];
}

/** The value of an integer at each sample; undefined where it is not known. */
export type SampledValues = readonly (number | undefined)[];

/**
 * Finds formulas for integers whose values at `samples` are known: constants, multiples of one basis plus a constant, and those plus a
 * small multiple of one axis. Every sample must agree, so more samples than the few that decide a formula test it.
 */
export function extentFinder(axes: readonly string[], samples: readonly Sizes[]): (values: SampledValues) => Extent | undefined {
  const candidates = bases(axes).map(basis => ({
    basis,
    at: samples.map(sizes => basis.reduce((product: number, factor) => product * factorAt(factor, sizes), 1)),
  }));
  const axisValues = axes.map(axis => ({ basis: [axis], at: samples.map(sizes => sizes[axis]) }));

  /** A multiple of one basis plus a constant, from the values at the samples `known`. */
  const linear = (values: readonly number[], known: readonly number[]): Extent | undefined => {
    const [first] = known;
    for (const { basis, at } of candidates) {
      const other = known.find(i => at[i] !== at[first]);
      if (other === undefined) continue;
      const coefficient = (values[other] - values[first]) / (at[other] - at[first]);
      const offset = values[first] - coefficient * at[first];
      if (Number.isInteger(coefficient) && known.every(i => values[i] === coefficient * at[i] + offset))
        return { terms: [{ coefficient, basis }], offset };
    }
    return undefined;
  };
  return sampled => {
    const known = [...sampled.keys()].filter(i => sampled[i] !== undefined);
    const values = sampled as readonly number[];
    if (known.every(i => values[i] === values[known[0]])) return { terms: [], offset: values[known[0]] };
    const found = linear(values, known);
    if (found) return found;
    for (const { basis, at } of axisValues) {
      for (const coefficient of [-1, 1, -2, 2]) {
        const rest = linear(
          values.map((v, i) => v - coefficient * at[i]),
          known,
        );
        if (rest) return { terms: [...rest.terms, { coefficient, basis }], offset: rest.offset };
      }
    }
    return undefined;
  };
}

/** A formula as text, such as `2*max(floor((time+1)/2),1)`; the name of an axis where it is just that. */
export function extentText({ terms, offset }: Extent): string {
  const parts = terms.map(({ coefficient, basis }) => {
    const text = basis.map(factorText).join('*');
    return coefficient === 1 ? text : coefficient === -1 ? `-${text}` : `${coefficient}*${text}`;
  });
  if (offset !== 0 || parts.length === 0) parts.push(String(offset));
  return parts.join('+').replaceAll('+-', '-');
}

function factorText(factor: Factor): string {
  if (typeof factor === 'string') return factor;
  const { axis, add, divisor } = factor;
  return `max(floor(${add === 0 ? axis : `(${axis}+${add})`}/${divisor}),1)`;
}

/**
 * Adds the nodes that compute a formula when the model runs.
 * @param sizeOf the name that holds an axis's size, int64 `[1]`
 * @returns the name of an int64 `[1]`
 */
export function lowerExtent(g: GraphBuilder, { terms, offset }: Extent, sizeOf: (axis: string) => string): string {
  const products = terms.map(({ coefficient, basis }) => {
    const value = basis
      .map(factor => lowerFactor(g, factor, sizeOf))
      .reduce((product, factor) => g.node('Mul', [product, factor]));
    return coefficient === 1 ? value : g.node('Mul', [value, g.ints([coefficient])]);
  });
  if (offset !== 0 || products.length === 0) products.push(g.ints([offset]));
  return products.reduce((sum, value) => g.node('Add', [sum, value]));
}

function lowerFactor(g: GraphBuilder, factor: Factor, sizeOf: (axis: string) => string): string {
  if (typeof factor === 'string') return sizeOf(factor);
  const { axis, add, divisor } = factor;
  const sum = add === 0 ? sizeOf(axis) : g.node('Add', [sizeOf(axis), g.ints([add])]);
  return g.node('Max', [g.node('Div', [sum, g.ints([divisor])]), g.ints([1])]);
}

/** 1 / n of a formula n, as a scalar: what a mean over an open axis is multiplied by. */
export function lowerReciprocal(g: GraphBuilder, extent: Extent, dtype: DType, sizeOf: (axis: string) => string): string {
  const count = g.node('Squeeze', [lowerExtent(g, extent, sizeOf), g.ints([0])]);
  return g.node('Div', [g.scalar(1, dtype), g.cast(count, dtype)]);
}
