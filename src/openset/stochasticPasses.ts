/**
 * Several stochastic passes of a linear classifier over the same features, for MC dropout and Bayesian layers. A pass is one
 * draw of the classifier's weights, the same for all samples, so what is said of a sample does not depend on the samples
 * beside it, and all passes are one matrix product. Dropout is such a draw too: a feature that is dropped is a column of the
 * weights that is 0. Sources: Y. Gal and Z. Ghahramani, "Dropout as a Bayesian approximation", ICML 2016; N. Houlsby et al.,
 * "Bayesian active learning for classification and preference learning", 2011 (BALD).
 */
import {
  add,
  cast,
  concat,
  constant,
  expandDims,
  linear,
  log,
  maximum,
  mean,
  mul,
  type NDArray,
  oneHot,
  pick,
  random,
  reshape,
  type Shape,
  softmax,
  softplus,
  square,
  sub,
  sum,
  type Tensor,
  topK,
} from '../engine/index.ts';
import { fold, key } from '../engine/random.ts';
import { parameter, type SymbolicParams } from '../nn/index.ts';

/**
 * What the spread of the passes says of a sample: `bald`, the mutual information of class and weights in nats; `variance`,
 * that of the predicted class's probability (unbiased), as published for MC dropout; `aleatoric` (as published for Bayesian
 * layers) and `epistemic`, the traces of the two covariances.
 */
export const passUncertainties = ['bald', 'variance', 'aleatoric', 'epistemic'] as const;
export type PassUncertainty = (typeof passUncertainties)[number];

export interface PassOptions {
  /** Draws of the weights. */
  readonly passes: number;
  readonly uncertainty: PassUncertainty;
}

/** A classifier's weights in each pass. */
export interface PassWeights {
  /** `[passes, K, F]` */
  readonly weight: Tensor;
  /** `[passes, K]`, or `[K]` where all passes have the same. */
  readonly bias: Tensor;
}

/** The draws of tests: always the same, so that a test or a prediction can be repeated. */
const testKey = fold(key(0), 'passes');

/** Draws that a graph holds: one that is traced again, as an export does many times, shares them. */
const made = new Map<string, WeakRef<NDArray>>();

function fixed(name: string, shape: Shape, make: () => NDArray, dtype: Tensor['dtype']): Tensor {
  const label = `${name} ${shape}`;
  const array = made.get(label)?.deref() ?? make();
  made.set(label, new WeakRef(array));
  return cast(constant(array), dtype);
}

/**
 * Weights `[K, F]` whose columns are dropped with probability `rate` and divided by 1 - rate, anew in each pass; the bias
 * stays.
 */
export function dropoutPasses(weight: Tensor, bias: Tensor, rate: number, passes: number): PassWeights {
  const shape = [passes, 1, weight.shape[1]];
  const draw = () => random.bernoulliMask(fold(testKey, 'dropout'), 1 - rate, shape);
  const kept = fixed(`mask ${rate}`, shape, draw, weight.dtype);
  return { weight: mul(expandDims(weight, 0), mul(kept, 1 / (1 - rate))), bias };
}

/** Draws of the weights of a Bayesian layer, and a last pass with all of them at their means: `passes` + 1 passes. */
export function bayesPasses(params: SymbolicParams, name: string, passes: number): PassWeights {
  const drawn = (what: 'weight' | 'bias'): Tensor => {
    const mu = expandDims(parameter(params, `${name}.${what}_mu`), 0);
    const sigma = softplus(expandDims(parameter(params, `${name}.${what}_rho`), 0));
    const shape = [passes, ...mu.shape.slice(1)];
    const eps = fixed(`normal ${what}`, shape, () => random.normal(fold(testKey, what), shape), mu.dtype);
    return concat([add(mu, mul(sigma, eps)), mu]);
  };
  return { weight: drawn('weight'), bias: drawn('bias') };
}

/** Class probabilities of every pass: features `[n, F]` -> `[n, passes, K]`. */
export function passProbabilities(features: Tensor, { weight, bias }: PassWeights): Tensor {
  const [passes, classes, width] = weight.shape;
  const logits = reshape(linear(features, reshape(weight, [passes * classes, width])), [features.shape[0], passes, classes]);
  return softmax(add(logits, bias));
}

/**
 * The uncertainty of each sample by the probabilities of its passes `[n, passes, K]` -> `[n]`, in the type of the
 * probabilities.
 */
export function passUncertainty(probabilities: Tensor, kind: PassUncertainty): Tensor {
  // Passes may agree to many digits, of which a difference of entropies in float32 would leave none.
  const p = cast(probabilities, 'float64');
  const [, passes, classes] = p.shape;
  const average = mean(p, 1);
  const away = sub(p, expandDims(average, 1));
  switch (kind) {
    case 'bald':
      return cast(maximum(sub(entropy(average), mean(entropy(p), 1)), 0), probabilities.dtype);
    case 'variance': {
      const [, predicted] = topK(average, 1);
      const chosen = expandDims(oneHot(pick(predicted, 1, 0), classes, 'float64'), 1);
      return cast(mul(sum(square(mul(away, chosen)), [1, 2]), 1 / (passes - 1)), probabilities.dtype);
    }
    case 'aleatoric':
      return cast(mean(sub(1, sum(square(p), 2)), 1), probabilities.dtype);
    case 'epistemic':
      return cast(mean(sum(square(away), 2), 1), probabilities.dtype);
  }
}

/** -sum p log p over the last axis, in nats, with 0 log 0 = 0. */
function entropy(p: Tensor): Tensor {
  return sum(mul(mul(p, log(maximum(p, 1e-300))), -1), -1);
}
