/** Temporal segments and their overlap. */

/** A scored piece of a video; `start` and `end` in seconds. */
export interface ScoredSegment {
  readonly score: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Intersection over union of [startA, endA] and [startB, endB]: 0 for disjoint, touching or empty segments.
 * `extra` is added to each length and to the intersection; 1 gives the "+1" of detection code that counts pixels, which the
 * published non-maximum suppression applies to seconds (see nms.ts). Evaluation uses 0.
 */
export function overlap(startA: number, endA: number, startB: number, endB: number, extra = 0): number {
  const intersection = Math.max(0, Math.min(endA, endB) - Math.max(startA, startB) + extra);
  const union = endA - startA + extra + (endB - startB + extra) - intersection;
  return union > 0 ? intersection / union : 0;
}

/** Temporal IoU (tIoU) of two segments `[start, end]` in seconds. */
export function segmentIoU(a: readonly [number, number], b: readonly [number, number]): number {
  return overlap(a[0], a[1], b[0], b[1]);
}

/** Part of segment `a` that lies within `b`, both `[start, end]`: intersection over the length of `a`; 0 for an empty `a`. */
export function segmentIoA(a: readonly [number, number], b: readonly [number, number]): number {
  const length = a[1] - a[0];
  return length > 0 ? Math.max(0, Math.min(a[1], b[1]) - Math.max(a[0], b[0])) / length : 0;
}
