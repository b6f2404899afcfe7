/** Vacuity of evidence: the uncertainty of evidential (Dirichlet) classifiers. */

import { type NDArray, ndarray } from '../../engine/ndarray.ts';
import { mapRows, rowsOf } from './rows.ts';

/** How logits become evidence, which is not negative. */
export type Evidence = 'exp' | 'relu' | 'softplus';

const evidenceOf: Readonly<Record<Evidence, (logit: number) => number>> = {
  // Clamped as published: e^10 is evidence enough.
  exp: logit => Math.exp(Math.min(10, Math.max(-10, logit))),
  relu: logit => Math.max(0, logit),
  softplus: logit => Math.max(0, logit) + Math.log1p(Math.exp(-Math.abs(logit))),
};

/** The parameters of the Dirichlet distribution over class probabilities: 1 + evidence, [N, K]. */
export function dirichletParameters(logits: NDArray, evidence: Evidence): NDArray<'float64'> {
  const { count, width, data } = rowsOf(logits, 'logits');
  return ndarray(
    'float64',
    [count, width],
    Float64Array.from(data, logit => 1 + evidenceOf[evidence](logit)),
  );
}

/** Vacuity K / sum(alpha) of each row of alpha [N, K], in (0, 1]. Sensoy et al., NeurIPS 2018; DEAR, ICCV 2021. */
export function vacuity(alpha: NDArray): Float64Array {
  const rows = rowsOf(alpha, 'alpha');
  return mapRows(rows, row => rows.width / row.reduce((a, b) => a + b));
}

/** Expected class probabilities alpha / sum(alpha), [N, K]. */
export function expectedProbabilities(alpha: NDArray): NDArray<'float64'> {
  const rows = rowsOf(alpha, 'alpha');
  const sums = mapRows(rows, row => row.reduce((a, b) => a + b));
  return ndarray(
    'float64',
    [rows.count, rows.width],
    rows.data.map((value, i) => value / sums[Math.floor(i / rows.width)]),
  );
}
