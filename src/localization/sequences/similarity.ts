import {
  add,
  cast,
  div,
  equal,
  matmul,
  mul,
  relu,
  ShapeError,
  split,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
} from '../../engine/index.ts';

export interface CosineOptions {
  /**
   * What a row of zeros is like: `zero` (default) gives it similarity 0 to everything and a finite gradient; `nan` is the published
   * code, whose loss then stays finite while every gradient becomes NaN.
   */
  readonly zeroRows?: 'zero' | 'nan';
}

/** Rows scaled to length 1: x `[…, n, d]`. */
export function unitRows(x: Tensor, { zeroRows = 'zero' }: CosineOptions = {}): Tensor {
  const squared = sum(square(x), -1, true);
  const safe = zeroRows === 'nan' ? squared : add(squared, cast(equal(squared, 0), x.dtype));
  return div(x, sqrt(safe));
}

/** Cosine of every row of p with every row of q: p `[…, n, d]`, q `[…, m, d]` -> `[…, n, m]`. Source: FTCL, sim(P, Q). */
export function cosineSimilarity(p: Tensor, q: Tensor, options: CosineOptions = {}): Tensor {
  return matmul(unitRows(p, options), unitRows(q, options), { transposeB: true });
}

/** c' = 5 max(0, c - 0.8): the rescaled similarity that the published in-batch LCS thresholds and adds up. */
export function rescaledSimilarity(c: Tensor): Tensor {
  return mul(relu(sub(c, 0.8)), 5);
}

/**
 * The two similarities that FSD reads from one projection: match m from the first floor(d/2) columns, gap g from the rest.
 * p, q `[pairs, n, d]` -> m, g `[pairs, n, n]`. Insertions and deletions share g.
 */
export function matchAndGap(p: Tensor, q: Tensor, options: CosineOptions = {}): { match: Tensor; gap: Tensor } {
  const half = Math.floor(p.shape[p.rank - 1] / 2);
  if (half === 0) throw new ShapeError(`matchAndGap: rows of ${p.shape[p.rank - 1]} columns cannot be halved`);
  const [pm, pg] = split(p, [half, p.shape[p.rank - 1] - half], -1);
  const [qm, qg] = split(q, [half, q.shape[q.rank - 1] - half], -1);
  return { match: cosineSimilarity(pm, qm, options), gap: cosineSimilarity(pg, qg, options) };
}
