/** The configuration of a few-shot experiment: its schema, and what training takes from it. */
import { z } from 'zod';
import {
  adam,
  adamW,
  clipByGlobalNorm,
  constantRate,
  cosine,
  doubledEpochs,
  lars,
  type Optimizer,
  piecewise,
  type Schedule,
  sgd,
  warmup,
} from '../nn/index.ts';
import type { EpisodeOptions } from './episodes.ts';
import { fewshotHeads, type HeadName } from './heads/heads.ts';
import { type MetricName, matchingMetrics } from './matching/metrics.ts';
import { fewshotGroups, groupings } from './paramGroups.ts';
import { fewshotVideoConfig } from './videoConfig.ts';

const count = z.int().positive();
const positive = z.number().positive();
const weight = z.number().min(0);
const probability = z.number().min(0).lt(1);

/** What compares queries to supports. */
export const fewshotMethods = Object.keys(fewshotHeads) as [HeadName, ...HeadName[]];

/** Metrics of the method `matching`. */
const fewshotMetrics = Object.keys(matchingMetrics) as [MetricName, ...MetricName[]];

const classesOfPart = z.union([z.int().min(0), z.array(z.string().min(1)).min(1)], {
  error: 'a number of classes, or a list of names',
});

const data = z.strictObject({
  dir: z
    .string()
    .min(1)
    .describe(
      'The data folder: features with index.json or features.json, a folder a class, or videos (see video); relative to the current directory; --data overrides it.',
    ),
  classes: z
    .strictObject({
      train: classesOfPart.describe('Classes to learn from: names, or how many to draw by data.splitSeed.'),
      val: classesOfPart.describe('Classes to validate on; 0: none.'),
      test: classesOfPart.describe('Classes to test on.'),
    })
    .nullable()
    .describe('Which class belongs to which part; null: as the data set’s own lists say.'),
  splitSeed: z.int().min(0).describe('Seed of the division of the classes.'),
  extractor: z
    .union([z.string(), z.record(z.string(), z.unknown())], { error: 'a text or a record' })
    .nullable()
    .default(null)
    .describe('What made the features (a text or a record); kept in the model.'),
  cacheMegabytes: weight.describe('Megabytes of features kept in memory.'),
});

const episode = z.strictObject({
  way: z.int().min(2).describe('N: classes of an episode.'),
  shot: count.describe('K: supports of each class.'),
  queries: count.describe('Queries of each class in training.'),
  testQueries: count.describe('Queries of each class in tests.'),
  testWay: z.int().min(2).nullable().describe('N in tests; null: the same.'),
  unlabelled: z
    .strictObject({
      perClass: count.describe('Clips of each class whose labels are hidden.'),
      distractors: z.int().min(0).describe('Other classes with as many such clips each.'),
    })
    .nullable()
    .describe('Clips without labels in every episode, for hyrsm++-semi; null: none.'),
});

const model = z.strictObject({
  frames: z.int().min(1).max(20).describe('T: frames of a clip; features of another length are resampled to it.'),
  featureDim: count.describe('D: width of a frame’s features. With video: what the backbone makes.'),
  classes: count
    .nullable()
    .describe('Classes of the auxiliary classifier; null: those of the training part. A number must agree with the data.'),
  references: z
    .enum(['supports', 'prototypes'])
    .describe('hyrsm, hyrsm++: what queries are compared to: every support (published for 1 shot), or the mean of each class.'),
  attentionHeads: count.describe('hyrsm, hyrsm++: heads of both attention blocks.'),
  positions: z
    .strictObject({
      attenuation: positive.describe('A: features are multiplied by sqrt(D / A) before positions are added.'),
      weight: weight.describe('B: factor of the positions.'),
    })
    .nullable()
    .describe('hyrsm, hyrsm++: positions of the frames; null: none (hyrsm++ only).'),
  dropout: z
    .strictObject({
      positions: probability.describe('After the positions.'),
      intra: probability.describe('After the attention within a video.'),
      attention: probability.describe('On the attention weights between videos.'),
      cross: probability.describe('After the attention between videos.'),
    })
    .describe('hyrsm, hyrsm++: dropout in training.'),
  semi: z
    .strictObject({
      temperature: positive.describe('tau: distances are divided by it.'),
      threshold: z.number().min(0).describe('theta: a clip without label joins the supports if it is this sure.'),
    })
    .describe('hyrsm++-semi: pseudo-labels.'),
  otam: z.strictObject({ smoothing: positive.describe('lambda of the relaxed minimum.') }).describe('The method otam.'),
  trx: z
    .strictObject({
      tupleSizes: z.array(z.int().min(1)).min(1).describe('Sizes of the tuples of frames, a branch each.'),
      width: count.describe('Width of keys and values.'),
      dropout: probability.describe('After the positions.'),
    })
    .describe('The method trx.'),
  crosstransformer: z
    .strictObject({ width: count.describe('Width of keys and values.') })
    .describe('The method crosstransformer.'),
  metric: z.enum(fewshotMetrics).describe('matching: how two sequences of frames are compared.'),
});

