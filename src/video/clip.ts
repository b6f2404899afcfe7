/** Clips of one video for training and testing (Node only): decoded once, sampled and transformed by a plan that is plain data. */
import { DataError } from '../data/formats/dataError.ts';
import { fold, type Key, uniform } from '../engine/random.ts';
import { type ColourRange, drawColourSteps, grayscale, jitterColours } from './colour.ts';
import {
  centreCrop,
  type MultiScaleRange,
  multiScaleCrop,
  type ResizedCropRange,
  randomCrop,
  randomResizedCrop,
  shortSideSize,
  threeCrop,
} from './crops.ts';
import { countFrames, openVideo } from './decode.ts';
import { denseIndices, intervalIndices, segmentIndices, type View } from './sampling.ts';
import { type Clip, type Frames, normalize, toClip } from './transforms.ts';

/** Which frames a clip has; how it is sampled. */
export type SamplingPlan =
  | { readonly kind: 'segment' }
  | { readonly kind: 'dense'; readonly within: number }
  | { readonly kind: 'interval'; readonly interval: number; readonly targetFramesPerSecond?: number };

/** Random changes in training. All frames of a clip change alike. */
export interface Augmentation {
  /** Default: a random resized crop over its default range. */
  readonly crop?: ({ readonly kind: 'resized' } & ResizedCropRange) | ({ readonly kind: 'multi-scale' } & MultiScaleRange);
  /** Probability of mirroring. Default 0.5. */
  readonly flip?: number;
  /** Colour jitter: how likely (0: never), and its range. Default 0. */
  readonly colour?: { readonly probability: number } & ColourRange;
  /** Probability of losing all colour. Default 0. */
  readonly grayscale?: number;
}

/** What is done in testing: the short side scaled to `shortSide`, then a square. */
export interface TestCrop {
  /** Default: the size of the clip. */
  readonly shortSide?: number;
  /** In the middle, anywhere, or number 0, 1 or 2 of three along the long side. Default: in the middle. */
  readonly crop?: 'centre' | 'random' | number;
}

/** How clips are made from a video. Plain data: it can be sent to another thread. */
export interface ClipPlan {
  /** Frames of a clip. */
  readonly frames: number;
  /** Side of its pictures. */
  readonly size: number;
  readonly sampling: SamplingPlan;
  /** Training: random frames and changes. Without it, testing. */
  readonly augment?: Augmentation;
  readonly test?: TestCrop & { readonly view?: View };
  /** Subtracted and divided by, for R, G and B. Default: values stay in [0, 1]. */
  readonly normalize?: { readonly mean: readonly number[]; readonly std: readonly number[] };
}

/** A clip to make. */
export interface ClipWish {
  readonly plan: ClipPlan;
  /** Everything random in the clip follows from it. */
  readonly key: Key;
}

/** A request for clips of one video, which is decoded once for all of them. */
export interface ClipRequest {
  readonly path: string;
  readonly wishes: readonly ClipWish[];
  /** Number of frames of the video, if it is known from an earlier {@link ClipResult}: saves finding out. */
  readonly length?: number;
}

/** Clips `[3, frames, size, size]`. */
export interface ClipResult {
  readonly clips: readonly Clip[];
  /** Frames that the video has. */
  readonly length: number;
  /** That decoding met errors, in one line. */
  readonly damage?: string;
}

/** More uniforms than any plan draws, but for the frames. */
const drawsOfPlan = 64;

/** The uniforms of a key, one after the other. */
function uniformsOf(from: Key): () => number {
  const { data } = uniform(from, [drawsOfPlan]);
  let at = 0;
  return () => data[at++];
}

/**
 * Decodes a video once and makes all clips that are asked of it.
 * @throws DataError as `openVideo`
 */
