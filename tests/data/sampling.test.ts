import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  consecutiveIndices,
  type Draws,
  drawsFromKey,
  gatherRows,
  randomIndices,
  uniformIndices,
} from '../../src/data/sampling.ts';
import { fromNumbers } from '../../src/engine/ndarray.ts';
import { key } from '../../src/engine/random.ts';
import { counting } from './builders.ts';

/** Draws that always take the lowest or the highest value, and note what was asked for. */
function extreme(end: 'low' | 'high', asked: number[][] = []): Draws {
  return {
    choice: (population, count) => Array(count).fill(end === 'low' ? 0 : population - 1),
    integer: (low, high) => {
      asked.push([low, high]);
      return end === 'low' ? low : high - 1;
    },
  };
}

describe('uniformIndices', () => {
  test.each([
    [1, 750, [0, 0]],
    [1, 1, [0, 0]],
    [3, 5, [0, 1, 2]],
    [4, 4, [0, 1, 2, 3]],
    [10, 4, [0, 2, 5, 7]],
    [7, 3, [0, 2, 4]],
  ])('%i snippets, %i samples', (n, samples, expected) => {
    expect(Array.from(uniformIndices(n, samples))).toEqual(expected);
  });

  test('forms the quotient n / S first', () => {
    // 11 * 30 / 22 is 15, but 11 * (30 / 22) is just below.
    expect(uniformIndices(30, 22)[11]).toBe(14);
    expect(uniformIndices(164, 20)[15]).toBe(122);
  });

  test('refuses an empty video', () => {
    expect(() => uniformIndices(0, 5)).toThrow('uniformIndices: expected at least 1 snippet, found 0');
    expect(() => uniformIndices(5, 0)).toThrow('uniformIndices: expected at least 1 samples, found 0');
  });
});

describe('randomIndices', () => {
  test('draws from cells whose upper ends are included', () => {
    const asked: number[][] = [];
    expect(Array.from(randomIndices(12, 5, extreme('high', asked)))).toEqual([2, 4, 7, 9, 11]);
    expect(asked).toEqual([
      [0, 3],
      [2, 5],
      [4, 8],
      [7, 10],
      [9, 12],
    ]);
    expect(Array.from(randomIndices(12, 5, extreme('low')))).toEqual([0, 2, 4, 7, 7]);
  });

  test('takes every row once where n = S, and sorts draws with replacement where n < S', () => {
    expect(Array.from(randomIndices(3, 3, extreme('high')))).toEqual([0, 1, 2]);
    const draws: Draws = { ...extreme('low'), choice: () => [10, 2, 1, 10, 0] };
    expect(Array.from(randomIndices(11, 12, draws))).toEqual([0, 1, 2, 10, 10]);
  });

  test('refuses one sample of several snippets', () => {
    expect(() => randomIndices(9, 1, extreme('low'))).toThrow('randomIndices: expected at least 2 samples, found 1');
    expect(Array.from(randomIndices(1, 1, extreme('low')))).toEqual([0]);
  });

  test('gives S indices of the video in order, the same for the same key', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 2, max: 120 }), fc.nat(1000), (n, samples, seed) => {
        const indices = randomIndices(n, samples, drawsFromKey(key(seed)));
        const again = randomIndices(n, samples, drawsFromKey(key(seed)));
        return (
          indices.length === samples &&
          indices.every((index, k) => index === again[k] && index >= (indices[k - 1] ?? 0) && index < n) &&
          (n <= samples || indices.every((index, k) => k === samples - 1 || index >= Math.trunc((k * n) / samples)))
        );
      }),
      { numRuns: 200, seed: 4 },
    );
    const [a, b] = [1, 2].map(seed => Array.from(randomIndices(1000, 50, drawsFromKey(key(seed)))));
    expect(a).not.toEqual(b);
    // Draws of one key differ from each other: the cell offsets are not one number repeated.
    expect(new Set(a.map((index, k) => index - 20 * k)).size).toBeGreaterThan(5);
  });
});

test('consecutiveIndices is a window, or the video and then nothing', () => {
  expect(Array.from(consecutiveIndices(10, 4, extreme('high')))).toEqual([5, 6, 7, 8]);
  expect(Array.from(consecutiveIndices(4, 4, extreme('high')))).toEqual([0, 1, 2, 3]);
  expect(Array.from(consecutiveIndices(2, 4, extreme('high')))).toEqual([0, 1, -1, -1]);
});

test('gatherRows copies rows, with zeros for -1', () => {
  const features = counting(3, 2, 1);
  expect(gatherRows(features, [2, -1, 0, 2])).toEqual(fromNumbers([5, 6, 0, 0, 1, 2, 5, 6], [4, 2]));
  expect(() => gatherRows(features, [3])).toThrow('gatherRows: row 3 of 3');
  expect(() => gatherRows(fromNumbers([1], [1]), [0])).toThrow('gatherRows: expected features [n, F], found [1]');
});
