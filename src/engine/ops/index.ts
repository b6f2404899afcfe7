import { type DType, showShape, sizeOf } from '../ndarray.ts';
import { apply, apply1, axisOf, constant, int64s, type Op, rule, scalar } from '../op.ts';
import { Tensor } from '../tensor.ts';
import { broadcastTo } from './broadcast.ts';
import { add, equal, less, where } from './elementwise.ts';
import { matmul } from './linear.ts';
import { cast, reshape } from './shape.ts';

const isIndex = (dtype: DType): boolean => dtype === 'int32' || dtype === 'int64';

/** Indices 0 … n-1 as int64. */
export function iota(n: number): Tensor {
  return constant(int64s(Array.from({ length: n }, (_, i) => i)));
}

/** Zeros (or another number) of a shape. */
export function full(shape: readonly number[], value: number, dtype: DType = 'float32'): Tensor {
  return broadcastTo(scalar(value, dtype), shape);
}

// ------------------------------------------------------------------------------------- along one axis

const gatherOp: Op<{ axis: number }> = {
  name: 'gather',
  infer: ({ axis }, x, indices) => {
    rule(isIndex(indices.dtype), `indices must be int32 or int64, got ${indices.dtype}`);
    const fits = indices.shape.length === x.shape.length && x.shape.every((e, i) => i === axis || indices.shape[i] === e);
    rule(fits, `indices must have the shape of x except along axis ${axis}`);
    return [{ dtype: x.dtype, shape: indices.shape }];
  },
  lower: (g, [x, indices], { attrs }) => [g.node('GatherElements', [x, indices], { axis: { int: attrs.axis } })],
  vjp: ([ct], { attrs, inputs: [x, indices] }) => [
    ct && scatterAdd(full(x.shape, 0, ct.dtype), indices, ct, attrs.axis),
    undefined,
  ],
};

/** y[…, i, …] = x[…, indices[…, i, …], …]: each position along `axis` chosen by `indices`, which has x's shape elsewhere. */
export function gather(x: Tensor, indices: Tensor, axis: number): Tensor {
  return apply1(gatherOp, [x, indices], { axis: axisOf(axis, x.rank) });
}

const scatterAddOp: Op<{ axis: number }> = {
  name: 'scatterAdd',
  infer: ({ axis }, x, indices, updates) => {
    rule(isIndex(indices.dtype), `indices must be int32 or int64, got ${indices.dtype}`);
    const same = updates.shape.length === indices.shape.length && updates.shape.every((e, i) => e === indices.shape[i]);
    rule(same, 'updates and indices must have one shape');
    const fits = indices.shape.length === x.shape.length && x.shape.every((e, i) => i === axis || indices.shape[i] === e);
    rule(fits, `indices must have the shape of x except along axis ${axis}`);
    return [x];
  },
  lower: (g, inputs, { attrs }) => [g.node('ScatterElements', inputs, { axis: { int: attrs.axis }, reduction: { text: 'add' } })],
  vjp: ([ct], { attrs, inputs: [, indices] }) => [ct, undefined, ct && gather(ct, indices, attrs.axis)],
};

/** x with `updates` added at `indices` along `axis`; repeated indices add up. */
export function scatterAdd(x: Tensor, indices: Tensor, updates: Tensor, axis: number): Tensor {
  return apply1(scatterAddOp, [x, indices, updates], { axis: axisOf(axis, x.rank) });
}

// -------------------------------------------------------------------------------------------- whole rows

const takeOp: Op<{ axis: number }> = {
  name: 'take',
  infer: ({ axis }, x, indices) => {
    rule(isIndex(indices.dtype), `indices must be int32 or int64, got ${indices.dtype}`);
    return [{ dtype: x.dtype, shape: [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)] }];
  },
  lower: (g, inputs, { attrs }) => [g.node('Gather', inputs, { axis: { int: attrs.axis } })],
  vjp: ([ct], { attrs: { axis }, inputs: [x, indices] }) => {
    if (!ct) return [undefined, undefined];
    // Add each slice of ct at its place: one scatter over [before, axis, after] with the indices repeated.
    const before = sizeOf(x.shape.slice(0, axis));
    const after = sizeOf(x.shape.slice(axis + 1));
    const n = sizeOf(indices.shape);
    const places = broadcastTo(reshape(indices, [1, n, 1]), [before, n, after]);
    const flat = scatterAdd(full([before, x.shape[axis], after], 0, ct.dtype), places, reshape(ct, [before, n, after]), 1);
    return [reshape(flat, x.shape), undefined];
  },
};

/**
 * Slices of x along `axis` at `indices` (any shape, which takes the place of the axis). Negative indices count from the end.
 * @throws ShapeError for a listed index outside the axis; one in a tensor is found by the run, which throws
 */
export function take(x: Tensor, indices: Tensor | readonly number[], axis = 0): Tensor {
  const at = axisOf(axis, x.rank);
  if (indices instanceof Tensor) return apply1(takeOp, [x, indices], { axis: at });
  const extent = x.shape[at];
  const bad = indices.find(i => !Number.isInteger(i) || i < -extent || i >= extent);
  rule(bad === undefined, `take: index ${bad} is outside axis ${axis} of ${showShape(x.shape)}`);
  return apply1(takeOp, [x, constant(int64s(indices))], { axis: at });
}

