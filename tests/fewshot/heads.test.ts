import { describe, expect, it } from 'vitest';
import { add, fromNumbers, type NDArray, ndarray, neg, random, sum, type Tensor, take } from '../../src/engine/index.ts';
import {
  applyHead,
  biMhm,
  byClass,
  classMeans,
  coherenceWeights,
  encodePositions,
  fewshotHeads,
  fewshotLoss,
  fewshotStep,
  frameDistances,
  frameTuples,
  type HeadOutput,
  type HeadSettings,
  headNoise,
  headParams,
  headShapes,
  hyrsmPreset,
  positionalName,
  positionTable,
  relatedDistances,
  splitHeadParams,
  torchvisionName,
} from '../../src/fewshot/index.ts';
import type { Params } from '../../src/nn/index.ts';
import { between } from '../engine/arrays.ts';
import { array64, checkGradient, numbers, once } from '../localization/tensors.ts';
import { clips, frames, headNames, paramsOf, settings, width } from './helpers.ts';

type Named = Readonly<Record<string, Tensor>>;
type Given = { support: Tensor; query: Tensor; unlabelled?: Tensor };

const run = (
  one: HeadSettings,
  params: Params,
  given: { support: NDArray; query: NDArray; unlabelled?: NDArray },
  shots: number[],
) => once((p: Named, x: Given): HeadOutput => applyHead(p, { ...x, shots }, one), params, given);

/** Row `i` of `[rows, …]`. */
const row = ({ dtype, shape: [rows, ...shape], data }: NDArray, i: number): NDArray => {
  const size = data.length / rows;
  return { dtype, shape, data: (data as Float64Array).slice(i * size, (i + 1) * size) };
};
const expectNumbers = (got: NDArray, want: readonly number[], digits = 9): void => {
  expect(got.data.length).toBe(want.length);
  for (const [i, value] of numbers(got).entries()) expect(value).toBeCloseTo(want[i], digits);
};

