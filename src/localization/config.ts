/** The configuration of a localisation experiment: its schema, and the options records that models and metrics take from it. */

import { z } from 'zod';
import type { VideoDatasetOptions } from '../data/videos.ts';
import type { AcmLossOptions } from './acmLoss.ts';
import type { AcmNetOptions } from './acmNet.ts';
import { ACTIVITYNET_CLASSES, THUMOS14_CLASSES } from './classes.ts';
import type { EvaluationOptions } from './evaluate.ts';
import { type SequenceLossOptions, snippetsNeeded } from './ftclLoss.ts';
import type { LocalizeOptions } from './localize.ts';
import type { Suppression } from './nms.ts';
import { steppedThresholds } from './thresholds.ts';

const count = z.int().positive();
const positive = z.number().positive();
const weight = z.number().min(0);
const fraction = z.number().min(0).max(1);
const probability = z.number().min(0).lt(1);
const path = z.string().min(1);
const optionalPath = path.nullable().default(null);

/** Stepped lists may end a few bits above 1. */
const threshold = z
  .number()
  .positive({ abort: true })
  .max(1 + 1e-9, { abort: true });

/** {@link steppedThresholds} makes no longer lists. */
const maxThresholds = 10_000;
const thresholdRange = z
  .strictObject({
    start: threshold.describe('First threshold.'),
    stop: threshold.describe('Last threshold.'),
    step: z.number().positive({ abort: true }).describe('Distance of two thresholds.'),
  })
  .refine(({ start, stop }) => start <= stop, { abort: true });

/** A list, or `{start, stop, step}` with `stop` included, in the exact doubles of {@link steppedThresholds}. */
const thresholds = z
  .union([z.array(threshold).min(1), thresholdRange], {
    error: 'a list of thresholds in (0, 1], or {start, stop, step} with start <= stop',
  })
  .refine(value => Array.isArray(value) || (value.stop - value.start) / value.step < maxThresholds - 1, {
    error: `at most ${maxThresholds} thresholds`,
    abort: true,
  })
  .transform(value => (Array.isArray(value) ? value : steppedThresholds(value.start, value.stop, value.step)));

const publishedClasses = { thumos14: THUMOS14_CLASSES, activitynet: ACTIVITYNET_CLASSES } as const;

/** Class names in the order of the model's outputs, or the name of a published list. */
const classes = z
  .union([z.enum(['thumos14', 'activitynet']), z.array(z.string().min(1)).min(1)], {
    error: 'a list of class names, or the name of a published one: thumos14, activitynet',
  })
  .transform(value => (Array.isArray(value) ? value : [...publishedClasses[value]]))
  .refine(names => new Set(names).size === names.length, 'class names that differ')
  .nullable()
  .default(null);

const data = z.strictObject({
  dir: path.describe(
    'The data folder, relative to the current directory; --data overrides it. The files below are looked up in it.',
  ),
  annotations: optionalPath.describe(
    'ActivityNet-style JSON, CSV video,label[,subset], or an index; null: gt.json, else labels.csv, index.json, features.json.',
  ),
  groundTruth: optionalPath.describe('A second annotation file, with segments, for mAP; null: the annotations themselves.'),
  trainSplit: optionalPath.describe('List of training videos; null: split_train.txt, else the subset decides.'),
  testSplit: optionalPath.describe('List of test videos; null: split_test.txt, else the subset decides.'),
  trainFeatures: optionalPath.describe('Folder of training features; null: train, else the data folder itself.'),
  testFeatures: optionalPath.describe('Folder of test features; null: test, else the data folder itself.'),
  trainSubset: optionalPath.describe('Subset that trains where there is no list; null: guessed from the names of the subsets.'),
  testSubset: optionalPath.describe('Subset that is evaluated; null: guessed from the names of the subsets.'),
  classes: classes.describe(
    'Class names in the order of the outputs, or a published list (thumos14, activitynet); null: classes.json, else by first appearance.',
  ),
  extractor: z
    .union([z.string(), z.record(z.string(), z.unknown())], { error: 'a text or a record' })
    .nullable()
    .default(null)
    .describe('What made the features (a text or a record); kept in the model.'),
  framesPerSecond: positive.describe('Frames per second of the video the features were made from.'),
  snippetFrames: count.describe('Frames behind one row of features.'),
  samples: z.int().min(2).describe('S: snippets a video is sampled to.'),
  cacheMegabytes: weight.describe('Features kept in memory, in megabytes.'),
  synthetic: z
    .strictObject({
      seed: z.int().min(0).describe('Seed of the synthetic features.'),
      classes: z.int().min(2).describe('Number of classes.'),
      trainVideos: count.describe('Number of training videos.'),
      testVideos: count.describe('Number of test videos.'),
    })
    .nullable()
    .default(null)
    .describe('Write synthetic features to data.dir if that folder does not exist.'),
});

