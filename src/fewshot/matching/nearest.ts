import { cast, cumsum, equal, less, min, mul, stopGradient, sum, type Tensor } from '../../engine/index.ts';

/**
 * Smallest element along an axis, which disappears. The gradient goes to the first that attains it alone (repeated frames attain it together, and
 * the published code, too, moves one of them); a NaN anywhere gives NaN.
 */
export function nearest(distances: Tensor, axis: number): Tensor {
  const hits = cast(equal(distances, min(distances, axis, true)), distances.dtype);
  const first = mul(hits, cast(less(cumsum(hits, axis), 1.5), distances.dtype));
  return sum(mul(distances, stopGradient(first)), axis);
}
