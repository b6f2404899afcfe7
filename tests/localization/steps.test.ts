import { describe, expect, it } from 'vitest';
import { copyOf, fromNumbers, type NDArray, random } from '../../src/engine/index.ts';
import { acmLossPresets } from '../../src/localization/acmLoss.ts';
import { type AcmNetOptions, acmNetMasks, initAcmNet } from '../../src/localization/acmNet.ts';
import { inBatchWeights, sequenceLossPreset } from '../../src/localization/ftclLoss.ts';
import {
  acmStep,
  evaluationStep,
  inBatchStep,
  inferenceStep,
  type ModelOptions,
  pairStep,
  pieceNames,
  pieceValues,
  trainable,
} from '../../src/localization/steps.ts';
import { adam, mapParams } from '../../src/nn/index.ts';
import { expectClose } from '../engine/checks.ts';
import { numbers } from './tensors.ts';

const network: AcmNetOptions = {
  featureDim: 8,
  classes: 3,
  dropout: 0.5,
  inputDropout: false,
  topKDivisors: { instance: 8, context: 3, background: 3 },
  lcsLength: 4,
  fsdLength: 2,
  projectionDim: 6,
};
const options: ModelOptions = { network, loss: acmLossPresets.thumos14, sequence: { ...sequenceLossPreset, lcsThreshold: 0.6 } };
const params = initAcmNet(network, random.key(1));
const features = random.uniform(random.key(2), [4, 12, 8]);
const others = random.uniform(random.key(3), [4, 12, 8]);
const labels = fromNumbers([1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1], [4, 3]);
const otherLabels = fromNumbers([1, 0, 0, 0, 1, 0, 0, 1, 1, 1, 0, 0], [4, 3]);
const all = trainable(params, true);

describe('trainable', () => {
  it('freezes what only the FSD term trains when there is none', () => {
    const { trained, frozen } = trainable(params, false);
    expect(Object.keys(frozen)).toEqual(['feature_trans.weight', 'feature_trans.bias']);
    expect(Object.keys({ ...trained, ...frozen })).toEqual(Object.keys(params));
    expect([Object.keys(all.trained), Object.keys(all.frozen)]).toEqual([Object.keys(params), []]);
  });
});

describe('acmStep', () => {
  it('lowers the loss along its gradients, and has none of the frozen parameters', async () => {
    const step = acmStep(options, {});
    const { trained, frozen } = trainable(mapParams(params, copyOf), false);
    const optimizer = adam();
    const state = optimizer.init(trained);
    const totals: number[] = [];
    for (let i = 0; i < 40; i++) {
      const { pieces, gradients } = await step(trained, frozen, features, labels, {});
      totals.push(pieceValues(pieces).total);
      expect(Object.keys(gradients)).toEqual(Object.keys(trained));
      optimizer.update(trained, gradients, state, 1e-2);
    }
    expect(totals[39]).toBeLessThan(0.8 * totals[0]);
    await step.dispose();
  });

  it('drops by its masks: the same with the same masks, another loss with others', async () => {
    const step = acmStep(options, {});
    const at = async (seed: number) =>
      pieceValues((await step(all.trained, {}, features, labels, acmNetMasks(network, 4, 12, random.key(seed)))).pieces);
    expect(await at(5)).toEqual(await at(5));
    expect((await at(6)).instance).not.toBe((await at(5)).instance);
    // The attention sees no dropout on THUMOS14.
    expect((await at(6)).sparse).toBe((await at(5)).sparse);
    await step.dispose();
  });
});

