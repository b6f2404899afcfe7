/** Clips of one video for training and testing (Node only): decoded once, sampled and transformed by a plan that is plain data. */
import { DataError } from '../data/formats/dataError.ts';
import { fold, type Key, normal, uniform } from '../engine/random.ts';
import { type ColourRange, drawColourSteps, grayscale, jitterColours } from './colour.ts';
import {
  centreCrop,
  type MultiScaleRange,
  multiScaleCrop,
  type ResizedCropRange,
  randomCrop,
  randomResizedCrop,
  type Size,
  shortSideSize,
  threeCrop,
} from './crops.ts';
import { countFrames, openVideo } from './decode.ts';
import { drawErasing, type ErasingRange, erase } from './erasing.ts';
import {
  blockIndices,
  denseIndices,
  type FittedIntervalSampling,
  fittedIntervalIndices,
  intervalIndices,
  segmentIndices,
  type View,
} from './sampling.ts';
import { type Clip, type Frames, normalize, type Resampling, toClip } from './transforms.ts';

/** Which frames a clip has; how it is sampled. */
export type SamplingPlan =
  | { readonly kind: 'segment' }
  | { readonly kind: 'dense'; readonly within: number }
  | { readonly kind: 'interval'; readonly interval: number; readonly targetFramesPerSecond?: number }
  | ({ readonly kind: 'fitted-interval' } & Pick<FittedIntervalSampling, 'interval' | 'targetFramesPerSecond' | 'short'>)
  | { readonly kind: 'blocks' };

/** Random changes in training. All frames of a clip change alike. */
export interface Augmentation {
  /** Default: a random resized crop over its default range. */
  readonly crop?:
    | ({ readonly kind: 'resized' } & ResizedCropRange)
    | ({ readonly kind: 'multi-scale' } & MultiScaleRange)
    /** The whole picture scaled to a height and width, and a square anywhere in it. */
    | { readonly kind: 'fixed'; readonly scaled: Size };
  /** Probability of mirroring. Default 0.5. */
  readonly flip?: number;
  /** Colour jitter: how likely (0: never), its range, and how likely a jittered clip loses all colour before. Default 0. */
  readonly colour?: { readonly probability: number; readonly grayscaleFirst?: number } & ColourRange;
  /** Probability of losing all colour. Default 0. */
  readonly grayscale?: number;
  /** A box that loses what it shows, filled with 0 (default) or normal noise; after normalisation. Default: none. */
  readonly erase?: ErasingRange & { readonly fill?: 'zero' | 'channel' | 'value' };
}

/** What is done in testing: the picture scaled, its short side to `shortSide` or both to `scaled`, then a square. */
export interface TestCrop {
  /** Default: the size of the clip. */
  readonly shortSide?: number;
  /** Height and width, whatever the picture's shape, in the place of `shortSide`. */
  readonly scaled?: Size;
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
  readonly test?: TestCrop & {
    readonly view?: View;
    /** Frames drawn as in training. Default false. */
    readonly randomFrames?: boolean;
  };
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
      return transform(gather(held!, at), plan, key);
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
  const draws = augment || test?.randomFrames ? uniform(fold(from, 'frames'), [frames]).data : undefined;
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
    case 'fitted-interval':
      return fittedIntervalIndices(length, { ...sampling, frames, framesPerSecond: rate, uniform: draws?.[0], view });
    case 'blocks':
      return blockIndices(length, { frames, uniforms: draws });
  }
}

function gather({ height, width, data }: Frames, at: readonly number[]): Frames {
  const bytes = height * width * 3;
  const out = new Uint8Array(at.length * bytes);
  for (const [i, index] of at.entries()) out.set(data.subarray(index * bytes, (index + 1) * bytes), i * bytes);
  return { count: at.length, height, width, data: out };
}

function transform(frames: Frames, plan: ClipPlan, from: Key): Clip {
  const next = uniformsOf(fold(from, 'changes'));
  const clip = plan.augment
    ? augmented(frames, plan.size, plan.augment, next)
    : cropped(frames, plan.size, plan.test ?? {}, next);
  if (plan.normalize) normalize(clip, plan.normalize.mean, plan.normalize.std);
  return plan.augment?.erase ? erased(clip, plan.augment.erase, fold(from, 'erasing')) : clip;
}

function augmented(frames: Frames, size: number, augment: Augmentation, next: () => number): Clip {
  const { flip = 0.5, colour, grayscale: grey = 0 } = augment;
  const clip = toClip(frames, { ...takenPart(frames, size, augment.crop, next), flip: next() < flip });
  if (colour && next() < colour.probability) {
    const { grayscaleFirst = 0 } = colour;
    const steps = drawColourSteps(next, colour);
    if (grayscaleFirst > 0 && next() < grayscaleFirst) grayscale(clip);
    jitterColours(clip, steps);
  }
  return grey > 0 && next() < grey ? grayscale(clip) : clip;
}

/** Which part of the frames a clip in training shows, and what it is scaled to. */
function takenPart(
  { height, width }: Frames,
  size: number,
  crop: Augmentation['crop'] = { kind: 'resized' },
  next: () => number,
): Resampling {
  switch (crop.kind) {
    case 'resized':
      return { box: randomResizedCrop([height, width], next, crop), size: [size, size] };
    case 'multi-scale':
      return { box: multiScaleCrop([height, width], next, crop), size: [size, size] };
    case 'fixed':
      return { size: crop.scaled, window: randomCrop(crop.scaled, size, [next(), next()]) };
  }
}

function erased(clip: Clip, { fill = 'zero', ...range }: NonNullable<Augmentation['erase']>, from: Key): Clip {
  const [, frames, height, width] = clip.shape;
  const box = drawErasing([height, width], uniformsOf(fold(from, 'box')), range);
  if (!box) return clip;
  if (fill === 'zero') return erase(clip, box);
  const { data } = normal(fold(from, 'fill'), [fill === 'channel' ? 3 : 3 * frames * box.height * box.width]);
  let at = 0;
  return erase(clip, box, { each: fill, normal: () => data[at++] });
}

function cropped(frames: Frames, side: number, test: TestCrop, next: () => number): Clip {
  const { shortSide = side, scaled, crop = 'centre' } = test;
  const size = scaled ?? shortSideSize([frames.height, frames.width], shortSide);
  const window =
    crop === 'centre'
      ? centreCrop(size, side)
      : crop === 'random'
        ? randomCrop(size, side, [next(), next()])
        : threeCrop(size, side, crop);
  return toClip(frames, { size, window });
}
