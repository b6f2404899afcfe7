/** The ROC curve of "unknown?" decisions, the area under it, and the false-positive rate at 95 % recall in each published convention. */

import type { Sweep } from './sweep.ts';

/** Points of a ROC curve from (0, 0) to (1, 1). */
export interface RocCurve {
  /** Fraction of the known samples called unknown. */
  readonly falsePositiveRate: Float64Array;
  /** Fraction of the unknown samples called unknown. */
  readonly truePositiveRate: Float64Array;
}

/**
 * Which point of the curve counts for FPR@95; the values differ in the third decimal of a percent and beyond.
 * - `at-least`: the first point with TPR >= 0.95, of all points. The meaning of the name.
 * - `first-above`: the first point with TPR > 0.95, of the reduced curve (the published openness tool).
 * - `nearest`: the point whose TPR is nearest to 0.95, of the reduced curve, the first on ties (the published PSL evaluation). Its TPR
 *   may be below 0.95.
 * - `nearest-all-points`: the same of all points.
 */
export type FprConvention = 'at-least' | 'first-above' | 'nearest' | 'nearest-all-points';

/** Area under the ROC curve by the trapezoid rule: the probability that an unknown sample scores above a known one, ties counting half. */
export function auroc({ falsePositives, truePositives, known, unknown }: Sweep): number {
  // In whole and half samples, which are exact.
  let area = 0;
  let [fp, tp] = [0, 0];
  for (let i = 0; i < falsePositives.length; i++) {
    area += ((falsePositives[i] - fp) * (truePositives[i] + tp)) / 2;
    [fp, tp] = [falsePositives[i], truePositives[i]];
  }
  return area / known / unknown;
}

/**
 * The ROC curve with (0, 0) in front.
 * @param reduce drop the points between the first and the last at which the second differences of both counts are zero, as scikit-learn's
 *   `roc_curve` does: neighbours on a line and equally far apart
 */
export function rocCurve({ falsePositives, truePositives, known, unknown }: Sweep, reduce: boolean): RocCurve {
  const last = falsePositives.length - 1;
  const bends = (counts: Float64Array, i: number): boolean => counts[i + 1] - counts[i] !== counts[i] - counts[i - 1];
  const kept: number[] = [];
  for (let i = 0; i <= last; i++) {
    if (!reduce || i === 0 || i === last || bends(falsePositives, i) || bends(truePositives, i)) kept.push(i);
  }
  return {
    falsePositiveRate: Float64Array.from([0, ...kept.map(i => falsePositives[i] / known)]),
    truePositiveRate: Float64Array.from([0, ...kept.map(i => truePositives[i] / unknown)]),
  };
}

/** The fraction of known samples called unknown where `recall` of the unknown ones are found, by a named convention. */
export function fprAtRecall(counts: Sweep, convention: FprConvention, recall = 0.95): number {
  const all = convention === 'at-least' || convention === 'nearest-all-points';
  const { falsePositiveRate, truePositiveRate } = rocCurve(counts, !all);
  return falsePositiveRate[pointAt(truePositiveRate, convention, recall)];
}

function pointAt(recalls: Float64Array, convention: FprConvention, recall: number): number {
  if (convention === 'at-least') return recalls.findIndex(value => value >= recall);
  if (convention === 'first-above') return recalls.findIndex(value => value > recall);
  let best = 0;
  for (let i = 1; i < recalls.length; i++) if (Math.abs(recalls[i] - recall) < Math.abs(recalls[best] - recall)) best = i;
  return best;
}
