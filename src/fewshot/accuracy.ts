/** How well episodes went. Pure. */

/** Scores of the queries of one episode, `[queries, way]` row by row, and their episode labels. */
export interface EpisodeScores {
  readonly scores: ArrayLike<number>;
  readonly labels: ArrayLike<number>;
  readonly way: number;
  /** The data set's class of each query, to count by class. */
  readonly classes?: ArrayLike<number>;
}

/** The place of each query's label in the order of its scores, from 0; of equal scores the first counts as the larger. */
export function ranksOf({ scores, labels, way }: EpisodeScores): Int32Array {
  if (scores.length !== labels.length * way)
    throw new RangeError(`ranksOf: expected ${labels.length} x ${way} scores, found ${scores.length}`);
  return Int32Array.from({ length: labels.length }, (_, i) => {
    const label = labels[i];
    const own = scores[i * way + label];
    let rank = 0;
    for (let k = 0; k < way; k++) {
      const other = scores[i * way + k];
      if (other > own || (other === own && k < label)) rank++;
    }
    return rank;
  });
}

/** How many queries have their label among the `k` largest scores. */
export function topCorrect(episode: EpisodeScores, k: number): number {
  return ranksOf(episode).filter(rank => rank < k).length;
}

/** A mean and half the width of its 95 % confidence interval, 1.96 s / sqrt(n) with the deviation s of the sample (n - 1). */
export interface Interval {
  readonly mean: number;
  /** 0 for a single value. */
  readonly halfWidth: number;
}

/** @throws RangeError if there are no values */
export function meanWithInterval(values: ArrayLike<number>): Interval {
  const n = values.length;
  if (n === 0) throw new RangeError('meanWithInterval: expected at least one value, found none');
  let mean = 0;
  for (let i = 0; i < n; i++) mean += values[i];
  // Divided once, so that equal values have exactly that mean.
  mean /= n;
  let squares = 0;
  for (let i = 0; i < n; i++) squares += (values[i] - mean) ** 2;
  return { mean, halfWidth: n === 1 ? 0 : 1.96 * Math.sqrt(squares / (n - 1) / n) };
}

/** What a number of episodes say together; accuracies are fractions. */
export interface EpisodesSummary {
  /** Accuracy of each episode. */
  readonly accuracies: Float64Array;
  readonly accuracy: Interval;
  /** By the data set's class: queries, and those named rightly. Only classes that occur. */
  readonly classes: ReadonlyMap<number, { readonly queries: number; readonly correct: number }>;
}

/** Sums episodes up. @throws RangeError if there are none, or scores that do not fit */
export function summarizeEpisodes(episodes: Iterable<EpisodeScores>): EpisodesSummary {
  const accuracies: number[] = [];
  const classes = new Map<number, { queries: number; correct: number }>();
  for (const episode of episodes) {
    const right = ranksOf(episode).map(rank => (rank === 0 ? 1 : 0));
    accuracies.push(right.reduce((a, b) => a + b, 0) / right.length);
    for (const [i, correct] of right.entries()) {
      const label = episode.classes?.[i];
      if (label === undefined) continue;
      const count = classes.get(label) ?? { queries: 0, correct: 0 };
      classes.set(label, { queries: count.queries + 1, correct: count.correct + correct });
    }
  }
  const sorted = new Map([...classes].sort(([a], [b]) => a - b));
  return { accuracies: Float64Array.from(accuracies), accuracy: meanWithInterval(accuracies), classes: sorted };
}
