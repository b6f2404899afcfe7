import { expect, test } from 'vitest';
import { inBatchPairs, sampleNegatives, samplePairs, videoPairs } from '../../src/data/pairs.ts';
import { key } from '../../src/engine/random.ts';

const labels = [
  [1, 0, 0],
  [1, 1, 0],
  [0, 0, 1],
  [1, 0, 0],
  [1, 1, 0],
].map(row => Float32Array.from(row));

const negativeCandidates = [
  [0, 2],
  [1, 2],
  [2, 3],
  [2, 4],
];

test('videoPairs: identical label vectors are positive, disjoint ones negative, the rest excluded', () => {
  expect(videoPairs(labels)).toEqual({
    positive: [
      [0, 3],
      [1, 4],
    ],
    negativeCandidates,
    excluded: 4,
  });
  expect(videoPairs([])).toEqual({ positive: [], negativeCandidates: [], excluded: 0 });
});

test('inBatchPairs: only pairs of one single label are positive', () => {
  expect(inBatchPairs(labels)).toEqual({ positive: [[0, 3]], negativeCandidates, excluded: 5 });
});

test('samplePairs: as many different negatives as positives, then the positives', () => {
  const pairs = videoPairs(labels);
  const seen = new Set<string>();
  for (let seed = 0; seed < 40; seed++) {
    const list = samplePairs(pairs, key(seed));
    expect(list).toHaveLength(4);
    expect(list.slice(2)).toEqual(pairs.positive);
    const drawn = list.slice(0, 2).map(String);
    expect(new Set(drawn).size).toBe(2);
    for (const pair of drawn) {
      expect(negativeCandidates.map(String)).toContain(pair);
      seen.add(pair);
    }
  }
  expect(seen.size).toBe(4);
  expect(samplePairs(pairs, key(7))).toEqual(samplePairs(pairs, key(7)));
});

test('sampleNegatives takes all candidates where there are fewer than positives', () => {
  const same = [1, 1, 1].map(value => Float32Array.of(value, 0));
  expect(sampleNegatives(inBatchPairs(same), key(0))).toEqual([]);
  const mostlySame = [...same, Float32Array.of(0, 1)];
  const sampled = sampleNegatives(inBatchPairs(mostlySame), key(0)).map(String).sort();
  expect(sampled).toEqual(['0,3', '1,3', '2,3']);
});
