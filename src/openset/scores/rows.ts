/** Rows of an array as doubles. */

import { type NDArray, showShape } from '../../engine/ndarray.ts';

/** A matrix of doubles in C order. */
export interface Rows {
  readonly count: number;
  readonly width: number;
  readonly data: Float64Array;
}

/** An array [rows, width] of any type as doubles. @throws RangeError naming `what` if it has another number of axes or no column */
export function rowsOf(array: NDArray, what: string): Rows {
  const [count, width] = array.shape;
  if (array.shape.length !== 2 || width === 0) {
    throw new RangeError(`${what}: expected [rows, columns], found ${showShape(array.shape)}`);
  }
  return { count, width, data: array.data instanceof Float64Array ? array.data : Float64Array.from(array.data, Number) };
}

/** One value of each row. */
export function mapRows({ count, width, data }: Rows, value: (row: Float64Array) => number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => value(data.subarray(i * width, (i + 1) * width)));
}

/** The index of the largest value, the first of equals. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

/** Rows divided by max(norm, `least`), or by norm + `added`. */
export function unitRows(
  { count, width, data }: Rows,
  { least = 0, added = 0 }: { readonly least?: number; readonly added?: number },
): Rows {
  const out = new Float64Array(data.length);
  for (let i = 0; i < count; i++) {
    let squares = 0;
    for (let j = i * width; j < (i + 1) * width; j++) squares += data[j] * data[j];
    const norm = Math.max(Math.sqrt(squares), least) + added;
    for (let j = i * width; j < (i + 1) * width; j++) out[j] = data[j] / norm;
  }
  return { count, width, data: out };
}

/** Products of all rows of `a` with all rows of `b`: [a rows, b rows]. @throws RangeError if their widths differ */
export function products(a: Rows, b: Rows): Rows {
  if (a.width !== b.width) throw new RangeError(`expected rows of the same width, found ${a.width} and ${b.width}`);
  const data = new Float64Array(a.count * b.count);
  for (let i = 0; i < a.count; i++) {
    for (let j = 0; j < b.count; j++) {
      let sum = 0;
      for (let k = 0; k < a.width; k++) sum += a.data[i * a.width + k] * b.data[j * b.width + k];
      data[i * b.count + j] = sum;
    }
  }
  return { count: a.count, width: b.count, data };
}
