import { describe, expect, it } from 'vitest';
import { exportModel } from '../../src/engine/exportModel.ts';
import { compile, fromNumbers, type NDArray, ndarray, random, type Tensor } from '../../src/engine/index.ts';
import { fold } from '../../src/engine/random.ts';
import { nodeRuntime } from '../../src/engine/runtime/node.ts';
import type { SymbolicParams } from '../../src/nn/index.ts';
import { bayesLinear, bayesPreset } from '../../src/openset/bayesLinear.ts';
import { crossEntropy } from '../../src/openset/crossEntropy.ts';
import { evidentialPreset } from '../../src/openset/evidential.ts';
import { type HeadOptions, headShapes, initHead, methodNames, recognize, trainHead } from '../../src/openset/methods.ts';
import { pslPreset } from '../../src/openset/pslLoss.ts';
import { stochasticScores } from '../../src/openset/scores/stochasticScores.ts';
import { stepNoise } from '../../src/openset/stepNoise.ts';
import { expectClose } from '../engine/checks.ts';
import { numbers, once } from '../localization/tensors.ts';

const headOf = (method: HeadOptions['method']): HeadOptions => ({
  method,
  classes: 3,
  featureDim: 5,
  hiddenDim: 4,
  embeddingDim: 2,
  dropout: 0.5,
  psl: { ...pslPreset, clips: 1, anchors: 'all' },
  rpl: { weight: 0.1, temperature: 1 },
  evidential: evidentialPreset,
  bayesian: { ...bayesPreset, weight: 0.5 },
  stochastic: { passes: 4, uncertainty: 'bald' },
});
const key = random.key(11);
const features = random.normal(key, [6, 5]);
const labels = fromNumbers([0, 1, 2, 0, 1, 2], [6], 'int32');
const drawn = (head: HeadOptions) => stepNoise(head, 6, name => fold(key, name));

/** What a trained head says of some features. */
async function said(head: HeadOptions, rows: NDArray): Promise<Record<'probabilities' | 'uncertainty', NDArray>> {
  const run = compile((params: SymbolicParams, x: Tensor) => recognize(params, x, head));
  try {
    return await run(initHead(head, key), rows);
  } finally {
    await run.dispose();
  }
}

describe.each(methodNames)('the method %s', method => {
  const head = headOf(method);

  it('starts with parameters of the shapes it says', () => {
    const shapes = Object.entries(initHead(head, key)).map(([name, { shape }]) => [name, shape]);
    expect(Object.fromEntries(shapes)).toEqual(headShapes(head));
  });

  it('exports as it runs, whatever the batch', async () => {
    const bytes = exportModel(
      (params, { x }) => {
        const { probabilities, uncertainty } = recognize(params, x, head);
        return { probabilities, uncertainty };
      },
      { params: initHead(head, key), inputs: { x: { dtype: 'float32', shape: ['batch', 5] } } },
    );
    const session = await nodeRuntime('cpu').createSession(bytes, ['probabilities', 'uncertainty'], {});
    try {
      for (const rows of [features, ndarray('float32', [1, 5], features.data.slice(5, 10))]) {
        const expected = await said(head, rows);
        const [probabilities, uncertainty] = await session.run({ x: rows });
        expectClose(probabilities, expected.probabilities, 1e-6);
        expectClose(uncertainty, expected.uncertainty, 1e-6);
      }
    } finally {
      await session.dispose();
    }
  });

  it('says of a sample what it says of it among others', async () => {
    const [together, alone] = [
      await said(head, features),
      await said(head, ndarray('float32', [1, 5], features.data.slice(5, 10))),
    ];
    for (const [c, p] of numbers(alone.probabilities).entries()) expect(p).toBeCloseTo(numbers(together.probabilities)[3 + c], 6);
    expect(numbers(alone.uncertainty)[0]).toBeCloseTo(numbers(together.uncertainty)[1], 6);
  });
});

describe('methods with stochastic passes', () => {
  it.each([
    ['dropout', 4],
    ['bayesian', 5],
  ] as const)('%s: the mean of the passes, and their mutual information', async (method, count) => {
    const { probabilities, uncertainty, passes } = await once(
      (params: SymbolicParams, x: Tensor) => recognize(params, x, headOf(method)),
      initHead(headOf(method), key),
      features,
    );
    if (!passes) return expect.fail('no passes');
    expect(passes.shape).toEqual([6, 3, count]);
    const { mean, mutualInformation } = stochasticScores(passes);
    for (const [i, p] of mean.flatMap(row => [...row]).entries()) expect(numbers(probabilities)[i]).toBeCloseTo(p, 6);
    for (const [i, u] of mutualInformation.entries()) expect(numbers(uncertainty)[i] / u).toBeCloseTo(1, 5);
  });
});

describe('training of the Bayesian head', () => {
  it('is cross-entropy of one draw, and the weighted divergence of that draw', async () => {
    const head = { ...headOf('bayesian'), dropout: 0 };
    const noise = drawn(head);
    expect(noise.weights?.weight).toEqual(random.normal(fold(key, 'weights'), [3, 5]));
    const { loss, classes, posterior, prior } = await once(
      (params: SymbolicParams, x: Tensor, y: Tensor, given: { weights?: { weight: Tensor; bias: Tensor } }) => {
        if (!given.weights) throw new Error('no draw');
        const pass = bayesLinear(params, 'head.fc', x, given.weights, head.bayesian);
        const input = { features: x, labels: y, lambda: x, ...given };
        return {
          loss: trainHead(params, input, head).loss,
          classes: crossEntropy(pass.y, y),
          posterior: pass.logPosterior,
          prior: pass.logPrior,
        };
      },
      initHead(head, key),
      features,
      labels,
      noise as { weights?: { weight: NDArray; bias: NDArray } },
    );
    const value = (array: NDArray) => Number(array.data[0]);
    expect(value(loss)).toBeCloseTo(value(classes) + 0.5 * (value(posterior) - value(prior)), 4);
    expect(value(posterior) - value(prior)).toBeGreaterThan(1);
  });
});

describe('the noise of a step', () => {
  it('is what the method asks for', () => {
    expect(Object.keys(drawn(headOf('psl')))).toEqual(['mask']);
    expect(drawn({ ...headOf('psl'), dropout: 0 })).toEqual({});
    expect(Object.keys(drawn(headOf('bayesian')))).toEqual(['mask', 'weights']);
    const debias = { weight: 0.1, dropout: 0.5, hsic: 'none', channels: 7, frames: 4, inputs: 5 } as const;
    const { debias: found } = drawn({ ...headOf('evidential'), debias });
    expect(Array.from(found?.order.data as Int32Array).sort()).toEqual([0, 1, 2, 3]);
    expect(found?.mask.shape).toEqual([3, 6, 7]);
    expect(drawn({ ...headOf('dropout'), debias }).debias).toBeUndefined();
  });
});
