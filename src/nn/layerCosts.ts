/** What each layer of a traced network costs. */

import { type Aval, nodeFlops, type Shape, sizeOf, type TracedGraph } from '../engine/index.ts';
import type { Node, Tensor } from '../engine/tensor.ts';

/** A layer: the parameters whose names differ in their last part only (`att_branch.weight`, `att_branch.bias`), and what reads them. */
export interface LayerCost {
  readonly name: string;
  /** Result of its last operation; undefined if the graph does not use the layer. */
  readonly output: Shape | undefined;
  readonly flops: number;
}

/** A graph's cost, divided. */
export interface GraphCost {
  /** In the order of the parameters. */
  readonly layers: readonly LayerCost[];
  /** What no layer takes, by op, the most expensive first. */
  readonly other: readonly { readonly op: string; readonly flops: number }[];
  /** Sum of all. */
  readonly flops: number;
  /** The largest array that depends on the data, the data itself left out. */
  readonly largest: Aval | undefined;
}

/** The layer that a parameter belongs to: its name without the last part. */
export function layerOf(parameter: string): string {
  const dot = parameter.lastIndexOf('.');
  return dot < 0 ? parameter : parameter.slice(0, dot);
}

/**
 * Divides the operations of a graph among the layers of its parameters. An operation belongs to the layer whose parameters (or what is
 * computed from them alone) it reads, or between whose operations it stands, as the sums of a convolution's products do.
 * @param parameters place of each parameter among the inputs (`0.att_branch.weight`) -> its name
 */
export function layerCosts(graph: TracedGraph, parameters: ReadonlyMap<string, string>): GraphCost {
  const owners = ownersOf(graph, parameters);
  const names = [...new Set([...parameters.values()].map(layerOf))];
  const costs = new Map(names.map(name => [name, { flops: 0, output: undefined as Shape | undefined }]));
  const other = new Map<string, number>();
  let largest: Aval | undefined;
  for (const node of graph.nodes) {
    const flops = nodeFlops(node);
    const owner = owners.get(node);
    const layer = owner && costs.get(owner.layer);
    if (layer) {
      layer.flops += flops;
      if (!owner.isWeight) layer.output = node.outputs[0].shape;
    } else if (flops > 0) other.set(node.op.name, (other.get(node.op.name) ?? 0) + flops);
    if (node.inputs.length > 0 && !owner?.isWeight)
      for (const value of node.outputs) if (!largest || sizeOf(value.shape) > sizeOf(largest.shape)) largest = value;
  }
  const rest = [...other].map(([op, flops]) => ({ op, flops })).sort((a, b) => b.flops - a.flops);
  const total = [...costs.values(), ...rest].reduce((sum, { flops }) => sum + flops, 0);
  const layers = [...costs].map(([name, { flops, output }]) => ({ name, flops, output }));
  return { layers, other: rest, flops: total, largest: largest && { dtype: largest.dtype, shape: largest.shape } };
}

/** The layer of a node, and whether it computes with parameters alone. */
interface Owner {
  readonly layer: string;
  readonly isWeight: boolean;
}

function ownersOf(graph: TracedGraph, parameters: ReadonlyMap<string, string>): Map<Node, Owner> {
  const owners = new Map<Node, Owner>();
  // Layers whose parameters alone made a value; an empty set for constants; undefined for what depends on the data.
  const made = new Map<Tensor, ReadonlySet<string> | undefined>();
  for (const node of graph.nodes) {
    const sources = node.inputs.map(input => made.get(graph.resolve(input)));
    const layers = new Set(sources.flatMap(source => (source ? [...source] : [])));
    const input = graph.inputs.get(node.outputs[0]);
    if (input !== undefined) {
      const parameter = parameters.get(input);
      made.set(node.outputs[0], parameter === undefined ? undefined : new Set([layerOf(parameter)]));
      continue;
    }
    const isWeight = sources.every(source => source !== undefined);
    for (const output of node.outputs) made.set(output, isWeight ? layers : undefined);
    if (layers.size === 1) owners.set(node, { layer: [...layers][0], isWeight });
  }
  for (const [node, layer] of between(graph, owners)) owners.set(node, { layer, isWeight: false });
  return owners;
}

/** Nodes without a layer that have exactly one both before and after them. */
function between(graph: TracedGraph, owners: ReadonlyMap<Node, Owner>): Map<Node, string> {
  const inputsOf = (node: Node) => node.inputs.map(input => graph.resolve(input).node);
  const own = (node: Node) => {
    const owner = owners.get(node);
    return owner && !owner.isWeight ? [owner.layer] : [];
  };
  const before = new Map<Node, Set<string>>();
  for (const node of graph.nodes) {
    before.set(node, new Set([...own(node), ...inputsOf(node).flatMap(input => [...(before.get(input) ?? [])])]));
  }
  const behind = new Map<Node, Set<string>>(graph.nodes.map(node => [node, new Set(own(node))]));
  for (const node of graph.nodes.toReversed()) {
    for (const input of inputsOf(node)) for (const layer of behind.get(node) ?? []) behind.get(input)?.add(layer);
  }
  const found = new Map<Node, string>();
  for (const node of graph.nodes) {
    if (owners.has(node)) continue;
    const both = [...(before.get(node) ?? [])].filter(layer => behind.get(node)?.has(layer));
    if (both.length === 1) found.set(node, both[0]);
  }
  return found;
}
