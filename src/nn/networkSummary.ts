/** A network's layers, sizes and operations, from its traced graph. */
import { type Aval, type Shape, sizeOf, type TracedGraph } from '../engine/index.ts';
import { layerCosts, layerOf } from './layerCosts.ts';

/** Operations as the graph executes them, and as plain sums of products would take: fast convolutions multiply less. */
export interface Flops {
  readonly flops: number;
  readonly directFlops: number;
}

export interface LayerSummary extends Flops {
  readonly name: string;
  readonly parameters: Readonly<Record<string, Shape>>;
  /** Number of parameters; buffers do not count. */
  readonly count: number;
  /** Undefined for a layer that only training uses. */
  readonly output: Shape | undefined;
}

/** A network's inference graph. */
export interface NetworkSummary extends Flops {
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

/** What to summarise. */
export interface SummarySource {
  readonly input: Shape;
  /** Names of the outputs in the order of the graph. */
  readonly outputs: readonly string[];
  /** Parameters and buffers by name. */
  readonly shapes: Readonly<Record<string, Shape>>;
  /** What of them is no parameter; default: nothing. */
  readonly isBuffer?: (name: string) => boolean;
  /** The graph of parameters (first argument) and input in an element type. */
  graph(params: Readonly<Record<string, Aval>>, input: Aval): TracedGraph;
}

export type SummaryDtype = 'float32' | 'float64';

/** Parameters stand first among the arguments of every step. */
const parameterPlace = '0.';

/** Shapes as arrays of a type that are not there. */
export function described(shapes: Readonly<Record<string, Shape>>, dtype: SummaryDtype): Record<string, Aval> {
  return Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, { dtype, shape }]));
}

/** Summarises inference. */
export function networkSummary({ input, outputs, shapes, isBuffer = () => false, graph }: SummarySource): NetworkSummary {
  const places = new Map(Object.keys(shapes).map(name => [parameterPlace + name, name]));
  const costs = (dtype: SummaryDtype) => {
    const traced = graph(described(shapes, dtype), { dtype, shape: input });
    return { traced, ...layerCosts(traced, places) };
  };
  // Float64 always takes the plain formulation of a convolution.
  const [executed, direct] = [costs('float32'), costs('float64')];
  const layers = executed.layers.map((layer, i): LayerSummary => {
    const own = Object.entries(shapes).filter(([name]) => layerOf(name) === layer.name);
    return {
      ...layer,
      directFlops: direct.layers[i].flops,
      parameters: Object.fromEntries(own),
      count: own.reduce((sum, [name, shape]) => sum + (isBuffer(name) ? 0 : sizeOf(shape)), 0),
    };
  });
  const parameters = layers.reduce((sum, { count }) => sum + count, 0);
  const largest = executed.largest as Aval;
  const total = (parts: readonly { readonly flops: number }[]) => parts.reduce((sum, { flops }) => sum + flops, 0);
  return {
    input,
    outputs: Object.fromEntries(outputs.map((name, i) => [name, executed.traced.outputs[i].shape])),
    layers,
    other: { flops: total(executed.other), directFlops: total(direct.other), ops: executed.other.map(({ op }) => op) },
    parameters,
    parameterBytes: 4 * parameters,
    largestActivation: { ...largest, bytes: 4 * sizeOf(largest.shape) },
    flops: executed.flops,
    directFlops: direct.flops,
  };
}