describe('every head', () => {
  const shots = [2, 1, 2];

  it('judges episodes together as it judges each alone', async () => {
    const [support, query] = [clips(1, 2, 5), clips(2, 2, 3)];
    for (const name of headNames) {
      const params = paramsOf(settings[name]);
      const both = await run(settings[name], params, { support, query }, shots);
      expect(both.logits.shape, name).toEqual([2, 3, 3]);
      for (const e of [0, 1]) {
        const one = await run(settings[name], params, { support: row(support, e), query: row(query, e) }, shots);
        expect(one.logits.shape, name).toEqual([3, 3]);
        expectNumbers(one.logits, numbers(row(both.logits, e)));
        if (one.regulariser) expectNumbers(one.regulariser, numbers(row(both.regulariser as NDArray, e)));
        if (one.frameLogits) expectNumbers(one.frameLogits, numbers(row(both.frameLogits as NDArray, e)));
      }
    }
  });

  it('judges each query by itself', async () => {
    const [support, query] = [clips(3, 5), clips(4, 3)];
    for (const name of headNames) {
      const params = paramsOf(settings[name]);
      const together = await run(settings[name], params, { support, query }, shots);
      const alone = { ...query, shape: [1, frames, width], data: query.data.slice(-frames * width) };
      const last = await run(settings[name], params, { support, query: alone }, shots);
      expectNumbers(last.logits, numbers(together.logits).slice(-3));
    }
  });

  it('moves its logits with its classes, and not with the order of a class’s supports', async () => {
    const [support, query] = [clips(5, 6), clips(6, 2)];
    // Classes 2, 0, 1, and the supports of each the other way round.
    const order = [5, 4, 1, 0, 3, 2];
    for (const name of headNames) {
      const params = paramsOf(settings[name]);
      const moved = await once(
        (p: Named, x: Given) =>
          applyHead(p, { support: take(x.support, order, 0), query: x.query, shots: [2, 2, 2] }, settings[name]).logits,
        params,
        { support, query },
      );
      const before = numbers((await run(settings[name], params, { support, query }, [2, 2, 2])).logits);
      expectNumbers(
        moved,
        [2, 0, 1, 5, 3, 4].map(i => before[i]),
      );
    }
  });

  it('prefers the class of which a support is the query itself', async () => {
    const support = clips(7, 3);
    for (const name of headNames) {
      const { logits } = await run(settings[name], paramsOf(settings[name]), { support, query: support }, [1, 1, 1]);
      const values = numbers(logits);
      if (name === 'trx') continue; // Its query is compared to what it finds among the class's tuples, which is not itself.
      for (const q of [0, 1, 2]) expect(Math.max(...values.slice(3 * q, 3 * q + 3)), name).toBe(values[3 * q + q]);
    }
  });

  it('has the gradient of its definition', async () => {
    const [support, query] = [clips(8, 1, 4), clips(9, 1, 2)];
    for (const name of headNames) {
      const one = settings[name];
      const names = Object.keys(paramsOf(one)).filter(each => !each.endsWith('pe.pe') && !each.includes('norm_v'));
      const params = paramsOf(one);
      await checkGradient(
        (s, q, ...rest) => {
          const named = Object.fromEntries(rest.map((value, i) => [names[i], value]));
          const { logits, regulariser, frameLogits } = applyHead(named, { support: s, query: q, shots: [2, 1, 1] }, one);
          const parts = [regulariser, frameLogits].flatMap(part => (part ? [sum(part)] : []));
          return parts.reduce((a, b) => add(a, b), sum(logits));
        },
        [support, query, ...names.map(each => params[each])],
      );
    }
  });

  it('takes the masks that it draws, and draws the same by the same key', async () => {
    const sizes = { episodes: 1, shots, queries: 3, frames };
    for (const name of headNames) {
      const one = settings[name];
      const noise = headNoise(one, sizes, random.key(3));
      expect(headNoise(one, sizes, random.key(3))).toEqual(noise);
      if (!noise) {
        expect(['otam', 'tsn', 'crosstransformer', 'matching']).toContain(name);
        continue;
      }
      const given = { support: clips(10, 1, 5), query: clips(11, 1, 3), noise };
      const params = paramsOf(one);
      const dropped = await once(
        (p: Named, x: Given & { noise: Named }) => applyHead(p, { ...x, shots }, one).logits,
        params,
        given,
      );
      const plain = await run(one, params, { support: given.support, query: given.query }, shots);
      expect(dropped.shape).toEqual(plain.logits.shape);
      expect(Math.abs(numbers(dropped)[0] - numbers(plain.logits)[0]), name).toBeGreaterThan(1e-6);
    }
  });

  it('has parameters by name, of the shapes it says', () => {
    for (const name of headNames) {
      const params = headParams(settings[name], random.key(1));
      expect(Object.fromEntries(Object.entries(params).map(([each, { shape }]) => [each, shape]))).toEqual(
        headShapes(settings[name]),
      );
      expect(fewshotHeads[name].meaning.length).toBeGreaterThan(10);
    }
  });

  it('says what does not fit', async () => {
    const given = (support: NDArray, query: NDArray, of: number[]) => run(settings.tsn, {}, { support, query }, of);
    await expect(given(clips(1, 3), clips(2, 1), [2, 2])).rejects.toThrow('expected 4 supports for 2 classes of 2, 2');
    await expect(given(between(1, [3, 5, 8]), clips(2, 1), [3])).rejects.toThrow(
      'must differ from support [3,5,8] in the number of clips alone',
    );
    await expect(given(between(1, [3, 8]), between(1, [3, 8]), [3])).rejects.toThrow(
      'support must be [S, T, D] or [episodes, S, T, D]',
    );
  });
});

