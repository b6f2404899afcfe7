import { showShape } from '../ndarray.ts';
import { apply, apply1, axisOf, mustHold, type Op, rule, scalar } from '../op.ts';
import type { Tensor } from '../tensor.ts';
import { broadcastTo } from './broadcast.ts';
import { expandDims, reshape, squeeze } from './shape.ts';

/** A range of one axis: elements `start`, `start + step`, … before `stop` (all resolved, `stop` may be -1 for a negative step). */
interface Range {
  readonly start: number;
  readonly stop: number;
  readonly step: number;
}

const lengthOf = ({ start, stop, step }: Range): number => Math.max(0, Math.ceil((stop - start) / step));

const sliceOp: Op<{ axis: number; range: Range }> = {
  name: 'slice',
  infer: ({ axis, range }, x) => [{ dtype: x.dtype, shape: x.shape.map((extent, i) => (i === axis ? lengthOf(range) : extent)) }],
  lower: (g, [x], { attrs: { axis, range } }) => {
    // ONNX reads a negative stop as counted from the end; the position before the first is spelt as a very negative number.
    const stop = range.stop < 0 ? -(2 ** 40) : range.stop;
    return [g.node('Slice', [x, g.ints([range.start]), g.ints([stop]), g.ints([axis]), g.ints([range.step])])];
  },
  // The transpose of reading a range is writing it into zeros.
  vjp: ([ct], { attrs: { axis, range }, inputs: [x] }) => [ct && writeRange(ct, axis, range, x.shape[axis])],
};

function writeRange(ct: Tensor, axis: number, range: Range, extent: number): Tensor {
  if (lengthOf(range) === 0) {
    return broadcastTo(
      scalar(0, ct.dtype),
      ct.shape.map((e, i) => (i === axis ? extent : e)),
    );
  }
  if (range.step < 0) {
    const last = range.start + (lengthOf(range) - 1) * range.step;
    return writeRange(flip(ct, axis), axis, { start: last, stop: range.start + 1, step: -range.step }, extent);
  }
  let wide = ct;
  if (range.step > 1) {
    // [n] -> [n, 1] -> [n, step] -> [n * step]: zeros between the elements
    wide = pad(expandDims(ct, axis + 1), axis + 1, 0, range.step - 1);
    wide = reshape(
      wide,
      ct.shape.map((e, i) => (i === axis ? e * range.step : e)),
    );
  }
  const room = extent - range.start - wide.shape[axis];
  if (room < 0) wide = slice(wide, axis, 0, wide.shape[axis] + room);
  return pad(wide, axis, range.start, Math.max(0, room));
}

/**
 * Elements `start` to `stop` (not included; default: the end) of one axis. Negative positions count from the end;
 * positions outside are clipped, as in NumPy.
 */
export function slice(x: Tensor, axis: number, start: number, stop = Number.POSITIVE_INFINITY, step = 1): Tensor {
  const at = axisOf(axis, x.rank);
  const extent = x.shape[at];
  rule(Number.isInteger(step) && step > 0, `slice: step ${step} is not a positive integer (use flip to reverse)`);
  const clip = (p: number) => Math.min(extent, Math.max(0, p < 0 ? p + extent : p));
  const range = { start: clip(start), stop: clip(stop), step };
  if (range.start === 0 && range.stop === extent && step === 1) return x;
  return apply1(sliceOp, [x], { axis: at, range });
}

/** The elements of one axis in reverse order. */
export function flip(x: Tensor, axis: number): Tensor {
  const at = axisOf(axis, x.rank);
  if (x.shape[at] <= 1) return x;
  return apply1(sliceOp, [x], { axis: at, range: { start: x.shape[at] - 1, stop: -1, step: -1 } });
}

/** Position `index` of `axis`; the axis disappears. */
export function pick(x: Tensor, axis: number, index: number): Tensor {
  const at = axisOf(axis, x.rank);
  const position = index < 0 ? index + x.shape[at] : index;
  rule(position >= 0 && position < x.shape[at], `pick: index ${index} is outside axis ${axis} of ${showShape(x.shape)}`);
  return squeeze(slice(x, at, position, position + 1), at);
}

