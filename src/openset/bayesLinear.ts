/**
 * A linear layer with a normal distribution over each weight. Source: C. Blundell et al., "Weight uncertainty in neural networks", ICML 2015, sections 3.2
 * and 3.3.
 */
import { add, exp, linear, log, maximum, mean, mul, softplus, square, sub, sum, type Tensor } from '../engine/index.ts';
import type { Key } from '../engine/random.ts';
import { initParams, type Params, parameter, type SymbolicParams, uniformInit } from '../nn/index.ts';

export interface BayesOptions {
  /** The prior: share * N(0, wide^2) + (1 - share) * N(0, narrow^2). */
  readonly prior: { readonly share: number; readonly wide: number; readonly narrow: number };
  /** How log-densities of the weights become one number; the published layer takes the mean, Blundell et al. and DEAR the sum. */
  readonly reduction: 'mean' | 'sum';
}

/** The published settings. */
export const bayesPreset = {
  prior: { share: 0.5, wide: 1, narrow: Math.exp(-6) },
  reduction: 'sum',
} as const satisfies BayesOptions;

/** Standard normal draws of one pass, of the shapes of weight `[out, in]` and bias `[out]`. */
export interface BayesNoise<T = Tensor> {
  readonly weight: T;
  readonly bias: T;
}

/** `${name}.weight_mu`, `.weight_rho` `[out, in]`, `.bias_mu`, `.bias_rho` `[out]`: mu from U(-0.2, 0.2), rho from U(-5, -4). */
export function bayesLinearParams(name: string, inFeatures: number, outFeatures: number, key: Key): Params {
  const [mu, rho] = [uniformInit(-0.2, 0.2), uniformInit(-5, -4)];
  const [weight, bias] = [[outFeatures, inFeatures], [outFeatures]];
  return initParams(
    {
      [`${name}.weight_mu`]: { shape: weight, init: mu },
      [`${name}.weight_rho`]: { shape: weight, init: rho },
      [`${name}.bias_mu`]: { shape: bias, init: mu },
      [`${name}.bias_rho`]: { shape: bias, init: rho },
    },
    key,
  );
}

/** One pass: its output, and the log-densities of the weights it drew. */
export interface BayesPass {
  readonly y: Tensor;
  readonly logPrior: Tensor;
  readonly logPosterior: Tensor;
}

/**
 * y = x W^T + b with weights drawn as mu + sigma eps, sigma = log(1 + e^rho): x `[batch, in]` -> `[batch, out]`. The densities are what
 * {@link bayesPenalty} takes.
 */
export function bayesLinear(
  params: SymbolicParams,
  name: string,
  x: Tensor,
  noise: BayesNoise,
  options: BayesOptions = bayesPreset,
): BayesPass {
  const reduce = options.reduction === 'sum' ? sum : mean;
  const draw = (what: 'weight' | 'bias') => {
    const mu = parameter(params, `${name}.${what}_mu`);
    const sigma = softplus(parameter(params, `${name}.${what}_rho`));
    const eps = noise[what];
    // (w - mu) / sigma is eps.
    const logPosterior = reduce(sub(mul(square(eps), -0.5), add(log(sigma), halfLog2Pi)));
    const w = add(mu, mul(sigma, eps));
    return { w, logPosterior, logPrior: reduce(logMixture(w, options.prior)) };
  };
  const [weight, bias] = [draw('weight'), draw('bias')];
  return {
    y: linear(x, weight.w, bias.w),
    logPrior: add(weight.logPrior, bias.logPrior),
    logPosterior: add(weight.logPosterior, bias.logPosterior),
  };
}

/** The pass with every weight at its mean: x `[batch, in]` -> `[batch, out]`. */
export function bayesLinearMean(params: SymbolicParams, name: string, x: Tensor): Tensor {
  return linear(x, parameter(params, `${name}.weight_mu`), parameter(params, `${name}.bias_mu`));
}

/** KL(posterior || prior) by one draw, log q - log prior, times `weight` (published: 1e-6), to be added to a cross-entropy. */
export function bayesPenalty({ logPrior, logPosterior }: BayesPass, weight = 1e-6): Tensor {
  return mul(sub(logPosterior, logPrior), weight);
}

const halfLog2Pi = 0.5 * Math.log(2 * Math.PI);

/** log of the mixture's density, elementwise, from the larger of its parts. */
function logMixture(w: Tensor, { share, wide, narrow }: BayesOptions['prior']): Tensor {
  const part = (weight: number, sigma: number) =>
    add(mul(square(w), -0.5 / sigma ** 2), Math.log(weight) - Math.log(sigma) - halfLog2Pi);
  const [a, b] = [part(share, wide), part(1 - share, narrow)];
  const top = maximum(a, b);
  return add(top, log(add(exp(sub(a, top)), exp(sub(b, top)))));
}
