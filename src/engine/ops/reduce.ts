import { sizeOf } from '../ndarray.ts';
import { apply1, type Op, rule, stopGradient } from '../op.ts';
import type { Tensor } from '../tensor.ts';
import { type Axes, axesOf, keptShape, reducedShape, sum } from './broadcast.ts';
import { abs, add, div, equal, exp, log, mul, sqrt, square, sub } from './elementwise.ts';
import { cast, reshape } from './shape.ts';

/** Number of elements that a reduction over `axes` takes together. */
function countOf(x: Tensor, axes: Axes): number {
  return sizeOf(axesOf(axes, x.rank).map(axis => x.shape[axis]));
}

/** Arithmetic mean over `axes`. */
export function mean(x: Tensor, axes?: Axes, keepDims = false): Tensor {
  return mul(sum(x, axes, keepDims), 1 / countOf(x, axes));
}

/**
 * Variance over `axes`, divided by n - `correction` (0: of the sample itself, as normalisation layers use it; 1: unbiased,
 * PyTorch's default for `var`).
 */
export function variance(x: Tensor, axes?: Axes, { keepDims = false, correction = 0 } = {}): Tensor {
  const centred = sub(x, mean(x, axes, true));
  return mul(sum(square(centred), axes, keepDims), 1 / (countOf(x, axes) - correction));
}

function extremum(name: string, onnx: string): (x: Tensor, axes?: Axes, keepDims?: boolean) => Tensor {
  const op: Op<{ axes: readonly number[]; keepDims: boolean }> = {
    name,
    infer: ({ axes, keepDims }, x) => {
      rule(
        axes.every(axis => x.shape[axis] > 0),
        'an empty axis has no extremum',
      );
      return [{ dtype: x.dtype, shape: keepDims ? keptShape(x.shape, axes) : reducedShape(x.shape, axes) }];
    },
    lower: (g, [x], { attrs }) => [g.node(onnx, [x, g.ints(attrs.axes)], { keepdims: { int: attrs.keepDims ? 1 : 0 } })],
    // The gradient is shared evenly by the elements that attain it.
    vjp: ([ct], { attrs: { axes }, inputs: [x], outputs: [y] }) => {
      if (!ct) return [undefined];
      const kept = keptShape(x.shape, axes);
      const hits = cast(equal(x, reshape(y, kept)), x.dtype);
      return [mul(hits, div(reshape(ct, kept), sum(hits, axes, true)))];
    },
  };
  return (x, axes, keepDims = false) => {
    const over = axesOf(axes, x.rank);
    return over.length === 0 ? x : apply1(op, [x], { axes: over, keepDims });
  };
}

/** Largest element over `axes`; ties share the gradient evenly. */
export const max = extremum('max', 'ReduceMax');
/** Smallest element over `axes`; ties share the gradient evenly. */
export const min = extremum('min', 'ReduceMin');

/** log(sum e^x) over `axes`, shifted by the maximum so that it neither overflows nor vanishes. */
export function logSumExp(x: Tensor, axes?: Axes, keepDims = false): Tensor {
  const over = axesOf(axes, x.rank);
  const shift = stopGradient(max(x, over, true));
  const y = add(log(sum(exp(sub(x, shift)), over, true)), shift);
  return keepDims ? y : reshape(y, reducedShape(x.shape, over));
}

/**
 * L2 (default) or L1 norm over `axes`. Its gradient at a zero vector is NaN for L2, as mathematics has it;
 * `epsilon` is added under the root where that must not be.
 */
export function norm(x: Tensor, axes?: Axes, { keepDims = false, order = 2 as 1 | 2, epsilon = 0 } = {}): Tensor {
  return order === 1 ? sum(abs(x), axes, keepDims) : sqrt(add(sum(square(x), axes, keepDims), epsilon));
}

function alongAxis(
  name: string,
  onnx: string,
  derivative: (ct: Tensor, y: Tensor, axis: number) => Tensor,
): (x: Tensor, axis?: number) => Tensor {
  const op: Op<{ axis: number }> = {
    name,
    infer: (_, x) => [x],
    lower: (g, [x], { attrs }) => [g.node(onnx, [x], { axis: { int: attrs.axis } })],
    vjp: ([ct], { attrs, outputs: [y] }) => [ct && derivative(ct, y, attrs.axis)],
  };
  return (x, axis = -1) => apply1(op, [x], { axis: axesOf(axis, x.rank)[0] });
}

/** e^x / sum e^x along an axis. dx = y (ct - sum ct y). */
export const softmax = alongAxis('softmax', 'Softmax', (ct, y, axis) => {
  const weighted = mul(ct, y);
  return sub(weighted, mul(y, sum(weighted, axis, true)));
});

/** log softmax along an axis. dx = ct - e^y sum ct. */
export const logSoftmax = alongAxis('logSoftmax', 'LogSoftmax', (ct, y, axis) => sub(ct, mul(exp(y), sum(ct, axis, true))));
