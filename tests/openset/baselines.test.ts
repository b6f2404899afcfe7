import { describe, expect, it } from 'vitest';
import { fromNumbers, random, type Tensor } from '../../src/engine/index.ts';
import { mapParams } from '../../src/nn/index.ts';
import { bayesLinear, bayesLinearMean, bayesLinearParams, bayesPenalty } from '../../src/openset/bayesLinear.ts';
import { crossEntropy } from '../../src/openset/crossEntropy.ts';
import { annealing, dirichlet, dirichletVacuity, evidentialLoss, klToUniform } from '../../src/openset/evidential.ts';
import { debiasTerm, hsic } from '../../src/openset/hsic.ts';
import { rplLoss } from '../../src/openset/rpl.ts';
import { between } from '../engine/arrays.ts';
import { array64, numbers, once } from '../localization/tensors.ts';

const labels = (values: readonly number[]) => fromNumbers(values, [values.length], 'int32');
const value = (array: { readonly data: ArrayLike<unknown> }): number => Number(array.data[0]);

describe('cross-entropy', () => {
  it('is the mean of -log softmax at the class', async () => {
    const logits = array64([0, Math.log(3), 0, 0], [2, 2]);
    expect(value(await once(crossEntropy, logits, labels([1, 0])))).toBeCloseTo((Math.log(4 / 3) + Math.log(2)) / 2, 12);
  });
});

describe('evidential learning', () => {
  it('anneals from 0.01 to 1', () => {
    expect([annealing(0), annealing(0.5), annealing(1)].map(x => Number(x.toFixed(12)))).toEqual([0.01, 0.1, 1]);
  });

  it('limits logits, and calls samples without evidence wholly uncertain', async () => {
    const alpha = await once((x: Tensor) => dirichlet(x), array64([100, -100, 10, 0], [1, 4]));
    expect(numbers(alpha)).toEqual([1 + Math.exp(10), 1 + Math.exp(-10), 1 + Math.exp(10), 2]);
    const none = await once((x: Tensor) => dirichletVacuity(dirichlet(x, 'relu')), array64([-1, -2, 0], [1, 3]));
    expect(numbers(none)).toEqual([1]);
  });

  it('has no divergence from the uniform Dirichlet at alpha 1, and the closed form of a Beta elsewhere', async () => {
    const [zero, beta] = numbers(await once(klToUniform, array64([1, 1, 3, 1], [2, 2])));
    expect(zero).toBeCloseTo(0, 13);
    // Beta(3, 1): density 3 x^2; E log(3 x^2) = log 3 - 2/3.
    expect(beta).toBeCloseTo(Math.log(3) - 2 / 3, 12);
  });

  it('asks for certainty where right and for doubt where wrong', async () => {
    const logits = array64([2, 0, 2, 0], [2, 2]);
    const { calibration, classes, loss } = await once(
      (x: Tensor, y: Tensor) => {
        const found = evidentialLoss(x, y, 0.25);
        return { calibration: found.calibration as Tensor, classes: found.classes, loss: found.loss };
      },
      logits,
      labels([0, 1]),
    );
    const alpha = [1 + Math.exp(2), 2];
    const total = alpha[0] + alpha[1];
    const [p, u] = [alpha[0] / total, 2 / total];
    expect(numbers(calibration)[0]).toBeCloseTo(-0.25 * p * Math.log(1 - u), 8);
    expect(numbers(calibration)[1]).toBeCloseTo(-0.75 * (1 - p) * Math.log(u), 8);
    expect(numbers(classes)[1]).toBeCloseTo(Math.log(total) - Math.log(2), 12);
    const pieces = [...numbers(calibration), ...numbers(classes)];
    expect(value(loss)).toBeCloseTo(pieces.reduce((a, b) => a + b) / 2, 12);
  });
});