const model = z.strictObject({
  featureDim: count.describe('F: width of a row of features.'),
  dropout: probability.describe('Probability of dropping, at every dropout site.'),
  inputDropout: z.boolean().describe('Dropout on the features and before the attention too (ActivityNet).'),
  topKDivisors: z
    .strictObject({
      instance: count.describe('s of the instance branch.'),
      context: count.describe('s of the context branch.'),
      background: count.describe('s of the background branch.'),
    })
    .describe('Each branch averages over its T / s best snippets.'),
  lcsLength: count.describe('Snippets that LCS compares.'),
  fsdLength: count.describe('Snippets that FSD compares.'),
  projectionDim: z.int().min(2).describe('D: width of the FSD projection.'),
  fsdBackground: z
    .enum(['published', 'background-attention'])
    .describe('published: the next-most action-like snippets; background-attention: those of highest background attention.'),
});

const loss = z.strictObject({
  instanceWeight: weight.describe('w: weight of the instance branch in the classification loss.'),
  guideWeight: weight.describe('lambda 1: weight of the guide loss.'),
  featureWeight: weight.describe('lambda 2: weight of the feature loss.'),
  sparseWeight: weight.describe('lambda 3: weight of the sparse loss.'),
  featureMargin: weight.describe('Margin of the feature loss.'),
  logEpsilon: positive.describe(
    'Added inside the logarithm; the published phase 1 has 1e-45, whose gradient at probability 0 is infinite.',
  ),
  sequence: z
    .strictObject({
      terms: z
        .enum(['none', 'in-batch', 'pairs'])
        .describe('none: ACM-Net alone; in-batch: between the videos of a batch; pairs: method ftcl.'),
      lcsWeight: weight.describe('Weight of the LCS term; 0 leaves it out.'),
      fsdWeight: weight.describe('Weight of the FSD term; 0 leaves it out.'),
      lcsThreshold: z.number().min(-1).max(1).describe('tau: similarity above which two snippets are the same.'),
      gamma: weight.describe("Temperature of FSD's smooth maximum."),
      contrast: z
        .enum(['difference', 'softplus'])
        .describe('difference: as published; softplus: a ranking loss, softplus(difference / 0.2).'),
      zeroRows: z
        .enum(['zero', 'nan'])
        .describe('zero: similarity of a row of zeros is 0; nan: as published, every gradient becomes NaN.'),
    })
    .describe('Terms that compare the sequences of two videos (FTCL).'),
});

const train = z.strictObject({
  epochs: count.describe('Passes over the training videos or pairs.'),
  batchSize: count.describe('Videos or pairs in a step.'),
  learningRate: positive.describe("Adam's learning rate."),
  weightDecay: weight.describe('Weight decay, added to the gradient.'),
  betas: z
    .tuple([probability, probability], { error: 'two numbers in [0, 1)' })
    .describe("Adam's decay rates of the two running means."),
  seed: z.int().min(0).describe('Seed of everything random.'),
  threads: count.nullable().default(null).describe('Threads within one operation; null: one a core.'),
  device: z.enum(['cpu', 'cuda', 'webgpu']).describe('Where to run.'),
  resamplePairs: z.boolean().describe('ftcl: draw negative pairs and snippets anew every epoch; published: once for the run.'),
  checkpointEvery: count.describe('Epochs between checkpoints.'),
});

const inference = z.strictObject({
  classThreshold: fraction.describe('Classes above it are localised; the best one if none is.'),
  upsampling: count.describe('Points made of one snippet before thresholds are applied.'),
  proposals: z
    .strictObject({
      casThresholds: thresholds.describe('Thresholds on the class activation sequence: a list, or {start, stop, step}.'),
      attentionThresholds: thresholds.describe('Thresholds on the attention: a list, or {start, stop, step}.'),
      casWeight: z.number().describe('Weight of the class activation sequence in the sequence that scores a proposal.'),
      attentionWeight: z.number().describe('Weight of the attention in the sequence that scores a proposal.'),
      outerMargin: weight.describe("lambda: the outer region reaches this share of the proposal's length to either side."),
      casClassScoreWeight: z
        .number()
        .describe("gamma: weight of the video's class score in the score of a proposal from the class activation sequence."),
      attentionClassScoreWeight: z
        .number()
        .describe("gamma: weight of the video's class score in the score of a proposal from the attention."),
    })
    .describe('How proposals are made and scored.'),
  suppression: z
    .strictObject({
      method: z.enum(['hard', 'linear', 'gaussian']).describe('hard: NMS; linear, gaussian: soft-NMS.'),
      threshold: fraction.describe('Overlap above which a proposal is suppressed (hard, linear).'),
      overlap: z
        .enum(['plus-one', 'seconds'])
        .describe('plus-one: as published, 1 is added to lengths in seconds; seconds: the plain tIoU.'),
      sigma: positive.describe('Width of the penalty (gaussian).'),
      minScore: weight.describe('Proposals whose score falls below it are dropped (linear, gaussian).'),
    })
    .describe('How overlapping proposals are suppressed.'),
});