describe('HyRSM++', () => {
  const one = settings['hyrsm++'] as HeadSettings & { head: 'hyrsm++' };

  it('is the same with supports and with prototypes at one shot, and not at two', async () => {
    const params = paramsOf(one);
    const [support, query] = [clips(20, 4), clips(21, 3)];
    const both = async (shots: number[]) =>
      Promise.all(
        (['supports', 'prototypes'] as const).map(async references =>
          numbers((await run({ ...one, references }, params, { support, query }, shots)).logits),
        ),
      );
    const [a, b] = await both([1, 1, 1, 1]);
    for (const [i, value] of a.entries()) expect(value).toBeCloseTo(b[i], 10);
    const [c, d] = await both([2, 2]);
    expect(Math.abs(c[0] - d[0])).toBeGreaterThan(1e-4);
  });

  it('is HyRSM with a regulariser', async () => {
    const params = paramsOf(one);
    const given = { support: clips(22, 3), query: clips(23, 2) };
    const plus = await run(one, params, given, [1, 1, 1]);
    const plain = await run(settings.hyrsm, params, given, [1, 1, 1]);
    expectNumbers(plus.logits, numbers(plain.logits), 12);
    expect(plain.regulariser).toBeUndefined();
    expect(numbers(plus.regulariser as NDArray)[0]).toBeGreaterThan(0);
  });

  it('matches the features that it shows', async () => {
    const given = { support: clips(24, 2, 3), query: clips(25, 2, 2) };
    const { logits, taskSupport, taskQuery } = await run(one, paramsOf(one), given, [1, 1, 1]);
    const again = await once(
      (s: Tensor, q: Tensor) => neg(biMhm(frameDistances(take(s, [0, 1, 2], 2), take(q, [0, 0, 0], 2)))),
      taskSupport as NDArray,
      { ...(taskQuery as NDArray), shape: [2, 2, 1, frames, width] },
    );
    expectNumbers(again, numbers(logits), 9);
  });

  it('keeps distances in their range where a reference and its shift all but cancel', async () => {
    const p = ndarray('float32', [1, 2, frames, width], Float32Array.from(between(26, [64]).data));
    // The shift is the first frame's opposite: that frame is left with rounding alone.
    const shift = new Float32Array(2 * 2 * width);
    for (let j = 0; j < 2; j++)
      for (let i = 0; i < 2; i++)
        for (let k = 0; k < width; k++) shift[(j * 2 + i) * width + k] = -p.data[i * frames * width + k] * (1 + 1e-7);
    const { distances } = await once(
      (reference: Tensor, g: Tensor, query: Tensor) => relatedDistances({ reference, shift: g, query }, null),
      p,
      ndarray('float32', [1, 2, 2, width], shift),
      ndarray('float32', [1, 2, frames, width], Float32Array.from(between(27, [64]).data)),
    );
    for (const value of numbers(distances)) {
      expect(value).toBeGreaterThan(-1e-3);
      expect(value).toBeLessThan(2.001);
    }
  });

  it('begins with the published values', () => {
    const { featureDim, ...rest } = { ...hyrsmPreset, featureDim: 64, classes: 7 };
    const params = headParams({ head: 'hyrsm++', featureDim, ...rest }, random.key(5));
    const deviation = (name: string) => {
      const values = numbers(params[`head.${name}`]);
      return Math.sqrt(values.reduce((total, v) => total + v * v, 0) / values.length);
    };
    expect(deviation('temporal_atte.w_qs.weight')).toBeCloseTo(Math.sqrt(2 / (64 + 8)), 2);
    expect(deviation('temporal_atte.fc.weight')).toBeCloseTo(Math.sqrt(2 / 128), 2);
    expect(deviation('layer2.0.weight')).toBeCloseTo(1 / Math.sqrt(3 * 128), 2);
    expect(numbers(params['head.temporal_atte_before.norm.weight']).every(v => v === 1)).toBe(true);
    const { buffers } = splitHeadParams(params);
    expect(Object.keys(buffers)).toEqual(['head.pe.pe']);
    const single = headShapes({ head: 'hyrsm++', featureDim, ...rest, attentionHeads: 1, classes: 0, positions: null });
    for (const absent of ['temporal_atte_before.fn.to_out.0.weight', 'classification_layer.weight', 'pe.pe'])
      expect(single).not.toHaveProperty([`head.${absent}`]);
  });
});

