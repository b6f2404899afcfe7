/** Sequences of the same frames in other orders: only what sees the order can tell them apart. */
import { describe, expect, it } from 'vitest';
import { mul, type NDArray, random, type Tensor } from '../../src/engine/index.ts';
import {
  allFrameDistances,
  applyHead,
  encodePositions,
  fewshotStep,
  type HeadSettings,
  headParams,
  hyrsmPreset,
  type MetricName,
  matchingMetrics,
  splitHeadParams,
} from '../../src/fewshot/index.ts';
import { adam, type Params } from '../../src/nn/index.ts';
import { numbers, once } from '../localization/tensors.ts';

const [way, perClass, frames, width] = [5, 6, 8, 32];
const shots = Array<number>(way).fill(1);

interface Episode {
  readonly support: NDArray;
  readonly query: NDArray;
  readonly queries: NDArray;
}

/** Classes are orders of the same eight frames; every clip has noise of its own. */
function episode(seed: number): Episode {
  const key = random.key(seed);
  const pool = random.normal(random.fold(key, 'pool'), [frames, width]).data;
  const orders = Array.from({ length: way }, (_, n) => random.permutation(random.fold(random.fold(key, 'order'), n), frames));
  const clips = (count: number, name: string, labelOf: (i: number) => number): NDArray => {
    const noise = random.normal(random.fold(key, name), [count, frames, width]);
    const { data } = noise;
    for (let i = 0; i < data.length; i++) {
      const [clip, t, k] = [Math.floor(i / (frames * width)), Math.floor(i / width) % frames, i % width];
      data[i] = pool[orders[labelOf(clip)][t] * width + k] + 0.3 * data[i];
    }
    return { ...noise, shape: [1, count, frames, width] };
  };
  const labels = Int32Array.from({ length: way * perClass }, (_, i) => i % way);
  return {
    support: clips(way, 'support', i => i),
    query: clips(way * perClass, 'query', i => i % way),
    queries: { dtype: 'int32', shape: [1, labels.length], data: labels },
  };
}

/** Share of the queries whose largest score is their label's. */
function accuracy(scores: NDArray, { queries }: Episode): number {
  const all = numbers(scores);
  const right = numbers(queries).filter((label, i) => {
    const own = all.slice(i * way, (i + 1) * way);
    return own.indexOf(Math.max(...own)) === label;
  });
  return right.length / queries.data.length;
}

const seeds = [1, 2, 3, 4];
const meanOf = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** Mean accuracy of a metric on the frames, with or without positions. */
async function metricAccuracy(name: MetricName, positions: boolean): Promise<number> {
  const found = await Promise.all(
    seeds.map(async seed => {
      const one = episode(seed);
      const scores = await once(
        (support: Tensor, query: Tensor) => {
          const place = (x: Tensor) => (positions ? encodePositions(x, undefined, { attenuation: width, weight: 2 }) : x);
          return mul(matchingMetrics[name].inGraph(allFrameDistances(place(query), place(support))), -1);
        },
        one.support,
        one.query,
      );
      return accuracy(scores, one);
    }),
  );
  return meanOf(found);
}

describe('the order of frames', () => {
  it('is seen by alignments', async () => {
    for (const name of ['otam', 'dtw', 'diagonal'] as const)
      expect(await metricAccuracy(name, false), name).toBeGreaterThan(0.95);
  });

  it('is not seen by metrics of sets', async () => {
    const unordered = (Object.keys(matchingMetrics) as MetricName[]).filter(name => !matchingMetrics[name].ordered);
    expect(unordered).toHaveLength(7);
    for (const name of unordered) expect(await metricAccuracy(name, false), name).toBeLessThan(0.4);
  });

  it('is seen by a metric of sets through positions', async () => {
    expect(await metricAccuracy('bi-mhm', true)).toBeGreaterThan(0.9);
  });

  const settingsWith = (positions: (HeadSettings & { head: 'hyrsm++' })['positions']): HeadSettings => ({
    ...hyrsmPreset,
    head: 'hyrsm++',
    featureDim: width,
    attentionHeads: 4,
    classes: 0,
    coherence: null,
    positions,
  });

  /** Mean accuracy on episodes that training did not see. */
  async function trained(settings: HeadSettings): Promise<number> {
    const { trained: params, buffers } = splitHeadParams(headParams(settings, random.key(1)));
    const step = fewshotStep(settings, { classification: 0, coherence: 0 }, { threads: 1 });
    const optimizer = adam();
    const state = optimizer.init(params);
    for (let i = 0; i < 60; i++) {
      const { gradients } = await step(params, buffers, episode(1000 + i), shots);
      optimizer.update(params, gradients as Params, state, 1e-3);
    }
    await step.dispose();
    const found = seeds.map(async seed => {
      const one = episode(seed);
      const { logits } = await once(
        (p: Readonly<Record<string, Tensor>>, support: Tensor, query: Tensor) =>
          applyHead(p, { support, query, shots }, settings),
        { ...params, ...buffers },
        one.support,
        one.query,
      );
      return accuracy(logits, one);
    });
    return meanOf(await Promise.all(found));
  }

  it('is seen by a trained HyRSM++ with positions, and not without', async () => {
    expect(await trained(settingsWith({ attenuation: width, weight: 2 }))).toBeGreaterThan(0.9);
    expect(await trained(settingsWith(null))).toBeLessThan(0.4);
  });

  it('does not move the logits of HyRSM++ without positions at all', async () => {
    const settings = settingsWith(null);
    const one = episode(9);
    const backwards = Array.from({ length: frames }, (_, t) => frames - 1 - t);
    const size = frames * width;
    const turned = Float32Array.from(one.query.data as Float32Array, (_, i) => {
      const [clip, t, k] = [Math.floor(i / size), Math.floor(i / width) % frames, i % width];
      return Number(one.query.data[clip * size + backwards[t] * width + k]);
    });
    const logitsOf = (query: NDArray) =>
      once(
        (p: Readonly<Record<string, Tensor>>, s: Tensor, q: Tensor) =>
          applyHead(p, { support: s, query: q, shots }, settings).logits,
        headParams(settings, random.key(1)),
        one.support,
        query,
      );
    const [forwards, other] = [await logitsOf(one.query), await logitsOf({ ...one.query, data: turned } as NDArray)];
    for (const [i, value] of numbers(other).entries()) expect(value).toBeCloseTo(numbers(forwards)[i], 4);
  });
});
