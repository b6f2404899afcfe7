import { astype, type NDArray, type Shape, showShape, sizeOf, zeros } from '../engine/ndarray.ts';

/** A model's parameters and buffers under the names of the published checkpoints, such as `feature_embedding.0.weight`. */
export type Params = Record<string, NDArray>;

/** Gradients under the names of their parameters. Undefined, like a name left out, means that the parameter was not used. */
export type Gradients = Readonly<Record<string, NDArray | undefined>>;

/** `f` of every array, under the same names. */
export function mapParams(params: Readonly<Params>, f: (array: NDArray, name: string) => NDArray): Params {
  return Object.fromEntries(Object.entries(params).map(([name, array]) => [name, f(array, name)]));
}

/** Zeros of the same names, shapes and element types. */
export function zerosLike(params: Readonly<Params>): Params {
  return mapParams(params, array => zeros(array.shape, array.dtype));
}

/** Number of values in all arrays. */
export function countParams(params: Readonly<Params>): number {
  return Object.values(params).reduce((total, { shape }) => total + sizeOf(shape), 0);
}

/** The numbers of a floating array, or undefined for one of another type (a counter, a mask). */
export function floatData(array: NDArray): Float32Array | Float64Array | undefined {
  return array.dtype === 'float32' || array.dtype === 'float64' ? (array.data as Float32Array | Float64Array) : undefined;
}

/** What {@link mergeParams} found, every list in the order of the names. */
export interface Merged {
  /** Copied. */
  readonly matched: string[];
  /** In the model only: kept as they were. */
  readonly missing: string[];
  /** In the source only: left out. */
  readonly unexpected: string[];
  /** In both, with different shapes: kept as they were. */
  readonly wrongShape: { readonly name: string; readonly expected: Shape; readonly found: Shape }[];
}

/**
 * Copies into a model's arrays, in place, what a checkpoint has under the same name and with the same shape (non-strict loading), converting
 * the element type where it differs. Nothing is thrown: the caller decides what may be missing, from the lists.
 */
export function mergeParams(into: Params, from: Readonly<Params>): Merged {
  const merged: Merged = { matched: [], missing: [], unexpected: [], wrongShape: [] };
  for (const [name, target] of Object.entries(into)) {
    const source = from[name];
    if (source === undefined) merged.missing.push(name);
    else if (showShape(source.shape) !== showShape(target.shape)) {
      merged.wrongShape.push({ name, expected: target.shape, found: source.shape });
    } else {
      // Equal element types after the conversion; the union of typed arrays cannot say so.
      (target.data as Float64Array).set(astype(source, target.dtype).data as Float64Array);
      merged.matched.push(name);
    }
  }
  for (const name of Object.keys(from)) if (into[name] === undefined) merged.unexpected.push(name);
  return merged;
}
