import { choiceWithoutReplacement, type Key } from '../engine/random.ts';

/** Positions of two videos, the first smaller. */
export type Pair = readonly [number, number];

/** All pairs of a list of videos, i < j in row-major order, by what their labels share. */
export interface VideoPairs {
  readonly positive: readonly Pair[];
  readonly negativeCandidates: readonly Pair[];
  /** Number of pairs that are neither. */
  readonly excluded: number;
}

function sortPairs(
  labels: readonly ArrayLike<number>[],
  isPositive: (a: ArrayLike<number>, b: ArrayLike<number>, shared: number) => boolean,
): VideoPairs {
  const positive: Pair[] = [];
  const negativeCandidates: Pair[] = [];
  let excluded = 0;
  for (let i = 0; i < labels.length; i++) {
    for (let j = i + 1; j < labels.length; j++) {
      const shared = dot(labels[i], labels[j]);
      if (isPositive(labels[i], labels[j], shared)) positive.push([i, j]);
      else if (shared === 0) negativeCandidates.push([i, j]);
      else excluded++;
    }
  }
  return { positive, negativeCandidates, excluded };
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let c = 0; c < a.length; c++) sum += a[c] * b[c];
  return sum;
}

function same(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  for (let c = 0; c < a.length; c++) if (a[c] !== b[c]) return false;
  return true;
}

/**
 * Pairs of videos for contrastive training (the pair data set): identical label vectors make a positive pair, vectors without a
 * common class a negative candidate; a partial overlap is excluded.
 * @param labels multi-hot vectors `[C]`
 */
export function videoPairs(labels: readonly ArrayLike<number>[]): VideoPairs {
  return sortPairs(labels, same);
}

/**
 * Pairs inside a batch: as {@link videoPairs}, but positive only if both videos have one and the same single label (dot product
 * exactly 1 and equal vectors).
 * @param labels multi-hot vectors `[C]`
 */
export function inBatchPairs(labels: readonly ArrayLike<number>[]): VideoPairs {
  return sortPairs(labels, (a, b, shared) => shared === 1 && same(a, b));
}

/**
 * As many negative pairs as there are positive ones (or all candidates, if there are fewer), drawn without replacement.
 */
export function sampleNegatives({ positive, negativeCandidates }: VideoPairs, key: Key): Pair[] {
  const count = Math.min(positive.length, negativeCandidates.length);
  return Array.from(choiceWithoutReplacement(key, negativeCandidates.length, count), index => negativeCandidates[index]);
}

/** The list a contrastive epoch goes through: sampled negatives, then every positive. */
export function samplePairs(pairs: VideoPairs, key: Key): Pair[] {
  return [...sampleNegatives(pairs, key), ...pairs.positive];
}
