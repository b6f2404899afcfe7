import { rule } from '../op.ts';
import type { Tensor } from '../tensor.ts';
import { expandDims, reshape } from './shape.ts';
import { pad, slice, stack } from './slice.ts';

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

/** `length` elements of `axis` from `start` on, `stride` apart. */
export function strided(x: Tensor, axis: number, start: number, length: number, stride: number): Tensor {
  return slice(x, axis, start, start + (length - 1) * stride + 1, stride);
}

/** `step - 1` zeros between the elements of `axis`. */
export function insertZeros(x: Tensor, axis: number, step: number): Tensor {
  if (step === 1) return x;
  const wide = pad(expandDims(x, axis + 1), axis + 1, 0, step - 1);
  const merged = reshape(
    wide,
    x.shape.map((extent, i) => (i === axis ? extent * step : extent)),
  );
  return slice(merged, axis, 0, (x.shape[axis] - 1) * step + 1);
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