const padOp: Op<{ axis: number; before: number; after: number; value: number }> = {
  name: 'pad',
  infer: ({ axis, before, after }, x) => {
    rule(before >= 0 && after >= 0, `cannot pad by ${before} and ${after}`);
    return [{ dtype: x.dtype, shape: x.shape.map((extent, i) => (i === axis ? extent + before + after : extent)) }];
  },
  lower: (g, [x], { attrs, inputs: [{ shape, dtype }] }) => {
    const at = (axis: number, amount: number) => (axis === attrs.axis ? amount : 0);
    const pads = [...shape.map((_, i) => at(i, attrs.before)), ...shape.map((_, i) => at(i, attrs.after))];
    return [g.node('Pad', [x, g.ints(pads), g.scalar(attrs.value, dtype)])];
  },
  vjp: ([ct], { attrs, inputs: [x] }) => [ct && slice(ct, attrs.axis, attrs.before, attrs.before + x.shape[attrs.axis])],
};

/** `before` and `after` elements of `value` around one axis. */
export function pad(x: Tensor, axis: number, before: number, after: number, value = 0): Tensor {
  mustHold(x.dtype, value, 'pad');
  if (before === 0 && after === 0) return x;
  return apply1(padOp, [x], { axis: axisOf(axis, x.rank), before, after, value });
}

const concatOp: Op<{ axis: number }> = {
  name: 'concat',
  infer: ({ axis }, ...xs) => {
    rule(xs.length > 0, 'needs at least one tensor');
    for (const x of xs) {
      const fits = x.shape.length === xs[0].shape.length && x.shape.every((extent, i) => i === axis || extent === xs[0].shape[i]);
      rule(fits && x.dtype === xs[0].dtype, `all types and all extents but axis ${axis} must be equal`);
    }
    const total = xs.reduce((sum, x) => sum + x.shape[axis], 0);
    return [{ dtype: xs[0].dtype, shape: xs[0].shape.map((extent, i) => (i === axis ? total : extent)) }];
  },
  lower: (g, xs, { attrs }) => [g.node('Concat', xs, { axis: { int: attrs.axis } })],
  vjp: ([ct], { attrs: { axis }, inputs }) => {
    let start = 0;
    return inputs.map(x => {
      const from = start;
      start += x.shape[axis];
      return ct && slice(ct, axis, from, start);
    });
  },
};

/** Tensors one after the other along an axis. */
export function concat(xs: readonly Tensor[], axis = 0): Tensor {
  rule(xs.length > 0, 'concat: needs at least one tensor');
  return xs.length === 1 ? xs[0] : apply1(concatOp, xs, { axis: axisOf(axis, xs[0].rank) });
}

/** Tensors of one shape along a new axis. */
export function stack(xs: readonly Tensor[], axis = 0): Tensor {
  return concat(
    xs.map(x => expandDims(x, axis)),
    axis < 0 ? axis + xs[0].rank + 1 : axis,
  );
}

const splitOp: Op<{ axis: number; sizes: readonly number[] }> = {
  name: 'split',
  infer: ({ axis, sizes }, x) => {
    const total = sizes.reduce((a, b) => a + b, 0);
    rule(total === x.shape[axis], `${sizes.join(' + ')} is not extent ${x.shape[axis]} of axis ${axis}`);
    return sizes.map(size => ({ dtype: x.dtype, shape: x.shape.map((extent, i) => (i === axis ? size : extent)) }));
  },
  lower: (g, [x], { attrs: { axis, sizes } }) => g.nodeWith(sizes.length, 'Split', [x, g.ints(sizes)], { axis: { int: axis } }),
  vjp: (cts, { attrs: { axis }, outputs }) => {
    const pieces = outputs.map((y, i) => cts[i] ?? broadcastTo(scalar(0, y.dtype), y.shape));
    return [concat(pieces, axis)];
  },
};

/** Pieces of the given extents along an axis. Its gradient is one concat, so it beats slices where all pieces are used. */
export function split(x: Tensor, sizes: readonly number[], axis = 0): Tensor[] {
  return sizes.length === 1 && sizes[0] === x.shape[axisOf(axis, x.rank)]
    ? [x]
    : [...apply(splitOp, [x], { sizes, axis: axisOf(axis, x.rank) })];
}

/** All positions of an axis as tensors without it: the inverse of {@link stack}. */
export function unstack(x: Tensor, axis: number): Tensor[] {
  const at = axisOf(axis, x.rank);
  const ones = Array.from({ length: x.shape[at] }, () => 1);
  return split(x, ones, at).map(piece => squeeze(piece, at));
}
