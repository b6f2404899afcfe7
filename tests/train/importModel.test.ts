import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { totalsOf } from '../../src/data/describe/description.ts';
import { encodeNpz } from '../../src/data/formats/npz.ts';
import { encodeSafetensors } from '../../src/data/formats/safetensors.ts';
import { astype, fromNumbers, type NDArray, type Shape, sizeOf } from '../../src/engine/index.ts';
import { fold, key } from '../../src/engine/random.ts';
import { initAcmNet } from '../../src/localization/acmNet.ts';
import { acmNetOptions } from '../../src/localization/config.ts';
import { loadLast } from '../../src/train/checkpoint.ts';
import { readClassNames } from '../../src/train/classNames.ts';
import { loadConfig, requireLocalization } from '../../src/train/config.ts';
import { describeRun } from '../../src/train/describeRun.ts';
import { type ImportOptions, importModel as importAny, mustFit } from '../../src/train/importModel.ts';
import { checkTarget, writeImported } from '../../src/train/importTarget.ts';
import { loadModel } from '../../src/train/model.ts';
import { models } from '../../src/train/models.ts';
import { silentReporter } from '../../src/train/reporter.ts';
import { readRun } from '../../src/train/runs.ts';
import { readSourceWeights, type SourceWeights } from '../../src/train/sourceWeights.ts';

const model = models['acm-net'];
const ftcl = models.ftcl;

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-import-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Weights of a network of width 6 with 3 classes, different in every entry. */
function network(changes: Record<string, Shape | undefined> = {}): Record<string, NDArray> {
  const shapes: Record<string, Shape | undefined> = {
    'feature_embedding.0.weight': [6, 6, 3],
    'feature_embedding.0.bias': [6],
    'att_branch.weight': [3, 6, 1],
    'att_branch.bias': [3],
    'snippet_cls.weight': [4, 6],
    'snippet_cls.bias': [4],
    'feature_trans.weight': [5, 6],
    'feature_trans.bias': [5],
    ...changes,
  };
  let next = 0;
  const entries = Object.entries(shapes).flatMap(([name, shape]): [string, NDArray][] =>
    shape
      ? [
          [
            name,
            fromNumbers(
              Array.from({ length: sizeOf(shape) }, () => ++next / 64),
              shape,
            ),
          ],
        ]
      : [],
  );
  return Object.fromEntries(entries);
}

function sourceOf(arrays: Record<string, NDArray>): SourceWeights {
  const tensors = Object.entries(arrays).map(([name, array]) => [name, { ...array, read: () => array }] as const);
  return { found: '', tensors: new Map(tensors), others: [] };
}

/** {@link importAny} of a localiser. */
async function importModel(weights: SourceWeights, where: string, options: ImportOptions) {
  const imported = await importAny(weights, where, options);
  return { ...imported, config: requireLocalization(imported.config, where) };
}

const classes = 'a,b,c';

describe('readSourceWeights', () => {
  it('takes a prefix off that all names have, in every format', async () => {
    const arrays = network();
    const wrapped = Object.fromEntries(Object.entries(arrays).map(([name, array]) => [`module.${name}`, array]));
    const npz = join(dir, 'w.npz');
    await writeFile(npz, encodeNpz(wrapped));
    const safetensors = join(dir, 'w.safetensors');
    await writeFile(safetensors, Buffer.concat(encodeSafetensors(wrapped)));
    for (const path of [npz, safetensors]) {
      const { found, tensors } = await readSourceWeights(path);
      expect(found).toBe('8 tensors, module. taken off their names');
      expect(Object.fromEntries([...tensors].map(([name, tensor]) => [name, tensor.read()]))).toEqual(arrays);
      await expect(readSourceWeights(path, { key: 'x' })).rejects.toThrow(`${path}: --key goes with checkpoints of PyTorch`);
    }
  });

  it('chooses the weights of a checkpoint by their place', async () => {
    const path = 'tests/data/torch/training-zip.torch1.pth';
    expect((await readSourceWeights(path)).found).toBe(
      '7 tensors under state_dict, module. taken off their names; the same names are under state_dict_ema too (--key)',
    );
    const ema = await readSourceWeights(path, { key: 'state_dict_ema' });
    expect(ema.found).toBe(
      '7 tensors under state_dict_ema, module. taken off their names; the same names are under state_dict too (--key)',
    );
    expect([...ema.tensors.keys()]).toContain('1.running_mean');
    await expect(readSourceWeights(path, { key: 'ema' })).rejects.toThrow('expected weights under "ema", found them under');
  });
});

