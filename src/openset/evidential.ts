/**
 * Evidential classification: logits become the evidence of a Dirichlet distribution over class probabilities. Sources: M. Sensoy et al., "Evidential
 * deep learning to quantify classification uncertainty", NeurIPS 2018; W. Bao et al., "Evidential deep learning for open set action
 * recognition" (DEAR), ICCV 2021, section 3.1 and 3.2.
 */
import {
  add,
  cast,
  clamp,
  div,
  equal,
  exp,
  log,
  mean,
  mul,
  neg,
  oneHot,
  relu,
  scalar,
  softplus,
  squeeze,
  sub,
  sum,
  type Tensor,
  topK,
  where,
} from '../engine/index.ts';
import { digamma, logGamma } from '../nn/gamma.ts';

/** Evidence of a logit: e^logit with the logit limited to [-10, 10] (published), or its positive part, or softplus. */
export type EvidenceFunction = 'exp' | 'relu' | 'softplus';

export interface EvidentialOptions {
  readonly evidence: EvidenceFunction;
  /** Class loss: with the `log` of the expected probability (published), or its expectation (`digamma`). */
  readonly classLoss: 'log' | 'digamma';
  /** Whether to add lambda KL(Dir(alpha without the true class's evidence) || Dir(1)); published: not. */
  readonly kl: boolean;
  /** Whether to add the calibration of uncertainty; published: yes. */
  readonly calibration: boolean;
}

/** The published settings. */
export const evidentialPreset = {
  evidence: 'exp',
  classLoss: 'log',
  kl: false,
  calibration: true,
} as const satisfies EvidentialOptions;

/** lambda: 0.01 at the start, 1 at the end, exponentially in between. @param progress part of the training done, in [0, 1] */
export function annealing(progress: number, start = 0.01): number {
  return start * Math.exp(-Math.log(start) * progress);
}

/** alpha = 1 + evidence of the logits, `[batch, K]` -> `[batch, K]`. */
export function dirichlet(logits: Tensor, evidence: EvidenceFunction = 'exp'): Tensor {
  if (evidence === 'relu') return add(relu(logits), 1);
  return add(evidence === 'softplus' ? softplus(logits) : exp(clamp(logits, -10, 10)), 1);
}

/** Expected probabilities, alpha / S with S = sum alpha: `[batch, K]` -> `[batch, K]`. */
export function dirichletMean(alpha: Tensor): Tensor {
  return div(alpha, sum(alpha, 1, true));
}

/** u = K / S, the share of a Dirichlet's mass that no evidence claims, in (0, 1]: alpha `[batch, K]` -> `[batch]`. */
export function dirichletVacuity(alpha: Tensor): Tensor {
  return div(alpha.shape[1], sum(alpha, 1));
}

/** The pieces of an evidential loss, each `[batch]`, and the mean of their sum. */
export interface EvidentialLoss {
  readonly loss: Tensor;
  readonly classes: Tensor;
  /** Weighted by lambda; undefined if it is not part of the loss. */
  readonly kl: Tensor | undefined;
  /** Undefined if it is not part of the loss. */
  readonly calibration: Tensor | undefined;
  readonly alpha: Tensor;
}

/**
 * The evidential loss of logits `[batch, K]` with labels, integers `[batch]`.
 * @param lambda scalar, see {@link annealing}; a tensor, so that it can change from step to step
 */
export function evidentialLoss(
  logits: Tensor,
  labels: Tensor,
  lambda: Tensor | number,
  options: EvidentialOptions = evidentialPreset,
): EvidentialLoss {
  const alpha = dirichlet(logits, options.evidence);
  const truth = oneHot(labels, alpha.shape[1], alpha.dtype);
  const weight = typeof lambda === 'number' ? scalar(lambda, alpha.dtype) : lambda;
  const f = options.classLoss === 'log' ? log : digamma;
  const classes = sum(mul(truth, sub(f(sum(alpha, 1, true)), f(alpha))), 1);
  const kl = options.kl ? mul(klToUniform(add(truth, mul(sub(1, truth), alpha))), weight) : undefined;
  const calibration = options.calibration ? calibrationLoss(alpha, labels, weight) : undefined;
  const pieces = [classes, kl, calibration].filter(piece => piece !== undefined);
  return { loss: mean(pieces.reduce((a, b) => add(a, b))), classes, kl, calibration, alpha };
}

/** KL(Dir(alpha) || Dir(1)): `[batch, K]` -> `[batch]`. Sensoy et al., section 3. */
export function klToUniform(alpha: Tensor): Tensor {
  const total = sum(alpha, 1, true);
  const ones = alpha.shape[1];
  const normaliser = sub(sub(logGamma(sum(alpha, 1)), sum(logGamma(alpha), 1)), logFactorial(ones - 1));
  return add(normaliser, sum(mul(sub(alpha, 1), sub(digamma(alpha), digamma(total))), 1));
}

function logFactorial(n: number): number {
  let result = 0;
  for (let i = 2; i <= n; i++) result += Math.log(i);
  return result;
}

/**
 * Calibration of uncertainty: sure when right, -lambda p log(1 - u); unsure when wrong, -(1 - lambda) (1 - p) log u; p the largest
 * expected probability. DEAR, eq. 6. Of classes that share the largest probability, as limited logits do, the first is the predicted one.
 */
function calibrationLoss(alpha: Tensor, labels: Tensor, lambda: Tensor): Tensor {
  const [largest, predicted] = topK(alpha, 1).map(column => squeeze(column, 1));
  const p = div(largest, sum(alpha, 1));
  const u = dirichletVacuity(alpha);
  const right = mul(neg(mul(p, log(add(sub(1, u), 1e-10)))), lambda);
  const wrong = mul(neg(mul(sub(1, p), log(add(u, 1e-10)))), sub(1, lambda));
  return where(equal(predicted, cast(labels, 'int64')), right, wrong);
}
