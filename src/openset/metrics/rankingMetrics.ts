/** Every metric of a ranking by uncertainty, each convention under its own name. */

import { auprTrapezoid, averagePrecision } from './precisionRecall.ts';
import { auroc, fprAtRecall } from './roc.ts';
import { sweep } from './sweep.ts';

/** How well uncertainty ranks unknown samples above known ones; fractions. Unknown samples are the positives. */
export interface RankingMetrics {
  readonly auroc: number;
  /** Area under the precision-recall steps. */
  readonly averagePrecision: number;
  /** Area under lines between the points of the precision-recall curve: the published AUPR. */
  readonly auprTrapezoid: number;
  /** Average precision with the known samples as positives, ranked by the negated uncertainty. */
  readonly averagePrecisionKnown: number;
  /** FPR@95 by the conventions of `FprConvention`. */
  readonly fpr95AtLeast: number;
  readonly fpr95FirstAbove: number;
  readonly fpr95Nearest: number;
  readonly fpr95NearestAllPoints: number;
}

/** Names of the metrics, in the order of printing. */
export const rankingMetricNames = [
  'auroc',
  'averagePrecision',
  'auprTrapezoid',
  'averagePrecisionKnown',
  'fpr95AtLeast',
  'fpr95FirstAbove',
  'fpr95Nearest',
  'fpr95NearestAllPoints',
] as const satisfies readonly (keyof RankingMetrics)[];

/**
 * All ranking metrics of uncertainties of known and unknown samples.
 * @throws RangeError if a side is empty or a score is NaN
 */
export function rankingMetrics(known: ArrayLike<number>, unknown: ArrayLike<number>): RankingMetrics {
  const counts = sweep(known, unknown);
  const negated = (values: ArrayLike<number>) => Float64Array.from(values, value => -value);
  return {
    auroc: auroc(counts),
    averagePrecision: averagePrecision(counts),
    auprTrapezoid: auprTrapezoid(counts),
    averagePrecisionKnown: averagePrecision(sweep(negated(unknown), negated(known))),
    fpr95AtLeast: fprAtRecall(counts, 'at-least'),
    fpr95FirstAbove: fprAtRecall(counts, 'first-above'),
    fpr95Nearest: fprAtRecall(counts, 'nearest'),
    fpr95NearestAllPoints: fprAtRecall(counts, 'nearest-all-points'),
  };
}

/** Closed-set accuracy: the fraction of samples whose predicted class is their label; nothing is rejected. */
export function accuracy(predictions: ArrayLike<number>, labels: ArrayLike<number>): number {
  let right = 0;
  for (let i = 0; i < labels.length; i++) if (predictions[i] === labels[i]) right++;
  return right / labels.length;
}
