import { describe, expect, it } from 'vitest';
import { fromNumbers, sum, type Tensor } from '../../src/engine/index.ts';
import { digamma, logGamma } from '../../src/nn/gamma.ts';
import { array64, checkGradient, numbers, once, valueWithGradient } from '../localization/tensors.ts';

const euler = 0.5772156649015329;
/** log n!, a sum of logarithms. */
const logFactorial = (n: number) => Array.from({ length: n }, (_, i) => Math.log(i + 1)).reduce((a, b) => a + b, 0);
/** Closed forms: Gamma(1/2) = sqrt(pi), Gamma(n) = (n - 1)!. */
const known: readonly (readonly [x: number, logGamma: number])[] = [
  [0.5, 0.5 * Math.log(Math.PI)],
  [1, 0],
  [1.5, Math.log(Math.sqrt(Math.PI) / 2)],
  [2, 0],
  [5, Math.log(24)],
  [171, logFactorial(170)],
  [1e6, logFactorial(999_999)],
];

describe('logGamma', () => {
  it.each(known)('of %d is %d', async (x, expected) => {
    const [value] = numbers(await once(logGamma, array64([x], [1])));
    expect(Math.abs(value - expected)).toBeLessThan(1e-14 + 1e-12 * Math.abs(expected) + 1e-14 * x);
  });

  it('fulfils the reflection formula at a small argument', async () => {
    const [low, high] = numbers(await once(logGamma, array64([0.01, 0.99], [2])));
    expect(low + high).toBeCloseTo(Math.log(Math.PI / Math.sin(0.01 * Math.PI)), 12);
  });

  it('has digamma as its gradient', async () => {
    const at = array64([0.2, 1, 7.5, 300], [4]);
    const { gradients } = await valueWithGradient((x: Tensor) => sum(logGamma(x)), at);
    const expected = numbers(await once(digamma, at));
    for (const [i, value] of numbers(gradients[0]).entries()) expect(value).toBeCloseTo(expected[i], 11);
    await checkGradient((x: Tensor) => sum(digamma(x)), [array64([0.4, 2, 9], [3])]);
  });
});

describe('digamma', () => {
  it.each([
    [1, -euler],
    [0.5, -euler - 2 * Math.log(2)],
    [2, 1 - euler],
    [5, 25 / 12 - euler],
  ])('of %d is %d', async (x, expected) => {
    expect(numbers(await once(digamma, array64([x], [1])))[0]).toBeCloseTo(expected, 12);
  });

  it('keeps float32 to a few bits', async () => {
    expect(numbers(await once(digamma, fromNumbers([5], [1])))[0]).toBeCloseTo(25 / 12 - euler, 5);
  });
});
