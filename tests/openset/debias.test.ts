import { describe, expect, it } from 'vitest';
import { constant, fromNumbers, type NDArray, random, type Tensor } from '../../src/engine/index.ts';
import { mapParams, type Params } from '../../src/nn/index.ts';
import { bayesPreset } from '../../src/openset/bayesLinear.ts';
import { type DebiasOptions, debiasLoss, debiasParams } from '../../src/openset/debias.ts';
import { type NetworkOptions, networkShapes } from '../../src/openset/encoder.ts';
import { evidentialPreset } from '../../src/openset/evidential.ts';
import { hsic } from '../../src/openset/hsic.ts';
import { type Inputs, type Labelled, labelArray } from '../../src/openset/inputs.ts';
import type { HeadOptions } from '../../src/openset/methods.ts';
import { pslPreset } from '../../src/openset/pslLoss.ts';
import { isBuffer, opensetTask } from '../../src/openset/task.ts';
import { between, build } from '../engine/arrays.ts';
import { array64, checkGradient, numbers, once } from '../localization/tensors.ts';

const options: DebiasOptions = { weight: 0.1, dropout: 0.5, hsic: 'none', channels: 3, frames: 3, inputs: 2 };
const [rows, classes, height, width] = [4, 3, 3, 2];
const params = mapParams(debiasParams(options, classes, random.key(1)), (array, name) =>
  // Batch norms that do something.
  /bn\.(weight|bias)$/.test(name) ? between(name.length, array.shape, 0.5, 1.5) : array64(numbers(array), array.shape),
);
const maps = between(2, [rows, options.frames, options.inputs, height, width], -1, 1);
const labels = fromNumbers([0, 2, 1, 2], [rows], 'int32');
const order = [2, 0, 1];
const mask = build([3, rows, options.channels], ([branch, row, c]) => (branch + row + c) % 2);

function loss(
  over: Partial<DebiasOptions> = {},
  given: { readonly params?: Params; readonly order?: readonly number[]; readonly maps?: NDArray } = {},
): Promise<number> {
  const noise = { order: fromNumbers(given.order ?? order, [options.frames], 'int32'), mask };
  return once(
    (p: Record<string, Tensor>, x: Tensor, y: Tensor, debias: { order: Tensor; mask: Tensor }) =>
      debiasLoss(p, { maps: x, labels: y, debias }, { ...options, ...over }, evidentialPreset).loss,
    given.params ?? params,
    given.maps ?? maps,
    labels,
    noise,
  ).then(({ data }) => Number(data[0]));
}

/** The evidence of a branch, written out: maps read by `frameOf`, a kernel of `depth` frames. */
function alphaByHand(branch: string, index: number, frameOf: (t: number) => number, depth: 1 | 3): number[][] {
  const { channels, frames, inputs } = options;
  const of = (name: string) => numbers(params[`head.debias.${branch}.${name}`]);
  const [kernel, gain, shift, weight, bias] = ['conv.weight', 'bn.weight', 'bn.bias', 'fc.weight', 'fc.bias'].map(of);
  const x = (n: number, c: number, t: number, i: number, j: number) =>
    t < 0 || t >= frames || i < 0 || i >= height || j < 0 || j >= width
      ? 0
      : maps.data[(((n * frames + frameOf(t)) * inputs + c) * height + i) * width + j];
  const range = (n: number) => [...Array(n).keys()];
  const positions = range(frames).flatMap(t => range(height).flatMap(i => range(width).map(j => [t, i, j])));
  const convolved = range(channels).map(o =>
    range(rows).map(n =>
      positions.map(([t, i, j]) => {
        let total = 0;
        for (const c of range(inputs))
          for (const a of range(depth))
            for (const p of range(3))
              for (const q of range(3))
                total +=
                  kernel[(((o * inputs + c) * depth + a) * 3 + p) * 3 + q] *
                  x(n, c, t + a - (depth - 1) / 2, i + p - 1, j + q - 1);
        return total;
      }),
    ),
  );
  const pooled = convolved.map((ofChannel, o) => {
    const all = ofChannel.flat();
    const mean = all.reduce((a, b) => a + b) / all.length;
    const variance = all.reduce((total, v) => total + (v - mean) ** 2, 0) / all.length;
    const normed = (v: number) => Math.max(0, ((v - mean) / Math.sqrt(variance + 1e-5)) * gain[o] + shift[o]);
    return ofChannel.map(values => values.reduce((total, v) => total + normed(v), 0) / values.length);
  });
  return range(rows).map(n =>
    range(classes).map(k => {
      const logit = range(channels).reduce(
        (total, o) => total + weight[k * channels + o] * pooled[o][n] * 2 * mask.data[(index * rows + n) * channels + o],
        bias[k],
      );
      return 1 + Math.exp(logit);
    }),
  );
}

const alphas = [
  alphaByHand('ordered', 0, t => t, 3),
  alphaByHand('shuffled', 1, t => order[t], 3),
  alphaByHand('single', 2, t => t, 1),
];
const classLoss = (alpha: readonly number[][]): number =>
  alpha.reduce((total, row, n) => total + Math.log(row.reduce((a, b) => a + b) / row[Number(labels.data[n])]), 0) / rows;

