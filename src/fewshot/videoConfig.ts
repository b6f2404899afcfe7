/** The part of a few-shot configuration that is about video: its schema, and the records that backbone and clips take from it. */
import { z } from 'zod';
import { type ResNetOptions, resnetPresets } from '../backbones/index.ts';
import type { Augmentation, ClipPlan, SamplingPlan } from '../video/clip.ts';
import { multiView } from '../video/sampling.ts';

const count = z.int().positive();
const probability = z.number().min(0).max(1);
const channels = z.tuple([z.number(), z.number(), z.number()]);
const pair = z.tuple([z.number().positive(), z.number().positive()]);

const changes = z.strictObject({
  flip: probability.describe('That a clip is mirrored; not for classes that are told apart by left and right.'),
  colour: z
    .strictObject({
      probability: probability.describe('That colours change.'),
      brightness: z.number().min(0).describe('Factor from 1 - this to 1 + this.'),
      contrast: z.number().min(0).describe('Factor, likewise.'),
      saturation: z.number().min(0).describe('Factor, likewise.'),
      hue: z.number().min(0).max(0.5).describe('Shift of at most this, in turns.'),
      grayscale: probability.describe('That all colour is lost before that.'),
    })
    .nullable()
    .describe('Colour jitter, the same for all frames of a clip; null: none.'),
  erase: z
    .strictObject({
      probability: probability.describe('That a box is erased.'),
      area: pair.describe('Part of the picture’s area, from and to.'),
      minAspect: z.number().gt(0).max(1).describe('Least height over width, up to its inverse.'),
      fill: z
        .enum(['zero', 'channel', 'value'])
        .describe('What it is filled with: 0, or normal noise for each channel or value.'),
    })
    .nullable()
    .describe('Random erasing; null: none.'),
});

/** Schema of `video`. */
export const fewshotVideoConfig = z.strictObject({
  format: z
    .enum(['auto', 'few-shot', 'folders'])
    .describe(
      'few-shot: train_few_shot.txt, val_few_shot.txt, test_few_shot.txt; folders: a folder a class; auto: what is found.',
    ),
  lists: z
    .strictObject({
      train: z.string().min(1).describe('Classes to learn from.'),
      val: z.string().min(1).nullable().describe('Classes to validate on; null: none.'),
      test: z.string().min(1).describe('Classes to test on.'),
    })
    .nullable()
    .describe('few-shot: the list files, relative to data.dir; null: by their names.'),
  frames: count.describe('Frames of a clip.'),
  size: count.describe('Side of its pictures, in pixels.'),
  scaled: z.tuple([count, count]).describe('Height and width that pictures are scaled to before the crop, whatever their shape.'),
  sampling: z
    .enum(['blocks', 'interval', 'segments'])
    .describe(
      'blocks: one frame from each of equal blocks; interval: at a fixed distance; segments: one from each of equal parts, to the last frame.',
    ),
  interval: count.describe('interval: frames from one to the next, counted at targetFramesPerSecond.'),
  targetFramesPerSecond: z.number().positive().describe('interval: the rate that it counts at.'),
  short: z
    .enum(['scaled', 'published'])
    .describe('interval: in videos that are too short for it, it shrinks; published: positions may run backwards.'),
  testFrames: z
    .enum(['middle', 'random'])
    .describe('blocks: in tests, the middle frame of each block; random, as published: any.'),
  normalize: z
    .strictObject({
      mean: channels.describe('Subtracted, for red, green and blue in [0, 1].'),
      std: channels.describe('Divided by after that.'),
    })
    .describe('Means and standard deviations of the colours; published: 0.45 and 0.225, whatever the backbone.'),
  support: changes.describe('Random changes of supports in training.'),
  query: changes.describe('Random changes of queries in training.'),
  test: z
    .strictObject({
      views: count.describe('Places in time (interval and segments); distances are averaged.'),
      crops: z.union([z.literal(1), z.literal(3)]).describe('Crops of each: one in the middle, or three along the long side.'),
    })
    .describe('Clips in tests.'),
  backbone: z
    .strictObject({
      network: z.enum(['resnet18', 'resnet34', 'resnet50']).describe('The network over single frames.'),
      width: count.describe('Channels of its first stage; published: 64.'),
      trained: z.boolean().describe('Whether it learns; otherwise its features are made once and kept.'),
      norms: z
        .enum(['batch', 'running'])
        .describe('Batch norms in training: statistics of supports and of queries (published), or the running ones.'),
    })
    .describe('The network that makes the features of each frame.'),
  workers: z.int().min(0).nullable().describe('Threads that decode ahead; null: one fewer than cores, 0: none.'),
});

/** The part of a configuration that is about video. */
export type FewshotVideoConfig = z.infer<typeof fewshotVideoConfig>;

/** The backbone of a configuration. */
export function backboneOptions({ backbone: { network, width } }: FewshotVideoConfig): ResNetOptions {
  return { ...resnetPresets[network], width };
}

/** How clips of supports or queries are made in training. */
export function fewshotTrainingPlan(config: FewshotVideoConfig, role: 'support' | 'query'): ClipPlan {
  const { flip, colour, erase } = config[role];
  const augment: Augmentation = { crop: { kind: 'fixed', scaled: config.scaled }, flip, ...(erase && { erase }) };
  if (!colour) return { ...commonPlan(config), augment };
  const { grayscale: grayscaleFirst, ...range } = colour;
  return { ...commonPlan(config), augment: { ...augment, colour: { ...range, grayscaleFirst } } };
}

/** How the clips of a video are made in tests: every view with its crops. */
export function fewshotTestPlans(config: FewshotVideoConfig): ClipPlan[] {
  const { views, crops } = config.test;
  return Array.from({ length: views * crops }, (_, i) => {
    const at = multiView(i, crops);
    return {
      ...commonPlan(config),
      test: {
        scaled: config.scaled,
        crop: crops > 1 ? at.crop : 'centre',
        view: { view: at.view, views },
        randomFrames: config.sampling === 'blocks' && config.testFrames === 'random',
      },
    };
  });
}

function commonPlan({ frames, size, normalize, ...config }: FewshotVideoConfig): ClipPlan {
  const { interval, targetFramesPerSecond, short } = config;
  const plans: Readonly<Record<FewshotVideoConfig['sampling'], SamplingPlan>> = {
    blocks: { kind: 'blocks' },
    interval: { kind: 'fitted-interval', interval, targetFramesPerSecond, short },
    segments: { kind: 'segment' },
  };
  return { frames, size, sampling: plans[config.sampling], normalize };
}
