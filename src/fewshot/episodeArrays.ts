/** Episodes as arrays for a graph. */
import { type NDArray, ndarray } from '../engine/index.ts';
import type { FewshotClip } from './clipFrames.ts';
import type { Episode } from './episodes.ts';

/** Episodes of one form as arrays; supports and queries are class by class, as `sampleEpisode` has them. */
export interface EpisodeArrays {
  /** `[episodes, S, T, D]` */
  readonly support: NDArray<'float32'>;
  /** `[episodes, Q, T, D]` */
  readonly query: NDArray<'float32'>;
  /** `[episodes, M, T, D]`; only if the form has clips without labels. */
  readonly unlabelled?: NDArray<'float32'>;
  /** Episode labels of the queries, `[episodes, Q]`. */
  readonly queries: NDArray<'int32'>;
  /** Places of the classes of supports, then queries, among all of the part, `[episodes, S + Q]`. */
  readonly clips: NDArray<'int32'>;
}

/** Reads the clips of episodes, all of one form. @param read a clip's `[frames, width]` */
export async function episodeArrays<C extends FewshotClip>(
  episodes: readonly Episode<C>[],
  read: (clip: C) => Promise<Float32Array>,
  frames: number,
  width: number,
): Promise<EpisodeArrays> {
  const stacked = async (pick: (episode: Episode<C>) => readonly C[]): Promise<NDArray<'float32'>> => {
    const each = pick(episodes[0]).length;
    const size = frames * width;
    const data = new Float32Array(episodes.length * each * size);
    const clips = await Promise.all(episodes.flatMap(pick).map(read));
    for (const [i, clip] of clips.entries()) data.set(clip, i * size);
    return ndarray('float32', [episodes.length, each, frames, width], data);
  };
  const labels = (pick: (episode: Episode<C>) => readonly number[]): NDArray<'int32'> =>
    ndarray('int32', [episodes.length, pick(episodes[0]).length], Int32Array.from(episodes.flatMap(pick)));
  return {
    support: await stacked(episode => episode.support),
    query: await stacked(episode => episode.query),
    ...(episodes[0].unlabelled.length > 0 && { unlabelled: await stacked(episode => episode.unlabelled) }),
    queries: labels(episode => episode.queryLabels),
    clips: labels(({ classes, supportLabels, queryLabels }) => [...supportLabels, ...queryLabels].map(label => classes[label])),
  };
}
