import { expect, test } from 'vitest';
import { key, uniform } from '../../src/engine/random.ts';
import { type MetricName, matchingMetrics } from '../../src/fewshot/matching/metrics.ts';
import { pairWeights } from '../../src/fewshot/pairWeights.ts';

const metrics = Object.keys(matchingMetrics) as MetricName[];

test.each(metrics)('%s: the weights are the derivative of the distance', metric => {
  const sizes = matchingMetrics[metric].sameLength
    ? [[5, 5]]
    : [
        [5, 5],
        [3, 6],
        [6, 2],
        [1, 4],
      ];
  for (const [rows, columns] of sizes) {
    const d = Float64Array.from(uniform(key(rows * 10 + columns), [rows * columns]).data, Number);
    const weights = pairWeights(metric, d, rows, columns);
    const { ofPair } = matchingMetrics[metric];
    const step = 1e-6;
    for (let i = 0; i < d.length; i++) {
      const moved = (by: number) =>
        ofPair(
          Float64Array.from(d, (x, j) => (j === i ? x + by : x)),
          rows,
          columns,
        );
      expect(weights[i], `${rows} x ${columns}, pair ${i}`).toBeCloseTo((moved(step) - moved(-step)) / (2 * step), 5);
    }
  }
});

test('a metric that needs equal lengths says so', () => {
  expect(() => pairWeights('diagonal', new Float64Array(6), 2, 3)).toThrow('equally many frames, got 2 and 3');
});
