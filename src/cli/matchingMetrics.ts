/** Matching metrics by the names that users give. */
import { type MetricName, matchingMetrics } from '../fewshot/matching/metrics.ts';

/** The metrics of a list of names, each once; `all` stands for all of them. @throws Error naming one that there is not */
export function parseMetrics(names: readonly string[]): MetricName[] {
  const known = Object.keys(matchingMetrics) as MetricName[];
  const isKnown = (name: string): name is MetricName => Object.hasOwn(matchingMetrics, name);
  return [
    ...new Set(
      names.flatMap(name => {
        if (name === 'all') return known;
        if (!isKnown(name)) throw new Error(`--metric: expected ${known.join(', ')} or all, found ${JSON.stringify(name)}`);
        return [name];
      }),
    ),
  ];
}
