/** A localiser's layers, sizes and operations, from its traced graph. */

import { type Described, graphFlops, type TracedGraph } from '../engine/index.ts';
import { key } from '../engine/random.ts';
import { described, type Flops, type NetworkSummary, networkSummary, type SummaryDtype } from '../nn/networkSummary.ts';
import { acmNetMasks, acmNetShapes } from './acmNet.ts';
import { acmLossOptions, acmNetOptions, type LocalizationConfig, sequenceLossOptions } from './config.ts';
import { localizerOutputs } from './onnxModel.ts';
import { acmStep, inBatchStep, inferenceStep, type ModelOptions, pairStep, trainable } from './steps.ts';

/** How large the summarised graph is. */
export interface SummaryOptions {
  /** Number of action classes. */
  readonly classes: number;
  /** Videos, or pairs of videos, at once. */
  readonly batch: number;
  /** Snippets of a video. */
  readonly time: number;
}

/** Summarises inference on features `[batch, time, F]`. */
export function modelSummary(config: LocalizationConfig, { classes, batch, time }: SummaryOptions): NetworkSummary {
  const network = acmNetOptions(config, classes);
  const step = inferenceStep({ network }, {});
  return networkSummary({
    input: [batch, time, network.featureDim],
    outputs: localizerOutputs,
    shapes: acmNetShapes(network),
    graph: (params, input) => step.graph(params, input),
  });
}

/** Operations of one training step of a configuration, forward and backward; `batch` are videos, or pairs for FTCL. */
export function trainingStepFlops(config: LocalizationConfig, { classes, batch, time }: SummaryOptions): Flops {
  const network = acmNetOptions(config, classes);
  const model = { network, loss: acmLossOptions(config), sequence: sequenceLossOptions(config) };
  const flopsOf = (dtype: SummaryDtype) =>
    graphFlops(stepGraph(config.loss.sequence.terms, model, { classes, batch, time }, dtype));
  return { flops: flopsOf('float32'), directFlops: flopsOf('float64') };
}

function stepGraph(
  terms: LocalizationConfig['loss']['sequence']['terms'],
  model: ModelOptions,
  { classes, batch, time }: SummaryOptions,
  dtype: SummaryDtype,
): TracedGraph {
  const { network, sequence } = model;
  const usesFsd = terms !== 'none' && sequence.fsdWeight !== 0;
  const shapes = acmNetShapes(network);
  const names = trainable(shapes, usesFsd);
  const [trained, frozen] = [names.trained, names.frozen].map(part => described(part, dtype));
  const features = { dtype, shape: [batch, time, network.featureDim] };
  const labels = { dtype, shape: [batch, classes] };
  const masks: Described<ReturnType<typeof acmNetMasks>> = acmNetMasks(network, batch, time, key(0));
  if (terms === 'none') return acmStep(model, {}).graph(trained, frozen, features, labels, masks);
  if (terms === 'pairs') {
    return pairStep(model, {}).graph(trained, frozen, [features, features], [labels, labels], [masks, masks]);
  }
  const weights = { dtype, shape: [(batch * (batch - 1)) / 2] };
  return inBatchStep(model, {}).graph(trained, frozen, features, labels, masks, { positive: weights, negative: weights });
}
