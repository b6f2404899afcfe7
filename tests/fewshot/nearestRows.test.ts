import { expect, test } from 'vitest';
import { fromNumbers } from '../../src/engine/ndarray.ts';
import { nearestRows, segmentPlaces } from '../../src/fewshot/nearestRows.ts';

test.each([
  [8, 8, [0, 1, 2, 3, 4, 5, 6, 7]],
  [1, 4, [0, 0, 0, 0]],
  [2, 8, [0, 0, 0, 0, 1, 1, 1, 1]],
  [3, 4, [0, 1, 1, 2]],
  [100, 4, [12, 37, 62, 87]],
  [5, 1, [2]],
])('a clip of %i frames as %i', (length, frames, expected) => {
  expect([...segmentPlaces(length, frames)]).toEqual(expected);
});

test('other places of the parts', () => {
  expect([...segmentPlaces(100, 4, 0)]).toEqual([0, 25, 50, 75]);
  expect([...segmentPlaces(100, 4, [0.99, 0, 0.5, 0.9999])]).toEqual([24, 25, 62, 99]);
});

test('rows of features; none are an error', () => {
  const features = fromNumbers([1, 2, 3, 4, 5, 6], [3, 2], 'float32');
  expect(nearestRows(features, 2)).toEqual({ data: Float32Array.of(1, 2, 5, 6), frames: 2, width: 2 });
  expect(() => nearestRows(fromNumbers([], [0, 2], 'float32'), 2)).toThrow('expected a clip of at least 1 frame, found 0');
  expect(() => segmentPlaces(3, 0)).toThrow('expected at least 1 frame of a clip, found 0');
});
