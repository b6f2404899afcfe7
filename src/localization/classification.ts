/** Video-level classification: mAP and the exact-match accuracy of the training log. */

import type { NDArray } from '../engine/ndarray.ts';
import { showShape } from '../engine/ndarray.ts';

/** Classification mAP; fractions. */
export interface ClassificationMetrics {
  /** Average precision per class; NaN for a class that no video has, which the mean leaves out. */
  readonly ap: readonly number[];
  readonly mAP: number;
}

/**
 * Video classification mAP: per class, videos ranked by score (equal scores in video order), AP = mean of the precision at every
 * positive video; then the mean over the classes that some video has.
 * @param scores [videos, C] or [videos, C + 1] with a last background column, ignored
 * @param labels multi-hot [videos, C]
 * @throws RangeError if the shapes disagree, a score is NaN or no video has a label.
 */
export function classificationMAP(scores: NDArray, labels: NDArray): ClassificationMetrics {
  const { videos, classes, width, score, label } = columns(scores, labels);
  const ap = Array.from({ length: classes }, (_, c) => {
    const order = Int32Array.from({ length: videos }, (_, v) => v);
    order.sort((a, b) => score(b * width + c) - score(a * width + c) || a - b);
    let positives = 0;
    let sum = 0;
    order.forEach((video, rank) => {
      if (label(video * classes + c)) sum += ++positives / (rank + 1);
    });
    return positives === 0 ? Number.NaN : sum / positives;
  });
  const present = ap.filter(value => !Number.isNaN(value));
  if (present.length === 0) throw new RangeError('classificationMAP: no video has a label');
  return { ap, mAP: present.reduce((a, b) => a + b, 0) / present.length };
}

/**
 * Whether each video's thresholded scores (score >= threshold, over the C classes) equal its label vector exactly: [videos] of 0/1.
 * Float32 scores are compared with the threshold rounded to float32.
 * @param scores [videos, C] or [videos, C + 1] with a last background column, ignored
 * @param labels multi-hot [videos, C]
 * @throws RangeError if the shapes disagree or a score is NaN.
 */
export function exactMatches(scores: NDArray, labels: NDArray, threshold: number): Uint8Array {
  const { videos, classes, width, score, label } = columns(scores, labels);
  const limit = scores.dtype === 'float32' ? Math.fround(threshold) : threshold;
  const matches = new Uint8Array(videos).fill(1);
  for (let v = 0; v < videos; v++) {
    for (let c = 0; c < classes; c++) if (score(v * width + c) >= limit !== label(v * classes + c)) matches[v] = 0;
  }
  return matches;
}

/** Share of videos that {@link exactMatches}; the accuracy that the published training log reports. */
export function exactMatchAccuracy(scores: NDArray, labels: NDArray, threshold: number): number {
  const matches = exactMatches(scores, labels, threshold);
  return matches.reduce((a, b) => a + b, 0) / matches.length;
}

function columns(scores: NDArray, labels: NDArray) {
  const [videos, width] = scores.shape;
  const [labelled, classes] = labels.shape;
  const fits = scores.shape.length === 2 && labels.shape.length === 2 && videos === labelled && videos > 0;
  if (!fits || (width !== classes && width !== classes + 1)) {
    throw new RangeError(
      `classification: expected scores [videos, C] or [videos, C + 1] and labels [videos, C], got ${showShape(scores.shape)} and ${showShape(labels.shape)}`,
    );
  }
  const score = (i: number) => Number(scores.data[i]);
  for (let i = 0; i < scores.data.length; i++) {
    if (Number.isNaN(score(i)))
      throw new RangeError(`classification: score of video ${Math.floor(i / width)}, class ${i % width} is NaN`);
  }
  return { videos, classes, width, score, label: (i: number) => Number(labels.data[i]) !== 0 };
}
