import { describe, expect, it } from 'vitest';
import { astype, fromNumbers, type NDArray, random, sizeOf, type Tensor } from '../../src/engine/index.ts';
import {
  type AcmNetMasks,
  type AcmNetOptions,
  acmNet,
  acmNetMasks,
  acmNetPresets,
  acmNetShapes,
  branches,
  initAcmNet,
  type SymbolicParams,
  topKCount,
} from '../../src/localization/acmNet.ts';
import { countParams, type Params, zerosLike } from '../../src/nn/index.ts';
import { between } from '../engine/arrays.ts';
import { expectClose } from '../engine/checks.ts';
import { numbers, once } from './tensors.ts';

const small: AcmNetOptions = {
  featureDim: 4,
  classes: 2,
  dropout: 0.5,
  inputDropout: false,
  topKDivisors: { instance: 2, context: 3, background: 3 },
  lcsLength: 3,
  fsdLength: 2,
  projectionDim: 6,
};

const run = (options: AcmNetOptions, params: Params, x: NDArray, masks: AcmNetMasks<NDArray> = {}) =>
  once((p: SymbolicParams, features: Tensor, m: AcmNetMasks) => ({ ...acmNet(p, features, options, m) }), params, x, masks);

/** A network whose embedding is its (non-negative) input, and whose attention logits are the first three features. */
function transparent(options: AcmNetOptions = small): Params {
  const { featureDim: f } = options;
  const params = zerosLike(initAcmNet(options, random.key(0)));
  const set = (name: string, at: number, value: number) => {
    (params[name].data as Float32Array)[at] = value;
  };
  for (let i = 0; i < f; i++) set('feature_embedding.0.weight', (i * f + i) * 3 + 1, 1);
  for (let channel = 0; channel < 3; channel++) set('att_branch.weight', channel * f + channel, 1);
  // Z = (x3, 2 x3, 0)
  set('snippet_cls.weight', 3, 1);
  set('snippet_cls.weight', f + 3, 2);
  return params;
}

/** Rows of one video `[1, time, 4]`. */
const video = (...rows: number[][]) => fromNumbers(rows.flat(), [1, rows.length, rows[0].length]);
const softmax = (values: number[]) => {
  const e = values.map(Math.exp);
  return e.map(v => v / e.reduce((a, b) => a + b, 0));
};

