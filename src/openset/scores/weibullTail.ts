/** A Weibull distribution fitted to the largest distances of a class, as in meta-recognition (Scheirer et al., TPAMI 2011). */

/** A fitted tail; see {@link fitWeibullTail}. */
export interface WeibullTail {
  readonly shape: number;
  readonly scale: number;
  /** The smallest value of the tail. */
  readonly smallest: number;
  /** log(scale / translation), which carries the digits that `scale` loses. */
  readonly logScale: number;
}

/** What is added to values after the smallest was taken off, in the meta-recognition convention. */
const translation = 10_000;

/**
 * Maximum-likelihood fit of shape and scale to y = x - min(x) + 10000. The translation makes the shape huge (1e5), so all is done in
 * d = log1p((x - min) / 10000), moved and scaled to e in [-1, 0]: the shape k solves 1/k + mean(e) = sum(e exp(k e)) / sum(exp(k e)), whose left
 * side minus right side falls from +infinity to a negative value, and scale^shape = mean(y^shape).
 * @throws RangeError if there are fewer than two values, or all are equal
 */
export function fitWeibullTail(tail: ArrayLike<number>): WeibullTail {
  const smallest = Math.min(...Array.from(tail));
  const d = Float64Array.from(tail, value => Math.log1p((value - smallest) / translation));
  const top = d.reduce((a, b) => Math.max(a, b), 0);
  // The smallest d is 0, so the largest is their range.
  if (!(top > 0)) throw new RangeError(`a Weibull tail needs different values, found ${tail.length} of ${smallest}`);
  const e = d.map(value => value / top - 1);
  const mean = e.reduce((a, b) => a + b) / e.length;
  const slope = (k: number): number => {
    let [sum, weights] = [0, 0];
    for (const value of e) {
      const weight = Math.exp(k * value);
      sum += value * weight;
      weights += weight;
    }
    return 1 / k + mean - sum / weights;
  };
  let [low, high] = [0, 1];
  while (slope(high) > 0) [low, high] = [high, 2 * high];
  // Halving an interval of doubles ends where no double is between.
  for (let middle = (low + high) / 2; middle > low && middle < high; middle = (low + high) / 2) {
    if (slope(middle) > 0) low = middle;
    else high = middle;
  }
  const k = high;
  const power = e.reduce((sum, value) => sum + Math.exp(k * value), 0) / e.length;
  const logScale = top * (1 + Math.log(power) / k);
  return { shape: k / top, scale: translation * Math.exp(logScale), smallest, logScale };
}

/** The distribution function at x: how much of the tail lies below. 0 for x so small that its translation is negative. */
export function weibullTailScore({ shape, smallest, logScale }: WeibullTail, x: number): number {
  const moved = (x - smallest) / translation;
  return moved <= -1 ? 0 : -Math.expm1(-Math.exp(shape * (Math.log1p(moved) - logScale)));
}
