import { describe, expect, it } from 'vitest';
import { fromNumbers, type NDArray, random, type Tensor, transpose } from '../../src/engine/index.ts';
import { bayesLinearParams } from '../../src/openset/bayesLinear.ts';
import { stochasticScores } from '../../src/openset/scores/stochasticScores.ts';
import {
  bayesPasses,
  dropoutPasses,
  passProbabilities,
  passUncertainties,
  passUncertainty,
} from '../../src/openset/stochasticPasses.ts';
import { between } from '../engine/arrays.ts';
import { array64, distributions, numbers, once } from '../localization/tensors.ts';

const softmax = (logits: readonly number[]): number[] => {
  const powers = logits.map(Math.exp);
  const total = powers.reduce((a, b) => a + b);
  return powers.map(x => x / total);
};

describe('the uncertainty of stochastic passes', () => {
  it('is that of the scores in float64', async () => {
    const passes = distributions(4, [6, 5, 3]);
    const turned = await once((p: Tensor) => transpose(p, [0, 2, 1]), passes);
    const expected = stochasticScores(turned);
    const names = {
      bald: 'mutualInformation',
      variance: 'predictedVariance',
      aleatoric: 'aleatoric',
      epistemic: 'epistemic',
    } as const;
    for (const kind of passUncertainties) {
      const found = numbers(await once((p: Tensor) => passUncertainty(p, kind), passes));
      for (const [i, value] of expected[names[kind]].entries()) expect(found[i], kind).toBeCloseTo(value, 13);
    }
  });

  it('of two sure passes that disagree is one bit, and 0 of passes that agree, whatever vanishes', async () => {
    const passes = fromNumbers([1, 0, 0, 1, 1, 0, 1, 0], [2, 2, 2]);
    const bald = await once((p: Tensor) => passUncertainty(p, 'bald'), passes);
    expect(numbers(bald)).toEqual([Math.fround(Math.log(2)), 0]);
  });

  it('keeps its digits in float32 where passes almost agree', async () => {
    const [p, d] = [0.3, 2 ** -12];
    const passes = fromNumbers([p - d, 1 - p + d, p + d, 1 - p - d], [1, 2, 2]);
    const bald = numbers(await once((x: Tensor) => passUncertainty(x, 'bald'), passes))[0];
    // For small d it is d^2 / (2 p (1 - p)).
    expect(bald / (d ** 2 / (2 * p * (1 - p)))).toBeCloseTo(1, 4);
  });
});

describe('passes of MC dropout', () => {
  const weight = between(1, [3, 8], -1, 1);
  const bias = between(2, [3], -1, 1);
  const draw = (passes: number) =>
    once(
      (w: Tensor, b: Tensor) => {
        const drawn = dropoutPasses(w, b, 0.25, passes);
        return [drawn.weight, drawn.bias];
      },
      weight,
      bias,
    );

  it('drop whole columns with the rate, and make the others larger', async () => {
    const [drawn, same] = await draw(400);
    expect(numbers(same)).toEqual(numbers(bias));
    let dropped = 0;
    const values = numbers(drawn);
    for (let pass = 0; pass < 400; pass++)
      for (let f = 0; f < 8; f++) {
        const column = [0, 1, 2].map(c => values[(pass * 3 + c) * 8 + f]);
        if (column[0] === 0) dropped++;
        const factor = column[0] === 0 ? 0 : 1 / 0.75;
        for (const [c, value] of column.entries()) expect(value).toBeCloseTo(weight.data[c * 8 + f] * factor, 12);
      }
    // Five standard deviations of 3200 draws.
    expect(Math.abs(dropped / 3200 - 0.25)).toBeLessThan(0.0383);
  });

  it('are the same every time, and another number of them begins alike', async () => {
    const [first, again, more] = [await draw(5), await draw(5), await draw(7)].map(([drawn]) => numbers(drawn));
    expect(again).toEqual(first);
    expect(more.slice(0, first.length)).toEqual(first);
  });
});

describe('passes of a Bayesian layer', () => {
  const params = bayesLinearParams('fc', 4, 3, random.key(3));

  it('are normal around the means with the spread of rho, and end with the means', async () => {
    const passes = 500;
    const [weight, bias] = await once((p: Record<string, Tensor>) => {
      const drawn = bayesPasses(p, 'fc', passes);
      return [drawn.weight, drawn.bias];
    }, params);
    expect([weight.shape, bias.shape]).toEqual([
      [passes + 1, 3, 4],
      [passes + 1, 3],
    ]);
    for (const [what, drawn] of Object.entries({ weight, bias })) {
      const mu = numbers(params[`fc.${what}_mu`]);
      const sigma = numbers(params[`fc.${what}_rho`]).map(rho => Math.log1p(Math.exp(rho)));
      const values = numbers(drawn);
      expect(values.slice(-mu.length)).toEqual(mu);
      for (const [i, m] of mu.entries()) {
        const eps = Array.from({ length: passes }, (_, t) => (values[t * mu.length + i] - m) / sigma[i]);
        const mean = eps.reduce((a, b) => a + b) / passes;
        const variance = eps.reduce((total, x) => total + (x - mean) ** 2, 0) / (passes - 1);
        expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(passes));
        expect(Math.abs(variance - 1)).toBeLessThan(5 * Math.sqrt(2 / passes));
      }
    }
  });
});

describe('probabilities of passes', () => {
  const features = between(5, [4, 3], -2, 2);
  const weight = between(6, [2, 3, 3], -1, 1);
  const probabilities = (x: NDArray, bias: NDArray) =>
    once((f: Tensor, w: Tensor, b: Tensor) => passProbabilities(f, { weight: w, bias: b }), x, weight, bias);

  it.each([[[2, 3]], [[3]]])('are those of a linear classifier each, with biases %j', async shape => {
    const bias = between(7, shape, -1, 1);
    const found = await probabilities(features, bias);
    expect(found.shape).toEqual([4, 2, 3]);
    const expected = Array.from({ length: 4 }, (_, n) =>
      [0, 1].map(pass =>
        softmax(
          [0, 1, 2].map(c =>
            [0, 1, 2].reduce(
              (total, f) => total + features.data[n * 3 + f] * weight.data[(pass * 3 + c) * 3 + f],
              bias.data[shape.length === 2 ? pass * 3 + c : c],
            ),
          ),
        ),
      ),
    ).flat(2);
    for (const [i, value] of numbers(found).entries()) expect(value).toBeCloseTo(expected[i], 12);
  });

  it('of a sample do not depend on the samples beside it', async () => {
    const bias = array64([0, 0, 0], [3]);
    const together = numbers(await probabilities(features, bias));
    const alone = numbers(await probabilities(array64(Array.from(features.data.slice(6, 9)), [1, 3]), bias));
    for (const [i, value] of alone.entries()) expect(value).toBeCloseTo(together[12 + i], 13);
  });
});
