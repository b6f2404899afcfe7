import { sizeOf } from '../ndarray.ts';
import { apply1, type Op, rule } from '../op.ts';
import type { Tensor } from '../tensor.ts';
import { type Axes, axesOf, keptShape, reducedShape, sum } from './broadcast.ts';
import { abs, add, div, equal, exp, maximum, mul, sqrt, square, sub, where } from './elementwise.ts';
import { cast, reshape } from './shape.ts';

/** Number of elements that a reduction over `axes` takes together. */
function countOf(x: Tensor, axes: Axes): number {
  return sizeOf(axesOf(axes, x.rank).map(axis => x.shape[axis]));
}

/** A mean of integers is mostly no integer: the caller says what type it shall have. */
function needsFloat(name: string, { dtype }: Tensor): void {
  rule(dtype === 'float32' || dtype === 'float64', `${name}: needs a floating type, got ${dtype}; cast it first`);
}

/** Arithmetic mean over `axes` of a floating tensor. @throws ShapeError for another type */
export function mean(x: Tensor, axes?: Axes, keepDims = false): Tensor {
  needsFloat('mean', x);
  return mul(sum(x, axes, keepDims), 1 / countOf(x, axes));
}

/**
 * Variance over `axes`, divided by n - `correction` (0: of the sample itself, as normalisation layers use it; 1: unbiased,
 * PyTorch's default for `var`), of a floating tensor. @throws ShapeError for another type
 */
export function variance(x: Tensor, axes?: Axes, { keepDims = false, correction = 0 } = {}): Tensor {
  needsFloat('variance', x);
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

/**
 * Largest element over `axes`; ties share the gradient evenly. With NaN among the elements the result is not defined: ONNX Runtime
 * passes over a NaN unless it comes first. Sum, mean, softmax and {@link maximum} do give NaN.
 */
export const max = extremum('max', 'ReduceMax');
/** Smallest element over `axes`; ties share the gradient evenly. With NaN among the elements as {@link max}. */
export const min = extremum('min', 'ReduceMin');

const logSumExpOp: Op<{ axes: readonly number[] }> = {
  name: 'logSumExp',
  infer: ({ axes }, x) => {
    rule(x.dtype === 'float32' || x.dtype === 'float64', `needs a floating type, got ${x.dtype}`);
    rule(
      axes.every(axis => x.shape[axis] > 0),
      'an empty axis has no log-sum-exp',
    );
    return [{ dtype: x.dtype, shape: keptShape(x.shape, axes) }];
  },
  // Not ReduceLogSumExp: ONNX Runtime 1.30 shifts by 0 where the first element is -infinity, and then everything may vanish.
  lower: (g, [x], { attrs: { axes }, outputs: [{ dtype }] }) => {
    const highest = g.node('ReduceMax', [x, g.ints(axes)]);
    const finite = g.node('Less', [g.node('Abs', [highest]), g.scalar(Number.POSITIVE_INFINITY, dtype)]);
    const shift = g.node('Where', [finite, highest, g.scalar(0, dtype)]);
    const total = g.node('ReduceSum', [g.node('Exp', [g.node('Sub', [x, shift])]), g.ints(axes)]);
    return [g.node('Add', [g.node('Log', [total]), shift])];
  },
  // dx = ct e^(x - y). At y = infinity the infinite elements share ct evenly; at y = -infinity nothing receives any.
  vjp: ([ct], { attrs: { axes }, inputs: [x], outputs: [y] }) => {
    if (!ct) return [undefined];
    const hits = cast(equal(x, Number.POSITIVE_INFINITY), x.dtype);
    const atInfinity = div(hits, maximum(sum(hits, axes, true), 1));
    return [mul(ct, where(equal(abs(y), Number.POSITIVE_INFINITY), atInfinity, exp(sub(x, y))))];
  },
};

/**
 * log(sum e^x) over `axes`, shifted by the maximum so that it neither overflows nor vanishes. -infinity where all elements are, with
 * the gradient 0 (PyTorch's choice); infinity where one is, with the gradient shared evenly by those that are.
 */
export function logSumExp(x: Tensor, axes?: Axes, keepDims = false): Tensor {
  const over = axesOf(axes, x.rank);
  if (over.length === 0) return x;
  const y = apply1(logSumExpOp, [x], { axes: over });
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
