import { describe, expect, it } from 'vitest';
import { fromNumbers, type NDArray } from '../../src/engine/ndarray.ts';
import { key } from '../../src/engine/random.ts';
import {
  batchNormParams,
  constantInit,
  convParams,
  fans,
  type Initializer,
  initParams,
  kaimingNormal,
  kaimingUniform,
  linearParams,
  normalInit,
  normParams,
  truncatedNormalInit,
  uniformInit,
  xavierNormal,
  xavierUniform,
} from '../../src/nn/init.ts';

function stats({ data }: NDArray) {
  const values = Array.from(data as Float32Array);
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const std = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
  return { mean, std, min: values.reduce((a, b) => Math.min(a, b)), max: values.reduce((a, b) => Math.max(a, b)) };
}

/** Uniform within (-bound, bound), reaching close to both ends. */
function expectUniform(array: NDArray, bound: number) {
  const { mean, std, min, max } = stats(array);
  expect(Math.abs(mean)).toBeLessThan(0.02 * bound);
  expect(std / (bound / Math.sqrt(3))).toBeCloseTo(1, 1);
  expect(max).toBeLessThanOrEqual(bound);
  expect(min).toBeGreaterThanOrEqual(-bound);
  expect(max).toBeGreaterThan(0.99 * bound);
  expect(min).toBeLessThan(-0.99 * bound);
}

const weight = [40, 30, 5] as const; // fan-in 150, fan-out 200
const draw = (init: Initializer, shape: readonly number[] = weight) => init(key(1), shape);

describe('initialisers', () => {
  it('counts the fans of linear and convolution weights', () => {
    expect(fans([3, 2048])).toEqual({ fanIn: 2048, fanOut: 3 });
    expect(fans([2048, 2048, 3])).toEqual({ fanIn: 6144, fanOut: 6144 });
    expect(fans([64, 1, 3, 3])).toEqual({ fanIn: 9, fanOut: 576 });
    expect(() => fans([5])).toThrow('fans: expected a weight of at least two axes, found shape [5]');
  });

  it('fills constants', () => {
    expect(draw(constantInit(0.25), [2, 2])).toEqual(fromNumbers([0.25, 0.25, 0.25, 0.25], [2, 2]));
  });

  it('draws from the uniform and normal distributions asked for', () => {
    const flat = stats(draw(uniformInit(2, 6)));
    expect(flat.mean).toBeCloseTo(4, 1);
    expect(flat.min).toBeGreaterThanOrEqual(2);
    expect(flat.max).toBeLessThanOrEqual(6);
    const bell = stats(draw(normalInit(0.02, 1)));
    expect(bell.mean).toBeCloseTo(1, 2);
    expect(bell.std / 0.02).toBeCloseTo(1, 1);
  });

  it('has the closed forms of Kaiming and Xavier', () => {
    expectUniform(draw(kaimingUniform()), Math.sqrt(6 / 150));
    expectUniform(draw(kaimingUniform({ mode: 'fanOut', slope: 0.5 })), Math.sqrt(6 / 1.25 / 200));
    expectUniform(draw(xavierUniform()), Math.sqrt(6 / 350));
    expect(stats(draw(kaimingNormal({ mode: 'fanOut' }))).std / Math.sqrt(2 / 200)).toBeCloseTo(1, 1);
    expect(stats(draw(xavierNormal(2))).std / (2 * Math.sqrt(2 / 350))).toBeCloseTo(1, 1);
  });

  it('cuts the normal distribution off at the bounds', () => {
    // N(0, 1) inside [-1, 1] has variance 1 - 2 phi(1) / (2 Phi(1) - 1).
    const { mean, std, min, max } = stats(draw(truncatedNormalInit(1, { low: -1, high: 1 }), [20_000]));
    expect(min).toBeGreaterThanOrEqual(-1);
    expect(max).toBeLessThanOrEqual(1);
    expect(max).toBeGreaterThan(0.99);
    expect(Math.abs(mean)).toBeLessThan(4 * (0.54 / Math.sqrt(20_000)));
    expect(std).toBeCloseTo(Math.sqrt(1 - (2 * 0.2419707245) / 0.6826894921), 2);
  });

  it('cuts at values, not at multiples of the standard deviation', () => {
    expect(stats(draw(truncatedNormalInit(0.02))).std / 0.02).toBeCloseTo(1, 1);
    expect(stats(draw(truncatedNormalInit(0.02))).max).toBeGreaterThan(3 * 0.02);
  });

  it('says so where the bounds leave nothing', () => {
    expect(() => draw(truncatedNormalInit(1, { low: 20, high: 21 }), [2])).toThrow(
      'truncatedNormalInit: N(0, 1^2) has almost nothing inside [20, 21]',
    );
  });
});

