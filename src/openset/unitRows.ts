import { div, maximum, sqrt, square, sum, type Tensor } from '../engine/index.ts';

/**
 * Rows of length 1: x / max(|x|, 1e-12) over the last axis, as PyTorch's `normalize`. A row of zeros stays one, with a finite gradient.
 * x `[…, D]` -> `[…, D]`.
 */
export function unitRows(x: Tensor): Tensor {
  return div(x, sqrt(maximum(sum(square(x), -1, true), 1e-24)));
}
