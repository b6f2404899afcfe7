import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readArrays } from '../../src/data/files.ts';
import { type Shape, zeros } from '../../src/engine/index.ts';
import { fold, key } from '../../src/engine/random.ts';
import { initAcmNet } from '../../src/localization/acmNet.ts';
import { acmNetOptions } from '../../src/localization/config.ts';
import { requireLocalization } from '../../src/train/config.ts';
import { importBackbone } from '../../src/train/importBackbone.ts';
import { importModel } from '../../src/train/importModel.ts';
import { models } from '../../src/train/models.ts';
import { readSourceWeights } from '../../src/train/sourceWeights.ts';

const folder = join(resolve(process.env.INKLING_SHARED ?? '../shared'), 'reference/ftcl');

/** What PyTorch reads from a checkpoint, by name. */
async function published(name: string) {
  const arrays = await readArrays(join(folder, `${name}.npz`));
  return Object.fromEntries(Object.entries(arrays).map(([key, array]) => [key.replace(/^out\./, ''), array]));
}

describe('published checkpoints', () => {
  it.each([
    ['train__checkpoint_acm', 'acm-net', 'a,b,c,d', [8, 6]],
    ['train__checkpoint_ftcl_cuda_tag', 'ftcl', 'thumos14', [6, 4]],
  ])('%s becomes a model of the same weights', async (name, model, classes, [featureDim, projectionDim]) => {
    const path = join(folder, `${name}.pth`);
    const weights = await readSourceWeights(path);
    expect(weights.found).toBe('8 tensors under model_state_dict');
    const { params, config, merged } = await importModel(weights, path, { model: models[model], classes });
    expect(params).toEqual(await published(name));
    expect(merged).toMatchObject({ missing: [], unexpected: [], wrongShape: [] });
    expect(config.model).toMatchObject({ featureDim, projectionDim, inputDropout: false });
  });

  it('without a projection keep its initial value', async () => {
    const name = 'train__checkpoint_without_projection';
    const path = join(folder, `${name}.pth`);
    const options = { model: models['acm-net'], classes: 'a,b,c,d', sets: ['model.projectionDim=6', 'train.seed=3'] };
    const { params, config, merged } = await importModel(await readSourceWeights(path), path, options);
    const initial = initAcmNet(acmNetOptions(requireLocalization(config, name), 4), fold(key(3), 'init'));
    expect(merged.missing).toEqual(['feature_trans.weight', 'feature_trans.bias']);
    expect(params['feature_trans.weight']).toEqual(initial['feature_trans.weight']);
    const stored = await published(name);
    for (const parameter of merged.matched) expect(params[parameter]).toEqual(stored[parameter]);
    expect(merged.matched).toHaveLength(6);
  });
});

describe('a published PSL checkpoint', () => {
  const psl = join(folder, '../psl');

  it('has a head and prototypes that make a model of features', async () => {
    const path = join(psl, 'tsm_tiny_a.pth');
    const weights = await readSourceWeights(path, { beside: models.psl.beside });
    expect(weights.found).toBe('111 tensors under model_state, and prototypes outside of it');
    const { params, merged } = await importModel(weights, path, { model: models.psl, onlyLook: true });
    expect([merged.matched.length, merged.missing, merged.wrongShape]).toEqual([10, [], []]);
    const arrays = weights.tensors;
    for (const name of merged.matched) expect(params[name]).toEqual(arrays.get(name)?.read());
  });

  it('of full size has a backbone of which nothing is missing and nothing unexpected', async () => {
    const published = JSON.parse(await readFile(join(psl, 'tsm_resnet50_names_shapes.json'), 'utf8')) as {
      parameters: { name: string; shape: Shape }[];
      buffers: { name: string; shape: Shape }[];
    };
    const arrays = [...published.parameters, ...published.buffers].map(({ name, shape }) => [name, zeros(shape)] as const);
    const tensors = new Map(arrays.map(([name, array]) => [name, { ...array, read: () => array }]));
    const { merged, base } = importBackbone({ found: '', tensors, others: [] }, 'full.pyth');
    expect(base).toBe('TSM on resnet50, width 64, by the names of PSL');
    expect(merged).toMatchObject({ missing: [], wrongShape: [] });
    expect(merged.matched).toHaveLength(318);
    expect(merged.unexpected.every(name => name.startsWith('head.'))).toBe(true);

    const prototypes = zeros([101, 128]);
    const all = new Map([...tensors, ['prototypes', { ...prototypes, read: () => prototypes }] as const]);
    const whole = await importModel({ found: '', tensors: all, others: [] }, 'full.pyth', { model: models.psl, onlyLook: true });
    expect([whole.merged.matched.length, whole.merged.missing, whole.merged.unexpected, whole.merged.wrongShape]).toEqual([
      328,
      [],
      [],
      [],
    ]);
    expect(whole.config).toMatchObject({ method: 'psl', video: { backbone: { network: 'resnet50', width: 64, shift: true } } });
  });
});
