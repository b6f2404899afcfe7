/** The area under the precision-recall curve, as it is usually meant and as it was published. */

import type { Sweep } from './sweep.ts';

/** Average precision: the sum of precision times rise in recall over all points. Unknown samples are the positives. */
export function averagePrecision({ falsePositives, truePositives, unknown }: Sweep): number {
  let area = 0;
  let before = 0;
  for (let i = 0; i < truePositives.length; i++) {
    area += (truePositives[i] - before) * (truePositives[i] / (truePositives[i] + falsePositives[i]));
    before = truePositives[i];
  }
  return area / unknown;
}

/**
 * Area under straight lines between the points of the precision-recall curve, which starts at recall 0 with precision 1. This is what the
 * published tables call AUPR; lines between points promise more than any threshold gives where points are far apart.
 */
export function auprTrapezoid({ falsePositives, truePositives, unknown }: Sweep): number {
  let area = 0;
  let [before, height] = [0, 1];
  for (let i = 0; i < truePositives.length; i++) {
    const precision = truePositives[i] / (truePositives[i] + falsePositives[i]);
    area += ((truePositives[i] - before) * (precision + height)) / 2;
    [before, height] = [truePositives[i], precision];
  }
  return area / unknown;
}
