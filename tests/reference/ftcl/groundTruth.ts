/** Ground truth of evaluation cases, and the comparison of an evaluation's results. */

import { parseAnnotations } from '../../../src/data/annotations.ts';
import type { NDArray } from '../../../src/engine/ndarray.ts';
import { ndarray } from '../../../src/engine/ndarray.ts';
import type { DetectionMetrics, GroundTruth } from '../../../src/localization/evaluate.ts';
import { type Compared, compareArray, compareStructure, isRecord, type ReferenceCase } from '../case.ts';

/** ActivityNet-style annotations as a case stores them. */
export type GroundTruthJson = unknown;

/** Ground truth from a case's own annotations. */
export function groundTruthOf(json: GroundTruthJson): GroundTruth {
  return parseAnnotations(json, 'the case');
}

/** `out.ap`, `out.mAP` and every summary of the JSON file that an evaluation case may hold. */
export function evaluated(c: ReferenceCase, metrics: DetectionMetrics, expected: unknown): Compared[] {
  const ap = (): NDArray =>
    ndarray('float64', [metrics.tious.length, metrics.classes.length], Float64Array.from(metrics.ap.flat()));
  const compared: Compared[] = [];
  if ('out.ap' in c.arrays) compared.push(compareArray(c, 'out.ap', ap()));
  if ('out.mAP' in c.arrays) {
    compared.push(compareArray(c, 'out.mAP', ndarray('float64', [metrics.mAP.length], Float64Array.from(metrics.mAP))));
  }
  if (!isRecord(expected)) return compared;
  const index = Object.fromEntries(metrics.classes.map((name, i) => [name, i]));
  const average = (count: number) => metrics.mAP.slice(0, count).reduce((a, b) => a + b, 0) / count;
  const values: Record<string, unknown> = {
    activity_index: index,
    average_all: average(metrics.mAP.length),
    average_first7_percent: 100 * average(7),
    'test_mAP_percent_0.1_0.7': 100 * metrics.average.value,
    test_mAP_fraction_mean_over_10: metrics.average.value,
    n_ground_truth: metrics.counts.instances,
    n_predictions: metrics.counts.detections,
  };
  for (const [key, value] of Object.entries(values)) {
    if (key in expected) compared.push(compareStructure(`json.${key}`, value, expected[key]));
  }
  return compared;
}
