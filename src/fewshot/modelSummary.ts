/** A few-shot head's layers, sizes and operations, from its traced graph. */
import { compile, graphFlops, type Shape, split, type Tensor, valueAndGrad } from '../engine/index.ts';
import type { SymbolicParams } from '../nn/index.ts';
import { described, type Flops, type NetworkSummary, networkSummary, type SummaryDtype } from '../nn/networkSummary.ts';
import type { EpisodeOptions } from './episodes.ts';
import { isWithoutParameters } from './headSettings.ts';
import { isHeadBuffer } from './heads/head.ts';
import { applyHead, type HeadSettings, headShapes } from './heads/heads.ts';
import { type Objective, objective } from './objective.ts';

/** How large the summarised graph is. */
export interface FewshotSummaryOptions {
  readonly head: HeadSettings;
  readonly form: EpisodeOptions;
  readonly frames: number;
  readonly featureDim: number;
  /** Episodes at once. */
  readonly batch: number;
}

/** Supports, then queries, of every episode. */
function countsOf({ form: { way, shot, queries } }: FewshotSummaryOptions): [number, number] {
  return [way * shot, way * queries];
}

function inputOf(options: FewshotSummaryOptions): Shape {
  const [supports, queries] = countsOf(options);
  return [options.batch, supports + queries, options.frames, options.featureDim];
}

function judge(params: SymbolicParams, clips: Tensor, options: FewshotSummaryOptions) {
  const { head, form } = options;
  const [support, query] = split(clips, countsOf(options), 1);
  return applyHead(params, { support, query, shots: Array.from({ length: form.way }, () => form.shot) }, head);
}

/** Summarises the head on features `[episodes, S + Q, T, D]`. */
export function fewshotSummary(options: FewshotSummaryOptions): NetworkSummary {
  const inference = compile((params: SymbolicParams, clips: Tensor) => ({ logits: judge(params, clips, options).logits }));
  return networkSummary({
    input: inputOf(options),
    outputs: ['logits'],
    shapes: headShapes(options.head),
    isBuffer: isHeadBuffer,
    graph: (params, input) => inference.graph(params, input),
  });
}

/** Operations of one training step, forward and backward, without dropout. */
export function fewshotStepFlops(options: FewshotSummaryOptions & { readonly loss: Objective }): Flops {
  const { head, loss, batch } = options;
  const [supports, queries] = countsOf(options);
  const step = compile((trained: SymbolicParams, held: SymbolicParams, clips: Tensor, own: Tensor, all: Tensor) => {
    const lossOf = (params: SymbolicParams) =>
      objective(judge({ ...held, ...params }, clips, options), { queries: own, clips: all }, loss).loss;
    return isWithoutParameters(head) ? [lossOf(trained), {}] : valueAndGrad(lossOf)(trained);
  });
  const names = Object.entries(headShapes(head));
  const part = (buffer: boolean) => Object.fromEntries(names.filter(([name]) => isHeadBuffer(name) === buffer));
  const flopsOf = (dtype: SummaryDtype) =>
    graphFlops(
      step.graph(
        described(part(false), dtype),
        described(part(true), dtype),
        { dtype, shape: inputOf(options) },
        { dtype: 'int32', shape: [batch, queries] },
        { dtype: 'int32', shape: [batch, supports + queries] },
      ),
    );
  return { flops: flopsOf('float32'), directFlops: flopsOf('float64') };
}