describe("DEAR's debiasing head", () => {
  it('is the sum of the class losses of frames in order, in another order, and one by one', async () => {
    expect(await loss()).toBeCloseTo(
      alphas.map(classLoss).reduce((a, b) => a + b),
      10,
    );
    expect(Math.abs((await loss({}, { order: [0, 1, 2] })) - (await loss()))).toBeGreaterThan(1e-4);
  });

  it('may have the dependence of its branches in it, with either sign', async () => {
    const [a, b, c] = alphas.map(alpha => array64(alpha.flat(), [rows, classes]));
    const dependence = await once((x: Tensor, y: Tensor, z: Tensor) => [hsic(x, y), hsic(x, z)], a, b, c);
    const total = dependence.reduce((sum, { data }) => sum + Number(data[0]), 0);
    expect(total).toBeGreaterThan(1e-4);
    expect((await loss({ hsic: 'reduce' })) - (await loss())).toBeCloseTo(total, 10);
    expect((await loss({ hsic: 'increase' })) - (await loss())).toBeCloseTo(-total, 10);
  });

  it('has the gradient of finite differences, in the maps and in all that is trained', async () => {
    const trained = Object.keys(params).filter(name => !isBuffer(name));
    await checkGradient(
      (x, ...arrays) => {
        const all = Object.fromEntries(Object.entries(params).map(([name, array]) => [name, constant(array)]));
        for (const [i, name] of trained.entries()) all[name] = arrays[i];
        const noise = { order: constant(fromNumbers(order, [options.frames], 'int32')), mask: constant(mask) };
        return debiasLoss(
          all,
          { maps: x, labels: constant(labels), debias: noise },
          { ...options, hsic: 'reduce' },
          evidentialPreset,
        ).loss;
      },
      [maps, ...trained.map(name => params[name])],
    );
  });
});

const head: HeadOptions = {
  method: 'evidential',
  classes: 2,
  featureDim: 8,
  hiddenDim: 1,
  embeddingDim: 1,
  dropout: 0,
  psl: { ...pslPreset, clips: 1 },
  rpl: { weight: 0.1, temperature: 1 },
  evidential: evidentialPreset,
  debias: { ...options, inputs: 8, hsic: 'increase' },
  bayesian: { ...bayesPreset, weight: 1e-6 },
  stochastic: { passes: 2, uncertainty: 'bald' },
};
const network: NetworkOptions = {
  head,
  backbone: {
    network: { block: 'basic', blocks: [1], width: 8, channels: 3 },
    segments: options.frames,
    shiftDivisor: 8,
    norms: 'batch',
  },
};

/** Clips of random numbers. */
const inputs: Inputs<Labelled> = {
  training: async samples => ({
    inputs: random.uniform(random.key(5), [samples.length, 3, options.frames, 16, 16]),
    labels: labelArray(samples.map(({ label }) => label)),
    warnings: [],
  }),
  async *testing(samples) {
    for (const i of samples.keys())
      yield { samples: [i], inputs: random.uniform(random.key(i), [1, 1, 3, options.frames, 16, 16]), problems: [] };
  },
  close: async () => {},
};
const samples = [0, 1, 0, 1].map(label => ({ label }));

function taskOf(of: NetworkOptions) {
  const split = { known: ['a', 'b'], unknown: ['c'], train: samples, test: samples, unknownTest: samples };
  const where = { threads: 1 };
  return opensetTask({ split, network: of, inputs, batchSize: 4, epochs: 1, uncertainty: 'method', where });
}

describe('training with it', () => {
  it('adds a weighted term, moves the head and its statistics, and teaches the backbone something else', async () => {
    const [task, plain] = [taskOf(network), taskOf({ ...network, head: { ...head, debias: undefined } })];
    const start = task.init(random.key(7));
    expect(Object.fromEntries(Object.entries(start).map(([name, { shape }]) => [name, shape]))).toEqual(networkShapes(network));
    const step = async (of: typeof task) => {
      const { prepare, step: run } = of.epoch(0, random.key(8));
      return run(of === task ? start : plainStart, await prepare(0));
    };
    const plainStart = Object.fromEntries(Object.entries(start).filter(([name]) => !name.startsWith('head.debias.')));
    try {
      const [debiased, own] = [await step(task), await step(plain)];
      const stem = 'backbone.base_model.conv1.weight';
      expect(Math.abs(debiased.pieces.total - own.pieces.total)).toBeGreaterThan(0.01);
      expect(debiased.gradients[stem]).not.toEqual(own.gradients[stem]);
      expect(debiased.gradients['head.fc.weight']).toEqual(own.gradients['head.fc.weight']);
      for (const branch of ['ordered', 'shuffled', 'single']) {
        const name = `head.debias.${branch}`;
        const gradient = debiased.gradients[`${name}.conv.weight`];
        expect(gradient && numbers(gradient).some(x => x !== 0)).toBe(true);
        expect(Number(debiased.buffers[`${name}.bn.num_batches_tracked`].data[0])).toBe(1);
      }
      const nothing = () => {};
      const [a, b] = [await task.evaluate(start, nothing), await plain.evaluate(plainStart, nothing)];
      expect(a.files['scores.npz']).toEqual(b.files['scores.npz']);
    } finally {
      await task.dispose();
      await plain.dispose();
    }
  });
});
