import { minimum, pad, pick, reshape, ShapeError, sum, type Tensor, take } from '../../engine/index.ts';
import { alignmentTable, unreachable } from './alignmentTable.ts';

/**
 * Dynamic time warping: the smallest sum of distances along a path from the first pair of frames to the last one, by steps in one sequence or both.
 * distances `[…, L, M]` -> `[…]`. Source: H. Sakoe, S. Chiba, 1978, without weights or band.
 */
export function dtw(distances: Tensor): Tensor {
  const [l, m] = distances.shape.slice(-2);
  const outer = distances.shape.slice(0, -2);
  // A row before the first one, of which only the border can be reached: a path begins diagonally from there, at the first pair and no other.
  const result = alignmentTable(pad(reshape(distances, [-1, l, m]), 1, 1, 0, unreachable), {
    border: row => (row === 0 ? 0 : unreachable),
    down: () => true,
    join: ({ diagonal, up, left }) => minimum(minimum(diagonal, up), left),
  });
  return reshape(result, outer);
}

/** {@link dtw} of one pair by the plain double loop: rows `[rows, columns]` from `offset` on. */
export function dtwOf(distances: ArrayLike<number>, rows: number, columns: number, offset = 0): number {
  const table = new Float64Array(columns + 1).fill(Number.POSITIVE_INFINITY);
  table[0] = 0;
  for (let l = 0, i = offset; l < rows; l++) {
    let diagonal = table[0];
    table[0] = l === 0 ? 0 : Number.POSITIVE_INFINITY;
    let left = table[0];
    for (let m = 1; m <= columns; m++, i++) {
      const up = table[m];
      left = distances[i] + Math.min(diagonal, up, left);
      table[m] = left;
      diagonal = up;
    }
    table[0] = Number.POSITIVE_INFINITY;
  }
  return table[columns];
}

/** Frame a with frame a: sum_a d(a, a) of sequences of one length, distances `[…, T, T]` -> `[…]`. @throws ShapeError for other lengths */
export function diagonal(distances: Tensor): Tensor {
  const [l, m] = distances.shape.slice(-2);
  if (l !== m) throw new ShapeError(`diagonal: sequences must have equally many frames, got ${l} and ${m}`);
  const outer = distances.shape.slice(0, -2);
  const flat = reshape(distances, [-1, l * m]);
  const own = Array.from({ length: l }, (_, a) => a * m + a);
  return reshape(l === 1 ? pick(flat, 1, 0) : sum(take(flat, own, 1), 1), outer);
}
