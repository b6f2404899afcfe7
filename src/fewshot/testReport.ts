/** What a test of many episodes leaves: numbers, and files that name every episode. Pure. */
import { encodeNpz } from '../data/formats/npz.ts';
import { ndarray } from '../engine/index.ts';
import { summarizeEpisodes } from './accuracy.ts';
import type { FewshotClip } from './clipFrames.ts';
import type { EpisodeClass, EpisodeOptions } from './episodes.ts';
import type { FewshotTest, JudgedEpisode } from './judgedEpisode.ts';

/** The outcome of a test. */
export interface FewshotEvaluation {
  /** In fractions: the mean accuracy of the episodes, and half the width of its 95 % interval. */
  readonly metrics: { readonly accuracy: number; readonly interval: number };
  readonly primary: 'accuracy';
  readonly files: { readonly 'episodes.npz': Uint8Array; readonly 'accuracy.json': string };
  readonly warnings: readonly string[];
}

/** The form of `accuracy.json`, for readers to come. */
export const fewshotTestFormat = 'inkling-fewshot-test-1';

/**
 * Sums judged episodes up. `accuracy.json` has the test (part, seed, form), its accuracy, that of each class, and the names that the numbers of
 * `episodes.npz` stand for: `accuracy` `[n]`, `classes` `[n, way]` (episode labels -> places among the classes), `support` `[n, S]` and `query` `[n, Q]`
 * (places among the items), `label` `[n, Q]` and `scores` `[n, Q, way]`, episode i being drawn by the seed and its number.
 */
export function testReport<C extends FewshotClip>(
  episodes: readonly JudgedEpisode<C>[],
  classes: readonly EpisodeClass<C>[],
  test: FewshotTest,
  form: EpisodeOptions,
): FewshotEvaluation {
  const { accuracies, accuracy, classes: byClass } = summarizeEpisodes(episodes);
  const items = classes.flatMap(each => each.items);
  const places = new Map(items.map((item, i) => [item, i]));
  const placesOf = (clips: readonly C[]) => clips.map(clip => places.get(clip) as number);
  const rows = (pick: (judged: JudgedEpisode<C>) => readonly number[]) => {
    const data = Int32Array.from(episodes.flatMap(pick));
    return ndarray('int32', [episodes.length, data.length / episodes.length], data);
  };
  const [{ labels, way }] = episodes;
  const scores = new Float32Array(episodes.length * labels.length * way);
  for (const [i, judged] of episodes.entries()) scores.set(judged.scores, i * labels.length * way);
  const numbers = encodeNpz(
    {
      accuracy: ndarray('float64', [episodes.length], accuracies),
      classes: rows(({ episode }) => episode.classes),
      support: rows(({ episode }) => placesOf(episode.support)),
      query: rows(({ episode }) => placesOf(episode.query)),
      label: rows(judged => judged.labels),
      scores: ndarray('float32', [episodes.length, labels.length, way], scores),
    },
    { compress: true },
  );
  const summary = {
    format: fewshotTestFormat,
    ...test,
    ...form,
    accuracy: accuracy.mean,
    interval: accuracy.halfWidth,
    classes: classes.map(({ name }, i) => {
      const { queries, correct } = byClass.get(i) ?? { queries: 0, correct: 0 };
      return { name, queries, correct, accuracy: queries > 0 ? correct / queries : null };
    }),
    items: items.map(({ name }) => name),
  };
  return {
    metrics: { accuracy: accuracy.mean, interval: accuracy.halfWidth },
    primary: 'accuracy',
    files: { 'episodes.npz': numbers, 'accuracy.json': `${JSON.stringify(summary, null, 1)}\n` },
    warnings: [],
  };
}
