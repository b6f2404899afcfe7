import { zeros } from '../ndarray.ts';
import { constant, rule } from '../op.ts';
import type { Tensor } from '../tensor.ts';
import { matmul } from './linear.ts';
import { expandDims, reshape } from './shape.ts';
import { flip, pad, slice, stack } from './slice.ts';

/** One number for all spatial axes, or one for each. */
export type PerAxis = number | readonly number[];

/** Padding of each spatial axis: one number for all, one for each, or a pair `[before, after]` for each. */
export type Padding = number | readonly (number | readonly [before: number, after: number])[];

/** What slides over the spatial axes: convolution and pooling share it. All lists have one entry for each spatial axis. */
export interface Window {
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** `value` for each of `rank` spatial axes. @throws ShapeError if it is a list of another length or not of integers >= `least`. */
export function perAxis(name: string, value: PerAxis, rank: number, least: number): number[] {
  const list = typeof value === 'number' ? Array.from({ length: rank }, () => value) : [...value];
  rule(list.length === rank, `${name} needs one number for each of ${rank} spatial axes, got [${list}]`);
  rule(
    list.every(v => Number.isInteger(v) && v >= least),
    `${name} must be integers >= ${least}, got [${list}]`,
  );
  return list;
}

/** Padding before and after each of `rank` spatial axes. @throws ShapeError as {@link perAxis}. */
export function paddingOf(padding: Padding, rank: number): { before: number[]; after: number[] } {
  const side = (i: 0 | 1) => (typeof padding === 'number' ? padding : padding.map(p => (typeof p === 'number' ? p : p[i])));
  return { before: perAxis('padding', side(0), rank, 0), after: perAxis('padding', side(1), rank, 0) };
}

/** Extents of the output: floor((extent + padding - dilation (kernel - 1) - 1) / stride) + 1. @throws ShapeError if a window does not fit. */
export function windowExtents(spatial: readonly number[], { kernel, stride, dilation, before, after }: Window): number[] {
  return spatial.map((extent, i) => {
    const padded = extent + before[i] + after[i];
    const reach = dilation[i] * (kernel[i] - 1) + 1;
    rule(
      padded >= reach,
      `a window of reach ${reach} does not fit into spatial axis ${i} of ${padded} elements (padding included)`,
    );
    return Math.floor((padded - reach) / stride[i]) + 1;
  });
}

/** `pad` in which a negative amount crops. */
export function padOrCrop(x: Tensor, axis: number, before: number, after: number, value = 0): Tensor {
  const kept = slice(x, axis, Math.max(0, -before), x.shape[axis] - Math.max(0, -after));
  return pad(kept, axis, Math.max(0, before), Math.max(0, after), value);
}

/** Up to this extent, a product with the 0/1 matrix of places takes elements of the last axis out and lays them apart. */
const shortAxis = 128;

/**
 * Whether elements of `axis`, `extent` before or after, are moved by a product. ONNX Runtime slices with a step, pads inside and reverses element by
 * element on one thread; the product is several times faster. (What is infinite does not stay alone in its row.)
 */
const isMovedByProduct = (x: Tensor, axis: number, extent: number): boolean =>
  axis === x.rank - 1 && extent > 1 && extent <= shortAxis && x.dtype === 'float32';

/** x with element `from(i)` of the last axis at place `to(i)` of `extent`, for i below `count`, and zeros elsewhere. */
function moved(x: Tensor, extent: number, count: number, from: (i: number) => number, to: (i: number) => number): Tensor {
  const places = zeros([x.shape[x.rank - 1], extent], 'float32');
  for (let i = 0; i < count; i++) places.data[from(i) * extent + to(i)] = 1;
  return matmul(x, constant(places));
}

/** `length` elements of `axis` from `start` on, `stride` apart. */
export function strided(x: Tensor, axis: number, start: number, length: number, stride: number): Tensor {
  if (stride > 1 && isMovedByProduct(x, axis, x.shape[axis])) {
    return moved(
      x,
      length,
      length,
      i => start + i * stride,
      i => i,
    );
  }
  return slice(x, axis, start, start + (length - 1) * stride + 1, stride);
}

/** The last axis in reverse order. */
export function reversed(x: Tensor): Tensor {
  const extent = x.shape[x.rank - 1];
  if (!isMovedByProduct(x, x.rank - 1, extent)) return flip(x, -1);
  return moved(
    x,
    extent,
    extent,
    i => i,
    i => extent - 1 - i,
  );
}

/** `length` elements of `axis` from each of `offsets` on, zeros beyond the ends. */
export function shifted(x: Tensor, axis: number, offsets: readonly number[], length: number): Tensor[] {
  const extent = x.shape[axis];
  const before = Math.max(0, -Math.min(...offsets));
  const padded = pad(x, axis, before, Math.max(0, Math.max(...offsets) + length - extent));
  return offsets.map(offset =>
    offset === 0 && length === extent ? x : slice(padded, axis, offset + before, offset + before + length),
  );
}

/** `step - 1` zeros between the elements of `axis`. */
export function insertZeros(x: Tensor, axis: number, step: number): Tensor {
  return spread(x, axis, step, (x.shape[axis] - 1) * step + 1);
}

/** The elements of `axis` laid `step` apart into `extent` zeros, the first one first. */
export function spread(x: Tensor, axis: number, step: number, extent: number): Tensor {
  const length = x.shape[axis];
  if (step === 1) return padOrCrop(x, axis, 0, extent - length);
  if (isMovedByProduct(x, axis, extent)) {
    return moved(
      x,
      extent,
      length,
      i => i,
      i => i * step,
    );
  }
  const merged = reshape(
    pad(expandDims(x, axis + 1), axis + 1, 0, step - 1),
    x.shape.map((e, i) => (i === axis ? e * step : e)),
  );
  return padOrCrop(merged, axis, 0, extent - length * step);
}

/** Phases `[…, n, …]` laid one into the other: element `i` of phase `r` becomes element `i * phases + r` of `axis`. */
export function interleave(phases: readonly Tensor[], axis: number): Tensor {
  if (phases.length === 1) return phases[0];
  return reshape(
    stack(phases, axis + 1),
    phases[0].shape.map((extent, i) => (i === axis ? extent * phases.length : extent)),
  );
}

/** Every combination of one index below each of `counts`, the last varying fastest. */
export function combinations(counts: readonly number[]): number[][] {
  return counts.reduce<number[][]>(
    (rows, count) => rows.flatMap(row => Array.from({ length: count }, (_, i) => [...row, i])),
    [[]],
  );
}