describe('the semi-supervised head', () => {
  const semi = settings['hyrsm++-semi'] as HeadSettings & { head: 'hyrsm++-semi' };
  const params = paramsOf(semi);
  const given = { support: clips(30, 3), query: clips(31, 2) };
  const shots = [1, 1, 1];

  it('without clips, or with none that is clear, is HyRSM++', async () => {
    const plain = numbers((await run(settings['hyrsm++'], params, given, shots)).logits);
    expectNumbers((await run(semi, params, given, shots)).logits, plain);
    const output = await run({ ...semi, threshold: 1.1 }, params, { ...given, unlabelled: clips(32, 4) }, shots);
    expectNumbers(output.logits, plain);
    expect(numbers(output.pseudo?.joined as NDArray)).toEqual([0, 0, 0, 0]);
  });

  it('takes what it finds clear for supports', async () => {
    // The supports again, as clips without labels: they join their own classes, and prototypes stay what they were.
    const twice = await run({ ...semi, threshold: 0.34 }, params, { ...given, unlabelled: given.support }, shots);
    expect(numbers(twice.pseudo?.labels as NDArray)).toEqual([0, 1, 2]);
    expect(numbers(twice.pseudo?.joined as NDArray)).toEqual([1, 1, 1]);
    expectNumbers(twice.logits, numbers((await run(settings['hyrsm++'], params, given, shots)).logits));
    // A clip of another class moves that class's prototype as a second support does.
    const clip = clips(33, 1);
    const one = await run({ ...semi, threshold: 0 }, params, { ...given, unlabelled: clip }, shots);
    const label = numbers(one.pseudo?.labels as NDArray)[0];
    const joined = [0, 1, 2].flatMap(n => (n === label ? [n, 3] : [n]));
    const supported = await once(
      (p: Named, x: Given) => {
        const all = take(x.support, joined, 0);
        return applyHead(
          p,
          { support: all, query: x.query, shots: [0, 1, 2].map(n => (n === label ? 2 : 1)) },
          settings['hyrsm++'],
        ).logits;
      },
      params,
      {
        support: ndarray('float64', [4, frames, width], Float64Array.from([...given.support.data, ...clip.data])),
        query: given.query,
      },
    );
    expectNumbers(one.logits, numbers(supported));
  });

  it('ignores the first clip alone where it is asked to, as published', async () => {
    const alone = { ...given, unlabelled: clips(34, 1) };
    const at = (selection: 'all' | 'published', unlabelled = alone.unlabelled) =>
      run({ ...semi, threshold: 0, selection }, params, { ...given, unlabelled }, shots);
    const published = await at('published');
    expect(numbers(published.pseudo?.confident as NDArray)).toEqual([1]);
    expect(numbers(published.pseudo?.joined as NDArray)).toEqual([0]);
    expect(numbers((await at('all')).pseudo?.joined as NDArray)).toEqual([1]);
    expect(numbers((await at('published', clips(35, 2))).pseudo?.joined as NDArray)).toEqual([1, 1]);
  });
});

describe('the training step', () => {
  it('gives the mean of the episodes’ gradients', async () => {
    const one = settings['hyrsm++'];
    const { trained, buffers } = splitHeadParams(paramsOf(one));
    const weights = { classification: 0.3, coherence: 0.2 };
    const step = fewshotStep(one, weights, { threads: 1 });
    const integers = (values: number[], shape: number[]) => fromNumbers(values, shape, 'int32');
    const all = {
      support: clips(40, 2, 3),
      query: clips(41, 2, 2),
      queries: integers([0, 2, 1, 1], [2, 2]),
      clips: integers([0, 1, 2, 0, 2, 2, 1, 0, 1, 1], [2, 5]),
    };
    const shots = [1, 1, 1];
    const both = await step(trained, buffers, all, shots);
    const each = await Promise.all(
      [0, 1].map(e => {
        const episode = Object.fromEntries(
          Object.entries(all).map(([name, array]) => {
            const only = row(array, e);
            return [name, { ...only, shape: [1, ...only.shape] }];
          }),
        ) as unknown as typeof all;
        return step(trained, buffers, episode, shots);
      }),
    );
    for (const [name, gradient] of Object.entries(both.gradients)) {
      const [a, b] = each.map(result => numbers(result.gradients[name]));
      expectNumbers(
        gradient,
        a.map((value, i) => (value + b[i]) / 2),
      );
    }
    const { matching, classification, coherence, loss } = both.loss;
    const means = [matching, classification, coherence].map(part => numbers(part as NDArray).reduce((p, q) => p + q, 0) / 2);
    expect(Number(loss.data[0])).toBeCloseTo(means[0] + 0.3 * means[1] + 0.2 * means[2], 10);
    await step.dispose();
  });

  it('asks for the classes of the clips where frames are classified', async () => {
    const logits = array64([1, 2], [1, 2]);
    const frameLogits = array64([1, 2, 3, 4], [1, 2, 2]);
    const labels = fromNumbers([1], [1], 'int32');
    const loss = (x: Tensor, f: Tensor, l: Tensor) =>
      fewshotLoss({ logits: x, frameLogits: f }, { queries: l }, { classification: 1, coherence: 0 }).loss;
    await expect(once(loss, logits, frameLogits, labels)).rejects.toThrow('the classes of the clips are missing');
  });
});