const loss = z.strictObject({
  matching: z.boolean().describe('Cross-entropy of the episode’s classes; false: the classifier alone is trained.'),
  classification: z
    .strictObject({
      weight: weight.describe('Weight of the auxiliary classifier over all training classes.'),
      of: z.enum(['frames', 'videos']).describe('Whether each frame is classified, or each video.'),
    })
    .nullable()
    .describe('hyrsm, hyrsm++: cross-entropy of the data set’s classes; null: none.'),
  coherence: z
    .strictObject({
      weight: weight.describe('Weight of the term.'),
      window: z.int().min(0).describe('delta: frames at most this far apart are near.'),
      balance: positive.describe('beta: the larger, the slower the margin of far frames grows.'),
      farWeight: positive.describe('gamma: factor of the far frames’ part.'),
    })
    .nullable()
    .describe('hyrsm++: temporal coherence; null: none.'),
});

const schedule = z.strictObject({
  kind: z.enum(['constant', 'steps', 'cosine']).describe('How the learning rate changes.'),
  iterations: count.describe('Iterations of one epoch of the schedule (not of train.epochs).'),
  doubled: z.boolean().describe('Whether whole epochs of the schedule count twice, as in the published runs.'),
  epochs: positive.describe('cosine: length, in epochs of the schedule.'),
  steps: z.array(weight).min(1).describe('steps: where each factor begins, in epochs of the schedule, the first at 0.'),
  factors: z.array(weight).min(1).describe('steps: factors of the learning rate, one for each.'),
  warmupEpochs: weight.describe('Epochs of the schedule that a straight line takes at the start; 0: none.'),
  warmupFrom: weight.describe('Learning rate at the start of it.'),
});

const train = z.strictObject({
  epochs: count.describe('Number of epochs: tests and checkpoints come between them.'),
  iterations: count.describe('Iterations of an epoch: episodes, unless train.parallel is more than 1.'),
  parallel: count.describe('Different episodes in one iteration; published: 4 processes, which all drew the same one.'),
  accumulate: count.describe('Iterations of one step of the optimiser; the gradient is the mean over their episodes.'),
  optimizer: z.enum(['adam', 'adamw', 'sgd', 'lars']).describe('adam: decay in the gradient; sgd and lars have momentum.'),
  learningRate: positive.describe('Learning rate at its highest.'),
  momentum: probability.describe('Momentum of sgd and lars.'),
  nesterov: z.boolean().describe('Nesterov’s momentum in sgd and lars.'),
  weightDecay: weight.describe('Weight decay.'),
  groups: z
    .enum(groupings)
    .describe(
      'published: no decay where a name has "bn" or "norm", so the norms of stem and shortcuts decay; intended: no norm decays.',
    ),
  clipNorm: positive.nullable().describe('The norm of all gradients together is brought down to this; null: never.'),
  ema: z.number().gt(0).lt(1).nullable().describe('Decay of an average of the weights, which is tested; null: none.'),
  schedule: schedule.describe('The learning rate.'),
  seed: z.int().min(0).describe('Seed of everything random but the division of the data.'),
  threads: count.nullable().default(null).describe('Threads within one operation; null: one a core.'),
  device: z.enum(['cpu', 'cuda', 'webgpu']).describe('Where to run.'),
  checkpointEvery: count.describe('Epochs between checkpoints.'),
});

const evaluation = z.strictObject({
  split: z.enum(['val', 'test']).describe('The part that is tested between epochs; published: test.'),
  episodes: count.describe('Episodes of the tests between epochs.'),
  start: z.int().min(0).describe('First epoch (counted from 0) after which it is tested.'),
  every: count.describe('Epochs between tests.'),
  select: z.enum(['last', 'best-on-test']).describe('The model that counts: the last, or the best on evaluation.split.'),
  final: z
    .strictObject({
      split: z.enum(['val', 'test']).describe('The part.'),
      episodes: count.describe('Episodes.'),
      seed: z.int().min(0).describe('Seed of the episodes.'),
    })
    .describe('The test of the trained model.'),
});

const keys = z.strictObject({
  task: z.literal('fewshot').describe('What is learnt: to name classes that are shown by a few clips each.'),
  method: z.enum(fewshotMethods).describe('How queries and supports are compared; tsn is the mean of the frames.'),
  data: data.describe('The data set.'),
  video: fewshotVideoConfig.nullable().default(null).describe('Clips and the backbone; null: the data are features.'),
  episode: episode.describe('The form of episodes.'),
  model: model.describe('The head on the features; a method reads its own keys.'),
  loss: loss.describe('The loss that training minimises; a method leaves out the terms that it has not.'),
  train: train.describe('The training.'),
  evaluation: evaluation.describe('Tests.'),
});

