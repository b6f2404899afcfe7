import { add, div, matmul, maximum, mul, reshape, sqrt, square, sub, sum, type Tensor, transpose } from '../engine/index.ts';

/** Rows of length 1: x / max(|x|, 1e-12) over the last axis. A row of zeros stays one, with a finite gradient. x `[…, D]` -> `[…, D]`. */
export function unitFrames(x: Tensor): Tensor {
  return div(x, lengths(x));
}

function lengths(x: Tensor): Tensor {
  return sqrt(maximum(sum(square(x), -1, true), 1e-24));
}

/** Which cosine: of unit vectors, or with 0.01 added to the product of the lengths, as the published OTAM and TSN heads have it. */
export type Cosine = 'unit' | 'damped';

/** Added to the product of two lengths by the damped cosine. */
const damping = 0.01;

/** Cosine of every row of x with every row of y: x `[…, L, D]`, y `[…, M, D]` -> `[…, L, M]`; a row of zeros has cosine 0 to all. */
export function cosines(x: Tensor, y: Tensor, cosine: Cosine = 'unit'): Tensor {
  if (cosine === 'unit') return matmul(unitFrames(x), unitFrames(y), { transposeB: true });
  return div(matmul(x, y, { transposeB: true }), add(matmul(lengths(x), lengths(y), { transposeB: true }), damping));
}

/** Frame distances 1 - cosine of two sequences, or of stacks of them: x `[…, L, D]`, y `[…, M, D]` -> `[…, L, M]`. */
export function frameDistances(x: Tensor, y: Tensor, cosine: Cosine = 'unit'): Tensor {
  return sub(1, cosines(x, y, cosine));
}

/**
 * Frame distances of every query to every support, as one product of matrices: query `[episodes, Q, L, D]`, support
 * `[episodes, S, M, D]` -> `[episodes, Q, S, L, M]`; rows are the query's frames.
 */
export function allFrameDistances(query: Tensor, support: Tensor, cosine: Cosine = 'unit'): Tensor {
  const [episodes, q, l, d] = query.shape;
  const [, s, m] = support.shape;
  const flat = frameDistances(reshape(query, [episodes, q * l, d]), reshape(support, [episodes, s * m, d]), cosine);
  return transpose(reshape(flat, [episodes, q, l, s, m]), [0, 1, 3, 2, 4]);
}

/** Mean over the frames of a sequence, scaled back: x `[…, T, D]` -> `[…, D]`. */
export function meanFrame(x: Tensor): Tensor {
  return mul(sum(x, -2), 1 / x.shape[x.rank - 2]);
}
