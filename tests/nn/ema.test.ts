import { describe, expect, it } from 'vitest';
import { fromNumbers } from '../../src/engine/ndarray.ts';
import { ema } from '../../src/nn/ema.ts';
import type { Params } from '../../src/nn/params.ts';

const params = (w: number, count = 0): Params => ({
  w: fromNumbers([w, -w], [2], 'float64'),
  count: fromNumbers([count], [], 'int64'),
});
const first = (state: { params: Params }) => (state.params.w.data as Float64Array)[0];

describe('ema', () => {
  it('begins with a copy', () => {
    const model = params(2, 1);
    const state = ema(0.9).init(model);
    expect(state).toEqual({ updates: 0, params: model });
    model.w.data[0] = 5;
    expect(first(state)).toBe(2);
  });

  it('averages in place, and copies counters', () => {
    const average = ema(0.9);
    const state = average.init(params(1, 1));
    const { data } = state.params.w;
    average.update(state, params(2, 2));
    average.update(state, params(3, 3));
    expect(state.params.w.data).toBe(data);
    expect(first(state)).toBeCloseTo(0.81 * 1 + 0.09 * 2 + 0.1 * 3, 14);
    expect(data[1]).toBe(-first(state));
    expect(state.params.count).toEqual(fromNumbers([3], [], 'int64'));
    expect(state.updates).toBe(2);
  });

  it('ramps the decay up from 2 / 11', () => {
    const average = ema(0.5, { start: 'ramp' });
    const state = average.init(params(0));
    const seen = Array.from({ length: 10 }, () => {
      const before = first(state);
      average.update(state, params(1));
      return (1 - first(state)) / (1 - before);
    });
    const want = [2 / 11, 3 / 12, 4 / 13, 5 / 14, 6 / 15, 7 / 16, 8 / 17, 0.5, 0.5, 0.5];
    for (const [i, decay] of seen.entries()) expect(decay).toBeCloseTo(want[i], 12);
  });

  it('weighs without bias: by the plain weights over their sum', () => {
    const average = ema(0.9, { start: 'unbiased' });
    const state = average.init(params(100));
    const models = [2, 5, -1, 4];
    for (const [n, w] of models.entries()) {
      average.update(state, params(w));
      const weights = models.slice(0, n + 1).map((_, i) => 0.1 * 0.9 ** (n - i));
      const sum = weights.reduce((a, b) => a + b, 0);
      expect(first(state)).toBeCloseTo(weights.reduce((a, weight, i) => a + weight * models[i], 0) / sum, 12);
    }
  });

  it('names what does not fit, and changes nothing', () => {
    const average = ema(0.9);
    const state = average.init(params(1));
    expect(() => average.update(state, { w: params(2).w })).toThrow(
      'ema: count is int64[] in the average, missing in the parameters',
    );
    expect(() => average.update(state, { ...params(2), v: params(2).w })).toThrow(
      'ema: v is missing in the average, float64[2] in the parameters',
    );
    expect(() => average.update(state, { ...params(2), w: fromNumbers([1], [1]) })).toThrow(
      'ema: w is float64[2] in the average, float32[1]',
    );
    expect(state).toEqual({ updates: 0, params: params(1) });
  });

  it.each([1, -0.1, Number.NaN])('rejects the decay %s', decay => {
    expect(() => ema(decay)).toThrow(`ema: expected a decay in [0, 1), found ${decay}`);
  });
});
