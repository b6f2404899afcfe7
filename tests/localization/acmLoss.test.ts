import { describe, expect, it } from 'vitest';
import { constant, fromNumbers, type Tensor } from '../../src/engine/index.ts';
import {
  type AcmLossOptions,
  acmLoss,
  acmLossPresets,
  classificationLoss,
  featureLoss,
  guideLoss,
  sparseLoss,
} from '../../src/localization/acmLoss.ts';
import { between } from '../engine/arrays.ts';
import { array64, checkGradient, distributions, numbers, once, valueWithGradient } from './tensors.ts';

const norms = (instance: number, context: number, background: number) =>
  [instance, context, background].map(norm => array64([0.6 * norm, 0.8 * norm], [1, 2]));
const feature = (i: Tensor, c: Tensor, b: Tensor) => featureLoss({ instance: i, context: c, background: b }, 50);

describe('classificationLoss', () => {
  it('is the mean cross entropy of the targets', async () => {
    const p = array64([0.5, 0.25, 0.25, 0.1, 0.8, 0.1], [2, 3]);
    const target = array64([0.5, 0.5, 0, 0, 1, 0], [2, 3]);
    const value = await once((a: Tensor, t: Tensor) => classificationLoss(a, t, 0), p, target);
    expect(numbers(value)[0]).toBeCloseTo((-(Math.log(0.5) + Math.log(0.25)) / 2 - Math.log(0.8)) / 2, 12);
  });

  it('costs a probability of 0 as much as the epsilon says', async () => {
    const [p, target] = [fromNumbers([0, 1], [1, 2]), fromNumbers([1, 0], [1, 2])];
    const loss = (epsilon: number) => valueWithGradient((a, t) => classificationLoss(a, t, epsilon), p, target);
    expect((await loss(1e-10)).value).toBeCloseTo(23.02585, 4);
    // 1e-45 is the smallest float32 number, which the runtime must not flush to zero; its reciprocal is no float32.
    const smallest = await loss(1e-45);
    expect(smallest.value).toBeCloseTo(103.27893, 4);
    expect(numbers(smallest.gradients[0])[0]).toBe(-Infinity);
    expect(numbers(smallest.gradients[0])[1]).toBeCloseTo(0, 12);
  });
});

describe('guideLoss', () => {
  it('is the distance of actionness and attention, which is a constant', async () => {
    const cas = array64([0.7, 0.3, 0.2, 0.8], [1, 2, 2]);
    const attention = array64([0.9, 0.1], [1, 2]);
    const { value, gradients } = await valueWithGradient(guideLoss, cas, attention);
    expect(value).toBeCloseTo(Math.abs(0.7 - 0.9) + Math.abs(0.2 - 0.1), 12);
    expect(numbers(gradients[0])).toEqual([0, 1, 0, -1]);
    expect(numbers(gradients[1])).toEqual([0, 0]);
  });
});

describe('featureLoss', () => {
  it('is the squared sum of both hinges and the background norm', async () => {
    const value = async (...of: [number, number, number]) => (await valueWithGradient(feature, ...norms(...of))).value;
    expect(await value(60, 30, 5)).toBeCloseTo((20 + 25 + 5) ** 2, 9);
    expect(await value(200, 100, 3)).toBeCloseTo(9, 9);
  });

  it('has gradient 0, not NaN, at features of norm 0', async () => {
    const { value, gradients } = await valueWithGradient(feature, ...norms(0, 0, 0));
    expect(value).toBeCloseTo(100 ** 2, 9);
    expect(gradients.flatMap(numbers).every(v => v === 0)).toBe(true);
    const mixed = await valueWithGradient(feature, ...norms(20, 0, 0));
    // L = (50 - 20 + 50)^2, dL/dN_i = -2 * 80 along the unit vector (0.6, 0.8).
    expect(numbers(mixed.gradients[0]).map(v => Math.round(v * 1e9) / 1e9)).toEqual([-96, -128]);
    expect(numbers(mixed.gradients[1]).every(v => v === 0)).toBe(true);
  });
});

