/** Recognisers as ONNX models. */
import { compile, ndarray, type Tensor } from '../engine/index.ts';
import type { SymbolicParams } from '../nn/index.ts';
import { parseCalibration, thresholdAt, uncertaintyOf } from '../openset/calibration.ts';
import { headOptions, type OpensetConfig } from '../openset/config.ts';
import { recognize } from '../openset/methods.ts';
import { recognizerInput, recognizerOnnx, recognizerOutputs } from '../openset/opensetOnnx.ts';
import type { Model } from './model.ts';
import type { OnnxExport } from './onnxExport.ts';

/** Fractions of the training clips whose thresholds other programs are told of. */
const rates = [0.8, 0.9, 0.95, 0.98, 0.99];

/** A recogniser with an open batch axis, see {@link recognizerOnnx}. */
export function opensetExport({ classes, params, source, calibration: tensors }: Model, config: OpensetConfig): OnnxExport {
  const head = headOptions(config, classes.length);
  const width = head.method === 'psl' ? head.embeddingDim : head.featureDim;
  const calibration = tensors && parseCalibration(tensors, config.evaluation.uncertainty, width, source);
  const thresholds = calibration
    ? Object.fromEntries(rates.map(rate => [rate, thresholdAt(calibration, config.evaluation.uncertainty, rate).value ?? null]))
    : null;
  const batches = [1, 2, 7, 16];
  return {
    input: recognizerInput,
    outputs: recognizerOutputs,
    metadata: {
      task: config.task,
      method: config.method,
      classes: JSON.stringify(classes),
      thresholds: JSON.stringify(thresholds),
      preprocessing: JSON.stringify({
        input: 'features',
        width: head.featureDim,
        extractor: config.data.extractor,
        rows: 'mean of the rows of a clip',
      }),
      // For thresholds at any other rate.
      ...(calibration && { calibration: JSON.stringify({ uncertainty: Array.from(calibration.uncertainty, finite) }) }),
    },
    encode: metadata => recognizerOnnx(head, params, calibration, metadata),
    shapes: batches.map(batch => [batch, head.featureDim]),
    sizes: `batches of ${batches.join(', ')}`,
    open(where) {
      const inference = compile((p: SymbolicParams, features: Tensor) => recognize(p, features, head), where);
      return {
        async run(features) {
          const outputs = await inference(params, features);
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
