/** The models that weights can be imported to: their parameters, and what the shapes of given weights say about their options. */

import { tsmNetwork } from '../backbones/index.ts';
import type { Shape } from '../engine/index.ts';
import type { LocalizationConfig } from '../localization/config.ts';
import type { PublishedClasses } from './classNames.ts';
import type { Config } from './config.ts';

/** What the shapes of weights say; what they do not say is undefined. */
export interface InferredOptions {
  /** Part of a configuration, such as `{model: {featureDim: 1024}}`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Number of classes. */
  readonly classes?: number;
}

/** A model by its name on the command line. */
export interface ModelKind {
  /** The configuration of the package that it has with a published class list, or with other classes, for weights of these shapes. */
  readonly preset: (classes: PublishedClasses | undefined, shapes: ReadonlyMap<string, Shape>) => string;
  /** The values of `task` and `method` that its configurations have. */
  readonly task: Config['task'];
  readonly method: Config['method'];
  readonly infer: (shapes: ReadonlyMap<string, Shape>) => InferredOptions;
  /** Parameters that only training uses: inference does not miss them. */
  readonly trainingOnly: readonly string[];
  /** Parameters that checkpoints of its own code keep beside the other weights. */
  readonly beside: readonly string[];
}

/** ACM-Net and FTCL are one network, trained differently. */
function acmNetKind(method: LocalizationConfig['method']): ModelKind {
  return {
    preset: classes => `localization/${classes ?? 'features'}/${method}`,
    task: 'localization',
    method,
    infer: inferAcmNet,
    trainingOnly: ['feature_trans.weight', 'feature_trans.bias'],
    beside: [],
  };
}

/** PSL: its checkpoints have the prototypes outside the network's state. */
const psl: ModelKind = {
  // Of a backbone that is none of ours, the head alone makes a model of features.
  preset: (_, shapes) => (tsmNetwork(shapes) ? 'openset/ucf101/psl' : 'openset/base'),
  task: 'openset',
  method: 'psl',
  infer: inferPsl,
  trainingOnly: [],
  beside: ['prototypes'],
};

/** The models by name. */
export const models: Readonly<Record<string, ModelKind>> = { 'acm-net': acmNetKind('acm-net'), ftcl: acmNetKind('ftcl'), psl };

/** F and the width of the hidden layer from the head's first layer, the embedding's from its second, K from the prototypes. */
function inferPsl(shapes: ReadonlyMap<string, Shape>): InferredOptions {
  const [first, second] = ['linear_a', 'logits_out_b'].map(layer => shapes.get(`head.mlp.${layer}.weight`));
  const prototypes = shapes.get('prototypes');
  const backbone = tsmNetwork(shapes);
  return {
    config: {
      ...(backbone && { video: { backbone: { network: backbone.name, width: backbone.options.width } } }),
      model: {
        ...(first?.length === 2 ? { featureDim: first[1], hiddenDim: first[0] } : {}),
        ...(second?.length === 2 ? { embeddingDim: second[0] } : {}),
      },
    },
    classes: prototypes?.length === 2 ? prototypes[0] : undefined,
  };
}

/** F and the place of the dropout from the embedding, C from the classifier, D from the projection. */
function inferAcmNet(shapes: ReadonlyMap<string, Shape>): InferredOptions {
  const [plain, behindDropout] = [0, 1].map(place => shapes.get(`feature_embedding.${place}.weight`));
  const embedding = plain ?? behindDropout;
  const classifier = shapes.get('snippet_cls.weight');
  const projection = shapes.get('feature_trans.weight');
  return {
    config: {
      model: {
        ...(embedding?.length === 3 ? { featureDim: embedding[1], inputDropout: plain === undefined } : {}),
        ...(projection?.length === 2 ? { projectionDim: projection[0] } : {}),
      },
    },
    classes: classifier?.length === 2 && classifier[0] > 1 ? classifier[0] - 1 : undefined,
  };
}
