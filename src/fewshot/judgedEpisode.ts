import type { EpisodeScores } from './accuracy.ts';
import type { FewshotPart } from './classParts.ts';
import type { Episode } from './episodes.ts';

/** Which episodes a test has. */
export interface FewshotTest {
  readonly split: Exclude<FewshotPart, 'train'>;
  readonly episodes: number;
  /** Episode i is `episodeAt(…, key(seed), i)`. */
  readonly seed: number;
}

/** An episode and its scores. */
export interface JudgedEpisode<C> extends EpisodeScores {
  readonly episode: Episode<C>;
  readonly scores: Float32Array;
  readonly labels: readonly number[];
}

/** Puts an episode and its scores together. */
export function judged<C>(episode: Episode<C>, scores: Float32Array): JudgedEpisode<C> {
  const { classes, queryLabels } = episode;
  return { episode, scores, labels: queryLabels, way: classes.length, classes: queryLabels.map(label => classes[label]) };
}
