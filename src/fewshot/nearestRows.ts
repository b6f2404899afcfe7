/** Clips of any length as sequences of equally many frames. Pure. */
import type { NDArray } from '../engine/ndarray.ts';
import type { Frames } from './matching/sequenceDistances.ts';

/**
 * One place from each of `frames` equal parts of `length` frames: floor((k + place) length / frames). A clip of fewer frames has some of them several
 * times, evenly.
 * @param place where in its part each lies, from 0 to below 1: one for all, or one a part; default the middle
 * @throws RangeError for no frames
 */
export function segmentPlaces(length: number, frames: number, place: number | ArrayLike<number> = 0.5): Int32Array {
  if (!(Number.isInteger(length) && length >= 1)) throw new RangeError(`expected a clip of at least 1 frame, found ${length}`);
  if (!(Number.isInteger(frames) && frames >= 1)) throw new RangeError(`expected at least 1 frame of a clip, found ${frames}`);
  return Int32Array.from({ length: frames }, (_, k) =>
    Math.min(length - 1, Math.floor(((k + (typeof place === 'number' ? place : place[k])) * length) / frames)),
  );
}

/**
 * The rows of features `[n, D]` nearest to the middles of `frames` equal parts of the clip, or to other places in them: {@link segmentPlaces}.
 * @throws RangeError for features without rows
 */
export function nearestRows(
  { shape, data }: NDArray<'float32'>,
  frames: number,
  place?: number | ArrayLike<number>,
): Frames & { readonly data: Float32Array } {
  const [length, width] = shape;
  const rows = new Float32Array(frames * width);
  for (const [k, row] of segmentPlaces(length, frames, place).entries())
    rows.set((data as Float32Array).subarray(row * width, (row + 1) * width), k * width);
  return { data: rows, frames, width };
}
