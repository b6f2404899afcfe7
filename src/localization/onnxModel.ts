import { exportModel } from '../engine/exportModel.ts';
import type { Params } from '../nn/index.ts';
import { type AcmNetOptions, acmNet } from './acmNet.ts';
import { inference } from './steps.ts';

/** The input of an exported localiser. */
export const localizerInput = 'features';

/** The outputs of an exported localiser, as {@link inference} names them. */
export const localizerOutputs = ['classScores', 'attention', 'cas'] as const;

/** The fewest snippets a localiser takes; a video of one is given as two equal ones (see `uniformIndices`). */
export const fewestSnippets = 2;

/**
 * ACM-Net's evaluation pass as an ONNX model: `features [batch, time, F]` to `classScores [batch, C + 1]`, `attention [batch, time, 3]`
 * (instance, context, background) and `cas [batch, time, C + 1]` (the instance class activation sequence; the background is the last
 * column). Everything is float32; `batch` is at least 1, `time` at least {@link fewestSnippets}.
 */
export function localizerOnnx(network: AcmNetOptions, params: Params, metadata: Readonly<Record<string, string>>): Uint8Array {
  return exportModel((p, { features }) => ({ ...inference(acmNet(p, features, network)) }), {
    params,
    inputs: { features: { dtype: 'float32', shape: ['batch', 'time', network.featureDim] } },
    metadata,
  });
}
