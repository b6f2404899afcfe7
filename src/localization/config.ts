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
const thresholdRange = z
  .strictObject({ start: threshold, stop: threshold, step: z.number().positive({ abort: true }) })
  .refine(({ start, stop }) => start <= stop, { abort: true });

/** A list, or `{start, stop, step}` with `stop` included, in the exact doubles of {@link steppedThresholds}. */
const thresholds = z
  .union([z.array(threshold).min(1), thresholdRange], {
    error: 'a list of thresholds in (0, 1], or {start, stop, step} with start <= stop',
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
  dir: path,
  annotations: optionalPath,
  groundTruth: optionalPath,
  trainSplit: optionalPath,
  testSplit: optionalPath,
  trainFeatures: optionalPath,
  testFeatures: optionalPath,
  trainSubset: optionalPath,
  testSubset: optionalPath,
  classes,
  extractor: z
    .union([z.string(), z.record(z.string(), z.unknown())], { error: 'a text or a record' })
    .nullable()
    .default(null),
  framesPerSecond: positive,
  snippetFrames: count,
  samples: z.int().min(2),
  cacheMegabytes: weight,
  synthetic: z
    .strictObject({ seed: z.int().min(0), classes: z.int().min(2), trainVideos: count, testVideos: count })
    .nullable()
    .default(null),
});

const model = z.strictObject({
  featureDim: count,
  dropout: probability,
  inputDropout: z.boolean(),
  topKDivisors: z.strictObject({ instance: count, context: count, background: count }),
  lcsLength: count,
  fsdLength: count,
  projectionDim: z.int().min(2),
  fsdBackground: z.enum(['published', 'background-attention']),
});

const loss = z.strictObject({
  instanceWeight: weight,
  guideWeight: weight,
  featureWeight: weight,
  sparseWeight: weight,
  featureMargin: weight,
  logEpsilon: positive,
  sequence: z.strictObject({
    terms: z.enum(['none', 'in-batch', 'pairs']),
    lcsWeight: weight,
    fsdWeight: weight,
    lcsThreshold: z.number().min(-1).max(1),
    gamma: weight,
    contrast: z.enum(['difference', 'softplus']),
    zeroRows: z.enum(['zero', 'nan']),
  }),
});

const train = z.strictObject({
  epochs: count,
  batchSize: count,
  learningRate: positive,
  weightDecay: weight,
  betas: z.tuple([probability, probability], { error: 'two numbers in [0, 1)' }),
  seed: z.int().min(0),
  threads: count.nullable().default(null),
  device: z.enum(['cpu', 'cuda', 'webgpu']),
  resamplePairs: z.boolean(),
  checkpointEvery: count,
});

const inference = z.strictObject({
  classThreshold: fraction,
  upsampling: count,
  proposals: z.strictObject({
    casThresholds: thresholds,
    attentionThresholds: thresholds,
    casWeight: z.number(),
    attentionWeight: z.number(),
    outerMargin: weight,
    casClassScoreWeight: z.number(),
    attentionClassScoreWeight: z.number(),
  }),
  suppression: z.strictObject({
    method: z.enum(['hard', 'linear', 'gaussian']),
    threshold: fraction,
    overlap: z.enum(['plus-one', 'seconds']),
    sigma: positive,
    minScore: weight,
  }),
});

const evaluation = z.strictObject({
  tious: thresholds,
  average: z.strictObject({ from: threshold, to: threshold }).nullable().default(null),
  start: z.int().min(0),
  every: count,
  select: z.enum(['last', 'best-on-test']),
  restrictToSplit: z.boolean(),
});

/** The schema, without the rules between keys. `configs/localization/base.yaml` says what every key means. */
const keys = z.strictObject({
  task: z.literal('localization'),
  method: z.enum(['acm-net', 'ftcl']),
  data,
  model,
  loss,
  train,
  inference,
  evaluation,
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
