/** A threshold swept from the most uncertain sample down: what every ranking metric of open-set recognition is made of. */

/**
 * Cumulative counts at every distinct score, in descending order of score. Unknown samples are the positives: at point i, the samples
 * with uncertainty >= `scores[i]` are called unknown, `truePositives[i]` of them rightly and `falsePositives[i]` wrongly.
 */
export interface Sweep {
  readonly scores: Float64Array;
  readonly falsePositives: Float64Array;
  readonly truePositives: Float64Array;
  /** Number of known samples. */
  readonly known: number;
  /** Number of unknown samples. */
  readonly unknown: number;
}

/**
 * Sweeps over uncertainties (larger means more unknown); equal scores make one point.
 * @throws RangeError if a side is empty or a score is NaN
 */
export function sweep(known: ArrayLike<number>, unknown: ArrayLike<number>): Sweep {
  const negatives = ascending(known, 'known');
  const positives = ascending(unknown, 'unknown');
  const most = negatives.length + positives.length;
  const scores = new Float64Array(most);
  const falsePositives = new Float64Array(most);
  const truePositives = new Float64Array(most);
  let [n, p, count] = [negatives.length, positives.length, 0];
  while (n > 0 || p > 0) {
    const score = Math.max(n > 0 ? negatives[n - 1] : -Infinity, p > 0 ? positives[p - 1] : -Infinity);
    while (n > 0 && negatives[n - 1] === score) n--;
    while (p > 0 && positives[p - 1] === score) p--;
    scores[count] = score;
    falsePositives[count] = negatives.length - n;
    truePositives[count] = positives.length - p;
    count++;
  }
  return {
    scores: scores.subarray(0, count),
    falsePositives: falsePositives.subarray(0, count),
    truePositives: truePositives.subarray(0, count),
    known: negatives.length,
    unknown: positives.length,
  };
}

function ascending(values: ArrayLike<number>, side: string): Float64Array {
  if (values.length === 0) throw new RangeError(`expected at least one ${side} sample, found none`);
  const sorted = Float64Array.from(values).sort();
  // NaN sorts last.
  if (Number.isNaN(sorted[sorted.length - 1]))
    throw new RangeError(`expected scores that are numbers, found NaN on the ${side} side`);
  return sorted;
}
