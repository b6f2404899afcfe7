/** Linear up-sampling of snippet sequences along time. */

import { type NDArray, sizeOf, zeros } from '../engine/ndarray.ts';

/**
 * A sequence `[T, ...]` at the positions k / factor, k = 0 .. factor * T - 1, of the grid 0 .. T - 1, by linear interpolation:
 * `[factor * T, ...]`. The last factor - 1 positions lie past the grid and extrapolate its final segment, so they can leave the
 * range of the values (published behaviour).
 *
 * The slope of float32 values is rounded to float32 before the float64 arithmetic, as in the published code.
 * @throws RangeError for fewer than two time steps, a factor that is no positive integer, or an integer or boolean array.
 */
export function upsample(sequence: NDArray, factor: number): NDArray<'float64'> {
  const [steps] = sequence.shape;
  if (!(steps >= 2)) {
    throw new RangeError(`upsample: expected at least 2 time steps, got shape [${sequence.shape.join(', ')}]`);
  }
  if (!Number.isInteger(factor) || factor < 1)
    throw new RangeError(`upsample: expected a positive integer factor, got ${factor}`);
  if (!(sequence.data instanceof Float32Array || sequence.data instanceof Float64Array)) {
    throw new RangeError(`upsample: expected float32 or float64 values, got ${sequence.dtype}`);
  }
  const values = sequence.data;
  const single = values instanceof Float32Array;
  const width = sizeOf(sequence.shape.slice(1));
  const out = zeros([steps * factor, ...sequence.shape.slice(1)], 'float64');
  for (let step = 0; step < steps; step++) {
    const left = Math.min(step, steps - 2);
    for (let column = 0; column < width; column++) {
      const origin = values[left * width + column];
      const difference = values[(left + 1) * width + column] - origin;
      const slope = single ? Math.fround(difference) : difference;
      for (let k = 0; k < factor; k++) {
        const row = step * factor + k;
        out.data[row * width + column] = origin + slope * (row / factor - left);
      }
    }
  }
  return out;
}
