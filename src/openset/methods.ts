/** The methods of open-set recognition on features: what each has for parameters, what it minimises, and what it says of a sample. */
import { add, matmul, max, mean, mul, type Shape, softmax, sub, type Tensor, transpose } from '../engine/index.ts';
import { fold, type Key } from '../engine/random.ts';
import {
  constantInit,
  dropout,
  initParams,
  linear,
  linearParams,
  normalInit,
  type Params,
  parameter,
  type SymbolicParams,
} from '../nn/index.ts';
import { type BayesNoise, type BayesOptions, bayesLinear, bayesLinearParams, bayesPenalty } from './bayesLinear.ts';
import { crossEntropy } from './crossEntropy.ts';
import { type DebiasNoise, type DebiasOptions, debiasLoss, debiasParams, debiasShapes } from './debias.ts';
import { dirichlet, dirichletMean, dirichletVacuity, type EvidentialOptions, evidentialLoss } from './evidential.ts';
import { type PslHeadOptions, prototypeParams, pslHead, pslHeadParams } from './pslHead.ts';
import { type PslLossOptions, pslLoss } from './pslLoss.ts';
import { type RplOptions, rplLogits, rplLoss } from './rpl.ts';
import {
  bayesPasses,
  dropoutPasses,
  type PassOptions,
  type PassWeights,
  passProbabilities,
  passUncertainty,
} from './stochasticPasses.ts';
import { unitRows } from './unitRows.ts';

/** Names of the methods. */
export const methodNames = ['psl', 'cross-entropy', 'rpl', 'evidential', 'dropout', 'bayesian'] as const;
export type MethodName = (typeof methodNames)[number];

/** Everything that decides what a step computes. */
export interface HeadOptions extends PslHeadOptions {
  readonly method: MethodName;
  readonly classes: number;
  /** Dropout on the features. */
  readonly dropout: number;
  readonly psl: PslLossOptions;
  readonly rpl: RplOptions;
  readonly evidential: EvidentialOptions;
  /** DEAR's debiasing beside the evidential loss, which needs clips; undefined: none. */
  readonly debias?: DebiasOptions;
  readonly bayesian: BayesOptions & { /** Weight of the KL divergence. */ readonly weight: number };
  /** Tests of `dropout` and `bayesian`. */
  readonly stochastic: PassOptions;
}

/** What is random in a step; undefined where the method has no use for them. */
export interface StepNoise<T = Tensor> {
  /** Kept features, 0/1 `[rows, F]`; undefined without dropout. */
  readonly mask?: T;
  /** Draws of a Bayesian layer's weights. */
  readonly weights?: BayesNoise<T>;
  readonly debias?: DebiasNoise<T>;
}

/** What training tells a method besides the features. */
export interface BatchInput<T = Tensor> extends StepNoise<T> {
  /** `[rows, F]` */
  readonly features: T;
  /** What the features are means of, `[rows, frames, C, h, w]`; undefined where there is no backbone. */
  readonly maps?: T;
  /** `[rows]` */
  readonly labels: T;
  /** Part of the training that is done, annealed as the evidential loss wants it. */
  readonly lambda: T;
}

/** A batch's loss, what it says of the samples, and the buffers after it. */
export interface Trained {
  readonly loss: Tensor;
  readonly probabilities: Tensor;
  readonly buffers: Readonly<Record<string, Tensor>>;
}

/** What a method says of samples. */
export interface Recognition<T = Tensor> {
  /** `[rows, K]` */
  readonly probabilities: T;
  /** `[rows, D]`: PSL's embeddings; of the other methods the features themselves. */
  readonly embeddings: T;
  /**
   * The method's own uncertainty, larger for what looks unknown, `[rows]`: 1 - largest probability; of evidence the vacuity; of stochastic passes
   * what their spread says.
   */
  readonly uncertainty: T;
  /** Probabilities of every stochastic pass, `[rows, K, passes]`, of which `probabilities` is the mean. */
  readonly passes?: T;
}

interface Method {
  init(options: HeadOptions, key: Key): Params;
  train(params: SymbolicParams, input: BatchInput, options: HeadOptions): Trained;
  recognize(params: SymbolicParams, features: Tensor, options: HeadOptions): Recognition;
}

/** Name of the linear classifier's layer. */
const classifier = 'head.fc';

const dropped = ({ features, mask }: BatchInput, options: HeadOptions): Tensor => dropout(features, mask, 1 - options.dropout);
const unsure = (probabilities: Tensor): Tensor => sub(1, max(probabilities, 1));
const linearClassifier = ({ featureDim, classes }: HeadOptions, key: Key): Params =>
  linearParams(classifier, featureDim, classes, key);

function classify(params: SymbolicParams, input: BatchInput, options: HeadOptions): Trained {
  const logits = linear(params, classifier, dropped(input, options));
  return { loss: crossEntropy(logits, input.labels), probabilities: softmax(logits), buffers: {} };
}

function recognizeByPasses(features: Tensor, weights: PassWeights, { stochastic }: HeadOptions): Recognition {
  const each = passProbabilities(features, weights);
  return {
    probabilities: mean(each, 1),
    embeddings: features,
    uncertainty: passUncertainty(each, stochastic.uncertainty),
    passes: transpose(each, [0, 2, 1]),
  };
}

