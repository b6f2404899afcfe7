import type { DType, Shape } from './ndarray.ts';
import type { Op } from './op.ts';

/** What is known of a value before it is computed: its element type and shape (static inside a trace). */
export interface Aval {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** One application of an op. Nodes point at their inputs, so a graph is whatever is reachable from its outputs. */
export interface Node<A = unknown> {
  /** Grows with creation: a node's inputs always have smaller ids, so sorting by id is a topological order. */
  readonly id: number;
  readonly op: Op<A>;
  readonly attrs: A;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
}

/** A symbolic array: output `index` of `node`. Made by ops only. */
export class Tensor implements Aval {
  readonly node: Node;
  readonly index: number;
  readonly dtype: DType;
  readonly shape: Shape;

  constructor(node: Node, index: number, aval: Aval) {
    this.node = node;
    this.index = index;
    this.dtype = aval.dtype;
    this.shape = aval.shape;
  }

  /** Number of axes. */
  get rank(): number {
    return this.shape.length;
  }
}

/** Every node that `outputs` need, inputs before their users. */
export function ancestors(outputs: readonly Tensor[]): Node[] {
  const seen = new Set<Node>();
  const stack = outputs.map(t => t.node);
  while (stack.length > 0) {
    const node = stack.pop() as Node;
    if (seen.has(node)) continue;
    seen.add(node);
    for (const input of node.inputs) if (!seen.has(input.node)) stack.push(input.node);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}
