/** Recognisers as ONNX models. */
import { compile, ndarray, type Tensor } from '../engine/index.ts';
import type { SymbolicParams } from '../nn/index.ts';
import { parseCalibration, thresholdAt, uncertaintyOf } from '../openset/calibration.ts';
import { networkOptions, type OpensetConfig } from '../openset/config.ts';
import { inferenceFeatures, inferenceParams, inferenceShape } from '../openset/encoder.ts';
import { recognize } from '../openset/methods.ts';
import { recognizerInput, recognizerOnnx, recognizerOutputs } from '../openset/opensetOnnx.ts';
import { clipSize, testPlans } from '../openset/videoConfig.ts';
import type { Model } from './model.ts';
import type { OnnxExport } from './onnxExport.ts';

/** Fractions of the training clips whose thresholds other programs are told of. */
const rates = [0.8, 0.9, 0.95, 0.98, 0.99];

/** A recogniser with an open batch axis, see {@link recognizerOnnx}. */
export function opensetExport({ classes, params, source, calibration: tensors }: Model, config: OpensetConfig): OnnxExport {
  const network = networkOptions(config, classes.length);
  const { head } = network;
  const clips = config.video ? clipSize(config.video) : undefined;
  const width = head.method === 'psl' ? head.embeddingDim : head.featureDim;
  const calibration = tensors && parseCalibration(tensors, config.evaluation.uncertainty, width, source);
  const thresholds = calibration
    ? Object.fromEntries(rates.map(rate => [rate, thresholdAt(calibration, config.evaluation.uncertainty, rate).value ?? null]))
    : null;
  // A clip is large: few of them show as much.
  const batches = clips ? [1, 2, 3] : [1, 2, 7, 16];
  const weights = inferenceParams(params, network);
  return {
    input: recognizerInput(network),
    outputs: recognizerOutputs,
    metadata: {
      task: config.task,
      method: config.method,
      classes: JSON.stringify(classes),
      thresholds: JSON.stringify(thresholds),
      preprocessing: JSON.stringify(
        config.video
          ? {
              input: 'clips',
              values: 'R, G, B in [0, 1], then normalize',
              layout: 'batch, clips, RGB, frames, height, width',
              clips: testPlans(config.video),
            }
          : { input: 'features', width: head.featureDim, extractor: config.data.extractor, rows: 'mean of the rows of a clip' },
      ),
      // For thresholds at any other rate.
      ...(calibration && { calibration: JSON.stringify({ uncertainty: Array.from(calibration.uncertainty, finite) }) }),
    },
    encode: metadata => recognizerOnnx(network, clips, params, calibration, metadata),
    shapes: batches.map(batch => inferenceShape(network, clips, batch)),
    sizes: `batches of ${batches.join(', ')}`,
    derived([probabilities, embeddings, uncertainty]) {
      if (!calibration?.whitening) return [];
      const distances = Float32Array.from(uncertaintyOf(calibration, { embeddings, uncertainty }));
      return [undefined, undefined, ndarray('float32', [probabilities.shape[0]], distances)];
    },
    open(where) {
      const inference = compile(
        (p: SymbolicParams, input: Tensor) => recognize(p, inferenceFeatures(p, input, network), head),
        where,
      );
      return {
        async run(input) {
          const outputs = await inference(weights, input);
          const uncertainty = Float32Array.from(uncertaintyOf(calibration, outputs));
          return [outputs.probabilities, outputs.embeddings, ndarray('float32', [uncertainty.length], uncertainty)];
        },
        dispose: inference.dispose,
      };
    },
  };
}

/** JSON has no infinity. */
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
