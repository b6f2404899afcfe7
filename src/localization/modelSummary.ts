/** A localiser's layers, sizes and operations, from its traced graph. */

import { type Aval, type Described, graphFlops, type Shape, sizeOf, type TracedGraph } from '../engine/index.ts';
import { key } from '../engine/random.ts';
import { layerCosts, layerOf } from '../nn/layerCosts.ts';
import { acmNetMasks, acmNetShapes } from './acmNet.ts';
import { acmLossOptions, acmNetOptions, type LocalizationConfig, sequenceLossOptions } from './config.ts';
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

/** Operations as the graph executes them, and as plain sums of products would take: fast convolutions multiply less. */
export interface Flops {
  readonly flops: number;
  readonly directFlops: number;
}

export interface LayerSummary extends Flops {
  readonly name: string;
  readonly parameters: Readonly<Record<string, Shape>>;
  /** Number of parameters. */
  readonly count: number;
  /** Undefined for a layer that only training uses. */
  readonly output: Shape | undefined;
}

/** The inference graph of a configuration's model. */
export interface ModelSummary extends Flops {
  readonly input: Shape;
  readonly outputs: Readonly<Record<string, Shape>>;
  readonly layers: readonly LayerSummary[];
  /** What belongs to no layer, and its ops, the most expensive first. */
  readonly other: Flops & { readonly ops: readonly string[] };
  /** Number of parameters. */
  readonly parameters: number;
  readonly parameterBytes: number;
  /** The largest array that is computed. */
  readonly largestActivation: Aval & { readonly bytes: number };
}

type Dtype = 'float32' | 'float64';

/** Parameters stand first among the arguments of every step. */
const parameterPlace = '0.';

/** Summarises inference on features `[batch, time, F]`. */
export function modelSummary(config: LocalizationConfig, { classes, batch, time }: SummaryOptions): ModelSummary {
  const network = acmNetOptions(config, classes);
  const shapes = acmNetShapes(network);
  const places = new Map(Object.keys(shapes).map(name => [parameterPlace + name, name]));
  const step = inferenceStep({ network }, {});
  const input = [batch, time, network.featureDim];
  const costs = (dtype: Dtype) => {
    const graph = step.graph(described(shapes, dtype), { dtype, shape: input });
    return { graph, ...layerCosts(graph, places) };
  };
  // Float64 always takes the plain formulation of a convolution.
  const [executed, direct] = [costs('float32'), costs('float64')];
  const layers = executed.layers.map((layer, i): LayerSummary => {
    const own = Object.entries(shapes).filter(([name]) => layerOf(name) === layer.name);
    return {
      ...layer,
      directFlops: direct.layers[i].flops,
      parameters: Object.fromEntries(own),
      count: own.reduce((sum, [, shape]) => sum + sizeOf(shape), 0),
    };
  });
  const parameters = layers.reduce((sum, { count }) => sum + count, 0);
  const largest = executed.largest as Aval;
  const total = (parts: readonly { readonly flops: number }[]) => parts.reduce((sum, { flops }) => sum + flops, 0);
  return {
    input,
    outputs: outputShapes(executed.graph),
    layers,
    other: { flops: total(executed.other), directFlops: total(direct.other), ops: executed.other.map(({ op }) => op) },
    parameters,
    parameterBytes: 4 * parameters,
    largestActivation: { ...largest, bytes: 4 * sizeOf(largest.shape) },
    flops: executed.flops,
    directFlops: direct.flops,
  };
}

/** The outputs of inference, in the order of their names. */
function outputShapes({ outputs }: TracedGraph): Record<string, Shape> {
  return Object.fromEntries(['classScores', 'attention', 'cas'].map((name, i) => [name, outputs[i].shape]));
}

function described(shapes: Readonly<Record<string, Shape>>, dtype: Dtype): Record<string, Aval> {
  return Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, { dtype, shape }]));
}

/** Operations of one training step of a configuration, forward and backward; `batch` are videos, or pairs for FTCL. */
export function trainingStepFlops(config: LocalizationConfig, { classes, batch, time }: SummaryOptions): Flops {
  const network = acmNetOptions(config, classes);
  const model = { network, loss: acmLossOptions(config), sequence: sequenceLossOptions(config) };
  const flopsOf = (dtype: Dtype) => graphFlops(stepGraph(config.loss.sequence.terms, model, { classes, batch, time }, dtype));
  return { flops: flopsOf('float32'), directFlops: flopsOf('float64') };
}

function stepGraph(
  terms: LocalizationConfig['loss']['sequence']['terms'],
  model: ModelOptions,
  { classes, batch, time }: SummaryOptions,
  dtype: Dtype,
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
