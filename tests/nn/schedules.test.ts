import { describe, expect, it, test } from 'vitest';
import {
  constantRate,
  cosine,
  doubledEpochs,
  multiStep,
  piecewise,
  type Schedule,
  stepDecay,
  warmup,
} from '../../src/nn/schedules.ts';

/** Values of a schedule, each to 15 digits. */
function expectRates(schedule: Schedule, rates: Record<number, number>) {
  for (const [step, rate] of Object.entries(rates)) expect(schedule(Number(step)) / rate, `step ${step}`).toBeCloseTo(1, 13);
}

describe('schedules', () => {
  it('keeps a constant rate', () => {
    expectRates(constantRate(1e-4), { 0: 1e-4, 1: 1e-4, 1e9: 1e-4 });
  });

  it('decays every so many steps', () => {
    expectRates(stepDecay(1, 10), { 0: 1, 9: 1, 10: 0.1, 19.9: 0.1, 20: 0.01 });
    expectRates(stepDecay(2, 3, 0.5), { 2: 2, 3: 1, 6: 0.5 });
    expect(() => stepDecay(1, 0)).toThrow('stepDecay: expected every above 0, found 0');
  });

  it('decays at milestones', () => {
    expectRates(multiStep(0.01, [20, 40]), { 0: 0.01, 19.99: 0.01, 20: 1e-3, 39: 1e-3, 40: 1e-4, 400: 1e-4 });
    expectRates(multiStep(1, []), { 0: 1, 100: 1 });
    expect(() => multiStep(1, [4, 2])).toThrow('multiStep: expected ascending steps, found [4,2]');
  });

  it('takes the factor of the last boundary reached', () => {
    expectRates(piecewise(2, [0, 4, 6, 9], [1, 0.5, 0.1, 0.05]), { 0: 2, 3.9: 2, 4: 1, 6: 0.2, 8: 0.2, 9: 0.1, 100: 0.1 });
    expect(() => piecewise(1, [0, 4], [1])).toThrow(
      'piecewise: expected boundaries from 0 on and a factor for each, found [0,4] and [1]',
    );
    expect(() => piecewise(1, [1], [1])).toThrow(/boundaries from 0 on/);
  });

  it('falls along half a cosine and stays at the floor', () => {
    expectRates(cosine(1, 100), { 0: 1, 50: 0.5, 25: (1 + Math.SQRT1_2) / 2 });
    expect(cosine(1, 100)(100)).toBe(0);
    expectRates(cosine(1, 100, 0.1), { 0: 1, 50: 0.55, 100: 0.1, 1000: 0.1 });
    expectRates(cosine(0.3, Number.POSITIVE_INFINITY), { 0: 0.3, 1e6: 0.3 });
    expect(() => cosine(1, 0)).toThrow('cosine: expected steps above 0, found 0');
  });
});

test('doubledEpochs counts whole epochs twice', () => {
  expect([0, 50, 99, 100, 150, 200, 950].map(step => doubledEpochs(step, 100))).toEqual([0, 0.5, 0.99, 2, 2.5, 4, 18.5]);
  expect(() => doubledEpochs(1, 0)).toThrow('doubledEpochs: expected every above 0, found 0');
});

describe('warmup', () => {
  it('rises to the rate at which it meets the schedule', () => {
    expectRates(warmup(10, constantRate(1)), { 1: 0.1, 5: 0.5, 9: 0.9, 10: 1, 11: 1 });
    expect(warmup(10, constantRate(1))(0)).toBe(0);
    expectRates(warmup(10, constantRate(1), { from: 0.5 }), { 0: 0.5, 5: 0.75, 10: 1 });
  });

  it('lies over the first steps of the schedule, or before them', () => {
    const over = warmup(50, cosine(1, 100));
    expectRates(over, { 25: 0.25, 50: 0.5, 75: cosine(1, 100)(75) });
    const before = warmup(50, cosine(1, 100), { placed: 'before' });
    expectRates(before, { 25: 0.5, 50: 1, 100: 0.5 });
    expect(before(150)).toBe(0);
  });

  it('can reach the full rate in its last step', () => {
    expectRates(warmup(25, constantRate(1), { meets: 24 }), { 12: 0.5, 24: 1, 25: 1 });
    expectRates(warmup(1, constantRate(1), { meets: 0 }), { 0: 1, 1: 1 });
  });

  it('may have no steps', () => {
    expectRates(warmup(0, cosine(1, 100), { from: 0.001 }), { 0: 1, 50: 0.5 });
    expect(() => warmup(-1, constantRate(1))).toThrow('warmup: expected steps and meets of at least 0, found -1 and -1');
  });
});
