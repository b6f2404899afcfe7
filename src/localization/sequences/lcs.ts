import { add, greater, hostCall, type NDArray, type Tensor, where, zeros } from '../../engine/index.ts';
import { antidiagonalRecursion } from './antidiagonals.ts';

/** The published threshold above which two snippets count as the same. */
export const lcsThreshold = 0.92;

/**
 * Soft longest common subsequence of pairs of sequences from their similarities c `[pairs, n, m]` -> `[pairs]`, zero borders:
 *   R[i,j] = R[i-1,j-1] + c[i,j]            where c[i,j] > threshold,
 *   R[i,j] = max(R[i-1,j], R[i,j-1])        elsewhere; on a tie R[i-1,j], value and gradient.
 * The threshold is a hard switch: the gradient is 1 on the hits of the one traced path. It is rounded to c's element type before
 * comparing. Source: FTCL (CVPR 2022), LCS mining. Vectorised over anti-diagonals.
 */
export function lcs(similarity: Tensor, threshold = lcsThreshold): Tensor {
  return antidiagonalRecursion([similarity], ({ diagonal, up, left }, c) =>
    where(greater(c, threshold), add(diagonal, c), where(greater(left, up), left, up)),
  );
}

/** The whole table of one pair, `[n + 1, m + 1]`; similarity row-major `[n, m]`. */
export function lcsTable(similarity: ArrayLike<number>, n: number, m: number, threshold: number): Float64Array {
  const width = m + 1;
  const table = new Float64Array((n + 1) * width);
  for (let i = 1; i <= n; i++) {
    for (let j = 1; j <= m; j++) {
      const c = similarity[(i - 1) * m + j - 1];
      const up = table[(i - 1) * width + j];
      const left = table[i * width + j - 1];
      table[i * width + j] = c > threshold ? table[(i - 1) * width + j - 1] + c : Math.max(left, up);
    }
  }
  return table;
}

/** The hits on the path that the score was made of, as 0/1 `[n, m]`: the gradient of the last cell. */
export function lcsPath(table: Float64Array, similarity: ArrayLike<number>, n: number, m: number, threshold: number): Uint8Array {
  const width = m + 1;
  const hits = new Uint8Array(n * m);
  let i = n;
  let j = m;
  while (i > 0 && j > 0) {
    if (similarity[(i - 1) * m + j - 1] > threshold) {
      hits[(i - 1) * m + j - 1] = 1;
      i--;
      j--;
    } else if (table[i * width + j - 1] > table[(i - 1) * width + j]) j--;
    else i--;
  }
  return hits;
}

/** {@link lcs} as a host call: the plain loop and the traced path. Same values; the graph is cut there. */
export function lcsOnHost(similarity: Tensor, threshold = lcsThreshold): Tensor {
  const [pairs, n, m] = similarity.shape;
  const limit = similarity.dtype === 'float32' ? Math.fround(threshold) : threshold;
  const part = (x: NDArray, i: number) => (x.data as Float32Array).subarray(i * n * m, (i + 1) * n * m);
  return hostCall(
    {
      name: 'lcs',
      outputs: [{ dtype: similarity.dtype, shape: [pairs] }],
      forward: ([c]) => {
        const scores = zeros([pairs], similarity.dtype);
        for (let i = 0; i < pairs; i++)
          (scores.data as Float32Array)[i] = lcsTable(part(c, i), n, m, limit)[(n + 1) * (m + 1) - 1];
        return [scores];
      },
      backward: ([ct], [c]) => {
        const out = zeros(similarity.shape, similarity.dtype) as NDArray;
        for (let i = 0; i < pairs; i++) {
          const path = lcsPath(lcsTable(part(c, i), n, m, limit), part(c, i), n, m, limit);
          const scale = (ct.data as Float32Array)[i];
          for (let k = 0; k < n * m; k++) (out.data as Float32Array)[i * n * m + k] = scale * path[k];
        }
        return [out];
      },
    },
    [similarity],
  )[0];
}
