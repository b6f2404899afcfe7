import { exportModel } from '../engine/exportModel.ts';
import type { NDArray } from '../engine/ndarray.ts';
import type { Params } from '../nn/index.ts';
import { type Calibration, calibrationTensors } from './calibration.ts';
import { type HeadOptions, recognize } from './methods.ts';
import { whitenedDistance } from './scores/whitening.ts';

/** The input of an exported recogniser, and its outputs. */
export const recognizerInput = 'features';
export const recognizerOutputs = ['probabilities', 'embeddings', 'uncertainty'] as const;

/** Names of the calibration's arrays in the model. */
const [center, whitening] = ['calibration.center', 'calibration.whitening'] as const;

/**
 * An open-set model as an ONNX model: `features [batch, F]` (one row a clip) to `probabilities [batch, K]`, `embeddings [batch, D]` and `uncertainty
 * [batch]`, which is the distance to the training clips where the calibration is one of distances, else the method's own. Everything that
 * goes in and out is float32.
 */
export function recognizerOnnx(
  head: HeadOptions,
  params: Params,
  calibration: Calibration | undefined,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const tensors: Record<string, NDArray> = calibration?.whitening ? calibrationTensors(calibration) : {};
  const { center: c, whitening: w } = tensors;
  return exportModel(
    (p, inputs) => {
      const { probabilities, embeddings, uncertainty } = recognize(p, inputs[recognizerInput], head);
      return {
        probabilities,
        embeddings,
        uncertainty: calibration?.whitening ? whitenedDistance(embeddings, p[center], p[whitening]) : uncertainty,
      };
    },
    {
      params: calibration?.whitening ? { ...params, [center]: c, [whitening]: w } : params,
      inputs: { [recognizerInput]: { dtype: 'float32', shape: ['batch', head.featureDim] } },
      metadata,
    },
  );
}
