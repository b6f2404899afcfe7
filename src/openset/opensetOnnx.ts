import { exportModel } from '../engine/exportModel.ts';
import type { NDArray } from '../engine/ndarray.ts';
import type { Params } from '../nn/index.ts';
import { type Calibration, calibrationTensors } from './calibration.ts';
import { type ClipSize, inferenceFeatures, inferenceParams, inferenceShape, type NetworkOptions } from './encoder.ts';
import { recognize } from './methods.ts';
import { whitenedDistance } from './scores/whitening.ts';

/** The input of an exported recogniser: of features, or of clips where the model has a backbone; and its outputs. */
export const recognizerInputs = ['features', 'clips'] as const;
export const recognizerOutputs = ['probabilities', 'embeddings', 'uncertainty'] as const;

/** The input of a network. */
export function recognizerInput({ backbone }: NetworkOptions): (typeof recognizerInputs)[number] {
  return backbone ? 'clips' : 'features';
}

/** Names of the calibration's arrays in the model. */
const [center, whitening] = ['calibration.center', 'calibration.whitening'] as const;

/**
 * An open-set model as an ONNX model: `features [batch, F]` (one row a clip) or `clips [batch, clips, 3, frames, size, size]` to `probabilities [batch,
 * K]`, `embeddings [batch, D]` and `uncertainty [batch]`, which is the distance to the training clips where the calibration is one of distances,
 * else the method's own. Everything that goes in and out is float32.
 */
export function recognizerOnnx(
  network: NetworkOptions,
  clips: ClipSize | undefined,
  params: Params,
  calibration: Calibration | undefined,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const tensors: Record<string, NDArray> = calibration?.whitening ? calibrationTensors(calibration) : {};
  const { center: c, whitening: w } = tensors;
  const input = recognizerInput(network);
  const weights = inferenceParams(params, network);
  return exportModel(
    (p, inputs) => {
      const { probabilities, embeddings, uncertainty } = recognize(p, inferenceFeatures(p, inputs[input], network), network.head);
      return {
        probabilities,
        embeddings,
        uncertainty: calibration?.whitening ? whitenedDistance(embeddings, p[center], p[whitening]) : uncertainty,
      };
    },
    {
      params: calibration?.whitening ? { ...weights, [center]: c, [whitening]: w } : weights,
      inputs: { [input]: { dtype: 'float32', shape: inferenceShape(network, clips, 'batch') } },
      metadata,
    },
  );
}
