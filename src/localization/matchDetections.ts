/** Greedy matching of ranked detections to ground truth. */

import { type Instances, pairKey } from './groundTruth.ts';
import type { RankedDetections } from './rankDetections.ts';
import { overlap } from './segments.ts';

/**
 * True-positive flags of a class's ranked detections, one list per tIoU threshold; thresholds do not influence each other. A
 * detection takes the free instance of its video with the highest tIoU (of equals the later one) that reaches the threshold.
 */
export function matchDetections(
  found: RankedDetections,
  classId: number,
  truth: Instances,
  tious: readonly number[],
): Uint8Array[] {
  const ranked = found.ranked[classId];
  const hits = tious.map(() => new Uint8Array(ranked.length));
  const taken = tious.map(() => new Uint8Array(truth.start.length));
  const lowest = Math.min(...tious);
  const overlaps: number[] = [];
  const instances: number[] = [];
  ranked.forEach((row, rank) => {
    const range = found.video[row] < 0 ? undefined : truth.ranges.get(pairKey(classId, found.video[row], truth.videoCount));
    if (!range) return;
    let count = 0;
    for (let i = range[0]; i < range[1]; i++) {
      const iou = overlap(found.start[row], found.end[row], truth.start[i], truth.end[i]);
      if (iou < lowest) continue;
      // Insertion sort, descending; `<=` puts the later instance before an equal earlier one.
      let k = count++;
      for (; k > 0 && overlaps[k - 1] <= iou; k--) {
        overlaps[k] = overlaps[k - 1];
        instances[k] = instances[k - 1];
      }
      overlaps[k] = iou;
      instances[k] = i;
    }
    for (let t = 0; t < tious.length; t++) {
      for (let k = 0; k < count && overlaps[k] >= tious[t]; k++) {
        if (taken[t][instances[k]]) continue;
        taken[t][instances[k]] = 1;
        hits[t][rank] = 1;
        break;
      }
    }
  });
  return hits;
}
