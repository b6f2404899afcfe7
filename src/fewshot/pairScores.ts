/** Scores of heads without parameters by plain loops over cached features: as the graph has them, without a graph. */
import type { FewshotClip } from './clipFrames.ts';
import type { Episode } from './episodes.ts';
import type { HeadSettings } from './heads/heads.ts';
import { matchingMetrics } from './matching/metrics.ts';
import { otamSmoothing } from './matching/otam.ts';
import { otamScratch, otamValue } from './matching/otamPair.ts';
import { type Frames, toUnitFrames, unitFrameDistances } from './matching/sequenceDistances.ts';

/** Added to the product of two lengths by the published OTAM and TSN heads. */
const damping = 0.01;

/** What is kept of a clip for matching. */
export interface PreparedClip {
  /** Frames of length 1; of tsn, the mean frame alone. */
  readonly unit: Frames;
  /** Their lengths before. */
  readonly lengths: Float64Array;
}

/** A matching without parameters: clips are prepared once, pairs compared many times. */
export interface PairMatcher {
  /** @param data `[frames, width]` */
  prepare(data: Float32Array, frames: number, width: number): PreparedClip;
  /** Likeness of a query to a support; larger is more alike. */
  score(query: PreparedClip, support: PreparedClip): number;
}

/** The matching of a head, if it has no parameters. */
export function pairMatcher(settings: HeadSettings): PairMatcher | undefined {
  switch (settings.head) {
    case 'matching': {
      const { ofPair } = matchingMetrics[settings.metric];
      return {
        prepare: prepareFrames,
        score: ({ unit: q }, { unit: s }) => -ofPair(unitFrameDistances(q, s), q.frames, s.frames),
      };
    }
    case 'otam':
      return otamMatcher(settings.smoothing ?? otamSmoothing);
    case 'tsn':
      return {
        prepare: (data, frames, width) => prepareFrames(meanFrames(data, frames, width), 1, width),
        score: (query, support) => 1 - dampedDistances(query, support)[0],
      };
    default:
      return undefined;
  }
}

/** Scores of an episode's queries, `[Q, way]`: means over the supports of a class. */
export function episodeScores<C extends FewshotClip>(
  { query, support, supportLabels, classes }: Episode<C>,
  score: (query: C, support: C) => number,
): Float32Array {
  const way = classes.length;
  const counts = new Float64Array(way);
  for (const label of supportLabels) counts[label]++;
  const sums = new Float64Array(query.length * way);
  for (const [i, own] of query.entries())
    for (const [j, other] of support.entries()) sums[i * way + supportLabels[j]] += score(own, other) / counts[supportLabels[j]];
  return Float32Array.from(sums);
}

/** Pairs that are remembered at most, as their number grows with the square of the clips'. */
const mostRememberedPairs = 1 << 24;

/** A function of pairs of clips that is computed once for each pair, as long as there are not too many clips for that. */
export function rememberedPairs<C>(
  clips: readonly C[],
  score: (query: C, support: C) => number,
): (query: C, support: C) => number {
  const n = clips.length;
  if (n * n > mostRememberedPairs) return score;
  const places = new Map(clips.map((clip, i) => [clip, i]));
  const values = new Float64Array(n * n).fill(Number.NaN);
  return (query, support) => {
    const at = (places.get(query) as number) * n + (places.get(support) as number);
    if (Number.isNaN(values[at])) values[at] = score(query, support);
    return values[at];
  };
}

function prepareFrames(data: Float32Array, frames: number, width: number): PreparedClip {
  const lengths = Float64Array.from({ length: frames }, (_, t) => {
    let squares = 0;
    for (let i = t * width; i < (t + 1) * width; i++) squares += data[i] ** 2;
    return Math.sqrt(squares);
  });
  return { unit: toUnitFrames({ data, frames, width }), lengths };
}

function meanFrames(data: Float32Array, frames: number, width: number): Float32Array {
  const mean = new Float64Array(width);
  for (let i = 0; i < frames * width; i++) mean[i % width] += data[i] / frames;
  return Float32Array.from(mean);
}

/** 1 - x y / (|x| |y| + 0.01), `[query frames, support frames]`. */
function dampedDistances(query: PreparedClip, support: PreparedClip): Float64Array {
  const distances = unitFrameDistances(query.unit, support.unit);
  const columns = support.unit.frames;
  for (let i = 0; i < distances.length; i++) {
    const lengths = query.lengths[Math.floor(i / columns)] * support.lengths[i % columns];
    distances[i] = 1 - ((1 - distances[i]) * lengths) / (lengths + damping);
  }
  return distances;
}

function otamMatcher(smoothing: number): PairMatcher {
  let longest = 1;
  let scratch = otamScratch(longest, longest);
  return {
    prepare: prepareFrames,
    score: (query, support) => {
      const [n, m] = [query.unit.frames, support.unit.frames];
      if (Math.max(n, m) > longest) {
        longest = Math.max(n, m);
        scratch = otamScratch(longest, longest);
      }
      const there = dampedDistances(query, support);
      const back = new Float64Array(there.length);
      for (let a = 0, i = 0; a < n; a++) for (let b = 0; b < m; b++, i++) back[b * n + a] = there[i];
      return -(otamValue(there, n, m, 0, smoothing, scratch) + otamValue(back, m, n, 0, smoothing, scratch));
    },
  };
}
