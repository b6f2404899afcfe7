/** How well matching metrics do on episodes, without any training. */
import { compile, type NDArray, ndarray, type Tensor } from '../engine/index.ts';
import { type EpisodeScores, type EpisodesSummary, type Interval, meanWithInterval, summarizeEpisodes } from './accuracy.ts';
import { type ClassDistance, toClass } from './classDistance.ts';
import { allFrameDistances } from './cosine.ts';
import type { Episode } from './episodes.ts';
import { type MetricName, matchingMetrics } from './matching/metrics.ts';
import type { Frames } from './matching/sequenceDistances.ts';

export interface JudgeOptions<T> {
  readonly metrics: readonly MetricName[];
  /** The frames of an item; all have equally many of one width. */
  readonly framesOf: (item: T) => Frames;
  /** Default `mean`. */
  readonly classDistance?: ClassDistance;
  /** Threads within one operation. */
  readonly threads?: number;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** A metric and how it did. */
export interface JudgedMetric extends EpisodesSummary {
  readonly metric: MetricName;
}

/** Numbers in one batch of frames, queries and supports together: 16 MB of them. */
const batchSize = 4 * 2 ** 20;

/**
 * Names the queries of episodes by each metric, all on the same frame distances: the answer is the class at the smallest distance.
 * @throws RangeError if there are no episodes, or items differ in frames or width
 */
export async function judgeMetrics<T>(
  episodes: readonly Episode<T>[],
  { metrics, framesOf, classDistance = 'mean', threads, onProgress, signal }: JudgeOptions<T>,
): Promise<JudgedMetric[]> {
  const scores: EpisodeScores[][] = metrics.map(() => []);
  const distancesOf = compile((query: Tensor, support: Tensor) => allFrameDistances(query, support), {
    threads,
    name: 'frame distances',
  });
  try {
    for (let from = 0; from < episodes.length; ) {
      signal?.throwIfAborted();
      const batch = alikeEpisodes(episodes, from, framesOf);
      const distances = await distancesOf(
        stacked(batch.map(({ query }) => query.map(framesOf))),
        stacked(batch.map(({ support }) => support.map(framesOf))),
      );
      for (const [m, metric] of metrics.entries())
        for (const [i, episode] of batch.entries()) scores[m].push(scoresOf(episode, metric, classDistance, distances, i));
      from += batch.length;
      onProgress?.(from, episodes.length);
    }
  } finally {
    await distancesOf.dispose();
  }
  return metrics.map((metric, m) => ({ metric, ...summarizeEpisodes(scores[m]) }));
}

/** What one metric's accuracy is above another's on the same episodes: the mean difference with its interval, which is narrower than those of both. */
export function pairedDifference(of: EpisodesSummary, than: EpisodesSummary): Interval {
  return meanWithInterval(of.accuracies.map((accuracy, i) => accuracy - than.accuracies[i]));
}

/** Episodes from `from` on with as many queries and supports as the first, as many as fit into a batch. */
function alikeEpisodes<T>(episodes: readonly Episode<T>[], from: number, framesOf: (item: T) => Frames): Episode<T>[] {
  const { query, support } = episodes[from];
  const { frames, width } = framesOf(support[0]);
  const most = Math.max(1, Math.floor(batchSize / ((query.length + support.length) * frames * width)));
  const end = Math.min(episodes.length, from + most);
  let to = from + 1;
  while (to < end && episodes[to].query.length === query.length && episodes[to].support.length === support.length) to++;
  return episodes.slice(from, to);
}

/** Sequences of episodes as one array `[episodes, items, frames, width]`. */
function stacked(items: readonly (readonly Frames[])[]): NDArray<'float32'> {
  const [{ frames, width }] = items[0];
  const data = new Float32Array(items.length * items[0].length * frames * width);
  for (const [i, each] of items.flat().entries()) {
    if (each.frames !== frames || each.width !== width)
      throw new RangeError(`expected ${frames} frames of width ${width} everywhere, found ${each.frames} of width ${each.width}`);
    data.set(each.data, i * frames * width);
  }
  return ndarray('float32', [items.length, items[0].length, frames, width], data);
}

/** Scores of one episode's queries: minus the distances to the classes. */
function scoresOf<T>(
  episode: Episode<T>,
  metric: MetricName,
  kind: ClassDistance,
  { shape, data }: NDArray,
  at: number,
): EpisodeScores {
  const [, queries, , rows, columns] = shape;
  const { ofPair } = matchingMetrics[metric];
  const way = episode.classes.length;
  const members: number[][] = Array.from({ length: way }, () => []);
  for (const [s, label] of episode.supportLabels.entries()) members[label].push(s);
  const supports = episode.support.length;
  const distance = (q: number, s: number): number =>
    ofPair(data as Float32Array, rows, columns, ((at * queries + q) * supports + s) * rows * columns);
  const scores = new Float64Array(queries * way);
  for (let q = 0; q < queries; q++)
    for (const [label, own] of members.entries())
      scores[q * way + label] = -toClass(
        kind,
        own.map(s => distance(q, s)),
      );
  return { scores, labels: episode.queryLabels, way, classes: episode.queryLabels.map(label => episode.classes[label]) };
}