describe('sparseLoss', () => {
  it('is half the sum of instance and context attention', async () => {
    const attention = array64([0.5, 0.3, 0.2, 0.1, 0.1, 0.8], [1, 2, 3]);
    expect(numbers(await once((a: Tensor) => sparseLoss(a), attention))[0]).toBeCloseTo(0.5 * (0.6 + 0.4), 12);
  });
});

describe('acmLoss', () => {
  const [batch, time, classes] = [3, 5, 4];
  const inputs = [
    ...[1, 2, 3].map(seed => distributions(seed, [batch, classes + 1])),
    ...[4, 5, 6].map(seed => between(seed, [batch, 6], -9, 9)),
    distributions(7, [batch, time, 3]),
    distributions(8, [batch, time, classes + 1]),
  ];
  const labels = array64([1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1], [batch, classes]);
  const of = (options: AcmLossOptions) => (xs: readonly Tensor[], y: Tensor) =>
    acmLoss(
      {
        classProbabilities: { instance: xs[0], context: xs[1], background: xs[2] },
        features: { instance: xs[3], context: xs[4], background: xs[5] },
        attention: xs[6],
        cas: { instance: xs[7] },
      },
      y,
      options,
    );

  it('aims the instance branch at the actions, the background branch at the background, the context branch at both', async () => {
    const options = { ...acmLossPresets.thumos14, logEpsilon: 0 };
    const { classification } = await once(
      (xs: readonly Tensor[], y: Tensor) => ({ classification: of(options)(xs, y).classification }),
      inputs,
      labels,
    );
    const log = (branch: number, video: number, c: number) => Math.log(Number(inputs[branch].data[video * 5 + c]));
    const instance = -(log(0, 0, 0) + (log(0, 1, 1) + log(0, 1, 2)) / 2 + log(0, 2, 3)) / 3;
    const context =
      -(
        (log(1, 0, 0) + log(1, 0, 4)) / 2 +
        (log(1, 1, 1) + log(1, 1, 2) + log(1, 1, 4)) / 3 +
        (log(1, 2, 3) + log(1, 2, 4)) / 2
      ) / 3;
    const background = -(log(2, 0, 4) + log(2, 1, 4) + log(2, 2, 4)) / 3;
    expect(numbers(classification.instance)[0]).toBeCloseTo(instance, 12);
    expect(numbers(classification.context)[0]).toBeCloseTo(context, 12);
    expect(numbers(classification.background)[0]).toBeCloseTo(background, 12);
  });

  it.each(['thumos14', 'activitynet'] as const)('adds up its weighted pieces (%s)', async preset => {
    const options = acmLossPresets[preset];
    const loss = await once((xs: readonly Tensor[], y: Tensor) => ({ ...of(options)(xs, y) }), inputs, labels);
    const { instance, context, background } = loss.classification;
    const weighted =
      options.instanceWeight * numbers(instance)[0] +
      numbers(context)[0] +
      numbers(background)[0] +
      options.guideWeight * numbers(loss.guide)[0] +
      options.featureWeight * numbers(loss.feature)[0] +
      options.sparseWeight * numbers(loss.sparse)[0];
    expect(numbers(loss.total)[0]).toBeCloseTo(weighted, 12);
    expect([options.instanceWeight, options.sparseWeight]).toEqual(preset === 'thumos14' ? [1, 2e-4] : [5, 0]);
  });

  it('has the gradient that finite differences give', async () => {
    // The guide term reads the attention as a constant, which finite differences of all inputs would not: it is checked alone.
    const options = { ...acmLossPresets.thumos14, guideWeight: 0, featureWeight: 1e-3, sparseWeight: 0.3 };
    await checkGradient((...all) => of(options)(all.slice(0, 8), all[8]).total, [...inputs, labels]);
    const attention = between(9, [batch, time], 0.05, 0.95);
    await checkGradient(cas => guideLoss(cas, constant(attention)), [inputs[7]]);
  });
});
