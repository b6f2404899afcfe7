/** The configuration of an open-set experiment: its schema, and the options records that heads and losses take from it. */
import { z } from 'zod';
import { featureWidth } from '../backbones/index.ts';
import { bayesPreset } from './bayesLinear.ts';
import type { BackboneOptions, NetworkOptions } from './encoder.ts';
import type { HeadOptions } from './methods.ts';
import { methodNames } from './methods.ts';
import { pslPreset } from './pslLoss.ts';
import { passUncertainties } from './stochasticPasses.ts';
import { tsmOptions, videoConfig } from './videoConfig.ts';

const count = z.int().positive();
const positive = z.number().positive();
const weight = z.number().min(0);
const share = z.number().gt(0).lt(1);
const probability = z.number().min(0).lt(1);
const target = z.number().min(-1).max(1).nullable();

const data = z.strictObject({
  dir: z
    .string()
    .min(1)
    .describe(
      'The data folder: features with index.json or features.json, a folder a class, or videos (see video); relative to the current directory; --data overrides it.',
    ),
  known: z
    .union([count, z.array(z.string().min(1)).min(2)], { error: 'a number of classes, or a list of at least two names' })
    .nullable()
    .default(null)
    .describe('The known classes: names in the order of the outputs, or how many to draw by data.splitSeed; null: all.'),
  testShare: share.describe(
    'Share of each known class that tests, where the data set does not say so itself; unknown classes only test.',
  ),
  splitSeed: z.int().min(0).describe('Seed of the division into known and unknown classes, training and test.'),
  extractor: z
    .union([z.string(), z.record(z.string(), z.unknown())], { error: 'a text or a record' })
    .nullable()
    .default(null)
    .describe('What made the features (a text or a record); kept in the model.'),
  cacheMegabytes: weight.describe('Megabytes of features kept in memory.'),
});

const model = z.strictObject({
  featureDim: count.describe(
    'F: width of a row of features; the rows of a clip are averaged. With video: what the backbone makes.',
  ),
  dropout: probability.describe('Dropout on the features in training.'),
  hiddenDim: count.describe('psl: width of the hidden layer.'),
  embeddingDim: count.describe('psl: width of the embedding and of the prototypes.'),
});

const loss = z.strictObject({
  psl: z
    .strictObject({
      temperature: positive.describe('tau: similarities are divided by it.'),
      prototypeTarget: target.describe('s: similarity of a clip and the prototype of its class; null: as large as can be.'),
      sameClass: z
        .enum(['out', 'denominator', 'positive'])
        .describe('Other clips of the class: out of the loss, in the denominator (PSL), or positives.'),
      sameClassTarget: target.describe('s: similarity of two clips of a class; null: the similarity itself is the term.'),
      otherClasses: z.boolean().describe('Whether clips of other classes are in the denominator.'),
      shuffledTarget: z
        .number()
        .min(-1)
        .max(1)
        .default(pslPreset.shuffledTarget)
        .describe('s: similarity of a clip and its shuffled second clip (video only: features have no frames to shuffle).'),
    })
    .describe('Prototypical similarity learning.'),
  rpl: z
    .strictObject({
      weight: weight.describe('Weight of the open-space term.'),
      temperature: positive.describe('Logits are divided by it in training.'),
    })
    .describe('Reciprocal point learning.'),
  evidential: z
    .strictObject({
      evidence: z.enum(['exp', 'relu', 'softplus']).describe('From logits to evidence; published: exp.'),
      classLoss: z.enum(['log', 'digamma']).describe('log of the expected probability (published), or its expectation.'),
      kl: z.boolean().describe('Whether evidence for wrong classes is penalised by the annealed KL divergence.'),
      calibration: z.boolean().describe('Whether uncertainty is calibrated: sure when right, unsure when wrong.'),
      debias: z
        .strictObject({
          weight: weight.describe('Weight of the term; published: 0.1.'),
          channels: count.describe("Channels of the branches' convolutions."),
          dropout: probability.describe("Dropout before the branches' classifiers; published: 0.5."),
          hsic: z
            .enum(['none', 'increase', 'reduce'])
            .describe('Whether HSIC makes the branches depend on each other more (the published sign) or less (what was meant).'),
        })
        .nullable()
        .default(null)
        .describe(
          'Three branches over the last feature map, which see the frames in order, in another order, and one by one (video only); null: none.',
        ),
    })
    .describe('Evidential deep learning (DEAR).'),
  bayesian: z
    .strictObject({
      weight: weight.describe('Weight of the KL divergence of the weights from their prior.'),
      reduction: z
        .enum(['sum', 'mean'])
        .describe('How the log-densities of the weights become one number: sum, or mean as in the code of PSL.'),
      prior: z
        .strictObject({
          share: share.describe('Share of the wide part.'),
          wide: positive.describe('Standard deviation of one part.'),
          narrow: positive.describe('Standard deviation of the other part; published: e^-6.'),
        })
        .describe('Two normal distributions around 0, mixed.'),
    })
    .default({ weight: 1e-6, ...bayesPreset })
    .describe('Variational Bayesian classifier (Bayes by backprop).'),
});

