/** The logarithm of the gamma function and its derivative, composed of engine ops, so that gradients are derived as everywhere. */
import { add, div, log, mul, reciprocal, square, sub, type Tensor } from '../engine/index.ts';

/** Arguments are moved up by this much, to where the asymptotic series has float64's precision. */
const shift = 8;

/** B_2k / (2k (2k - 1)), k = 1 …, of Stirling's series. */
const stirling = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156];

/** sum over k of coefficients[k] x^k, by Horner's rule. */
function polynomial(x: Tensor, coefficients: readonly number[]): Tensor {
  const [last, ...rest] = [...coefficients].reverse();
  return rest.reduce<Tensor>((value, coefficient) => add(mul(value, x), coefficient), add(mul(x, 0), last));
}

/**
 * log Gamma(x) for x > 0, elementwise: Stirling's series at x + 8, less log(x (x + 1) … (x + 7)). Relative error about 1e-14 in float64.
 * Source: M. Abramowitz, I. Stegun, "Handbook of mathematical functions", 6.1.40 and 6.1.15.
 */
export function logGamma(x: Tensor): Tensor {
  const y = add(x, shift);
  const inverse = reciprocal(y);
  const series = mul(inverse, polynomial(square(inverse), stirling));
  const large = add(sub(mul(sub(y, 0.5), log(y)), y), add(series, 0.5 * Math.log(2 * Math.PI)));
  let steps = log(x);
  for (let i = 1; i < shift; i++) steps = add(steps, log(add(x, i)));
  return sub(large, steps);
}

/**
 * The digamma function, (log Gamma)'(x), for x > 0, elementwise: the asymptotic series at x + 8, less 1/x + … + 1/(x + 7).
 * Source: Abramowitz, Stegun, 6.3.18 and 6.3.5.
 */
export function digamma(x: Tensor): Tensor {
  const y = add(x, shift);
  const inverse = reciprocal(y);
  const squared = square(inverse);
  const series = mul(
    squared,
    polynomial(
      squared,
      stirling.map((c, k) => c * (2 * k + 1)),
    ),
  );
  const large = sub(sub(log(y), mul(inverse, 0.5)), series);
  let steps = reciprocal(x);
  for (let i = 1; i < shift; i++) steps = add(steps, div(1, add(x, i)));
  return sub(large, steps);
}
