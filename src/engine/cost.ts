/** How many floating-point operations a graph takes, from its shapes. */

import type { HostFunction } from './host.ts';
import { sizeOf } from './ndarray.ts';
import type { ConvAttrs } from './ops/conv.ts';
import type { Window } from './ops/window.ts';
import type { Graph } from './simplify.ts';
import type { Node } from './tensor.ts';

/** Operations of a node of one kind. */
type Cost = (node: Node) => number;

const outputs = ({ outputs: [y] }: Node): number => sizeOf(y.shape);
const inputs = ({ inputs: [x] }: Node): number => sizeOf(x.shape);

/** Copies, views, conversions and leaves compute nothing. */
const none: Cost = () => 0;
/** One operation an element of the result, an exponential like an addition. */
const elementwise: Cost = outputs;
/** One operation an element that is taken in. */
const reduction: Cost = inputs;

const each =
  (operations: number): Cost =>
  node =>
    operations * inputs(node);

/** A multiplication and an addition for each term of each sum. */
const matmul: Cost = ({ attrs, inputs: [a], outputs: [y] }) => {
  const { transposeA } = attrs as { readonly transposeA: boolean };
  return 2 * sizeOf(y.shape) * a.shape[a.rank - (transposeA ? 2 : 1)];
};

const conv: Cost = ({ attrs, inputs: [, w, bias], outputs: [y] }) => {
  const terms = sizeOf((attrs as ConvAttrs).kernel) * w.shape[1];
  return sizeOf(y.shape) * (2 * terms + (bias ? 1 : 0));
};

const pool: Cost = ({ attrs, outputs: [y] }) => sizeOf(y.shape) * sizeOf((attrs as Window).kernel);

/** Each element is compared along a heap of the k best. */
const topK: Cost = ({ attrs, inputs: [x] }) => sizeOf(x.shape) * Math.ceil(Math.log2((attrs as { readonly k: number }).k + 1));

const hostCall: Cost = ({ attrs }) => {
  const { name, flops } = attrs as HostFunction;
  if (flops === undefined) throw new Error(`host call ${name} does not state its floating-point operations`);
  return flops;
};

/**
 * Every op by name. A product's multiplication and addition count as two, everything else as one an element: arithmetic, functions such
 * as exp, comparisons and choices.
 */
export const opCosts: Readonly<Record<string, Cost>> = {
  // leaves, copies and views
  input: none,
  constant: none,
  identity: none,
  stopGradient: none,
  after: none,
  reshape: none,
  transpose: none,
  cast: none,
  slice: none,
  pad: none,
  concat: none,
  split: none,
  broadcastTo: none,
  gather: none,
  take: none,
  gatherRows: none,
  // elementwise
  neg: elementwise,
  exp: elementwise,
  log: elementwise,
  sqrt: elementwise,
  reciprocal: elementwise,
  sign: elementwise,
  abs: elementwise,
  floor: elementwise,
  ceil: elementwise,
  sin: elementwise,
  cos: elementwise,
  relu: elementwise,
  positive: elementwise,
  sigmoid: elementwise,
  tanh: elementwise,
  erf: elementwise,
  softplus: elementwise,
  add: elementwise,
  sub: elementwise,
  mul: elementwise,
  div: elementwise,
  pow: elementwise,
  maximum: elementwise,
  minimum: elementwise,
  addBias: elementwise,
  equal: elementwise,
  greater: elementwise,
  greaterEqual: elementwise,
  less: elementwise,
  lessEqual: elementwise,
  logicalAnd: elementwise,
  logicalOr: elementwise,
  logicalNot: elementwise,
  where: elementwise,
  // reductions
  sum: reduction,
  max: reduction,
  min: reduction,
  cumsum: reduction,
  scatterAdd: ({ inputs: [, , updates] }) => sizeOf(updates.shape),
  topK,
  // largest, difference, exp, sum, and a division or (logSoftmax) another difference
  softmax: each(5),
  logSoftmax: each(5),
  logSumExp: each(4),
  // sum, difference, square, sum, product with the inverse deviation, weight and bias
  channelAffine: each(2),
  layerNorm: each(7),
  batchNorm: each(7),
  maxPool: pool,
  maxPlace: pool,
  averagePool: pool,
  // products
  matmul,
  conv,
  hostCall,
};

/**
 * Floating-point operations of a node, by its op and shapes.
 * @throws Error naming an op that has no cost here, or a host call that does not state its own
 */
export function nodeFlops(node: Node): number {
  if (!Object.hasOwn(opCosts, node.op.name)) throw new Error(`op ${node.op.name}: no cost is known (src/engine/cost.ts)`);
  return opCosts[node.op.name](node);
}

/** Floating-point operations of a graph as it is executed, a multiply-add counted as two. @throws Error as {@link nodeFlops} */
export function graphFlops({ nodes }: Graph): number {
  return nodes.reduce((total, node) => total + nodeFlops(node), 0);
}
