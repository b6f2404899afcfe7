import { describe, expect, it } from 'vitest';
import { resnetPresets, tsmPreset } from '../../src/backbones/index.ts';
import { headOptions, opensetConfig } from '../../src/openset/config.ts';
import { recognizerStepFlops, recognizerSummary } from '../../src/openset/modelSummary.ts';
import { loadConfig } from '../../src/train/config.ts';

const headOf = async (classes: number, ...sets: readonly string[]) =>
  headOptions(opensetConfig.parse((await loadConfig('openset/base', { sets })).config), classes);

describe('recognizerSummary', () => {
  it('counts a classifier as by hand', async () => {
    const [f, k, b] = [6, 4, 5];
    const head = await headOf(k, 'method=cross-entropy', `model.featureDim=${f}`);
    const { layers, input, outputs, parameters } = recognizerSummary({ head, batch: b });
    expect([input, outputs]).toEqual([[b, f], { probabilities: [b, k], embeddings: [b, f], uncertainty: [b] }]);
    expect(layers).toEqual([
      expect.objectContaining({ name: 'head.fc', count: k * f + k, output: [b, k], flops: b * k * (2 * f + 1) }),
    ]);
    expect(parameters).toBe(k * f + k);
    const { flops } = recognizerStepFlops({ head, batch: b });
    // The product forward, and backward for the weights.
    expect(flops).toBeGreaterThan(2 * b * k * 2 * f);
    expect(flops).toBeLessThan(4 * b * k * 2 * f);
  });

  it('counts the published network as it is published: no buffers, prototypes beside it', async () => {
    const head = await headOf(101);
    const { input, parameters, layers, flops } = recognizerSummary({ head, backbone: { ...tsmPreset, size: 224 }, batch: 1 });
    expect(input).toEqual([1, 3, 8, 224, 224]);
    expect(parameters).toBe(25_739_456 + 12_928);
    const stem = layers.find(({ name }) => name === 'backbone.base_model.conv1');
    expect([stem?.count, stem?.output]).toEqual([9408, [8, 64, 112, 112]]);
    // 4.1 G multiply-adds a frame, as published for ResNet-50.
    expect(flops / 2 / 8 / 1e9).toBeCloseTo(4.1, 1);
  });

  it('counts a training step over clips', async () => {
    const network = { ...resnetPresets.resnet18, width: 4 };
    const head = await headOf(3, 'model.featureDim=32');
    const options = { head, backbone: { ...tsmPreset, network, segments: 2, size: 32 }, batch: 2 };
    const ratio = recognizerStepFlops(options).flops / recognizerSummary(options).flops;
    expect(ratio).toBeGreaterThan(2.5);
    expect(ratio).toBeLessThan(4);
  });
});
