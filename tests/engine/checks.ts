/** What every op must pass: its values against a reference, and its gradient against finite differences. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { astype, compile, type NDArray, type Shape, type Tensor, vjp } from '../../src/engine/index.ts';
import { type Array64, between } from './arrays.ts';

/** An op at a point. */
export interface Case {
  readonly inputs: readonly NDArray[];
  readonly fn: (...inputs: Tensor[]) => Tensor | readonly Tensor[];
  /** What the op should give; several for several outputs. */
  readonly expected: NDArray | readonly NDArray[];
  /** Outputs that carry no gradient by definition (indices, masks, steps) are not differentiated. Default: floating ones are. */
  readonly differentiable?: boolean;
}

const list = <T>(value: T | readonly T[]): readonly T[] => (Array.isArray(value) ? value : [value as T]);
const isFloat = (x: { dtype: string }): boolean => x.dtype.startsWith('float');

/** Asserts equal shapes and elements within `tolerance`, absolute for small numbers and relative for large ones. */
export function expectClose(actual: NDArray, expected: NDArray, tolerance: number, what = 'value'): void {
  expect(actual.shape, `shape of ${what}`).toEqual(expected.shape);
  for (let i = 0; i < expected.data.length; i++) {
    const [got, want] = [Number(actual.data[i]), Number(expected.data[i])];
    if (Object.is(got, want) || Math.abs(got - want) <= tolerance * Math.max(1, Math.abs(want))) continue;
    expect.fail(`${what}[${i}] is ${got}, should be ${want} (tolerance ${tolerance})`);
  }
}

/** Values of `fn`, and the cotangents of its floating inputs for given cotangents of its floating outputs. */
function withGradient(fn: Case['fn']) {
  return compile((inputs: readonly Tensor[], cotangents: readonly Tensor[]) => {
    const outputs = list(fn(...inputs));
    const gradients = vjp(outputs.filter(isFloat), cotangents, inputs.filter(isFloat));
    return { outputs, gradients };
  });
}

const dot = (a: readonly NDArray[], b: readonly NDArray[]): number =>
  a.reduce((sum, x, i) => sum + (x.data as Float64Array).reduce((s, v, j) => s + v * Number(b[i].data[j]), 0), 0);

/**
 * Checks a float64 case: values to 1e-10, and the gradient in random directions to 1e-6. With y = f(x), random ct and v:
 * <vjp(ct), v> = (<ct, f(x + h v)> - <ct, f(x - h v)>) / 2h + O(h^2). A direction moves all inputs at once, so it sees every element.
 */
export async function check({ inputs, fn, expected, differentiable = true }: Case, seed = 1, directions = 3): Promise<void> {
  const wanted = list(expected);
  const floats = inputs.filter(isFloat) as Array64[];
  const cotangents = wanted.filter(isFloat).map((y, i) => between(seed + 1000 + i, y.shape));
  const both = withGradient(fn);
  try {
    const run = (xs: readonly NDArray[]) =>
      both(xs as never, cotangents as never) as Promise<{ outputs: NDArray[]; gradients: NDArray[] }>;
    const { outputs, gradients } = await run(inputs);
    expect(outputs.length, 'number of outputs').toBe(wanted.length);
    for (const [i, y] of outputs.entries()) expectClose(y, wanted[i], 1e-10, `output ${i}`);
    if (!differentiable) return;
    for (const [i, x] of floats.entries()) expect(gradients[i].shape, `shape of gradient ${i}`).toEqual(x.shape);
    for (let d = 0; d < directions; d++) {
      const v = floats.map((x, i) => between(seed + 100 * (d + 1) + i, x.shape));
      const h = 1e-5;
      const moved = async (sign: number) => {
        let next = 0;
        const shift = (x: Array64, by: Array64) => ({ ...x, data: x.data.map((value, j) => value + sign * h * by.data[j]) });
        const { outputs: ys } = await run(inputs.map(x => (isFloat(x) ? shift(x as Array64, v[next++]) : x)));
        return dot(cotangents, ys.filter(isFloat));
      };
      const slope = ((await moved(1)) - (await moved(-1))) / (2 * h);
      const given = dot(gradients, v);
      const scale = Math.max(1, Math.abs(slope));
      if (!(Math.abs(given - slope) <= 1e-6 * scale)) {
        expect.fail(`gradient along direction ${d} is ${given}, finite differences give ${slope}`);
      }
    }
  } finally {
    await both.dispose();
  }
}

/** Checks cases made from random parameters; each run gets a seed of its own for its numbers. */
export async function holds<P>(parameters: fc.Arbitrary<P>, make: (p: P, seed: number) => Case, runs = 16): Promise<void> {
  const property = fc.asyncProperty(parameters, fc.nat(1e6), (p, seed) => check(make(p, seed), seed));
  await fc.assert(property, { numRuns: runs, seed: 20221 });
}

/** Shapes of `minRank` to `maxRank` axes, of `least` to 3 elements each: axes of one element come often. */
export function shapes(minRank: number, maxRank: number, least = 1): fc.Arbitrary<number[]> {
  return fc.array(fc.integer({ min: least, max: 3 }), { minLength: minRank, maxLength: maxRank });
}

/** Two shapes that broadcast: axes of either may be missing at the left or 1. */
export function broadcastable(least = 1): fc.Arbitrary<[number[], number[]]> {
  return shapes(0, 3, least).chain(shape => {
    const narrowed = fc
      .tuple(fc.nat(shape.length), fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length }))
      .map(([drop, ones]) => shape.map((extent, axis) => (ones[axis] ? 1 : extent)).slice(drop));
    return fc.tuple(narrowed, narrowed);
  });
}

/** A shape with at least one axis, and one of its axes (counted from the left or, negative, from the right). */
export function withAxis(minRank = 1, maxRank = 3, least = 1): fc.Arbitrary<{ shape: number[]; axis: number; position: number }> {
  return shapes(minRank, maxRank, least).chain(shape =>
    fc
      .integer({ min: -shape.length, max: shape.length - 1 })
      .map(axis => ({ shape, axis, position: (axis + shape.length) % shape.length })),
  );
}

/** A shape and some of its axes. */
export function withAxes(least = 1): fc.Arbitrary<{ shape: number[]; axes: number[]; keepDims: boolean }> {
  return shapes(1, 4, least).chain(shape =>
    fc.record({ shape: fc.constant(shape), axes: fc.subarray([...shape.keys()], { minLength: 1 }), keepDims: fc.boolean() }),
  );
}

/** Values and gradients in float32 against those of the same function in float64 (whose lowering may be another). */
export async function checkFloat32(
  fn: Case['fn'],
  inputs: readonly Array64[],
  outputShape: Shape,
  tolerance = 1e-4,
): Promise<void> {
  const both = withGradient(fn);
  try {
    const cotangent = between(77, outputShape);
    type Result = { outputs: NDArray[]; gradients: NDArray[] };
    const wide = (await both(inputs as never, [cotangent] as never)) as unknown as Result;
    const narrow = (await both(
      inputs.map(x => astype(x, 'float32')) as never,
      [astype(cotangent, 'float32')] as never,
    )) as unknown as Result;
    for (const [i, y] of wide.outputs.entries()) expectClose(narrow.outputs[i], y, tolerance, `float32 output ${i}`);
    for (const [i, g] of wide.gradients.entries()) expectClose(narrow.gradients[i], g, tolerance, `float32 gradient ${i}`);
  } finally {
    await both.dispose();
  }
}
