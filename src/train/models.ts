/** The models that weights can be imported to: their parameters, and what the shapes of given weights say about their options. */

import type { Shape } from '../engine/index.ts';
import type { Key } from '../engine/random.ts';
import { acmNetShapes, initAcmNet } from '../localization/acmNet.ts';
import { acmNetOptions, type LocalizationConfig } from '../localization/config.ts';
import type { Params } from '../nn/index.ts';

/** What the shapes of weights say; what they do not say is undefined. */
export interface InferredOptions {
  /** Keys of `model` in the configuration. */
  readonly model: Partial<LocalizationConfig['model']>;
  /** Number of action classes. */
  readonly classes?: number;
}

/** A model by its name on the command line. */
export interface ModelKind {
  /** The configuration of the package that it has with a published class list, or with other classes. */
  readonly preset: (classes: 'thumos14' | 'activitynet' | undefined) => string;
  /** The value of `method` that its configurations have. */
  readonly method: LocalizationConfig['method'];
  readonly shapes: (config: LocalizationConfig, classes: number) => Record<string, Shape>;
  readonly init: (config: LocalizationConfig, classes: number, key: Key) => Params;
  readonly infer: (shapes: ReadonlyMap<string, Shape>) => InferredOptions;
  /** Parameters that only training uses: inference does not miss them. */
  readonly trainingOnly: readonly string[];
}

/** ACM-Net and FTCL are one network, trained differently. */
function acmNetKind(method: LocalizationConfig['method']): ModelKind {
  return {
    preset: classes => `localization/${classes ?? 'features'}/${method}`,
    method,
    shapes: (config, classes) => acmNetShapes(acmNetOptions(config, classes)),
    init: (config, classes, key) => initAcmNet(acmNetOptions(config, classes), key),
    infer: inferAcmNet,
    trainingOnly: ['feature_trans.weight', 'feature_trans.bias'],
  };
}

/** The models by name. */
export const models: Readonly<Record<string, ModelKind>> = { 'acm-net': acmNetKind('acm-net'), ftcl: acmNetKind('ftcl') };

/** F and the place of the dropout from the embedding, C from the classifier, D from the projection. */
function inferAcmNet(shapes: ReadonlyMap<string, Shape>): InferredOptions {
  const [plain, behindDropout] = [0, 1].map(place => shapes.get(`feature_embedding.${place}.weight`));
  const embedding = plain ?? behindDropout;
  const classifier = shapes.get('snippet_cls.weight');
  const projection = shapes.get('feature_trans.weight');
  return {
    model: {
      ...(embedding?.length === 3 ? { featureDim: embedding[1], inputDropout: plain === undefined } : {}),
      ...(projection?.length === 2 ? { projectionDim: projection[0] } : {}),
    },
    classes: classifier?.length === 2 && classifier[0] > 1 ? classifier[0] - 1 : undefined,
  };
}