export async function makeClips({ path, wishes, length }: ClipRequest): Promise<ClipResult> {
  let known = length;
  let measured = false;
  for (;;) {
    const video = await openVideo(path);
    const { statedFrames, framesPerSecond } = video.facts;
    const assumed = known ?? statedFrames;
    if (assumed === undefined) {
      await video.close();
      known = await countFrames(path);
      measured = true;
      continue;
    }
    const chosen = wishes.map(({ plan, key }) => chooseFrames(plan, assumed, framesPerSecond ?? 30, key));
    const indices = [...new Set(chosen.flatMap(each => [...each]))].sort((a, b) => a - b);
    let damage: string | undefined;
    let held: Frames | undefined;
    const frames = video.frames({
      // One batch holds all; a container that promises too many frames shows by what is missing, not by an error.
      batch: indices.length,
      indices: Int32Array.from(indices),
      onDamage: line => {
        damage = line;
      },
    });
    const found = await takeAll(frames, batch => {
      held = { count: batch.count, height: batch.height, width: batch.width, data: batch.data };
    });
    // Containers state frames wrongly: what was decoded counts.
    if (found === undefined || found !== assumed) {
      if (measured)
        throw new DataError(path, `expected ${assumed} frames as before, found ${found ?? 'fewer'} (is it being written?)`);
      known = found ?? (await countFrames(path));
      measured = true;
      continue;
    }
    const clips = chosen.map((each, i) => {
      const at = Array.from(each, index => indices.indexOf(index));
      const { plan, key } = wishes[i];
      return transform(gather(held!, at), plan, uniformsOf(fold(key, 'changes')));
    });
    return { clips, length: found, ...(damage === undefined ? {} : { damage }) };
  }
}

type FrameStream = ReturnType<Awaited<ReturnType<typeof openVideo>>['frames']>;
type Batch = Frames & { readonly first: number };

/** The number of frames decoded; undefined if there were fewer than asked for. */
async function takeAll(frames: FrameStream, use: (batch: Batch) => void): Promise<number | undefined> {
  for (;;) {
    const next = await frames.next().catch((error: Error) => {
      if (/: expected at least \d+ frames, found [1-9]/.test(error.message)) return undefined;
      throw error;
    });
    if (next === undefined) return undefined;
    if (next.done) return next.value.frames;
    use(next.value);
  }
}

function chooseFrames({ frames, sampling, augment, test }: ClipPlan, length: number, rate: number, from: Key): Int32Array {
  const draws = augment ? uniform(fold(from, 'frames'), [frames]).data : undefined;
  const view = test?.view;
  switch (sampling.kind) {
    case 'segment':
      return segmentIndices(length, { frames, uniforms: draws, view });
    case 'dense':
      return denseIndices(length, { frames, within: sampling.within, uniform: draws?.[0], view });
    case 'interval': {
      const { interval, targetFramesPerSecond } = sampling;
      return intervalIndices(length, {
        frames,
        interval,
        targetFramesPerSecond,
        framesPerSecond: rate,
        uniform: draws?.[0],
        view,
      });
    }
  }
}

function gather({ height, width, data }: Frames, at: readonly number[]): Frames {
  const bytes = height * width * 3;
  const out = new Uint8Array(at.length * bytes);
  for (const [i, index] of at.entries()) out.set(data.subarray(index * bytes, (index + 1) * bytes), i * bytes);
  return { count: at.length, height, width, data: out };
}

function transform(frames: Frames, plan: ClipPlan, next: () => number): Clip {
  const clip = plan.augment
    ? augmented(frames, plan.size, plan.augment, next)
    : cropped(frames, plan.size, plan.test ?? {}, next);
  return plan.normalize ? normalize(clip, plan.normalize.mean, plan.normalize.std) : clip;
}

function augmented(frames: Frames, size: number, augment: Augmentation, next: () => number): Clip {
  const { crop = { kind: 'resized' }, flip = 0.5, colour, grayscale: grey = 0 } = augment;
  const shown = [frames.height, frames.width] as const;
  const box = crop.kind === 'resized' ? randomResizedCrop(shown, next, crop) : multiScaleCrop(shown, next, crop);
  const clip = toClip(frames, { box, size: [size, size], flip: next() < flip });
  if (colour && next() < colour.probability) jitterColours(clip, drawColourSteps(next, colour));
  return grey > 0 && next() < grey ? grayscale(clip) : clip;
}

function cropped(frames: Frames, side: number, { shortSide = side, crop = 'centre' }: TestCrop, next: () => number): Clip {
  const size = shortSideSize([frames.height, frames.width], shortSide);
  const window =
    crop === 'centre'
      ? centreCrop(size, side)
      : crop === 'random'
        ? randomCrop(size, side, [next(), next()])
        : threeCrop(size, side, crop);
  return toClip(frames, { size, window });
}