describe('what heads are made of', () => {
  it('sorts supports by class and says what is wrong with them', () => {
    expect(byClass([2, 0, 1, 0], 3)).toEqual({ order: [1, 3, 2, 0], shots: [2, 1, 1] });
    expect(() => byClass([0, 3], 3)).toThrow('support 1: expected a label from 0 to 2, found 3');
    expect(() => byClass([0, 2], 3)).toThrow('class 1 of 3: expected at least one support, found none');
  });

  it('takes means over any numbers of supports', async () => {
    const x = array64([1, 3, 5, 10], [4, 1]);
    const means = async (shots: number[]) => numbers(await once((v: Tensor) => classMeans(v, shots, 0), x));
    expect(await means([2, 2])).toEqual([2, 7.5]);
    expect(await means([3, 1])).toEqual([3, 10]);
    expect(await means([1, 1, 1, 1])).toEqual([1, 3, 5, 10]);
  });

  it('has the published table of positions', async () => {
    const { data, shape } = positionTable(6, 4);
    expect(shape).toEqual([4, 6]);
    expect(data[2 * 6]).toBeCloseTo(Math.sin(2), 12);
    expect(data[2 * 6 + 1]).toBeCloseTo(Math.cos(2 / 10000 ** (2 / 6)), 12);
    expect(data[3 * 6 + 4]).toBeCloseTo(Math.sin(3 / 10000 ** (8 / 6)), 12);
    const long = between(1, [1, 21, 4]);
    await expect(once((x: Tensor) => encodePositions(x, undefined, { attenuation: 10, weight: 1 }), long)).rejects.toThrow(
      'positions: 21 frames, but the table of positions has 20 rows',
    );
  });

  it('weights frames by their gap', () => {
    const first = (window: number, balance: number) =>
      coherenceWeights(8, { window, balance, farWeight: 1 })
        .weights.slice(0, 8)
        .map(value => Number(value.toFixed(4)));
    expect(first(3, 23)).toEqual([1, 0.5, 0.2, 0.1, 0.0425, 0.1596, 0.3238, 0.5013]);
    expect(first(1, 51)).toEqual([1, 0.5, 0.0194, 0.0754, 0.1618, 0.2693, 0.3875, 0.5063]);
  });

  it('has 28 pairs and 56 triples of 8 frames', () => {
    expect(frameTuples(8, 2)).toHaveLength(28);
    expect(frameTuples(8, 3)).toHaveLength(56);
    expect(frameTuples(3, 2)).toEqual([
      [0, 1],
      [0, 2],
      [1, 2],
    ]);
  });

  it('names a backbone by position', () => {
    const pairs = {
      '0.weight': 'conv1.weight',
      '1.running_var': 'bn1.running_var',
      '5.0.downsample.1.bias': 'layer2.0.downsample.1.bias',
    };
    for (const [positional, torchvision] of Object.entries(pairs)) {
      expect(torchvisionName(positional)).toBe(torchvision);
      expect(positionalName(torchvision)).toBe(positional);
    }
    expect(() => torchvisionName('2.weight')).toThrow('head.backbone.2.weight: not the name of an array of a ResNet by position');
    expect(() => positionalName('fc.weight')).toThrow('fc.weight: not the name of an array of a ResNet without classifier');
  });
});