const train = z.strictObject({
  start: z
    .enum(['fresh', 'pretrained'])
    .default('fresh')
    .describe('pretrained: made for weights from elsewhere; training without --from is warned of.'),
  epochs: count.describe('Passes over the training clips.'),
  batchSize: z.int().min(2).describe('Clips in a step; a last batch that is not full is left out.'),
  optimizer: z.enum(['sgd', 'lars', 'adam']).describe('sgd and lars have momentum and Nesterov; adam has betas 0.9, 0.999.'),
  learningRate: positive.describe('Learning rate at its highest.'),
  momentum: probability.describe('Momentum of sgd and lars.'),
  nesterov: z.boolean().describe("Nesterov's momentum in sgd and lars."),
  weightDecay: weight.describe('Weight decay, added to the gradient.'),
  clipNorm: positive
    .nullable()
    .default(null)
    .describe('The norm of all gradients together is brought down to this; null: never.'),
  groups: z
    .enum(['as-run', 'intended', 'intended-finetune'])
    .describe(
      'as-run: no decay on batch norms and prototypes only, as published; intended: nor on biases; intended-finetune: and faster heads.',
    ),
  larsVectors: z
    .boolean()
    .describe('lars: adapt the rate of biases and norms too, as published; those that start at 0 then stay there.'),
  schedule: z.enum(['constant', 'cosine', 'steps']).describe('How the learning rate changes over the epochs.'),
  steps: z.array(positive).describe('steps: epochs at which the learning rate becomes a tenth.'),
  warmupEpochs: weight.describe('cosine: epochs of a straight line from train.warmupFrom; 0: none.'),
  warmupFrom: weight.describe('cosine: learning rate at the start of the warm-up.'),
  seed: z.int().min(0).describe('Seed of everything random but the division of the data.'),
  threads: count.nullable().default(null).describe('Threads within one operation; null: one a core.'),
  device: z.enum(['cpu', 'cuda', 'webgpu']).describe('Where to run.'),
  checkpointEvery: count.describe('Epochs between checkpoints.'),
});

const evaluation = z.strictObject({
  uncertainty: z
    .enum(['method', 'mahalanobis'])
    .describe(
      "method: the method's own (1 - largest probability, or vacuity); mahalanobis: distance of the embedding to the training clips.",
    ),
  stochastic: z
    .strictObject({
      passes: z.int().min(2).describe('Draws of the weights; bayesian: and one more pass with their means.'),
      uncertainty: z
        .enum(passUncertainties)
        .describe(
          "What the passes say: bald, the mutual information of class and weights; variance of the predicted class's probability; traces of the aleatoric or the epistemic covariance.",
        ),
    })
    .default({ passes: 10, uncertainty: 'bald' })
    .describe('Tests of dropout and bayesian: several passes over the same features.'),
  start: z.int().min(0).describe('First epoch (counted from 0) after which the test part is evaluated.'),
  every: count.describe('Epochs between evaluations.'),
  select: z.enum(['last', 'best-on-test']).describe('The model that counts: the last, or the best on the test part.'),
});

