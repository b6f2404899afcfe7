import { ndarray, sizeOf } from '../ndarray.ts';
import { axisOf, constant, rule } from '../op.ts';
import type { Tensor } from '../tensor.ts';
import { broadcastTo } from './broadcast.ts';
import { add, mul, sub } from './elementwise.ts';
import { take } from './index.ts';
import { matmul } from './linear.ts';
import { cast, expandDims, reshape } from './shape.ts';

/** Where each output reads: neighbours `low` and `high` (positions of the input) and the weight of `high`. */
interface Reading {
  readonly low: number;
  readonly high: number;
  readonly weight: number;
}

/** PyTorch's source positions: (i + 1/2) n / size - 1/2, not below 0; with aligned corners i (n - 1) / (size - 1). */
function readings(n: number, size: number, alignCorners: boolean): Reading[] {
  return Array.from({ length: size }, (_, i) => {
    const at = alignCorners ? (size > 1 ? (i * (n - 1)) / (size - 1) : 0) : Math.max(0, ((i + 0.5) * n) / size - 0.5);
    const low = Math.min(n - 1, Math.floor(at));
    return { low, high: Math.min(n - 1, low + 1), weight: at - low };
  });
}

/** Up to this input extent a product with the dense interpolation matrix costs no more than reading two neighbours. */
const matrixLimit = 256;

/**
 * Linear interpolation along one axis to `size` elements. `alignCorners` maps the first and last elements onto each other; otherwise
 * (default) elements are cells whose edges are mapped, as in PyTorch's `interpolate(mode='linear')`.
 * Short axes are multiplied by the interpolation matrix, whose gradient is another product (ONNX's 1-D Resize is as slow and has
 * no gradient); long ones take both neighbours and blend. @throws ShapeError for an empty axis or size.
 */
export function resizeLinear(x: Tensor, axis: number, size: number, { alignCorners = false } = {}): Tensor {
  const at = axisOf(axis, x.rank);
  const n = x.shape[at];
  rule(n > 0 && Number.isInteger(size) && size > 0, `resizeLinear: cannot make ${size} elements of ${n}`);
  if (n === size) return x;
  const plan = readings(n, size, alignCorners);
  if (n > matrixLimit) {
    const shape = x.shape.map((_, i) => (i === at ? size : 1));
    const weights = ndarray(
      'float64',
      shape,
      Float64Array.from(plan, r => r.weight),
    );
    const [low, high] = (['low', 'high'] as const).map(side =>
      take(
        x,
        plan.map(r => r[side]),
        at,
      ),
    );
    return add(low, mul(sub(high, low), cast(constant(weights), x.dtype)));
  }
  const matrix = ndarray('float64', [size, n], new Float64Array(size * n));
  for (const [i, { low, high, weight }] of plan.entries()) {
    matrix.data[i * n + low] += 1 - weight;
    matrix.data[i * n + high] += weight;
  }
  const interpolation = cast(constant(matrix), x.dtype);
  const resized = x.shape.map((extent, i) => (i === at ? size : extent));
  const after = sizeOf(x.shape.slice(at + 1));
  if (after === 1) return reshape(matmul(reshape(x, [-1, n]), interpolation, { transposeB: true }), resized);
  return reshape(matmul(interpolation, reshape(x, [-1, n, after])), resized);
}

/** Nearest neighbour along one axis: output i reads floor(i n / size), as in PyTorch's `interpolate(mode='nearest')`. @throws ShapeError */
export function resizeNearest(x: Tensor, axis: number, size: number): Tensor {
  const at = axisOf(axis, x.rank);
  const n = x.shape[at];
  rule(n > 0 && Number.isInteger(size) && size > 0, `resizeNearest: cannot make ${size} elements of ${n}`);
  if (n === size) return x;
  if (size % n === 0) {
    // A whole number of copies of each element: a broadcast, whose gradient is a sum.
    const copies = [...x.shape.slice(0, at + 1), size / n, ...x.shape.slice(at + 1)];
    return reshape(
      broadcastTo(expandDims(x, at + 1), copies),
      x.shape.map((extent, i) => (i === at ? size : extent)),
    );
  }
  const positions = Array.from({ length: size }, (_, i) => Math.floor((i * n) / size));
  return take(x, positions, at);
}