describe('a PSL checkpoint', () => {
  it('has its prototypes outside of the network, and says all widths', async () => {
    const head: Record<string, Shape> = {
      'head.mlp.linear_a.weight': [7, 6],
      'head.mlp.linear_a.bias': [7],
      ...Object.fromEntries(['weight', 'bias', 'running_mean', 'running_var'].map(name => [`head.mlp.linear_a_bn.${name}`, [7]])),
      'head.mlp.logits_out_b.weight': [4, 7],
      'head.mlp.logits_out_b.bias': [4],
      prototypes: [3, 4],
    };
    const arrays = Object.fromEntries(
      Object.entries(head).map(([name, shape], i) => [name, fromNumbers(Array(sizeOf(shape)).fill(i + 1), shape)]),
    );
    const imported = await importAny(sourceOf(arrays), 'w', { model: models.psl, classes });
    expect(imported.adapted).toEqual([
      'model.featureDim: 6, not 2048',
      'model.hiddenDim: 7, not 1024',
      'model.embeddingDim: 4, not 128',
    ]);
    expect(imported.config).toMatchObject({ task: 'openset', method: 'psl', data: { known: ['a', 'b', 'c'] } });
    expect(imported.merged.missing).toEqual(['head.mlp.linear_a_bn.num_batches_tracked']);
    expect(imported.params.prototypes).toEqual(arrays.prototypes);
    expect(imported.notFinite).toEqual([]);
    const path = join(dir, 'psl.safetensors');
    await writeImported(path, 'file', imported, 'w');
    expect((await loadModel(path)).calibration).toBeUndefined();
    await expect(importAny(sourceOf(arrays), 'w', { model: models.psl, classes: 'a,b' })).rejects.toThrow(
      'w: it has 3 classes, --classes a,b 2',
    );
  });
});

