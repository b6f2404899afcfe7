/** The part of an open-set configuration that is about video: its schema, and the records that backbone and clips take from it. */
import { z } from 'zod';
import { resnetPresets, type TsmOptions } from '../backbones/index.ts';
import type { ClipPlan, SamplingPlan } from '../video/clip.ts';
import { multiView } from '../video/sampling.ts';
import { videoFormats } from '../video/videoFormats.ts';
import type { ClipSize } from './encoder.ts';

const count = z.int().positive();
const probability = z.number().min(0).max(1);
const range = z.tuple([z.number().positive(), z.number().positive()]);
const channels = z.tuple([z.number(), z.number(), z.number()]);

/** How labels are found, see `openVideoDataset`. */
const source = {
  format: z
    .enum(videoFormats)
    .describe('How the videos are labelled: a folder a class, lists, or as a data set is published; auto: what is found.'),
  split: z.union([z.literal(1), z.literal(2), z.literal(3)]).describe('Which of the published splits.'),
};

/** Schema of `video`. */
export const videoConfig = z.strictObject({
  ...source,
  unknown: z
    .strictObject({
      dir: z.string().min(1).describe('Its folder.'),
      ...source,
      exclude: z.array(z.string().min(1)).describe('Classes to leave out, since they are known ones under another name.'),
    })
    .nullable()
    .describe('A second data set whose test part is unknown; null: the classes of data.dir that are not in data.known.'),
  frames: count.describe('Frames of a clip.'),
  size: count.describe('Side of its pictures, in pixels.'),
  sampling: z
    .enum(['segment', 'dense', 'interval'])
    .describe(
      'segment: one frame from each of equal parts (TSN); dense: evenly from a stretch (TSM); interval: at a fixed distance.',
    ),
  within: count.describe('dense: length of the stretch in frames.'),
  interval: count.describe('interval: frames from one to the next, counted at 30 a second.'),
  normalize: z
    .strictObject({
      mean: channels.describe('Subtracted, for red, green and blue.'),
      std: channels.describe('Divided by after that.'),
    })
    .nullable()
    .describe('Means and standard deviations of red, green and blue in [0, 1]; null: values stay in [0, 1], as published.'),
  training: z
    .strictObject({
      clips: z.union([z.literal(1), z.literal(2)]).describe('Clips of a video in a batch; psl: the second may be shuffled.'),
      shuffle: z
        .strictObject({
          probability: probability.describe('That a second clip is shuffled.'),
          order: z.enum(['batch', 'video']).describe('One order for the whole batch (published), or one for each video.'),
          identity: z.boolean().describe('Whether the order may be the right one (published).'),
        })
        .describe('psl: how the frames of second clips are put in another order.'),
      crop: z.enum(['resized', 'multi-scale']).describe('A box of random area and shape, or of sides from a list (TSN).'),
      area: range.describe("resized: part of the picture's area, from and to."),
      ratio: range.describe('resized: width over height, from and to.'),
      scales: z.array(z.number().gt(0).max(1)).min(1).describe('multi-scale: sides as parts of the short side.'),
      flip: probability.describe('That a clip is mirrored.'),
      colour: z
        .strictObject({
          probability: probability.describe('That colours change.'),
          brightness: z.number().min(0).describe('Factor from 1 - this to 1 + this.'),
          contrast: z.number().min(0).describe('Factor, likewise.'),
          saturation: z.number().min(0).describe('Factor, likewise.'),
          hue: z.number().min(0).max(0.5).describe('Shift of at most this, in turns.'),
        })
        .describe('Colour jitter, the same for all frames of a clip.'),
      grayscale: probability.describe('That a clip loses its colours; published: never.'),
    })
    .describe('Clips in training.'),
  test: z
    .strictObject({
      views: count.describe('Places in time; the features of all clips of a video are averaged.'),
      crops: z.union([z.literal(1), z.literal(3)]).describe('Crops of each: one, or three along the long side.'),
      crop: z.enum(['centre', 'random']).describe('Where a single crop is; random: as the published code does.'),
      shortSide: count.nullable().describe('Short side that frames are scaled to before; null: video.size.'),
    })
    .describe('Clips in testing.'),
  backbone: z
    .strictObject({
      network: z.enum(['resnet18', 'resnet34', 'resnet50']).describe('The network over single frames.'),
      width: count.describe('Channels of its first stage; published: 64.'),
      shift: z.boolean().describe('Whether channels move between frames (TSM); without it no block sees another frame.'),
      shiftDivisor: count.describe('One part of so many moves each way.'),
      norms: z
        .enum(['batch', 'stem-only', 'running'])
        .describe('Batch norms that use the statistics of the batch in training: all, that of the stem, or none.'),
    })
    .describe('The temporal shift module network that makes the features.'),
  workers: z.int().min(0).nullable().describe('Threads that decode ahead; null: one fewer than cores, 0: none.'),
});

/** The part of a configuration that is about video. */
export type VideoConfig = z.infer<typeof videoConfig>;

/** The test clips of a video. */
export function clipSize({ frames, size, test: { views, crops } }: VideoConfig): ClipSize {
  return { clips: views * crops, frames, size };
}

/** The backbone of a configuration. */
export function tsmOptions({ frames, backbone }: VideoConfig): TsmOptions {
  const { network, width, shift, shiftDivisor } = backbone;
  return { network: { ...resnetPresets[network], width }, segments: frames, shiftDivisor, shift };
}

/** How the clips of a video are made in training. */
export function trainingPlan(config: VideoConfig): ClipPlan {
  const { crop, area, ratio, scales, flip, colour, grayscale } = config.training;
  return {
    ...commonPlan(config),
    augment: {
      crop: crop === 'resized' ? { kind: crop, area, ratio } : { kind: crop, scales },
      flip,
      colour,
      grayscale,
    },
  };
}

/** How the clips of a video are made in testing: every view with its crops. */
export function testPlans(config: VideoConfig): ClipPlan[] {
  const { views, crops, crop, shortSide } = config.test;
  return Array.from({ length: views * crops }, (_, i) => {
    const at = multiView(i, crops);
    return {
      ...commonPlan(config),
      test: {
        ...(shortSide !== null && { shortSide }),
        crop: crops > 1 ? at.crop : crop,
        view: { view: at.view, views },
      },
    };
  });
}

function commonPlan({ frames, size, sampling, within, interval, normalize }: VideoConfig): ClipPlan {
  const plans: Readonly<Record<VideoConfig['sampling'], SamplingPlan>> = {
    segment: { kind: 'segment' },
    dense: { kind: 'dense', within },
    interval: { kind: 'interval', interval },
  };
  return { frames, size, sampling: plans[sampling], ...(normalize !== null && { normalize }) };
}
