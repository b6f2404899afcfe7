import type { DType } from '../ndarray.ts';
import { type Shape, showShape, sizeOf } from '../ndarray.ts';
import { apply1, axisOf, type Op, rule, sameShape, zero } from '../op.ts';
import type { Tensor } from '../tensor.ts';

const reshapeOp: Op<{ shape: Shape }> = {
  name: 'reshape',
  infer: ({ shape }, x) => {
    rule(sizeOf(shape) === sizeOf(x.shape), `${sizeOf(x.shape)} elements do not fill ${showShape(shape)}`);
    return [{ dtype: x.dtype, shape }];
  },
  lower: (g, [x], { attrs }) => [g.reshape(x, attrs.shape)],
  vjp: ([ct], { inputs: [x] }) => [ct && reshape(ct, x.shape)],
};

/**
 * The same elements in C order as another shape; one extent may be -1 (whatever is left).
 * @throws ShapeError if the elements do not fill the shape, or -1 stands for no number or for any.
 */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const target = shape.includes(-1) ? completed(x.shape, shape) : shape;
  if (sameShape(target, x.shape)) return x;
  return apply1(reshapeOp, [x], { shape: target });
}

/** `shape` with its -1 as what is left of the elements of `from`. */
function completed(from: Shape, shape: Shape): Shape {
  const known = sizeOf(shape.filter(extent => extent !== -1));
  const left = sizeOf(from) / known;
  const attempt = `reshape: ${showShape(from)} to ${showShape(shape)}`;
  rule(shape.indexOf(-1) === shape.lastIndexOf(-1), `${attempt}: only one extent may be -1`);
  rule(known !== 0, `${attempt}: -1 could be any number beside an extent of 0; state it`);
  rule(Number.isInteger(left), `${attempt}: ${sizeOf(from)} elements are not a multiple of ${known}`);
  return shape.map(extent => (extent === -1 ? left : extent));
}

const transposeOp: Op<{ permutation: readonly number[] }> = {
  name: 'transpose',
  infer: ({ permutation }, x) => {
    const valid = permutation.length === x.shape.length && new Set(permutation).size === permutation.length;
    rule(
      valid && permutation.every(a => a >= 0 && a < x.shape.length),
      `[${permutation}] is not a permutation of ${x.shape.length} axes`,
    );
    return [{ dtype: x.dtype, shape: permutation.map(axis => x.shape[axis]) }];
  },
  lower: (g, [x], { attrs }) => [g.transpose(x, attrs.permutation)],
  // (P x)' = P^-1
  vjp: ([ct], { attrs }) => {
    const inverse: number[] = [];
    for (const [to, from] of attrs.permutation.entries()) inverse[from] = to;
    return [ct && transpose(ct, inverse)];
  },
};

/** Axes in another order: output axis `i` is input axis `permutation[i]`. By default the last two are swapped. */
export function transpose(x: Tensor, permutation?: readonly number[]): Tensor {
  const swapLast = [...x.shape.keys()];
  if (permutation === undefined) swapLast.push(...swapLast.splice(-2).reverse());
  const axes = (permutation ?? swapLast).map(axis => axisOf(axis, x.rank));
  if (axes.every((axis, i) => axis === i)) return x;
  return apply1(transposeOp, [x], { permutation: axes });
}

/** Inserts an axis of extent 1 at `axis` of the result. */
export function expandDims(x: Tensor, axis: number): Tensor {
  const at = axisOf(axis, x.rank + 1);
  return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
}

/** Removes the axes given (all of extent 1). @throws ShapeError if one is not 1. */
export function squeeze(x: Tensor, ...axes: readonly number[]): Tensor {
  const drop = new Set(axes.map(axis => axisOf(axis, x.rank)));
  for (const axis of drop) rule(x.shape[axis] === 1, `squeeze: axis ${axis} of ${showShape(x.shape)} is not 1`);
  return reshape(
    x,
    x.shape.filter((_, axis) => !drop.has(axis)),
  );
}

const castOp: Op<{ dtype: DType }> = {
  name: 'cast',
  infer: ({ dtype }, x) => [{ dtype, shape: x.shape }],
  lower: (g, [x], { attrs }) => [g.cast(x, attrs.dtype)],
  vjp: ([ct], node) =>
    node.inputs[0].dtype.startsWith('float') ? [ct && cast(ct, node.inputs[0].dtype)] : zero([], node as never),
};

/** The same numbers as another element type. Gradient flows between floating types only. */
export function cast(x: Tensor, dtype: DType): Tensor {
  return x.dtype === dtype ? x : apply1(castOp, [x], { dtype });
}
