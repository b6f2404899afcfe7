import { sizeOf } from './ndarray.ts';
import { apply1, identityOp, rule, ShapeError, scalar } from './op.ts';
import { broadcastTo } from './ops/broadcast.ts';
import { add } from './ops/elementwise.ts';
import { sumOfProducts } from './ops/linear.ts';
import { isTensor, leavesOf, mapTree } from './pytree.ts';
import { ancestors, type Node, type Tensor } from './tensor.ts';

/**
 * Reverse-mode differentiation: the cotangents of `wrt` given those of `outputs` (one each, of the outputs' shapes).
 * The result is part of the graph, so it can be differentiated again.
 */
export function vjp(outputs: readonly Tensor[], cotangents: readonly Tensor[], wrt: readonly Tensor[]): Tensor[] {
  const nodes = ancestors(outputs);
  // Only what lies between wrt and the outputs matters.
  const relevant = new Set<Node>(wrt.map(t => t.node));
  for (const node of nodes) if (node.inputs.some(input => relevant.has(input.node))) relevant.add(node);

  const accumulated = new Map<Tensor, Tensor>();
  const accumulate = (tensor: Tensor, cotangent: Tensor) => {
    const before = accumulated.get(tensor);
    accumulated.set(tensor, before ? (sumOfProducts(before, cotangent) ?? add(before, cotangent)) : cotangent);
  };
  for (const [i, output] of outputs.entries()) accumulate(output, cotangents[i]);

  for (const node of nodes.reverse()) {
    if (!relevant.has(node) || node.inputs.length === 0) continue;
    const received = node.outputs.map(output => accumulated.get(output));
    if (received.every(ct => ct === undefined)) continue;
    const given = node.op.vjp(received, node);
    for (const [i, input] of node.inputs.entries()) {
      const ct = given[i];
      if (ct && relevant.has(input.node)) accumulate(input, ct);
    }
  }
  return wrt.map(t => accumulated.get(t) ?? broadcastTo(scalar(0, t.dtype), t.shape));
}

/** A tree whose tensors stand for themselves alone, so that a gradient is taken with respect to this use of them. */
function separate<T>(tree: T): T {
  return mapTree(tree, isTensor, t => apply1(identityOp, [t], null)) as T;
}

function differentiate<P>(loss: Tensor, point: P): P {
  rule(sizeOf(loss.shape) === 1, `grad: the loss must be one number, got shape [${loss.shape}]`);
  const leaves = leavesOf(point, isTensor).map(({ leaf, path }) => {
    if (!leaf.dtype.startsWith('float'))
      throw new ShapeError(`grad: ${path || 'the argument'} is ${leaf.dtype}; only floating types have gradients`);
    return leaf;
  });
  const gradients = vjp([loss], [broadcastTo(scalar(1, loss.dtype), loss.shape)], leaves);
  let next = 0;
  return mapTree(point, isTensor, () => gradients[next++]) as P;
}

/**
 * `valueAndGrad(f)(x, ...)` is `[f(x, ...), df/dx]`: the scalar loss and its gradient with respect to the first argument,
 * a tensor or tree of tensors. Source: reverse-mode automatic differentiation, with JAX's interface.
 */
export function valueAndGrad<P, R extends readonly unknown[]>(
  f: (point: P, ...rest: R) => Tensor,
): (point: P, ...rest: R) => [Tensor, P] {
  return (point, ...rest) => {
    const at = separate(point);
    const loss = f(at, ...rest);
    return [loss, differentiate(loss, at)];
  };
}

/** As {@link valueAndGrad} for a function that returns `[loss, more]`: gives `[loss, more, gradient]`. */
export function valueAuxAndGrad<P, X, R extends readonly unknown[]>(
  f: (point: P, ...rest: R) => [Tensor, X],
): (point: P, ...rest: R) => [Tensor, X, P] {
  return (point, ...rest) => {
    const at = separate(point);
    const [loss, aux] = f(at, ...rest);
    return [loss, aux, differentiate(loss, at)];
  };
}

/** `grad(f)(x, ...)` is df/dx of the scalar function f. */
export function grad<P, R extends readonly unknown[]>(f: (point: P, ...rest: R) => Tensor): (point: P, ...rest: R) => P {
  const both = valueAndGrad(f);
  return (point, ...rest) => both(point, ...rest)[1];
}
