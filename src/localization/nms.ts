/** Non-maximum suppression of temporal segments, hard and soft. */

import { overlap, type ScoredSegment } from './segments.ts';

/**
 * How the overlap of two segments is measured. `seconds` is the plain tIoU. `plus-one` adds 1 to every length and intersection
 * although the unit is seconds, as the published ACM-Net and FTCL code does: short disjoint segments less than a second apart can
 * then suppress each other. It changes mAP, so the presets keep it.
 */
export type OverlapMeasure = 'plus-one' | 'seconds';

/** Greedy suppression: a segment goes when its overlap with a better, kept one is at least `threshold`. */
export interface HardNms {
  readonly method: 'hard';
  readonly threshold: number;
  readonly overlap: OverlapMeasure;
}

/**
 * Soft-NMS (Bodla et al., ICCV 2017): scores decay instead, by `1 - overlap` where the overlap is at least `threshold` (linear) or
 * by `exp(-overlap² / sigma)` (gaussian); segments whose score falls below `minScore` go. For scores that are not negative.
 */
export type SoftNms =
  | { readonly method: 'linear'; readonly threshold: number; readonly minScore: number; readonly overlap: OverlapMeasure }
  | { readonly method: 'gaussian'; readonly sigma: number; readonly minScore: number; readonly overlap: OverlapMeasure };

/** Any suppression; `method` chooses. */
export type Suppression = HardNms | SoftNms;

/** Suppresses by the chosen method. The result is in descending order of (decayed) score, equal scores in the order given. */
export function suppress<S extends ScoredSegment>(segments: readonly S[], how: Suppression): S[] {
  return how.method === 'hard' ? nms(segments, how) : softNms(segments, how);
}

/** Hard, greedy NMS: the kept segments in descending order of score; equal scores stay in the order given. */
export function nms<S extends ScoredSegment>(segments: readonly S[], how: Omit<HardNms, 'method'>): S[] {
  const extra = how.overlap === 'plus-one' ? 1 : 0;
  const order = Int32Array.from(segments, (_, i) => i).sort((a, b) => segments[b].score - segments[a].score || a - b);
  const start = Float64Array.from(order, i => segments[i].start);
  const end = Float64Array.from(order, i => segments[i].end);
  const kept = new Int32Array(order.length);
  let count = 0;
  for (let i = 0; i < order.length; i++) {
    let k = 0;
    while (k < count && overlap(start[kept[k]], end[kept[k]], start[i], end[i], extra) < how.threshold) k++;
    if (k === count) kept[count++] = i;
  }
  return Array.from(kept.subarray(0, count), i => segments[order[i]]);
}

/**
 * Soft-NMS: repeatedly takes the best remaining segment (the earlier of equals; the very first whatever its score) and decays the
 * rest. The result holds copies with the decayed scores, in descending order.
 */
export function softNms<S extends ScoredSegment>(segments: readonly S[], how: SoftNms): S[] {
  const extra = how.overlap === 'plus-one' ? 1 : 0;
  const start = Float64Array.from(segments, s => s.start);
  const end = Float64Array.from(segments, s => s.end);
  const score = Float64Array.from(segments, s => s.score);
  let remaining = Int32Array.from(segments, (_, i) => i);
  const kept: S[] = [];
  while (remaining.length > 0) {
    let best = remaining[0];
    for (const i of remaining) if (score[i] > score[best]) best = i;
    kept.push({ ...segments[best], score: score[best] });
    remaining = remaining.filter(i => {
      if (i === best) return false;
      score[i] *= decay(overlap(start[best], end[best], start[i], end[i], extra), how);
      return score[i] >= how.minScore;
    });
  }
  return kept;
}

function decay(iou: number, how: SoftNms): number {
  if (how.method === 'gaussian') return Math.exp(-(iou * iou) / how.sigma);
  return iou >= how.threshold ? 1 - iou : 1;
}
