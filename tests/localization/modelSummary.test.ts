import { describe, expect, it } from 'vitest';
import { modelSummary, trainingStepFlops } from '../../src/localization/modelSummary.ts';
import { loadLocalizationConfig } from '../../src/train/config.ts';

const configOf = async (name: string, ...sets: string[]) => (await loadLocalizationConfig(name, { sets })).config;

describe('modelSummary', () => {
  it('counts a small network as by hand', async () => {
    const [f, c, t, b] = [6, 4, 10, 2];
    const config = await configOf('localization/features/acm-net', `model.featureDim=${f}`, 'model.projectionDim=5');
    const { layers, other, ...rest } = modelSummary(config, { classes: c, batch: b, time: t });
    expect(layers).toEqual([
      {
        name: 'feature_embedding.0',
        parameters: { 'feature_embedding.0.weight': [f, f, 3], 'feature_embedding.0.bias': [f] },
        count: f * f * 3 + f,
        output: [b, t, f],
        // three taps, two additions of their products, and the bias
        flops: b * t * f * (2 * 3 * f + 2 + 1),
        directFlops: b * t * f * (2 * 3 * f + 2 + 1),
      },
      expect.objectContaining({ name: 'att_branch', output: [b, t, 3], flops: b * t * 3 * (2 * f + 1) }),
      expect.objectContaining({ name: 'snippet_cls', output: [b, t, c + 1], flops: b * t * (c + 1) * (2 * f + 1) }),
      { name: 'feature_trans', parameters: expect.any(Object), count: 5 * f + 5, output: undefined, flops: 0, directFlops: 0 },
    ]);
    const parameters = f * f * 3 + f + 3 * f + 3 + (c + 1) * (f + 1) + 5 * f + 5;
    expect(rest).toEqual({
      input: [b, t, f],
      outputs: { classScores: [b, c + 1], attention: [b, t, 3], cas: [b, t, c + 1] },
      parameters,
      parameterBytes: 4 * parameters,
      largestActivation: { dtype: 'float32', shape: [b, t + 2, f], bytes: 4 * b * (t + 2) * f },
      flops: layers.reduce((sum, layer) => sum + layer.flops, other.flops),
      directFlops: rest.flops,
    });
    expect(other.ops).toEqual(expect.arrayContaining(['relu', 'softmax', 'topK']));
  });

  it('tells what a fast convolution saves', async () => {
    const config = await configOf('localization/thumos14/ftcl');
    const { layers, flops, directFlops } = modelSummary(config, { classes: 20, batch: 1, time: 750 });
    const [embedding] = layers;
    expect(embedding.directFlops).toBe(750 * 2048 * (2 * 3 * 2048 + 3));
    // Four products of half the rows instead of three of all.
    expect(embedding.flops / embedding.directFlops).toBeCloseTo(2 / 3, 2);
    expect(flops).toBeLessThan(directFlops);
  });

  it('names the embedding behind the input dropout', async () => {
    const config = await configOf('localization/activitynet/acm-net');
    const { layers } = modelSummary(config, { classes: 200, batch: 1, time: 75 });
    expect(layers.map(({ name, output }) => [name, output])).toEqual([
      ['feature_embedding.1', [1, 75, 2048]],
      ['att_branch', [1, 75, 3]],
      ['snippet_cls', [1, 75, 201]],
      ['feature_trans', undefined],
    ]);
  });
});

describe('trainingStepFlops', () => {
  it('is between two and three times the forward pass', async () => {
    const names = ['thumos14/acm-net', 'thumos14/ftcl', 'activitynet/acm-net', 'synthetic/acm-net'];
    for (const name of names) {
      const config = await configOf(`localization/${name}`, 'data.samples=100', 'model.featureDim=256');
      const size = { classes: 20, batch: 4, time: 100 };
      const { directFlops: forward } = modelSummary(config, size);
      const streams = config.loss.sequence.terms === 'pairs' ? 2 : 1;
      const { directFlops } = trainingStepFlops(config, size);
      // One product forwards and two backwards, but no gradient of the features.
      expect(directFlops / forward / streams).toBeGreaterThan(2);
      expect(directFlops / forward / streams).toBeLessThan(3);
    }
  });
});
