import { sizeOf } from '../ndarray.ts';
import { apply1, type Op } from '../op.ts';
import type { Tensor } from '../tensor.ts';

/** From this many elements on, when something is computed matters for the peak of memory. */
const large = 1 << 20;

/**
 * ONNX Runtime orders nodes itself, depth first from the outputs, and would compute what only the backward pass needs long before, and hold
 * it. A reshape, which copies nothing, to x's own shape plus a zero made from `after` holds it back.
 */
const afterOp: Op<null> = {
  name: 'after',
  infer: (_, x) => [x],
  lower: (g, [x, after], { inputs: [{ shape }] }) => {
    const one = g.node('Slice', [g.reshape(after, [-1]), g.ints([0]), g.ints([1]), g.ints([0]), g.ints([1])]);
    const nought = g.node('Mul', [g.cast(g.cast(one, 'bool'), 'int64'), g.ints([0])]);
    return [g.node('Reshape', [x, g.node('Add', [nought, g.ints(shape)])], { allowzero: { int: 1 } })];
  },
  vjp: ([ct]) => [ct, undefined],
};

/** x, but not before `dependency` has been computed. Values and gradients are x's. */
export function after(x: Tensor, dependency: Tensor): Tensor {
  return x.rank === 0 || sizeOf(dependency.shape) === 0 ? x : apply1(afterOp, [x, dependency], null);
}

/** {@link after} where x is large; x itself where the order makes no difference. */
export function afterIfLarge(x: Tensor, dependency: Tensor): Tensor {
  return sizeOf(x.shape) >= large ? after(x, dependency) : x;
}