describe('initParams', () => {
  const spec = { shape: [50], init: normalInit(1) };

  it('gives every name its own values, whatever else there is', () => {
    const both = initParams({ a: spec, b: spec }, key(2));
    expect(initParams({ b: spec }, key(2)).b).toEqual(both.b);
    expect(both.a).not.toEqual(both.b);
    expect(initParams({ b: spec }, key(3)).b).not.toEqual(both.b);
  });
});

describe('layers', () => {
  it('initialises convolutions as PyTorch: weight and bias within 1 / sqrt(fan-in)', () => {
    const params = convParams('feature_embedding.0', [700, 20, 3], key(0));
    expect(Object.entries(params).map(([name, { shape, dtype }]) => [name, shape, dtype])).toEqual([
      ['feature_embedding.0.weight', [700, 20, 3], 'float32'],
      ['feature_embedding.0.bias', [700], 'float32'],
    ]);
    expectUniform(params['feature_embedding.0.weight'], 1 / Math.sqrt(60));
    const bias = stats(params['feature_embedding.0.bias']);
    expect(bias.max).toBeLessThanOrEqual(1 / Math.sqrt(60));
    expect(bias.max).toBeGreaterThan(0.9 / Math.sqrt(60));
    expect(bias.min).toBeLessThan(-0.9 / Math.sqrt(60));
  });

  it('agrees with Kaiming uniform at slope sqrt(5), which is how PyTorch writes its default', () => {
    const init = kaimingUniform({ slope: Math.sqrt(5) });
    const written = initParams({ 'fc.weight': { shape: [30, 40], init } }, key(5))['fc.weight'].data as Float32Array;
    const ours = linearParams('fc', 40, 30, key(5))['fc.weight'].data as Float32Array;
    expect(Math.max(...ours.map((v, i) => Math.abs(v - written[i])))).toBeLessThan(1e-7);
  });

  it('initialises linear layers with or without bias', () => {
    const params = linearParams('snippet_cls', 400, 21, key(0));
    expect(params['snippet_cls.weight'].shape).toEqual([21, 400]);
    expectUniform(params['snippet_cls.weight'], 1 / 20);
    expect(params['snippet_cls.bias'].shape).toEqual([21]);
    expect(Object.keys(linearParams('fc', 4, 2, key(0), { bias: false }))).toEqual(['fc.weight']);
  });

  it('initialises norms to the identity', () => {
    expect(normParams('ln', [3])).toEqual({ 'ln.weight': fromNumbers([1, 1, 1], [3]), 'ln.bias': fromNumbers([0, 0, 0], [3]) });
    expect(batchNormParams('bn', 2)).toEqual({
      'bn.weight': fromNumbers([1, 1], [2]),
      'bn.bias': fromNumbers([0, 0], [2]),
      'bn.running_mean': fromNumbers([0, 0], [2]),
      'bn.running_var': fromNumbers([1, 1], [2]),
      'bn.num_batches_tracked': fromNumbers([0], [], 'int64'),
    });
  });
});
