/** The methods of open-set recognition on features: what each has for parameters, what it minimises, and what it says of a sample. */
import { matmul, max, mul, type Shape, softmax, sub, type Tensor } from '../engine/index.ts';
import { fold, type Key } from '../engine/random.ts';
import {
  constantInit,
  dropout,
  initParams,
  linear,
  linearParams,
  normalInit,
  type Params,
  type SymbolicParams,
} from '../nn/index.ts';
import { crossEntropy } from './crossEntropy.ts';
import { dirichlet, dirichletMean, dirichletVacuity, type EvidentialOptions, evidentialLoss } from './evidential.ts';
import { type PslHeadOptions, prototypeParams, pslHead, pslHeadParams } from './pslHead.ts';
import { type PslLossOptions, pslLoss } from './pslLoss.ts';
import { type RplOptions, rplLogits, rplLoss } from './rpl.ts';
import { unitRows } from './unitRows.ts';

/** Names of the methods. */
export const methodNames = ['psl', 'cross-entropy', 'rpl', 'evidential'] as const;
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
}

/** What training tells a method besides the features. */
export interface BatchInput<T = Tensor> {
  /** `[rows, F]` */
  readonly features: T;
  /** `[rows]` */
  readonly labels: T;
  /** Kept features, 0/1 `[rows, F]`; undefined without dropout. */
  readonly mask?: T;
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
  /** The method's own uncertainty, larger for what looks unknown: 1 - largest probability, or of evidence the vacuity, `[rows]`. */
  readonly uncertainty: T;
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
    init: ({ featureDim, classes }, key) => linearParams(classifier, featureDim, classes, key),
    train(params, input, options) {
      const logits = linear(params, classifier, dropped(input, options));
      return { loss: crossEntropy(logits, input.labels), probabilities: softmax(logits), buffers: {} };
    },
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
    init: ({ featureDim, classes }, key) => linearParams(classifier, featureDim, classes, key),
    train(params, input, options) {
      const logits = linear(params, classifier, dropped(input, options));
      const { loss, alpha } = evidentialLoss(logits, input.labels, input.lambda, options.evidential);
      return { loss, probabilities: dirichletMean(alpha), buffers: {} };
    },
    recognize(params, features, options) {
      const alpha = dirichlet(linear(params, classifier, features), options.evidential.evidence);
      return { probabilities: dirichletMean(alpha), embeddings: features, uncertainty: dirichletVacuity(alpha) };
    },
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
  const { featureDim, hiddenDim, embeddingDim, classes } = options;
  const linearShapes = (name: string, from: number, to: number) => ({ [`${name}.weight`]: [to, from], [`${name}.bias`]: [to] });
  if (options.method === 'rpl') return { 'head.points': [classes, featureDim], 'head.radius': [classes] };
  if (options.method !== 'psl') return linearShapes(classifier, featureDim, classes);
  const norm = ['weight', 'bias', 'running_mean', 'running_var'].map(name => [`head.mlp.linear_a_bn.${name}`, [hiddenDim]]);
  return {
    ...linearShapes('head.mlp.linear_a', featureDim, hiddenDim),
    ...Object.fromEntries(norm),
    'head.mlp.linear_a_bn.num_batches_tracked': [],
    ...linearShapes('head.mlp.logits_out_b', hiddenDim, embeddingDim),
    prototypes: [classes, embeddingDim],
  };
}