describe('acmNet', () => {
  it('divides every snippet among three attentions that add up to 1', async () => {
    const { attention } = await run(small, initAcmNet(small, random.key(1)), astype(between(1, [2, 9, 4]), 'float32'));
    expect(attention.shape).toEqual([2, 9, 3]);
    const values = numbers(attention);
    for (let t = 0; t < 18; t++) expect(values[3 * t] + values[3 * t + 1] + values[3 * t + 2]).toBeCloseTo(1, 6);
    expect(values.every(a => a > 0 && a < 1)).toBe(true);
  });

  it('averages weighted logits over the best snippets, then takes the softmax', async () => {
    const x3 = [1, 4, 2, 3, 0, 5];
    const output = await run(small, transparent(), video(...x3.map(v => [0, 0, 0, v])));
    // No attention: a third each; k = 6 / 2 and 6 / 3.
    const expected = (k: number) => {
      const mean =
        [...x3]
          .sort((a, b) => b - a)
          .slice(0, k)
          .reduce((a, b) => a + b, 0) /
        k /
        3;
      return softmax([mean, 2 * mean, 0]);
    };
    const { instance, context } = output.classProbabilities;
    for (const [c, value] of expected(3).entries()) expect(numbers(instance)[c]).toBeCloseTo(value, 6);
    for (const [c, value] of expected(2).entries()) expect(numbers(context)[c]).toBeCloseTo(value, 6);
    // The snippets' own distributions: of Z, and of Z weighted by the instance attention.
    for (const [c, value] of softmax([4, 8, 0]).entries()) expect(numbers(output.cas.all)[3 + c]).toBeCloseTo(value, 6);
    for (const [c, value] of softmax([4 / 3, 8 / 3, 0]).entries())
      expect(numbers(output.cas.instance)[3 + c]).toBeCloseTo(value, 6);
  });

  it("averages each branch's features over its most attended snippets", async () => {
    const x = video([3, 0, 0, 1], [0, 3, 0, 2], [0, 0, 3, 4], [2, 0, 0, 8], [0, 2, 0, 16], [0, 0, 2, 32]);
    const { features } = await run({ ...small, topKDivisors: { instance: 3, context: 6, background: 3 } }, transparent(), x);
    expect(branches.map(branch => numbers(features[branch]))).toEqual([
      [2.5, 0, 0, 4.5],
      [0, 3, 0, 2],
      [0, 0, 2.5, 18],
    ]);
  });

  it('takes candidates by instance attention and puts them back in temporal order', async () => {
    // Ranks by the first feature: snippets 4, 1, 5, 2, 0, 3.
    const x = video([2, 0, 0, 0], [8, 0, 0, 1], [4, 0, 0, 2], [1, 0, 1, 3], [9, 0, 0, 4], [6, 0, 0, 5]);
    const params = transparent();
    (params['feature_trans.weight'].data as Float32Array)[3] = 1;
    const firstColumn = (a: NDArray) => numbers(a).filter((_, i) => i % small.projectionDim === 0);
    const { lcsCandidates, fsdAction, fsdBackground } = await run(small, params, x);
    expect(numbers(lcsCandidates)).toEqual([8, 0, 0, 1, 9, 0, 0, 4, 6, 0, 0, 5]);
    expect([fsdAction, fsdBackground].map(firstColumn)).toEqual([
      [1, 4],
      [2, 5],
    ]);
    // By background attention, which is highest at snippets 3 and 0.
    const other = await run({ ...small, fsdBackground: 'background-attention' }, params, x);
    expect(firstColumn(other.fsdBackground)).toEqual([0, 3]);
    expect(numbers(other.fsdAction)).toEqual(numbers(fsdAction));
  });

  it.each([1, 3, 5])('has shorter candidates for a video of %i snippets', async time => {
    const options = { ...small, lcsLength: 4, fsdLength: 3 };
    const output = await run(options, initAcmNet(options, random.key(2)), astype(between(3, [2, time, 4]), 'float32'));
    expect(output.lcsCandidates.shape).toEqual([2, Math.min(time, 4), 4]);
    expect(output.fsdAction.shape).toEqual([2, Math.min(time, 3), 6]);
    expect(output.fsdBackground.shape).toEqual([2, Math.max(0, time - 3), 6]);
    expect(
      numbers(output.classProbabilities.instance)
        .slice(0, 3)
        .reduce((a, b) => a + b, 0),
    ).toBeCloseTo(1, 6);
  });

  it('drops whole snippets and single entries of the classifier input, and scales what is left', async () => {
    const x = video([0, 0, 0, 3], [0, 0, 0, 5], [0, 0, 0, 7]);
    const masks = {
      snippet: fromNumbers([1, 0, 1], [1, 3, 1], 'uint8'),
      classInput: fromNumbers([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0], [1, 3, 4], 'uint8'),
    };
    const { classLogits, embedding } = await run(small, transparent(), x, masks);
    expect(numbers(classLogits)).toEqual([12, 24, 0, 0, 0, 0, 0, 0, 0]);
    expect(numbers(embedding)).toEqual(numbers(x));
  });

  it('drops the input of the embedding and of the attention only where it has those sites', async () => {
    const params = transparent();
    for (const part of ['weight', 'bias']) {
      params[`feature_embedding.1.${part}`] = params[`feature_embedding.0.${part}`];
      delete params[`feature_embedding.0.${part}`];
    }
    const x = video([1, 0, 0, 3], [1, 0, 0, 5]);
    const masks = {
      embedInput: fromNumbers([1, 1, 1, 1, 1, 1, 1, 0], [1, 2, 4], 'uint8'),
      attentionInput: fromNumbers([0, 1, 1, 1, 1, 1, 1, 1], [1, 2, 4], 'uint8'),
    };
    const output = await run({ ...small, inputDropout: true }, params, x, masks);
    expect(numbers(output.embedding)).toEqual([2, 0, 0, 6, 2, 0, 0, 0]);
    expect(numbers(output.attentionLogits)).toEqual([0, 0, 0, 4, 0, 0]);
    expect(numbers(output.classLogits)).toEqual([6, 12, 0, 0, 0, 0]);
  });

  it('is the same in float64', async () => {
    const params = initAcmNet(small, random.key(4));
    const x = between(5, [2, 8, 4]);
    const wide = await run(small, Object.fromEntries(Object.entries(params).map(([n, p]) => [n, astype(p, 'float64')])), x);
    const narrow = await run(small, params, astype(x, 'float32'));
    expect(wide.cas.instance.dtype).toBe('float64');
    expectClose(narrow.cas.instance, wide.cas.instance, 1e-5);
    expectClose(narrow.fsdBackground, wide.fsdBackground, 1e-5);
  });
});

