import { expect, test } from 'vitest';
import { meanWithInterval, ranksOf, summarizeEpisodes, topCorrect } from '../../src/fewshot/accuracy.ts';

test('ranks count larger scores, and of equal ones those before', () => {
  const episode = { scores: [3, 1, 2, 0, 5, 5, 1, 1, 1], labels: [2, 2, 1], way: 3 };
  expect([...ranksOf(episode)]).toEqual([1, 1, 1]);
  expect([1, 2, 3].map(k => topCorrect(episode, k))).toEqual([0, 3, 3]);
  expect(() => ranksOf({ ...episode, way: 4 })).toThrow('ranksOf: expected 3 x 4 scores, found 9');
});

test('the interval is that of the mean', () => {
  // Deviation of 1, 0, 1, 0 is sqrt(1/3).
  expect(meanWithInterval([1, 0, 1, 0])).toEqual({ mean: 0.5, halfWidth: 1.96 * Math.sqrt(1 / 3 / 4) });
  expect(meanWithInterval([0.25])).toEqual({ mean: 0.25, halfWidth: 0 });
  expect(() => meanWithInterval([])).toThrow('expected at least one value, found none');
});

test('episodes are summed up by episode and by class', () => {
  const { accuracies, accuracy, classes } = summarizeEpisodes([
    { scores: [1, 0, 1, 0], labels: [0, 1], way: 2, classes: [7, 3] },
    { scores: [1, 0, 0, 1], labels: [0, 1], way: 2, classes: [3, 7] },
  ]);
  expect([...accuracies]).toEqual([0.5, 1]);
  expect(accuracy.mean).toBe(0.75);
  expect([...classes]).toEqual([
    [3, { queries: 2, correct: 1 }],
    [7, { queries: 2, correct: 2 }],
  ]);
});