const keys = z.strictObject({
  task: z.literal('openset').describe('What is learnt: to name known classes and to notice unknown ones.'),
  method: z
    .enum(methodNames)
    .describe(
      'psl: prototypical similarity learning; the others are what it is compared to: dropout is MC dropout, bayesian a Bayesian last layer.',
    ),
  data: data.describe('The data set.'),
  video: videoConfig.nullable().default(null).describe('Clips and the backbone over them; null: the data are features.'),
  model: model.describe('The head on the features.'),
  loss: loss.describe('The loss that training minimises; a method reads its own part.'),
  train: train.describe('The training.'),
  evaluation: evaluation.describe('The test.'),
});

/** Schema of an open-set experiment. */
export const opensetConfig = keys.superRefine((config, context) => {
  const problem = (key: string, message: string) => context.addIssue({ code: 'custom', path: key.split('.'), message });
  const { known } = config.data;
  if (typeof known === 'number' && known < 2) problem('data.known', 'at least 2 classes');
  if (Array.isArray(known) && new Set(known).size < known.length) problem('data.known', 'names that differ');
  if (config.video?.training.clips === 2 && config.method !== 'psl')
    problem('video.training.clips', `1, since ${config.method} has no use for a second clip`);
  if (config.method === 'dropout' && config.model.dropout === 0) problem('model.dropout', 'more than 0 for the method dropout');
  if (config.loss.evidential.debias && config.method === 'evidential' && !config.video)
    problem('loss.evidential.debias', 'null, since features have no frames to shuffle');
  const { nesterov, momentum, optimizer, schedule, steps, warmupEpochs, epochs } = config.train;
  if (nesterov && momentum === 0 && optimizer !== 'adam') problem('train.nesterov', 'false, since there is no momentum');
  if (schedule === 'steps' && steps.some((step, i) => i > 0 && steps[i - 1] >= step)) problem('train.steps', 'ascending epochs');
  if (schedule === 'cosine' && warmupEpochs >= epochs) problem('train.warmupEpochs', `less than train.epochs (${epochs})`);
});

/** A resolved open-set configuration. */
export type OpensetConfig = z.infer<typeof opensetConfig>;

/** The network of a configuration, for a number of known classes. */
export function networkOptions(config: OpensetConfig, classes: number): NetworkOptions {
  const { video } = config;
  const backbone = video && { ...tsmOptions(video), norms: normModes[video.backbone.norms] };
  return { head: headOptions(config, classes), ...(backbone && { backbone }) };
}

const normModes = { batch: 'batch', 'stem-only': 'stemOnly', running: 'running' } as const satisfies Record<
  string,
  BackboneOptions['norms']
>;

/** Options of the head and its loss, for a number of known classes. */
export function headOptions({ method, model, loss, video, evaluation }: OpensetConfig, classes: number): HeadOptions {
  const clips = video?.training.clips ?? 1;
  const featureDim = video ? featureWidth(tsmOptions(video).network) : model.featureDim;
  const { debias, ...evidential } = loss.evidential;
  return {
    ...model,
    featureDim,
    method,
    classes,
    psl: { ...pslPreset, ...loss.psl, clips, anchors: clips === 2 ? 'first' : 'all' },
    rpl: loss.rpl,
    evidential,
    ...(video && debias && { debias: { ...debias, frames: video.frames, inputs: featureDim } }),
    bayesian: loss.bayesian,
    stochastic: evaluation.stochastic,
  };
}