describe('topKCount', () => {
  it('is max(floor(T / s), 1)', () => {
    expect([topKCount(750, 8), topKCount(750, 3), topKCount(75, 2), topKCount(7, 8)]).toEqual([93, 250, 37, 1]);
  });
});

describe('parameters', () => {
  it.each([
    ['thumos14', 14_732_312, 'feature_embedding.0.weight'],
    ['activitynet', 15_101_132, 'feature_embedding.1.weight'],
  ] as const)('have the published names and sizes for %s', (preset, total, first) => {
    const shapes = acmNetShapes(acmNetPresets[preset]);
    expect(Object.keys(shapes)[0]).toBe(first);
    expect(Object.values(shapes).reduce((sum, shape) => sum + sizeOf(shape), 0)).toBe(total);
  });

  it('are drawn within 1 / sqrt(fan-in), the same for the same key', () => {
    const options = { ...small, featureDim: 32 };
    const params = initAcmNet(options, random.key(6));
    expect(Object.entries(params).map(([name, { shape }]) => [name, shape])).toEqual(Object.entries(acmNetShapes(options)));
    const largest = (name: string) => Math.max(...numbers(params[name]).map(Math.abs));
    expect(largest('feature_embedding.0.weight')).toBeGreaterThan(0.95 / Math.sqrt(96));
    expect(largest('feature_embedding.0.weight')).toBeLessThanOrEqual(1 / Math.sqrt(96));
    expect(largest('snippet_cls.weight')).toBeGreaterThan(1 / Math.sqrt(96));
    expect(initAcmNet(options, random.key(6))).toEqual(params);
    expect(numbers(initAcmNet(options, random.key(7))['snippet_cls.weight'])).not.toEqual(numbers(params['snippet_cls.weight']));
    expect(countParams(params)).toBe(32 * 32 * 3 + 32 + 3 * 32 + 3 + 3 * 32 + 3 + 6 * 32 + 6);
  });
});

describe('acmNetMasks', () => {
  it('has the sites of the data set, keeping a share of 1 - p', () => {
    const thumos = acmNetMasks({ ...small, dropout: 0.7 }, 8, 100, random.key(8));
    expect(Object.entries(thumos).map(([site, mask]) => [site, mask?.shape])).toEqual([
      ['snippet', [8, 100, 1]],
      ['classInput', [8, 100, 4]],
    ]);
    const kept = numbers(thumos.classInput as NDArray);
    expect(kept.reduce((a, b) => a + b, 0) / kept.length).toBeCloseTo(0.3, 1);
    expect(Object.keys(acmNetMasks({ ...small, inputDropout: true }, 1, 2, random.key(8)))).toEqual([
      'snippet',
      'classInput',
      'embedInput',
      'attentionInput',
    ]);
    expect(acmNetMasks({ ...small, dropout: 0 }, 1, 2, random.key(8))).toEqual({});
  });
});