describe('HSIC', () => {
  it('is 0 for fewer than four samples and for a constant, larger for a copy than for chance', async () => {
    const x = between(1, [20, 2], -2, 2);
    const other = between(2, [20, 2], -2, 2);
    const constant = array64(Array<number>(40).fill(1), [20, 2]);
    const measure = (a: typeof x, b: typeof x) => once((p: Tensor, q: Tensor) => hsic(p, q), a, b).then(value);
    expect(await measure(between(1, [3, 2], 0, 1), between(2, [3, 2], 0, 1))).toBe(0);
    expect(await measure(x, constant)).toBeCloseTo(0, 14);
    expect(await measure(x, x)).toBeGreaterThan(3 * (await measure(x, other)));
  });

  it('debiases with the published sign by default', async () => {
    const [a, b, c] = [1, 2, 3].map(seed => between(seed, [6, 3], 1, 4));
    const [increase, reduce, ab, ac] = (
      await once(
        (x: Tensor, y: Tensor, z: Tensor) => [debiasTerm(x, y, z), debiasTerm(x, y, z, 'reduce'), hsic(x, y), hsic(x, z)],
        a,
        b,
        c,
      )
    ).map(value);
    expect(increase).toBeCloseTo(-(ab + ac), 14);
    expect(reduce).toBeCloseTo(ab + ac, 14);
  });
});

describe('reciprocal points', () => {
  it('add half the weight times the squared distance of mean squared distance and radius', async () => {
    const features = array64([1, 2, 3, 4], [2, 2]);
    const points = array64([0, 0, 1, 0], [2, 2]);
    const radius = array64([1, 2], [2]);
    const loss = (weight: number) =>
      once(
        (x: Tensor, p: Tensor, r: Tensor, y: Tensor) => rplLoss(x, p, r, y, { weight, temperature: 1 }),
        features,
        points,
        radius,
        labels([0, 1]),
      ).then(value);
    // Mean squared distances (1 + 4) / 2 and (4 + 16) / 2, radii 1 and 2.
    expect((await loss(0.4)) - (await loss(0))).toBeCloseTo((0.4 / 2) * ((1.5 ** 2 + 8 ** 2) / 2), 10);
  });
});

describe('the Bayesian layer', () => {
  const key = random.key(3);
  const params = mapParams(bayesLinearParams('fc', 3, 2, key), array => array);
  const x = fromNumbers([1, 2, 3], [1, 3]);
  const zero = { weight: fromNumbers(Array<number>(6).fill(0), [2, 3]), bias: fromNumbers([0, 0], [2]) };

  it('starts within its published ranges', () => {
    for (const [name, { data }] of Object.entries(params)) {
      const [low, high] = name.endsWith('mu') ? [-0.2, 0.2] : [-5, -4];
      for (const each of data as Float32Array) expect(each >= low && each <= high).toBe(true);
    }
  });

  it('without noise is the layer of the means, and its penalty is log q - log prior', async () => {
    const { pass, mean, penalty } = await once(
      (p: Record<string, Tensor>, input: Tensor, noise: { weight: Tensor; bias: Tensor }) => {
        const drawn = bayesLinear(p, 'fc', input, noise);
        return { pass: drawn, mean: bayesLinearMean(p, 'fc', input), penalty: bayesPenalty(drawn, 0.5) };
      },
      params,
      x,
      zero,
    );
    expect(numbers(pass.y)).toEqual(numbers(mean));
    expect(value(penalty)).toBeCloseTo(0.5 * (value(pass.logPosterior) - value(pass.logPrior)), 3);
    // At its mean a normal has the density 1 / (sigma sqrt(2 pi)).
    const rho = [...(params['fc.weight_rho'].data as Float32Array), ...(params['fc.bias_rho'].data as Float32Array)];
    const expected = rho.map(r => -Math.log(Math.log1p(Math.exp(r))) - 0.5 * Math.log(2 * Math.PI)).reduce((a, b) => a + b);
    expect(value(pass.logPosterior)).toBeCloseTo(expected, 3);
  });
});
