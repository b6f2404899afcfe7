import type { NDArray } from '../engine/ndarray.ts';

/** A clip's features `[n, F]` as one row: the mean of its rows `[F]`, summed in float64. */
export function meanRow({ shape: [rows, width], data }: NDArray<'float32'>): Float32Array {
  const sums = new Float64Array(width);
  for (let i = 0; i < data.length; i++) sums[i % width] += data[i];
  return Float32Array.from(sums, sum => sum / rows);
}
