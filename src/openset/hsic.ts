/**
 * Hilbert-Schmidt independence criterion, and the debiasing of DEAR that is built on it. Sources: A. Gretton et al., "Measuring statistical dependence
 * with Hilbert-Schmidt norms", ALT 2005; L. Song et al., "Feature selection via dependence maximization", JMLR 2012, eq. 5 (the unbiased form).
 */
import {
  add,
  constant,
  exp,
  fromNumbers,
  matmul,
  mean,
  mul,
  reshape,
  scalar,
  square,
  sub,
  sum,
  type Tensor,
  transpose,
} from '../engine/index.ts';

/** Gaussian kernel of all pairs of rows, exp(-|x_i - x_j|^2 / (2 sigma^2)) with sigma = sqrt(D): `[n, D]` -> `[n, n]`. */
export function gaussianKernel(x: Tensor): Tensor {
  const [n, dimension] = x.shape;
  const difference = sub(reshape(x, [n, 1, dimension]), reshape(x, [1, n, dimension]));
  return exp(mul(sum(square(difference), 2), -1 / (2 * dimension)));
}

/**
 * HSIC of paired samples x `[n, D]` and y `[n, E]`: 0 for independent ones, larger the more they depend on each other. `biased` is
 * trace(K H L H) / (n - 1)^2 with the centring matrix H, `unbiased` has no bias and may be negative. Fewer than 4 samples give 0.
 */
export function hsic(x: Tensor, y: Tensor, estimator: 'biased' | 'unbiased' = 'biased'): Tensor {
  const n = x.shape[0];
  if (n < 4) return scalar(0, x.dtype);
  const [k, l] = [gaussianKernel(x), gaussianKernel(y)];
  if (estimator === 'biased') {
    // trace(A B) = sum of A * B^T, and column centring of both makes H K H L H of K H and L H.
    const centred = (m: Tensor) => sub(m, mean(m, 0, true));
    return mul(sum(mul(centred(k), transpose(centred(l)))), 1 / (n - 1) ** 2);
  }
  const offDiagonal = constant(
    fromNumbers(
      Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 0 : 1)),
      [n, n],
      x.dtype as 'float32' | 'float64',
    ),
  );
  const [kt, lt] = [mul(k, offDiagonal), mul(l, offDiagonal)];
  const trace = sum(mul(kt, transpose(lt)));
  const means = mul(mul(sum(kt), sum(lt)), 1 / ((n - 1) * (n - 2)));
  const cross = mul(sum(matmul(kt, lt)), 2 / (n - 2));
  return mul(sub(add(trace, means), cross), 1 / (n * (n - 3)));
}

/**
 * The term by which DEAR's debiasing head sets its branches apart: -HSIC(alpha, alpha of the shuffled clip) - HSIC(alpha, alpha of single
 * frames), each alpha `[batch, K]`. As published, with a sign that increases dependence; its authors note that it is not what they meant.
 * `reduce` is the sign that decreases it.
 */
export function debiasTerm(
  alpha: Tensor,
  shuffled: Tensor,
  frames: Tensor,
  dependence: 'increase' | 'reduce' = 'increase',
): Tensor {
  const total = add(hsic(alpha, shuffled), hsic(alpha, frames));
  return dependence === 'increase' ? mul(total, -1) : total;
}
