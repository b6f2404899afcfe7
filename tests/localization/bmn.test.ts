import { describe, expect, it, test } from 'vitest';
import { fromNumbers, type NDArray, random, sum, type Tensor } from '../../src/engine/index.ts';
import { bmn, initBmn } from '../../src/localization/bmn.ts';
import { bmnBoundaryLoss, bmnClassLoss, bmnRegressionLoss } from '../../src/localization/bmnLoss.ts';
import { bmnMask } from '../../src/localization/bmnMask.ts';
import { segmentIoA } from '../../src/localization/segments.ts';
import type { SymbolicParams } from '../../src/nn/index.ts';
import { between } from '../engine/arrays.ts';
import { array64, checkGradient, numbers, once } from './tensors.ts';

const sampling = { places: 6, durations: 6, samples: 4, perSample: 3, extension: 0.5 };

describe('bmnMask', () => {
  const mask = bmnMask(sampling);
  const [places, samples, durations] = mask.shape;
  const at = (n: number, d: number, s: number) =>
    Array.from({ length: places }, (_, tau) => mask.data[((tau * samples + n) * durations + d) * places + s]);

  it('samples the middle of a long proposal where it is', () => {
    // Start 1, end 3 of duration 2: extended to -0.5 … 4.5, points 5 / 11 apart; the second: mean of 3, 4, 5 steps.
    const expected = [3, 4, 5].map(i => -0.5 + (5 / 11) * i);
    const centre = at(1, 2, 1).reduce((total, weight, tau) => total + weight * tau, 0);
    expect(centre).toBeCloseTo(expected.reduce((a, b) => a + b, 0) / 3, 6);
    expect(at(1, 2, 1).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 6);
  });

  it('has nothing for what is beyond the end', () => {
    expect(at(0, 3, 3)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(at(3, 5, 0).reduce((a, b) => a + b, 0)).toBeLessThan(0.4);
  });
});

test('the network gives probabilities of places and proposals, and is trained from features', async () => {
  const options = { channels: 8, width1d: 8, width2d: 4, width3d: 6, samples: 4, classes: { verbs: 3, nouns: 5 } };
  const params = initBmn(options, random.key(1));
  expect(params['x_1d_s.0.weight'].shape).toEqual([8, 2, 3]);
  expect(params['x_3d_p.0.weight'].shape).toEqual([6, 8, 4, 1, 1]);
  expect(params['x_2d_noun.6.weight'].shape).toEqual([5, 4, 1, 1]);
  expect(Object.keys(initBmn({ ...options, classes: undefined }, random.key(1))).some(name => name.includes('verb'))).toBe(false);
  const x = random.normal(random.key(2), [2, 8, 6]);
  const output = await once(
    (p: SymbolicParams, features: Tensor, mask: Tensor) => bmn(p, features, mask, options),
    params,
    x,
    bmnMask(sampling),
  );
  const shapes = Object.fromEntries(
    Object.entries(output as unknown as Record<string, NDArray>).map(([name, { shape }]) => [name, shape]),
  );
  expect(shapes).toEqual({
    start: [2, 6],
    end: [2, 6],
    confidence: [2, 2, 6, 6],
    regression: [2, 2, 6, 6],
    verbs: [2, 3, 6, 6],
    nouns: [2, 5, 6, 6],
  });
  for (const value of [...numbers(output.start), ...numbers(output.confidence)]) {
    expect(value).toBeGreaterThan(0);
    expect(value).toBeLessThan(1);
  }
  await expect(
    once(
      (p: SymbolicParams, features: Tensor, mask: Tensor) => bmn(p, features, mask),
      params,
      random.normal(random.key(2), [2, 8, 5]),
      bmnMask(sampling),
    ),
  ).rejects.toThrow('bmn: expected features [batch, C, T] and a mask [T, N, D, T]');
});

describe('losses', () => {
  it('weigh positives and negatives alike', async () => {
    const loss = await once(bmnBoundaryLoss, array64([0.8, 0.6, 0.5, 0.1], [4]), array64([0.9, 0, 0, 0.2], [4]));
    const expected = -(Math.log(0.8 + 1e-6) + (Math.log(0.4 + 1e-6) + Math.log(0.5 + 1e-6) + Math.log(0.9 + 1e-6)) / 3) / 2;
    expect(Number(loss.data[0])).toBeCloseTo(expected, 12);
    const none = await once(bmnBoundaryLoss, array64([0.8, 0.6], [2]), array64([0, 0], [2]));
    expect(Number(none.data[0])).toBeCloseTo(-(Math.log(0.2 + 1e-6) + Math.log(0.4 + 1e-6)) / 4, 12);
  });

  it('leave out proposals that end after the video', async () => {
    const valid = array64([1, 1, 1, 0], [2, 2]);
    const ious = array64([0.95, 0.1, 0.2, 1], [1, 2, 2]);
    const loss = (last: number) => once(bmnClassLoss, array64([0.7, 0.2, 0.3, last], [1, 2, 2]), ious, valid);
    expect(numbers(await loss(0.1))).toEqual(numbers(await loss(0.9)));
  });

  it('the regression counts good proposals, and of the others those that are drawn', async () => {
    const valid = array64([1, 1, 1, 1, 1, 0], [2, 3]);
    const ious = array64([0.8, 0.5, 0.4, 0.1, 0.2, 0.9], [1, 2, 3]);
    const predicted = array64([0.6, 0.5, 0.5, 0.5, 0.5, 0.5], [1, 2, 3]);
    // One good, two middling, two bad: a half of each is drawn, here the second.
    const uniforms = array64([0.9, 0.6, 0.4, 0.6, 0.4, 0], [1, 2, 3]);
    const loss = await once(bmnRegressionLoss, predicted, ious, valid, uniforms);
    expect(Number(loss.data[0])).toBeCloseTo((0.2 ** 2 + 0.1 ** 2 + 0.3 ** 2) / 3 / 2, 12);
  });

  it('have the gradients of finite differences', async () => {
    const targets = fromNumbers([0.9, 0, 0.8, 0.1, 0.95, 0.2], [1, 2, 3], 'float64');
    const p = between(3, [1, 2, 3], 0.1, 0.9);
    const valid = array64([1, 1, 1, 1, 1, 0], [2, 3]);
    const constantOf = (x: Tensor) => sum(x);
    await checkGradient(x => constantOf(bmnBoundaryLoss(x, x)), [p]);
    await checkGradient((x, t, v) => bmnClassLoss(x, t, v, 0.5), [p, targets, valid]);
  });
});

test('segmentIoA is the part of the first that lies in the second', () => {
  expect([
    segmentIoA([0, 4], [3, 10]),
    segmentIoA([3, 10], [0, 4]),
    segmentIoA([1, 1], [0, 4]),
    segmentIoA([5, 6], [0, 4]),
  ]).toEqual([0.25, 1 / 7, 0, 0]);
});
