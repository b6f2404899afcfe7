/**
 * Episodes without labels for one shot: every drawn clip is a class of its own, and its queries are altered copies of it, in the manner of UMTRA
 * (S. Khodadadeh et al., 2019). Pure.
 */
import type { NDArray } from '../engine/ndarray.ts';
import { bernoulliMask, choiceWithoutReplacement, fold, type Key, normal, uniform } from '../engine/random.ts';
import type { Episode } from './episodes.ts';

/** How a copy of a clip is altered. */
export interface ViewOptions {
  /** Least share of the clip's length that a copy spans; 1: always all of it. Its frames are drawn within equal parts of the span, in order. */
  readonly leastSpan: number;
  /** Standard deviation of added normal noise, in units of the root mean square of the clip's features. */
  readonly noise: number;
  /** Probability that a dimension of the features is zero in all frames of a copy; the others are divided by 1 - it. */
  readonly dropout: number;
}

/** Moderate alterations. */
export const viewPreset: ViewOptions = { leastSpan: 0.5, noise: 0.1, dropout: 0.2 };

/** A clip in an episode: as it is, or an altered copy. */
export interface PseudoClip<T> {
  readonly clip: T;
  /** What {@link alteredView} draws the copy from; null: the clip as it is. */
  readonly view: Key | null;
}

export interface PseudoEpisodeOptions {
  /** N: clips, each a class. */
  readonly way: number;
  /** Altered copies of each. */
  readonly queries: number;
}

/**
 * Draws `way` different clips uniformly: class i has the i-th as its only support, and altered copies of it as its queries. Two of the clips may be of one true
 * class: of C equally frequent ones, in about way (way - 1) / 2C of the episodes. Everything follows from the key. `classes` holds the places of the clips.
 * @throws RangeError if there are fewer clips than `way`
 */
export function pseudoEpisode<T>(clips: readonly T[], { way, queries }: PseudoEpisodeOptions, key: Key): Episode<PseudoClip<T>> {
  if (clips.length < way) throw new RangeError(`pseudoEpisode: expected at least ${way} clips, found ${clips.length}`);
  const drawn = [...choiceWithoutReplacement(fold(key, 'clips'), clips.length, way)];
  const views = fold(key, 'views');
  return {
    classes: drawn,
    support: drawn.map(at => ({ clip: clips[at], view: null })),
    supportLabels: drawn.map((_, label) => label),
    query: drawn.flatMap((at, label) =>
      Array.from({ length: queries }, (_, i) => ({ clip: clips[at], view: fold(views, label * queries + i) })),
    ),
    queryLabels: drawn.flatMap((_, label) => Array.from({ length: queries }, () => label)),
    unlabelled: [],
  };
}

/**
 * An altered copy of a clip: features `[n, D]` -> `[frames, D]`. Rows keep their order; a clip shorter than `frames` repeats some.
 * @throws RangeError for options out of their range
 */
export function alteredView(
  { shape: [n, width], data }: NDArray<'float32'>,
  frames: number,
  { leastSpan, noise, dropout }: ViewOptions,
  key: Key,
): NDArray<'float32'> {
  if (!(leastSpan > 0 && leastSpan <= 1))
    throw new RangeError(`leastSpan: expected a share above 0, at most 1, found ${leastSpan}`);
  if (!(noise >= 0 && Number.isFinite(noise))) throw new RangeError(`noise: expected at least 0, found ${noise}`);
  if (!(dropout >= 0 && dropout < 1)) throw new RangeError(`dropout: expected a probability below 1, found ${dropout}`);
  const rows = viewRows(n, frames, leastSpan, fold(key, 'rows'));
  const kept = bernoulliMask(fold(key, 'dropout'), 1 - dropout, [width]).data;
  const added = noise > 0 ? normal(fold(key, 'noise'), [frames, width]).data : undefined;
  const deviation = noise * rootMeanSquare(data);
  const out = new Float32Array(frames * width);
  for (const [t, row] of rows.entries()) {
    for (let d = 0; d < width; d++) {
      if (!kept[d]) continue;
      const value = data[row * width + d] + (added ? deviation * added[t * width + d] : 0);
      out[t * width + d] = value / (1 - dropout);
    }
  }
  return { dtype: 'float32', shape: [frames, width], data: out };
}

/** A row within each of `frames` equal parts of a random span of n rows. */
export function viewRows(n: number, frames: number, leastSpan: number, key: Key): Int32Array {
  const [span, start, ...within] = uniform(key, [frames + 2]).data;
  const share = leastSpan + (1 - leastSpan) * span;
  const from = (1 - share) * start;
  return Int32Array.from({ length: frames }, (_, t) =>
    Math.min(n - 1, Math.floor(n * (from + (share * (t + within[t])) / frames))),
  );
}

function rootMeanSquare(data: Float32Array): number {
  let sum = 0;
  for (const value of data) sum += value * value;
  return Math.sqrt(sum / data.length);
}
