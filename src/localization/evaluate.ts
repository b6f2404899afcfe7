/** Detection mAP over temporal IoU thresholds, as in the ActivityNet evaluation. */

import type { Detections } from './detections.ts';
import { collectInstances, type GroundTruth } from './groundTruth.ts';
import { matchDetections } from './matchDetections.ts';
import { rankDetections } from './rankDetections.ts';
import { rangeName, steppedThresholds } from './thresholds.ts';

export type { GroundTruth } from './groundTruth.ts';

/** What is evaluated, and at which thresholds. */
export interface EvaluationOptions {
  /** tIoU thresholds in (0, 1]. */
  readonly tious: readonly number[];
  /** The average is taken over the thresholds from the first to the second of these; by default over all. */
  readonly average?: readonly [number, number];
  /** Only ground truth of this subset counts; by default all of it. */
  readonly subset?: string;
  /**
   * Restricts ground truth and detections to these videos, e.g. a split file's. By default every annotated video of the subset
   * counts, listed in a split or not: the published THUMOS14 numbers include 47 instances of two unlisted test videos.
   */
  readonly videos?: Iterable<string>;
}

/** THUMOS14: tIoU 0.1:0.1:0.9, average over 0.1:0.7. */
export const THUMOS14_EVALUATION = {
  tious: steppedThresholds(0.1, 0.9, 0.1),
  average: [0.1, 0.7],
} as const satisfies EvaluationOptions;

/** ActivityNet: tIoU 0.50:0.05:0.95, average over all ten. */
export const ACTIVITYNET_EVALUATION = { tious: steppedThresholds(0.5, 0.95, 0.05) } as const satisfies EvaluationOptions;

/** Detection mAP; everything in fractions. */
export interface DetectionMetrics {
  readonly tious: readonly number[];
  /** Classes of the ground truth, by first appearance. */
  readonly classes: readonly string[];
  /** Average precision [thresholds][classes]. */
  readonly ap: readonly (readonly number[])[];
  /** Mean over classes, per threshold. */
  readonly mAP: readonly number[];
  /** Mean of mAP over the thresholds that `range` names, e.g. `0.1:0.7`. */
  readonly average: { readonly range: string; readonly value: number };
  readonly counts: {
    /** Ground-truth instances. */
    readonly instances: number;
    /** Detections that took part. */
    readonly detections: number;
    /** Detections left out because no ground truth has their label: false positives of no class. */
    readonly unknownLabels: number;
    /** Detections left out because `videos` does not hold their video. */
    readonly unlistedVideos: number;
  };
  readonly warnings: readonly string[];
}

/**
 * Detection mAP.
 *
 * Per class, detections go in descending order of score (equal scores in the order given) and, for each threshold t independently,
 * match the class's instances of the same video in descending order of tIoU (of equals the later instance first): the first one
 * not yet taken with tIoU >= t makes a true positive. Detections of videos without ground truth are false positives.
 * @throws RangeError for an empty ground truth, instances without a segment, thresholds outside (0, 1], an average over none of
 * them, or a detection with a score or time that is not finite.
 */
export function evaluateDetections(
  detections: Detections,
  groundTruth: GroundTruth,
  options: EvaluationOptions,
): DetectionMetrics {
  const averaged = averagedThresholds(options);
  const videos = options.videos === undefined ? undefined : new Set(options.videos);
  const truth = collectInstances(groundTruth, options.subset, videos);
  const found = rankDetections(detections, truth, videos);
  const ap: number[][] = options.tious.map(() => []);
  for (let c = 0; c < truth.classes.length; c++) {
    const truePositives = matchDetections(found, c, truth, options.tious);
    truePositives.forEach((hits, t) => {
      ap[t].push(averagePrecision(hits, truth.perClass[c]));
    });
  }
  const mAP = ap.map(mean);
  return {
    tious: [...options.tious],
    classes: truth.classes,
    ap,
    mAP,
    average: { range: rangeName(averaged.map(t => options.tious[t])), value: mean(averaged.map(t => mAP[t])) },
    counts: {
      instances: truth.start.length,
      detections: found.score.length,
      unknownLabels: found.unknownLabels,
      unlistedVideos: found.unlistedVideos,
    },
    warnings: found.warnings,
  };
}

/**
 * Interpolated average precision of a ranked list: the area under the precision-recall steps after precision was made
 * non-increasing from the right. `hits[i]` is 1 if the i-th best prediction is a true positive; 0 for an empty list.
 * @throws RangeError if `positives`, the number of ground-truth instances, is not positive.
 */
export function averagePrecision(hits: ArrayLike<number>, positives: number): number {
  if (!(positives > 0)) throw new RangeError(`averagePrecision: expected a positive number of instances, got ${positives}`);
  let count = 0;
  for (let i = 0; i < hits.length; i++) if (hits[i]) count++;
  // Recall rises by 1 / positives at each hit, so the area is the mean of the best precision at or after each one.
  let best = 0;
  let area = 0;
  for (let i = hits.length - 1; i >= 0; i--) {
    best = Math.max(best, count / (i + 1));
    if (hits[i]) {
      area += best;
      count--;
    }
  }
  return area / positives;
}

/** Indices of the thresholds that the average takes. */
function averagedThresholds({ tious, average }: EvaluationOptions): number[] {
  const bad = tious.find(t => !(t > 0 && t <= 1 + 1e-9));
  if (tious.length === 0 || bad !== undefined) {
    throw new RangeError(`expected tIoU thresholds in (0, 1], found ${bad === undefined ? 'none' : bad}`);
  }
  const [first, last] = average ?? [0, 2];
  const chosen = tious.flatMap((t, i) => (t >= first - 1e-9 && t <= last + 1e-9 ? [i] : []));
  if (chosen.length === 0) throw new RangeError(`no tIoU threshold lies in the averaged range ${first}:${last}`);
  return chosen;
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
