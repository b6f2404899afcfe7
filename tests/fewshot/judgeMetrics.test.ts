import { expect, test } from 'vitest';
import { key, uniform } from '../../src/engine/random.ts';
import { ranksOf } from '../../src/fewshot/accuracy.ts';
import type { ClassDistance } from '../../src/fewshot/classDistance.ts';
import { type Episode, episodeAt } from '../../src/fewshot/episodes.ts';
import { judgeMetrics, pairedDifference } from '../../src/fewshot/judgeMetrics.ts';
import { type MetricName, matchingMetrics } from '../../src/fewshot/matching/metrics.ts';
import { type Frames, sequenceDistance } from '../../src/fewshot/matching/sequenceDistances.ts';

const metrics = Object.keys(matchingMetrics) as MetricName[];
const frames = 4;
const width = 6;

/** Clips that are noise around one direction a class. */
const classes: Frames[][] = Array.from({ length: 6 }, (_, label) =>
  Array.from({ length: 7 }, (_, i) => {
    const noise = uniform(key(100 * label + i), [frames, width]).data as Float32Array;
    return { data: noise.map((value, at) => 1.4 * (value - 0.3) + Number(at % width === label)), frames, width };
  }),
);

/** The same by the definition, a pair at a time. */
function accuracyOf(
  kind: ClassDistance,
  metric: MetricName,
  { classes: { length: way }, support, supportLabels, query, queryLabels }: Episode<Frames>,
) {
  const scores = query.flatMap(clip =>
    Array.from({ length: way }, (_, label) => {
      const own = support.filter((_, s) => supportLabels[s] === label).map(each => sequenceDistance(metric, clip, each));
      return kind === 'mean' ? -own.reduce((a, b) => a + b, 0) / own.length : -Math.min(...own);
    }),
  );
  return ranksOf({ scores, labels: queryLabels, way }).filter(rank => rank === 0).length / query.length;
}

test.each(['mean', 'nearest'] as const)(
  'every metric names the queries as pair by pair, on the same episodes: %s',
  async kind => {
    // Forms that change from one episode to the next, and one that fills more than a batch with none other.
    const forms = [
      { way: 5, shot: 1, queries: 2 },
      { way: 3, shot: 3, queries: 1 },
    ];
    const episodes = Array.from({ length: 20 }, (_, i) => episodeAt(classes, forms[i < 15 ? 0 : i % 2], key(3), i));
    const seen: number[] = [];
    const judged = await judgeMetrics(episodes, {
      metrics,
      framesOf: each => each,
      classDistance: kind,
      onProgress: done => seen.push(done),
    });
    expect(judged.map(({ metric }) => metric)).toEqual(metrics);
    for (const { metric, accuracies } of judged)
      expect([...accuracies], metric).toEqual(episodes.map(episode => accuracyOf(kind, metric, episode)));
    // Neither trivial nor chance, so that the comparison means something.
    for (const { accuracy } of judged) {
      expect(accuracy.mean).toBeGreaterThan(0.3);
      expect(accuracy.mean).toBeLessThan(1);
    }
    expect(seen.at(-1)).toBe(20);
    const queries = [...judged[0].classes.values()].reduce((n, each) => n + each.queries, 0);
    expect(queries).toBe(episodes.reduce((n, { query }) => n + query.length, 0));
  },
);

test('the paired difference has the interval of the differences', async () => {
  const episodes = Array.from({ length: 30 }, (_, i) => episodeAt(classes, { way: 5, shot: 1, queries: 1 }, key(1), i));
  const [a, b, same] = await judgeMetrics(episodes, { metrics: ['bi-mhm', 'diagonal', 'bi-mhm'], framesOf: each => each });
  const { mean } = pairedDifference(b, a);
  expect(mean).toBeCloseTo(b.accuracy.mean - a.accuracy.mean, 12);
  expect(pairedDifference(same, a)).toEqual({ mean: 0, halfWidth: 0 });
});

test('order alone: metrics of order tell a movement from its reverse, others cannot', async () => {
  const line = (direction: 1 | -1, at: number): Frames => {
    const data = new Float32Array(frames * width);
    for (let t = 0; t < frames; t++) data[t * width + (direction === 1 ? t : frames - 1 - t)] = 1 + 0.01 * at;
    return { data, frames, width };
  };
  const both = [1, -1].map(direction => Array.from({ length: 4 }, (_, at) => line(direction as 1 | -1, at)));
  const episodes = Array.from({ length: 10 }, (_, i) => episodeAt(both, { way: 2, shot: 1, queries: 2 }, key(0), i));
  const found = await judgeMetrics(episodes, { metrics, framesOf: each => each });
  for (const { metric, accuracy } of found)
    expect(accuracy.mean, metric).toBeCloseTo(matchingMetrics[metric].ordered ? 1 : 0.5, 12);
});

test('items of different widths are an error', async () => {
  const odd = [...classes.slice(0, 2), [{ data: new Float32Array(8), frames: 4, width: 2 }, ...classes[2]]];
  const episode: Episode<Frames> = {
    classes: [0, 2],
    support: [odd[0][0], odd[2][0]],
    supportLabels: [0, 1],
    query: [odd[0][1]],
    queryLabels: [0],
    unlabelled: [],
  };
  await expect(judgeMetrics([episode], { metrics: ['bi-mhm'], framesOf: each => each })).rejects.toThrow(
    'expected 4 frames of width 6 everywhere, found 4 of width 2',
  );
});
