/** Training batches: which videos, which of their snippets, which dropout masks, all decided by keys. */
import { batches } from '../data/loader.ts';
import { inBatchPairs, type Pair, sampleNegatives, samplePairs, videoPairs } from '../data/pairs.ts';
import { drawsFromKey, randomIndices } from '../data/sampling.ts';
import type { VideoItem } from '../data/videos.ts';
import { type NDArray, ndarray } from '../engine/index.ts';
import { fold, type Key } from '../engine/random.ts';
import { type AcmNetMasks, type AcmNetOptions, acmNetMasks } from './acmNet.ts';
import { type InBatchWeights, inBatchWeights } from './ftclLoss.ts';
import type { Both } from './steps.ts';

/** A batch of videos. */
export interface VideoBatch {
  /** `[batch, samples, F]` */
  readonly features: NDArray;
  /** `[batch, C]` */
  readonly labels: NDArray;
  readonly masks: AcmNetMasks<NDArray>;
}

/** A batch of videos with the weights of its in-batch pairs. */
export interface InBatchBatch extends VideoBatch {
  readonly weights: InBatchWeights<NDArray>;
  /** False when no two videos of the batch make a positive pair: then the sequence terms are 0. */
  readonly hasPairs: boolean;
}

/** A batch of pairs of videos. */
export interface PairBatch {
  readonly features: Both<NDArray>;
  readonly labels: Both<NDArray>;
  readonly masks: Both<AcmNetMasks<NDArray>>;
}

export interface SamplingOptions {
  /** S: snippets a video is sampled to. */
  readonly samples: number;
  readonly batchSize: number;
}

/** The batches of one epoch, to be made one after the other. */
export interface EpochBatches<B> {
  readonly count: number;
  make(index: number): Promise<B>;
}

/** Multi-hot labels of some videos as one array `[n, C]`. */
function labelsOf(videos: readonly VideoItem[]): NDArray {
  const classes = videos[0].label.length;
  const data = new Float32Array(videos.length * classes);
  for (const [i, video] of videos.entries()) data.set(video.label, i * classes);
  return ndarray('float32', [videos.length, classes], data);
}

/** Randomly sampled features of some videos `[n, samples, F]`; each video's snippets are drawn by its own key. */
async function sampleFeatures(videos: readonly VideoItem[], samples: number, keyOf: (i: number) => Key): Promise<NDArray> {
  const loaded = await Promise.all(videos.map(video => video.load()));
  const width = loaded[0].shape[1];
  const data = new Float32Array(videos.length * samples * width);
  for (const [i, features] of loaded.entries()) {
    const indices = randomIndices(features.shape[0], samples, drawsFromKey(keyOf(i)));
    let at = i * samples * width;
    for (const row of indices) {
      data.set(features.data.subarray(row * width, (row + 1) * width), at);
      at += width;
    }
  }
  return ndarray('float32', [videos.length, samples, width], data);
}

/** Phase 1: every video once, in a new order, with newly drawn snippets. */
export function videoBatches(
  videos: readonly VideoItem[],
  options: SamplingOptions,
  network: AcmNetOptions,
  key: Key,
): EpochBatches<VideoBatch> {
  const plan = batches(videos.length, options.batchSize, fold(key, 'order'), { shuffle: true });
  return {
    count: plan.length,
    make: async index => {
      const chosen = plan[index].map(i => videos[i]);
      const step = fold(key, index);
      return {
        features: await sampleFeatures(chosen, options.samples, i => fold(fold(step, 'snippets'), i)),
        labels: labelsOf(chosen),
        masks: acmNetMasks(network, chosen.length, options.samples, fold(step, 'masks')),
      };
    },
  };
}

/** Phase 1 with in-batch pairs: as {@link videoBatches}, with as many negative pairs drawn as the batch has positive ones. */
export function inBatchBatches(
  videos: readonly VideoItem[],
  options: SamplingOptions,
  network: AcmNetOptions,
  key: Key,
): EpochBatches<InBatchBatch> {
  const plan = batches(videos.length, options.batchSize, fold(key, 'order'), { shuffle: true });
  const plain = videoBatches(videos, options, network, key);
  return {
    count: plain.count,
    make: async index => {
      const pairs = inBatchPairs(plan[index].map(i => videos[i].label));
      const negatives = sampleNegatives(pairs, fold(fold(key, index), 'negatives'));
      return {
        ...(await plain.make(index)),
        weights: inBatchWeights(plan[index].length, pairs.positive, negatives),
        hasPairs: pairs.positive.length > 0,
      };
    },
  };
}

/** The pairs of a run and the key of its videos' snippets. */
export interface PairPlan {
  readonly pairs: readonly Pair[];
  readonly snippets: Key;
}

/**
 * Draws the pairs and fixes the snippets of every video. The published code does so once for a whole run; with `key` of an epoch
 * it is done anew.
 */
export function planPairs(videos: readonly VideoItem[], key: Key): PairPlan {
  return {
    pairs: samplePairs(videoPairs(videos.map(video => video.label)), fold(key, 'pairs')),
    snippets: fold(key, 'snippets'),
  };
}

/** Phase 2: every pair once, in a new order; a video has the same snippets in all its pairs. */
export function pairBatches(
  videos: readonly VideoItem[],
  plan: PairPlan,
  options: SamplingOptions,
  network: AcmNetOptions,
  key: Key,
): EpochBatches<PairBatch> {
  const order = batches(plan.pairs.length, options.batchSize, fold(key, 'order'), { shuffle: true });
  return {
    count: order.length,
    make: async index => {
      const step = fold(key, index);
      const stream = async (side: 0 | 1) => {
        const positions = order[index].map(p => plan.pairs[p][side]);
        const chosen = positions.map(i => videos[i]);
        return {
          features: await sampleFeatures(chosen, options.samples, i => fold(plan.snippets, positions[i])),
          labels: labelsOf(chosen),
          masks: acmNetMasks(network, chosen.length, options.samples, fold(fold(step, 'masks'), side)),
        };
      };
      const [first, second] = [await stream(0), await stream(1)];
      return {
        features: [first.features, second.features],
        labels: [first.labels, second.labels],
        masks: [first.masks, second.masks],
      };
    },
  };
}
