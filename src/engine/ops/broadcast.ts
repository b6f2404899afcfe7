import { type Shape, showShape } from '../ndarray.ts';
import { apply1, axisOf, type Op, rule, sameShape } from '../op.ts';
import type { Tensor } from '../tensor.ts';
import { reshape } from './shape.ts';

/** Axes to reduce over: all by default. */
export type Axes = number | readonly number[] | undefined;

/** Sorted distinct positions. @throws ShapeError for an axis out of range or named twice. */
export function axesOf(axes: Axes, rank: number): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, i) => i);
  const list = (typeof axes === 'number' ? [axes] : axes).map(axis => axisOf(axis, rank)).sort((a, b) => a - b);
  rule(new Set(list).size === list.length, `axes [${list}] name one twice`);
  return list;
}

/** The shape with the reduced axes as 1. */
export function keptShape(shape: Shape, axes: readonly number[]): Shape {
  return shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
}

/** The shape without the reduced axes. */
export function reducedShape(shape: Shape, axes: readonly number[]): Shape {
  return shape.filter((_, axis) => !axes.includes(axis));
}

const broadcastOp: Op<{ shape: Shape }> = {
  name: 'broadcastTo',
  infer: ({ shape }, x) => {
    const lead = shape.length - x.shape.length;
    const fits = lead >= 0 && x.shape.every((extent, i) => extent === 1 || extent === shape[lead + i]);
    rule(fits, `${showShape(x.shape)} does not broadcast to ${showShape(shape)}`);
    return [{ dtype: x.dtype, shape }];
  },
  lower: (g, [x], { attrs }) => [g.node('Expand', [x, g.ints(attrs.shape)])],
  vjp: ([ct], { inputs: [x] }) => [ct && sumTo(ct, x.shape)],
};

/** `x` repeated along new leading axes and axes of extent 1 until it has `shape`. */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  return sameShape(x.shape, shape) ? x : apply1(broadcastOp, [x], { shape });
}

/** What `x` repeats, if it is a broadcast: elementwise ops broadcast by themselves, without the copy. */
export function unbroadcast(x: Tensor): Tensor {
  return x.node.op === (broadcastOp as Op) ? x.node.inputs[0] : x;
}

const sumOp: Op<{ axes: readonly number[]; keepDims: boolean }> = {
  name: 'sum',
  infer: ({ axes, keepDims }, x) => {
    rule(x.dtype !== 'bool' && x.dtype !== 'uint8', `cannot sum ${x.dtype}; cast it first`);
    return [{ dtype: x.dtype, shape: keepDims ? keptShape(x.shape, axes) : reducedShape(x.shape, axes) }];
  },
  lower: (g, [x], { attrs }) => [g.node('ReduceSum', [x, g.ints(attrs.axes)], { keepdims: { int: attrs.keepDims ? 1 : 0 } })],
  // d(sum x)/dx_i = 1
  vjp: ([ct], { inputs: [x], attrs }) => [ct && broadcastTo(reshape(ct, keptShape(x.shape, attrs.axes)), x.shape)],
};

/** Sum over `axes`. */
export function sum(x: Tensor, axes?: Axes, keepDims = false): Tensor {
  const over = axesOf(axes, x.rank);
  if (over.length === 0) return x;
  // A sum over axes of extent 1 is a reshape; said so, because a reshape costs nothing.
  if (over.every(axis => x.shape[axis] === 1))
    return reshape(x, keepDims ? keptShape(x.shape, over) : reducedShape(x.shape, over));
  return apply1(sumOp, [x], { axes: over, keepDims });
}

/** Sums over the axes along which `shape` was broadcast to `x.shape`: the transpose of {@link broadcastTo}. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const lead = x.rank - shape.length;
  const axes = [...x.shape.keys()].filter(axis => axis < lead || (shape[axis - lead] === 1 && x.shape[axis] !== 1));
  return reshape(sum(x, axes), shape);
}
