/** A Gaussian over embeddings as one linear map: what a trained model carries of its training clips to give Mahalanobis distances. */

import { add, cast, div, matmul, type NDArray, sqrt, square, sub, sum, type Tensor } from '../../engine/index.ts';
import type { MahalanobisModel } from './mahalanobis.ts';
import { type Rows, rowsOf, unitRows } from './rows.ts';

/** The squared distance of an embedding z is |W (u - c)|^2 with u = z / (|z| + 1e-10). */
export interface Whitening {
  /** c `[D]`: the mean of the training embeddings, each of unit length. */
  readonly center: Float64Array;
  /** W `[rank, D]`, so that W^T W is the pseudo-inverse of their covariance. */
  readonly matrix: Rows;
}

const epsilon = 1e-10;

/**
 * Folds standardisation and whitening of a model of one Gaussian into one map. Both are linear, so the distances stay what they are.
 * @throws RangeError for a model of several Gaussians
 */
export function whiteningOf({ width, mean, deviation, gaussians }: MahalanobisModel): Whitening {
  if (gaussians.length !== 1) throw new RangeError(`expected a model of one Gaussian, found ${gaussians.length}`);
  const [{ mean: inner, whitening }] = gaussians;
  const scale = deviation.map(value => value + epsilon);
  return {
    center: mean.map((value, d) => value + inner[d] * scale[d]),
    matrix: { ...whitening, data: whitening.data.map((value, i) => value / scale[i % width]) },
  };
}

/** Squared distances of embeddings `[n, D]`. @throws RangeError if their width is another */
export function whitenedDistances({ center, matrix }: Whitening, embeddings: NDArray): Float64Array {
  const rows = rowsOf(embeddings, 'embeddings');
  const { width } = matrix;
  if (rows.width !== width) throw new RangeError(`embeddings: expected width ${width}, found ${rows.width}`);
  const { count, data } = unitRows(rows, { added: epsilon });
  const away = new Float64Array(width);
  return Float64Array.from({ length: count }, (_, i) => {
    for (let d = 0; d < width; d++) away[d] = data[i * width + d] - center[d];
    let total = 0;
    for (let r = 0; r < matrix.count; r++) {
      let projected = 0;
      for (let d = 0; d < width; d++) projected += matrix.data[r * width + d] * away[d];
      total += projected * projected;
    }
    return total;
  });
}

/**
 * {@link whitenedDistances} inside a graph: embeddings `[n, D]` of any float type, center `[D]` and matrix `[rank, D]` as float64 -> `[n]` of the
 * embeddings' type. Computed in float64, because the matrix stretches the directions in which training clips hardly differ.
 */
export function whitenedDistance(embeddings: Tensor, center: Tensor, matrix: Tensor): Tensor {
  const z = cast(embeddings, 'float64');
  const unit = div(z, add(sqrt(sum(square(z), 1, true)), epsilon));
  const projected = matmul(sub(unit, center), matrix, { transposeB: true });
  return cast(sum(square(projected), 1), embeddings.dtype);
}

/**
 * What squared distances d of the `d.length` training embeddings would be to a Gaussian fitted without the embedding in question: with N
 * embeddings and divisor N, N d / (N - 1 - d), from the Sherman-Morrison formula. Infinite where the others do not span the embedding's
 * direction (d = N - 1, the most there is).
 *
 * A Gaussian that saw an embedding is near it: with few embeddings for their width, all that it did not see are much farther.
 */
export function leaveOneOut(distances: Float64Array): Float64Array {
  const n = distances.length;
  return distances.map(d => {
    const left = n - 1 - d;
    // Rounding leaves some of what should be nothing.
    return left > 1e-6 * n ? (n * d) / left : Number.POSITIVE_INFINITY;
  });
}