describe('importModel', () => {
  it('finds the options in the shapes', async () => {
    const arrays = network();
    const imported = await importModel(sourceOf(arrays), 'w', { model, classes });
    expect(imported.config.model).toMatchObject({ featureDim: 6, projectionDim: 5, inputDropout: false });
    expect(imported.config.data.classes).toEqual(['a', 'b', 'c']);
    expect(imported.base).toBe('localization/features/acm-net');
    expect(imported.adapted).toEqual(['model.featureDim: 6, not 2048', 'model.projectionDim: 5, not 1024']);
    expect(imported.params).toEqual(arrays);
    expect(imported.merged).toEqual({ matched: Object.keys(arrays), missing: [], unexpected: [], wrongShape: [] });
    expect([imported.needed, imported.notFinite]).toEqual([[], []]);
  });

  it('finds the dropout in front of the embedding, and takes the preset of a published class list', async () => {
    const moved = { 'feature_embedding.0.weight': undefined, 'feature_embedding.0.bias': undefined };
    const shapes = {
      ...moved,
      'feature_embedding.1.weight': [6, 6, 3],
      'feature_embedding.1.bias': [6],
      'snippet_cls.weight': [201, 6],
      'snippet_cls.bias': [201],
    };
    const imported = await importModel(sourceOf(network(shapes)), 'w', { model: ftcl, classes: 'activitynet' });
    expect([imported.base, imported.config.model.inputDropout]).toEqual(['localization/activitynet/ftcl', true]);
    expect(imported.merged.matched).toHaveLength(8);
    const thumos = network({ 'snippet_cls.weight': [21, 6], 'snippet_cls.bias': [21] });
    expect((await importModel(sourceOf(thumos), 'w', { model: ftcl, classes: 'thumos14' })).config.loss.sequence.terms).toBe(
      'pairs',
    );
    expect((await importModel(sourceOf(thumos), 'w', { model, config: 'localization/thumos14/acm-net' })).classes[0]).toBe(
      'BaseballPitch',
    );
  });

  it('keeps the seeded initial value of what is missing, and makes float32 of other types', async () => {
    const arrays = network({ 'feature_trans.weight': undefined, 'feature_trans.bias': undefined });
    const wide = Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, astype(array, 'float64')]));
    const sets = ['train.seed=5', 'model.projectionDim=7'];
    const { params, merged, config, needed } = await importModel(sourceOf(wide), 'w', { model, classes, sets });
    const initial = initAcmNet(acmNetOptions(config, 3), fold(key(5), 'init'));
    expect(params).toEqual({ ...initial, ...arrays });
    expect(params['feature_trans.weight'].shape).toEqual([7, 6]);
    expect(merged.missing).toEqual(['feature_trans.weight', 'feature_trans.bias']);
    expect(needed).toEqual([]);
  });

  it('names what inference cannot do without, and what is not finite', async () => {
    const arrays = network({ 'att_branch.bias': undefined });
    (arrays['snippet_cls.bias'].data as Float32Array)[1] = Number.NaN;
    const { needed, notFinite } = await importModel(sourceOf(arrays), 'w', { model, classes });
    expect([needed, notFinite]).toEqual([['att_branch.bias'], ['snippet_cls.bias']]);
  });

  it('does not read what it does not use', async () => {
    const { tensors, ...rest } = sourceOf(network());
    const read = (): NDArray => {
      throw new Error('read');
    };
    const more = new Map([...tensors, ['scale', { dtype: 'complex64', shape: [2], read }] as const]);
    const { merged } = await importModel({ ...rest, tensors: more }, 'w', { model, classes });
    expect(merged.unexpected).toEqual(['scale']);
  });

  it.each([
    ['no class names', {}, {}, 'w: it has 3 classes and does not say which; give 3 names by --classes'],
    ['another number of classes', {}, { classes: 'a,b' }, 'w: it has 3 classes, --classes a,b 2; give 3 names by --classes'],
    [
      'another number of classes in the configuration',
      {},
      { config: 'localization/thumos14/acm-net' },
      'w: it has 3 classes, data.classes of localization/thumos14/acm-net 20; give 3 names',
    ],
    ['no classifier', { 'snippet_cls.weight': undefined }, {}, 'w: it does not say how many classes it has; give names by'],
    [
      'a configuration of another method',
      {},
      { classes, config: 'localization/thumos14/ftcl' },
      'localization/thumos14/ftcl: its method is ftcl, not acm-net (--model ftcl, or another --config)',
    ],
  ])('asks for what it must know: %s', async (_, changes, options, message) => {
    await expect(importModel(sourceOf(network(changes)), 'w', { model, ...options })).rejects.toThrow(message);
  });

  it('refuses weights of something else', async () => {
    const other = { 'layer1.0.conv1.weight': fromNumbers([1], [1]), fc: fromNumbers([1], [1]) };
    await expect(importModel(sourceOf(other), 'w', { model })).rejects.toThrow(
      'w: none of its names is one of the model: expected feature_embedding.0.weight, feature_embedding.0.bias, att_branch.weight, …, found layer1.0.conv1.weight, fc',
    );
  });
});

describe('mustFit', () => {
  it('names every wrong shape, and with strict everything missing or unexpected', async () => {
    const shapes = { 'att_branch.weight': [4, 6, 1], 'snippet_cls.bias': [9], 'feature_trans.bias': undefined, more: [2] };
    const source = { ...sourceOf(network(shapes)), others: ['version'] };
    const imported = await importModel(source, 'w', { model, classes });
    expect(() => mustFit(imported, source, 'w', false)).toThrow(
      'w: nothing was written: att_branch.weight is [4, 6, 1], not [3, 6, 1]; snippet_cls.bias is [9], not [4] (import it with',
    );
    const fitting = { ...imported, merged: { ...imported.merged, wrongShape: [] } };
    expect(() => mustFit(fitting, source, 'w', true)).toThrow(
      'w: nothing was written: feature_trans.bias is missing; more is unexpected; version is unexpected (--strict)',
    );
    expect(mustFit(fitting, source, 'w', false)).toBeUndefined();
  });
});