const methods: Readonly<Record<MethodName, Method>> = {
  psl: {
    init: (options, key) => ({
      ...pslHeadParams(options, key),
      ...prototypeParams(options.classes, options.embeddingDim, key),
    }),
    train(params, input, options) {
      const [z, buffers] = pslHead(params, dropped(input, options), { training: true });
      const { loss } = pslLoss(z, input.labels, params.prototypes, options.psl);
      return { loss, probabilities: cosineProbabilities(z, params.prototypes, options.psl), buffers };
    },
    recognize(params, features, options) {
      const [embeddings] = pslHead(params, features, { training: false });
      const probabilities = cosineProbabilities(embeddings, params.prototypes, options.psl);
      return { probabilities, embeddings, uncertainty: unsure(probabilities) };
    },
  },
  'cross-entropy': {
    init: linearClassifier,
    train: classify,
    recognize(params, features) {
      const probabilities = softmax(linear(params, classifier, features));
      return { probabilities, embeddings: features, uncertainty: unsure(probabilities) };
    },
  },
  rpl: {
    init: ({ featureDim, classes }, key) =>
      initParams(
        {
          'head.points': { shape: [classes, featureDim], init: normalInit(0.1) },
          'head.radius': { shape: [classes], init: constantInit(0) },
        },
        fold(key, classifier),
      ),
    train(params, input, options) {
      const x = dropped(input, options);
      const points = params['head.points'];
      const loss = rplLoss(x, points, params['head.radius'], input.labels, options.rpl);
      return { loss, probabilities: softmax(rplLogits(x, points)), buffers: {} };
    },
    recognize(params, features) {
      const probabilities = softmax(rplLogits(features, params['head.points']));
      return { probabilities, embeddings: features, uncertainty: unsure(probabilities) };
    },
  },
  evidential: {
    init: (options, key) => ({
      ...linearClassifier(options, key),
      ...(options.debias && debiasParams(options.debias, options.classes, key)),
    }),
    train(params, input, options) {
      const logits = linear(params, classifier, dropped(input, options));
      const { loss, alpha } = evidentialLoss(logits, input.labels, input.lambda, options.evidential);
      const own = { loss, probabilities: dirichletMean(alpha), buffers: {} };
      if (!options.debias) return own;
      const term = debiasLoss(params, input, options.debias, options.evidential);
      return { ...own, loss: add(loss, mul(term.loss, options.debias.weight)), buffers: term.buffers };
    },
    recognize(params, features, options) {
      const alpha = dirichlet(linear(params, classifier, features), options.evidential.evidence);
      return { probabilities: dirichletMean(alpha), embeddings: features, uncertainty: dirichletVacuity(alpha) };
    },
  },
  dropout: {
    init: linearClassifier,
    train: classify,
    recognize(params, features, options) {
      const [weight, bias] = ['weight', 'bias'].map(part => parameter(params, `${classifier}.${part}`));
      return recognizeByPasses(features, dropoutPasses(weight, bias, options.dropout, options.stochastic.passes), options);
    },
  },
  bayesian: {
    init: ({ featureDim, classes }, key) => bayesLinearParams(classifier, featureDim, classes, key),
    train(params, input, options) {
      if (!input.weights) throw new Error('bayesian: a training step needs a draw of the weights');
      const pass = bayesLinear(params, classifier, dropped(input, options), input.weights, options.bayesian);
      const loss = add(crossEntropy(pass.y, input.labels), bayesPenalty(pass, options.bayesian.weight));
      return { loss, probabilities: softmax(pass.y), buffers: {} };
    },
    recognize: (params, features, options) =>
      recognizeByPasses(features, bayesPasses(params, classifier, options.stochastic.passes), options),
  },
};

function cosineProbabilities(z: Tensor, prototypes: Tensor, { temperature }: PslLossOptions): Tensor {
  return softmax(mul(matmul(z, unitRows(prototypes), { transposeB: true }), 1 / temperature));
}

/** Fresh parameters and buffers of a method. */
export function initHead(options: HeadOptions, key: Key): Params {
  return methods[options.method].init(options, key);
}

/** The loss of a batch. */
export function trainHead(params: SymbolicParams, input: BatchInput, options: HeadOptions): Trained {
  return methods[options.method].train(params, input, options);
}

/** What a method says of features `[rows, F]`. */
export function recognize(params: SymbolicParams, features: Tensor, options: HeadOptions): Recognition {
  return methods[options.method].recognize(params, features, options);
}

/** Shapes of a method's parameters and buffers, by name. */
export function headShapes(options: HeadOptions): Record<string, Shape> {
  const { method, featureDim, hiddenDim, embeddingDim, classes } = options;
  const linearShapes = (name: string, from: number, to: number) => ({ [`${name}.weight`]: [to, from], [`${name}.bias`]: [to] });
  switch (method) {
    case 'rpl':
      return { 'head.points': [classes, featureDim], 'head.radius': [classes] };
    case 'bayesian':
      return Object.fromEntries(
        Object.entries(linearShapes(classifier, featureDim, classes)).flatMap(([name, shape]) => [
          [`${name}_mu`, shape],
          [`${name}_rho`, shape],
        ]),
      );
    case 'evidential':
      return {
        ...linearShapes(classifier, featureDim, classes),
        ...(options.debias && debiasShapes(options.debias, classes)),
      };
    case 'psl': {
      const norm = ['weight', 'bias', 'running_mean', 'running_var'].map(name => [`head.mlp.linear_a_bn.${name}`, [hiddenDim]]);
      return {
        ...linearShapes('head.mlp.linear_a', featureDim, hiddenDim),
        ...Object.fromEntries(norm),
        'head.mlp.linear_a_bn.num_batches_tracked': [],
        ...linearShapes('head.mlp.logits_out_b', hiddenDim, embeddingDim),
        prototypes: [classes, embeddingDim],
      };
    }
    default:
      return linearShapes(classifier, featureDim, classes);
  }
}