const evaluation = z.strictObject({
  tious: thresholds.describe('Temporal IoUs at which mAP is computed: a list, or {start, stop, step}.'),
  average: z
    .strictObject({
      from: threshold.describe('First tIoU of the average.'),
      to: threshold.describe('Last tIoU of the average.'),
    })
    .nullable()
    .default(null)
    .describe('tIoUs that the average mAP takes in; null: all of evaluation.tious.'),
  start: z.int().min(0).describe('First epoch (counted from 0) after which the test part is evaluated.'),
  every: count.describe('Epochs between evaluations.'),
  select: z
    .enum(['last', 'best-on-test'])
    .describe('The model that counts: the last, or the best on the test part, as the papers choose it.'),
  restrictToSplit: z.boolean().describe('Count only videos of the test split, not every annotated video of the subset.'),
});

/** The schema, without the rules between keys. Every key describes itself (tests/train/configSchema.test.ts). */
const keys = z.strictObject({
  task: z.literal('localization').describe('What is learnt: temporal action localisation from video-level labels.'),
  method: z
    .enum(['acm-net', 'ftcl'])
    .describe('acm-net: on single videos; ftcl: on pairs of videos, usually from a trained ACM-Net (--from RUN).'),
  data: data.describe('The data set.'),
  model: model.describe('The network.'),
  loss: loss.describe('The loss that training minimises.'),
  train: train.describe('The training.'),
  inference: inference.describe('From the outputs of the network to detections.'),
  evaluation: evaluation.describe('The test.'),
});

/**
 * Schema of a localisation experiment. Threshold ranges and names of class lists are resolved to lists; a resolved configuration
 * passes unchanged.
 */
export const localizationConfig = keys.superRefine((config, context) => {
  const problem = (key: string, message: string) => context.addIssue({ code: 'custom', path: key.split('.'), message });
  const { terms } = config.loss.sequence;
  if (config.method === 'ftcl' && terms !== 'pairs')
    problem('loss.sequence.terms', 'pairs, since method ftcl trains on pairs of videos');
  if (config.method === 'acm-net' && terms === 'pairs')
    problem('loss.sequence.terms', 'none or in-batch, since method acm-net trains on single videos (method ftcl takes pairs)');
  const needed = snippetsNeeded(config.model);
  if (terms !== 'none' && config.data.samples < needed)
    problem('data.samples', `at least ${needed} snippets, which the sequence terms compare (model.lcsLength, model.fsdLength)`);
  const { tious, average } = config.evaluation;
  if (average && !tious.some(t => t >= average.from - 1e-9 && t <= average.to + 1e-9))
    problem('evaluation.average', `a range that holds one of evaluation.tious (${tious.join(', ')})`);
});

/** A resolved localisation configuration. */
export type LocalizationConfig = z.infer<typeof localizationConfig>;

/** Options of the network, for a class list of `classCount` actions. */
export function acmNetOptions({ model }: LocalizationConfig, classCount: number): AcmNetOptions {
  return { ...model, classes: classCount };
}

/** Options of L_ACM. */
export function acmLossOptions({ loss: { sequence: _, ...acm } }: LocalizationConfig): AcmLossOptions {
  return acm;
}

/** Options of the sequence terms. */
export function sequenceLossOptions({ loss }: LocalizationConfig): SequenceLossOptions {
  const { terms: _, ...options } = loss.sequence;
  return options;
}

/** Options of the post-processing. */
export function localizeOptions({ data, inference }: LocalizationConfig): LocalizeOptions {
  const { classThreshold, upsampling, proposals, suppression } = inference;
  return {
    classThreshold,
    upsampling,
    snippetFrames: data.snippetFrames,
    framesPerSecond: data.framesPerSecond,
    proposals,
    suppression: suppressionOptions(suppression),
  };
}

/** Each method of suppression takes only its own keys. */
function suppressionOptions(all: LocalizationConfig['inference']['suppression']): Suppression {
  const { method, threshold, overlap, sigma, minScore } = all;
  if (method === 'hard') return { method, threshold, overlap };
  return method === 'linear' ? { method, threshold, minScore, overlap } : { method, sigma, minScore, overlap };
}

/**
 * Options of the evaluation.
 * @param testVideos names in the test split; ground truth is restricted to them if `evaluation.restrictToSplit` says so
 * @param testSubset subset of the annotations that is evaluated, where the configuration leaves it to the data set
 */
export function evaluationOptions(
  { data, evaluation: { tious, average, restrictToSplit } }: LocalizationConfig,
  testVideos: Iterable<string>,
  testSubset?: string,
): EvaluationOptions {
  return {
    tious,
    average: average ? [average.from, average.to] : undefined,
    subset: data.testSubset ?? testSubset,
    videos: restrictToSplit ? testVideos : undefined,
  };
}

/** Where the data set is; the caller adds a cache of `data.cacheMegabytes`. */
export function videoDatasetOptions({ data, model }: LocalizationConfig): VideoDatasetOptions {
  return {
    dir: data.dir,
    annotations: data.annotations ?? undefined,
    splitTrain: data.trainSplit ?? undefined,
    splitTest: data.testSplit ?? undefined,
    classes: data.classes ?? undefined,
    trainSubset: data.trainSubset ?? undefined,
    testSubset: data.testSubset ?? undefined,
    trainFeatures: data.trainFeatures ?? undefined,
    testFeatures: data.testFeatures ?? undefined,
    featureWidth: model.featureDim,
  };
}
