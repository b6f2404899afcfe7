import { expect, test } from 'vitest';
import { ndarray } from '../../src/engine/ndarray.ts';
import { mixWithReverse, softTargets } from '../../src/nn/mixup.ts';

const rounded = (values: Iterable<number>): number[] => Array.from(values, value => Math.round(1e6 * value) / 1e6);

test('soft targets', () => {
  expect(rounded(softTargets([1, 0], 2).data)).toEqual([0, 1, 1, 0]);
  expect(rounded(softTargets([2], 4, 0.2).data)).toEqual([0.05, 0.05, 0.85, 0.05]);
  expect(() => softTargets([0, 4], 4)).toThrow('softTargets: expected a label from 0 to 3, found 4');
});

test('rows are mixed with those of the reversed batch', () => {
  const batch = ndarray('float32', [3, 2], Float32Array.of(0, 1, 10, 20, 4, 5));
  const mixed = mixWithReverse(batch, 0.25);
  expect(mixed.shape).toEqual([3, 2]);
  expect(rounded(mixed.data)).toEqual([3, 4, 10, 20, 1, 2]);
  expect([...batch.data]).toEqual([0, 1, 10, 20, 4, 5]);
});