describe('inBatchStep', () => {
  it('without a pair gives what the plain step gives, and nothing to the projection', async () => {
    const [plain, inBatch] = [acmStep(options, {}), inBatchStep(options, {})];
    const expected = await plain(all.trained, {}, features, labels, {});
    const found = await inBatch(all.trained, {}, features, labels, {}, inBatchWeights(4, [], []));
    expect(pieceValues(found.pieces)).toEqual(pieceValues(expected.pieces));
    for (const name of Object.keys(params)) expectClose(found.gradients[name], expected.gradients[name], 1e-6, name);
    expect(numbers(found.gradients['feature_trans.weight']).every(v => v === 0)).toBe(true);
    await Promise.all([plain.dispose(), inBatch.dispose()]);
  });

  it('trains the projection by the pairs', async () => {
    const step = inBatchStep(options, {});
    const { pieces, gradients } = await step(all.trained, {}, features, labels, {}, inBatchWeights(4, [[0, 1]], [[0, 3]]));
    const { total, acm, lcs, fsd } = pieceValues(pieces);
    expect(total).toBeCloseTo(acm + lcs + fsd, 5);
    expect(fsd).not.toBe(0);
    expect(numbers(gradients['feature_trans.weight']).some(v => v !== 0)).toBe(true);
    await step.dispose();
  });
});

describe('pairStep', () => {
  it('gives the probabilities of both streams, and the mean of their objectives', async () => {
    const [pair, plain] = [pairStep(options, {}), acmStep(options, {})];
    const both = await pair(all.trained, {}, [features, others], [labels, otherLabels], [{}, {}]);
    const alone = [await plain(all.trained, {}, features, labels, {}), await plain(all.trained, {}, others, otherLabels, {})];
    for (const i of [0, 1]) expectClose(both.probabilities[i], alone[i].probabilities[0], 1e-6);
    const pieces = pieceValues(both.pieces);
    for (const name of ['acm', 'instance', 'context', 'background', 'guide', 'sparse'] as const) {
      expect(pieces[name]).toBeCloseTo((pieceValues(alone[0].pieces)[name] + pieceValues(alone[1].pieces)[name]) / 2, 4);
    }
    expect(pieces.total).toBeCloseTo(pieces.acm + pieces.lcs + pieces.fsd, 5);
    expect(pieces.fsd).not.toBe(0);
    await Promise.all([pair.dispose(), plain.dispose()]);
  });

  it('without its terms has half the gradients of each stream', async () => {
    const without = { ...options, sequence: { ...options.sequence, lcsWeight: 0, fsdWeight: 0 } };
    const { trained, frozen } = trainable(params, false);
    const [pair, plain] = [pairStep(without, {}), acmStep(options, {})];
    const { gradients, pieces } = await pair(trained, frozen, [features, others], [labels, otherLabels], [{}, {}]);
    const alone = [await plain(trained, frozen, features, labels, {}), await plain(trained, frozen, others, otherLabels, {})];
    for (const name of Object.keys(trained)) {
      const [a, b] = alone.map(result => numbers(result.gradients[name]));
      const mean = fromNumbers(
        a.map((v, i) => (v + b[i]) / 2),
        trained[name].shape,
      );
      expectClose(gradients[name], mean, 1e-5, name);
    }
    expect([pieceValues(pieces).lcs, pieceValues(pieces).fsd]).toEqual([0, 0]);
    await Promise.all([pair.dispose(), plain.dispose()]);
  });
});

describe('evaluationStep', () => {
  it('gives what inference gives, with the pieces of the objective', async () => {
    const [evaluation, inference, plain] = [evaluationStep(options, {}), inferenceStep(options, {}), acmStep(options, {})];
    const one = (x: NDArray, width: number) => fromNumbers(numbers(x).slice(0, width), [1, ...x.shape.slice(1)]);
    const [x, y] = [one(features, 96), one(labels, 3)];
    const [evaluated, inferred] = [await evaluation(params, x, y), await inference(params, x)];
    for (const name of ['classScores', 'attention', 'cas'] as const) expect(evaluated[name]).toEqual(inferred[name]);
    expect([inferred.classScores.shape, inferred.attention.shape, inferred.cas.shape]).toEqual([
      [1, 4],
      [1, 12, 3],
      [1, 12, 4],
    ]);
    const [found, expected] = [evaluated.pieces, (await plain(all.trained, {}, x, y, {})).pieces].map(pieceValues);
    expect(Object.keys(found)).toEqual([...pieceNames]);
    for (const name of pieceNames) expect(found[name]).toBeCloseTo(expected[name], 3);
    await Promise.all([evaluation.dispose(), inference.dispose(), plain.dispose()]);
  });
});
