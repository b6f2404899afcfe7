/** A recogniser's layers, sizes and operations, from its traced graph. */
import { type TsmOptions, tsm, tsmShapes } from '../backbones/index.ts';
import { compile, graphFlops, type Tensor, valueAndGrad } from '../engine/index.ts';
import type { SymbolicParams } from '../nn/index.ts';
import { described, type Flops, type NetworkSummary, networkSummary, type SummaryDtype } from '../nn/networkSummary.ts';
import { type HeadOptions, headShapes, recognize, trainHead } from './methods.ts';
import { recognizerOutputs } from './opensetOnnx.ts';
import { isBuffer } from './task.ts';

/** How large the summarised graph is. */
export interface RecognizerSummaryOptions {
  readonly head: HeadOptions;
  /** A TSM in front of the head and the side of its frames, where the input is video. */
  readonly backbone?: TsmOptions & { readonly size: number };
  /** Clips at once. */
  readonly batch: number;
}

const inputOf = ({ head, backbone, batch }: RecognizerSummaryOptions): number[] =>
  backbone ? [batch, backbone.network.channels, backbone.segments, backbone.size, backbone.size] : [batch, head.featureDim];

const shapesOf = ({ head, backbone }: RecognizerSummaryOptions) => ({
  ...(backbone && tsmShapes(backbone)),
  ...headShapes(head),
});

/** Summarises inference on features `[batch, F]`, or clips `[batch, 3, frames, H, W]`. */
export function recognizerSummary(options: RecognizerSummaryOptions): NetworkSummary {
  const { head, backbone } = options;
  const inference = compile((params: SymbolicParams, input: Tensor) => {
    const features = backbone ? tsm(params, input, backbone, { norm: 'running' }).features : input;
    const { probabilities, embeddings, uncertainty } = recognize(params, features, head);
    return { probabilities, embeddings, uncertainty };
  });
  return networkSummary({
    input: inputOf(options),
    outputs: recognizerOutputs,
    shapes: shapesOf(options),
    isBuffer,
    graph: (params, input) => inference.graph(params, input),
  });
}

/** Operations of one training step, forward and backward. */
export function recognizerStepFlops(options: RecognizerSummaryOptions): Flops {
  const { head, backbone, batch } = options;
  const step = compile((trained: SymbolicParams, held: SymbolicParams, input: Tensor, labels: Tensor, lambda: Tensor) =>
    valueAndGrad((own: SymbolicParams) => {
      const params = { ...held, ...own };
      const features = backbone ? tsm(params, input, backbone, { norm: 'batch' }).features : input;
      return trainHead(params, { features, labels, lambda }, head).loss;
    })(trained),
  );
  const names = Object.entries(shapesOf(options));
  const part = (buffer: boolean) => Object.fromEntries(names.filter(([name]) => isBuffer(name) === buffer));
  const flopsOf = (dtype: SummaryDtype) =>
    graphFlops(
      step.graph(
        described(part(false), dtype),
        described(part(true), dtype),
        { dtype, shape: inputOf(options) },
        { dtype: 'int32', shape: [batch] },
        { dtype, shape: [] },
      ),
    );
  return { flops: flopsOf('float32'), directFlops: flopsOf('float64') };
}