describe('writing', () => {
  it('makes a model file and a run of the same weights', async () => {
    const imported = await importModel(sourceOf(network()), 'w', { model, classes });
    const [file, run] = [join(dir, 'model.safetensors'), join(dir, 'run')];
    await writeImported(file, await checkTarget(file, false), imported, 'w');
    await writeImported(run, await checkTarget(run, false), imported, 'w');
    for (const path of [file, run, join(run, 'model.safetensors')]) {
      const loaded = await loadModel(path);
      expect(loaded).toMatchObject({ source: path, params: network(), classes: ['a', 'b', 'c'], config: imported.config });
    }
    expect((await loadConfig(join(run, 'config.yaml'))).config).toEqual(imported.config);
    expect(await readRun(run)).toMatchObject({ status: 'imported', problems: [], record: { imported: resolve('w') } });
    const { format, facts, entries } = await describeRun(run);
    expect({ format, facts }).toEqual({
      format: 'run',
      facts: {
        task: 'localization',
        method: 'acm-net',
        data: imported.config.data.dir,
        epochs: 100,
        'last checkpoint': '0 epochs (checkpoints/epoch-0000.safetensors)',
        model: 'acm-net, 3 classes',
        classes: 'a, b, c',
      },
    });
    expect(totalsOf(entries)).toEqual({ tensors: 8, elements: 198, bytes: 792 });
    const state = await loadLast(run, 100, silentReporter());
    expect([state?.epoch, state?.optimizer.step]).toEqual([0, 0]);
    // A model of ours says itself what it is.
    const again = await importModel(await readSourceWeights(file), file, { model });
    expect([again.classes, again.config, again.params]).toEqual([imported.classes, imported.config, imported.params]);
    const reseeded = await importModel(await readSourceWeights(file), file, { model, sets: ['train.seed=9'] });
    expect(reseeded.config).toEqual({ ...imported.config, train: { ...imported.config.train, seed: 9 } });
    await expect(importModel(await readSourceWeights(file), file, { model: ftcl })).rejects.toThrow(
      'its method is acm-net, not ftcl',
    );
  });

  it('replaces nothing', async () => {
    const [folder, file] = [join(dir, 'mine'), join(dir, 'mine.safetensors')];
    await mkdir(folder);
    expect(await checkTarget(folder, false)).toBe('run');
    await writeFile(join(folder, 'notes.txt'), 'x');
    await writeFile(file, 'x');
    await expect(checkTarget(folder, true)).rejects.toThrow(`${folder}: expected a new or empty folder, found 1 files`);
    await expect(checkTarget(file, false)).rejects.toThrow(
      `${file}: the file exists; choose another one, or replace it by --force`,
    );
    expect(await checkTarget(file, true)).toBe('file');
    await expect(checkTarget(join(folder, 'notes.txt'), true)).rejects.toThrow('expected a new run folder, or a file ending in');
    expect(await readdir(folder)).toEqual(['notes.txt']);
  });
});

describe('readClassNames', () => {
  it('takes a published list, a file or a list', async () => {
    await writeFile(join(dir, 'names.json'), '["x y", "z"]');
    await writeFile(join(dir, 'names.txt'), 'x y\r\n\n z \n');
    expect(await readClassNames('thumos14')).toHaveLength(20);
    expect(await readClassNames(join(dir, 'names.json'))).toEqual(['x y', 'z']);
    expect(await readClassNames(join(dir, 'names.txt'))).toEqual(['x y', 'z']);
    expect(await readClassNames('x y, z')).toEqual(['x y', 'z']);
    await expect(readClassNames('a,a')).rejects.toThrow('--classes: the class "a" is listed twice');
    await expect(readClassNames('lost.json')).rejects.toThrow('lost.json: no such file; expected class names as a file');
  });
});
