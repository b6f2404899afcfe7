/** Uncertainties from several stochastic passes over the same sample: MC dropout, Bayesian layers. */

import { type NDArray, showShape } from '../../engine/ndarray.ts';
import { entropy } from './logitScores.ts';
import { argmax } from './rows.ts';

/** Statistics of class probabilities over T passes, one value a sample. */
export interface StochasticScores {
  /** Mean over the passes, [N][K], and its largest class and value. */
  readonly mean: readonly Float64Array[];
  readonly prediction: Int32Array;
  readonly confidence: Float64Array;
  /** Entropy of the mean, in nats. */
  readonly entropy: Float64Array;
  /** BALD, the mutual information of class and weights: entropy of the mean - mean entropy, in nats (Houlsby et al., 2011). */
  readonly mutualInformation: Float64Array;
  /** Unbiased variance over the passes of the predicted class's probability. */
  readonly predictedVariance: Float64Array;
  /** Trace of the aleatoric covariance: mean_t (1 - sum_c p_tc^2). */
  readonly aleatoric: Float64Array;
  /** Trace of the epistemic covariance: mean_t sum_c (p_tc - mean_t p_tc)^2. */
  readonly epistemic: Float64Array;
}

/**
 * Statistics of probabilities [N, K, T]: samples, classes, passes.
 * @throws RangeError if the shape is another, or there are fewer than two passes
 */
export function stochasticScores(probabilities: NDArray): StochasticScores {
  const [count, classes, passes] = probabilities.shape;
  if (probabilities.shape.length !== 3 || !(passes >= 2)) {
    throw new RangeError(
      `expected probabilities [samples, classes, passes] of at least 2 passes, found ${showShape(probabilities.shape)}`,
    );
  }
  const data = Float64Array.from(probabilities.data as ArrayLike<number>);
  const at = (i: number, c: number, t: number) => data[(i * classes + c) * passes + t];
  const eachSample = (value: (i: number) => number) => Float64Array.from({ length: count }, (_, i) => value(i));
  const overPasses = (value: (t: number) => number) => {
    let sum = 0;
    for (let t = 0; t < passes; t++) sum += value(t);
    return sum / passes;
  };
  const overClasses = (value: (c: number) => number) => {
    let sum = 0;
    for (let c = 0; c < classes; c++) sum += value(c);
    return sum;
  };
  const pass = (i: number, t: number) => Float64Array.from({ length: classes }, (_, c) => at(i, c, t));
  const mean = Array.from({ length: count }, (_, i) =>
    Float64Array.from({ length: classes }, (_, c) => overPasses(t => at(i, c, t))),
  );
  const prediction = Int32Array.from(mean, argmax);
  return {
    mean,
    prediction,
    confidence: eachSample(i => mean[i][prediction[i]]),
    entropy: eachSample(i => entropy(mean[i])),
    mutualInformation: eachSample(i => entropy(mean[i]) - overPasses(t => entropy(pass(i, t)))),
    predictedVariance: eachSample(i => {
      const c = prediction[i];
      return (overPasses(t => (at(i, c, t) - mean[i][c]) ** 2) * passes) / (passes - 1);
    }),
    aleatoric: eachSample(i => overPasses(t => 1 - overClasses(c => at(i, c, t) ** 2))),
    epistemic: eachSample(i => overPasses(t => overClasses(c => (at(i, c, t) - mean[i][c]) ** 2))),
  };
}