const gatherRowsOp: Op<null> = {
  name: 'gatherRows',
  infer: (_, x, indices) => {
    rule(isIndex(indices.dtype), `indices must be int32 or int64, got ${indices.dtype}`);
    rule(
      x.shape.length >= 2 && indices.shape.length === 2 && x.shape[0] === indices.shape[0],
      'x must be [batch, n, …] and indices [batch, k]',
    );
    return [{ dtype: x.dtype, shape: [...indices.shape, ...x.shape.slice(2)] }];
  },
  lower: (g, [x, indices], { inputs: [, places] }) => {
    const wide = g.cast(indices, 'int64');
    return [g.node('GatherND', [x, g.reshape(wide, [...places.shape, 1])], { batch_dims: { int: 1 } })];
  },
  vjp: ([ct], { inputs: [x, indices] }) => [ct && scatterRowsAdd(ct, indices, x.shape[1]), undefined],
};

/** Rows chosen in each sample: x `[batch, n, …]`, indices `[batch, k]` -> `[batch, k, …]`. Negative indices count from the end. */
export function gatherRows(x: Tensor, indices: Tensor): Tensor {
  return apply1(gatherRowsOp, [x, indices], null);
}

/**
 * The transpose of {@link gatherRows}: rows `[batch, k, …]` added at their places in zeros `[batch, rows, …]`. As a product with
 * the 0/1 matrix of the places: ONNX Runtime's scatter works on one thread, after two more passes over the whole result.
 */
function scatterRowsAdd(x: Tensor, indices: Tensor, rows: number): Tensor {
  const [batch, k, ...rest] = x.shape;
  // oneHot knows no negative positions, which a gather counts from the end.
  const places = oneHot(where(less(indices, 0), add(indices, rows), indices), rows, x.dtype);
  const flat = matmul(places, reshape(x, [batch, k, sizeOf(rest)]), { transposeA: true });
  return reshape(flat, [batch, rows, ...rest]);
}

// ------------------------------------------------------------------------------------ sort, top-k, cumsum

const topKOp: Op<{ k: number; axis: number; largest: boolean }> = {
  name: 'topK',
  infer: ({ k, axis }, x) => {
    rule(Number.isInteger(k) && k >= 0 && k <= x.shape[axis], `k = ${k} of ${x.shape[axis]} elements`);
    const shape = x.shape.map((extent, i) => (i === axis ? k : extent));
    return [
      { dtype: x.dtype, shape },
      { dtype: 'int64', shape },
    ];
  },
  lower: (g, [x], { attrs }) =>
    g.nodeWith(2, 'TopK', [x, g.ints([attrs.k])], {
      axis: { int: attrs.axis },
      largest: { int: attrs.largest ? 1 : 0 },
      sorted: { int: 1 },
    }),
  // The selection is a constant; the selected values carry the gradient.
  vjp: ([ct], { attrs, inputs: [x], outputs: [, indices] }) => [
    ct && scatterAdd(full(x.shape, 0, ct.dtype), indices, ct, attrs.axis),
  ],
};

/**
 * The k largest (or smallest) elements along an axis in order, and their int64 positions; the first of equals comes first. NaN has
 * no place in the order: with one among the elements, which are chosen and in which order is not defined.
 */
export function topK(x: Tensor, k: number, { axis = -1, largest = true } = {}): [values: Tensor, indices: Tensor] {
  return apply(topKOp, [x], { k, axis: axisOf(axis, x.rank), largest }) as [Tensor, Tensor];
}

/** All elements along an axis in order (ascending by default), and their int64 positions; NaN as for {@link topK}. */
export function sort(x: Tensor, { axis = -1, descending = false } = {}): [values: Tensor, indices: Tensor] {
  return topK(x, x.shape[axisOf(axis, x.rank)], { axis, largest: descending });
}

const cumsumOp: Op<{ axis: number; reverse: boolean }> = {
  name: 'cumsum',
  infer: (_, x) => [x],
  lower: (g, [x], { attrs }) => [
    g.node('CumSum', [x, g.scalar(attrs.axis, 'int64')], { reverse: { int: attrs.reverse ? 1 : 0 } }),
  ],
  // y_i = sum over j <= i of x_j, so x_j receives the cotangents of all i >= j
  vjp: ([ct], { attrs: { axis, reverse } }) => [ct && apply1(cumsumOp, [ct], { axis, reverse: !reverse })],
};

/** Running sums along an axis; `reverse` sums from the end. */
export function cumsum(x: Tensor, axis: number, { reverse = false } = {}): Tensor {
  return apply1(cumsumOp, [x], { axis: axisOf(axis, x.rank), reverse });
}

/**
 * `[…]` class numbers -> `[…, classes]` with 1 at each number and 0 elsewhere. A number that is no class, a negative one too, gives a
 * row of zeros.
 */
export function oneHot(indices: Tensor, classes: number, dtype: DType = 'float32'): Tensor {
  rule(isIndex(indices.dtype), `oneHot: indices must be int32 or int64, got ${indices.dtype}`);
  const column = reshape(cast(indices, 'int64'), [...indices.shape, 1]);
  return cast(equal(column, iota(classes)), dtype);
}