/** Schema of a few-shot experiment. */
export const fewshotConfig = keys.superRefine((config, context) => {
  const problem = (key: string, message: string) => context.addIssue({ code: 'custom', path: key.split('.'), message });
  const { classes } = config.data;
  if (classes) checkClasses(classes, problem);
  const { method, model: head, train: training } = config;
  if (!config.loss.matching && !lossTerms(config).classification) problem('loss.matching', 'true, since there is no other loss');
  if (head.positions === null && method === 'hyrsm') problem('model.positions', 'a mapping, since hyrsm always has positions');
  if (config.episode.unlabelled && method !== 'hyrsm++-semi')
    problem('episode.unlabelled', `null, since ${method} has no use for clips without labels`);
  if (config.video && config.video.frames !== head.frames)
    problem('video.frames', `model.frames (${head.frames}), since every frame is compared`);
  const { kind, steps, factors } = training.schedule;
  if (kind === 'steps' && (steps[0] !== 0 || steps.some((step, i) => i > 0 && steps[i - 1] >= step)))
    problem('train.schedule.steps', 'ascending epochs from 0 on');
  if (kind === 'steps' && steps.length !== factors.length)
    problem('train.schedule.factors', `${steps.length} factors, one for each step`);
  if (training.iterations % training.accumulate !== 0)
    problem('train.iterations', `a multiple of train.accumulate (${training.accumulate})`);
  if (training.nesterov && training.momentum === 0 && /sgd|lars/.test(training.optimizer))
    problem('train.nesterov', 'false, since there is no momentum');
});

function checkClasses(
  classes: Readonly<Record<'train' | 'val' | 'test', number | readonly string[]>>,
  problem: (key: string, message: string) => void,
): void {
  const owners = new Map<string, string>();
  for (const part of ['train', 'val', 'test'] as const) {
    const wanted = classes[part];
    if (typeof wanted === 'number') {
      if (wanted === 0 && part !== 'val') problem(`data.classes.${part}`, 'at least one class');
      continue;
    }
    for (const name of wanted) {
      const owner = owners.get(name);
      if (owner !== undefined)
        problem(`data.classes.${part}`, owner === part ? 'names that differ' : `names that ${owner} lacks (not ${name})`);
      owners.set(name, part);
    }
  }
}

/** A resolved few-shot configuration. */
export type FewshotConfig = z.infer<typeof fewshotConfig>;

/** The terms of the loss that a configuration's method has. */
export function lossTerms({ method, loss: all }: Pick<FewshotConfig, 'method' | 'loss'>): FewshotConfig['loss'] {
  return {
    matching: all.matching,
    classification: method.startsWith('hyrsm') ? all.classification : null,
    coherence: method.startsWith('hyrsm++') ? all.coherence : null,
  };
}

/** Episodes of training. */
export function trainingEpisodes({ episode: { way, shot, queries, unlabelled } }: FewshotConfig): EpisodeOptions {
  return { way, shot, queries, ...(unlabelled && { unlabelled }) };
}

/** Episodes of tests. */
export function testEpisodes({ episode: { way, testWay, shot, testQueries, unlabelled } }: FewshotConfig): EpisodeOptions {
  return { way: testWay ?? way, shot, queries: testQueries, ...(unlabelled && { unlabelled }) };
}

/** Episodes that the gradient of one step is the mean of. */
export function episodesPerStep({ train: { parallel, accumulate } }: FewshotConfig): number {
  return parallel * accumulate;
}

/** Steps of the optimiser in one epoch. */
export function stepsPerEpoch({ train: { iterations, accumulate } }: FewshotConfig): number {
  return iterations / accumulate;
}

/** The learning rate of an iteration, counted from 0 over the whole training. */
export function iterationRate({ train }: FewshotConfig): Schedule {
  const { kind, iterations, doubled, epochs, steps, factors, warmupEpochs, warmupFrom } = train.schedule;
  const policies = {
    constant: () => constantRate(train.learningRate),
    steps: () => piecewise(train.learningRate, steps, factors),
    cosine: () => cosine(train.learningRate, epochs),
  } as const;
  const rate = warmup(warmupEpochs, policies[kind](), { from: warmupFrom });
  return iteration => rate(doubled ? doubledEpochs(iteration, iterations) : iteration / iterations);
}

/** The learning rate by epochs done, with their fraction: a step has the rate of the last of its iterations, as published. */
export function learningRate(config: FewshotConfig): Schedule {
  const { iterations, accumulate } = config.train;
  const rate = iterationRate(config);
  return epoch => rate(accumulate * Math.round((epoch * iterations) / accumulate) + accumulate - 1);
}

/** The optimiser of a configuration. */
export function optimizerOf({ train }: FewshotConfig): Optimizer {
  const { weightDecay, momentum, nesterov, clipNorm } = train;
  const common = { weightDecay, groups: fewshotGroups(train.groups) };
  const optimizers = {
    adam: () => adam(common),
    adamw: () => adamW(common),
    sgd: () => sgd({ ...common, momentum, nesterov }),
    lars: () => lars({ ...common, momentum, nesterov }),
  } as const;
  const optimizer = optimizers[train.optimizer]();
  if (clipNorm === null) return optimizer;
  return {
    ...optimizer,
    update(params, gradients, state, lr) {
      clipByGlobalNorm(gradients, clipNorm);
      optimizer.update(params, gradients, state, lr);
    },
  };
}
