import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { initTsm, resnetPresets, tsmNetwork, tsmPreset, tsmShapes } from '../../src/backbones/index.ts';
import { encodeSafetensors, parseSafetensors, readBytes } from '../../src/data/index.ts';
import { type NDArray, random, zeros } from '../../src/engine/index.ts';
import { importBackbone, writeBackbone } from '../../src/train/importBackbone.ts';
import { mustFit } from '../../src/train/importModel.ts';
import { loadModel, loadStart } from '../../src/train/model.ts';
import { readSourceWeights, type SourceWeights } from '../../src/train/sourceWeights.ts';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-backbone-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const network = { ...resnetPresets.resnet18, width: 8 };
const ours = initTsm({ ...tsmPreset, network }, random.key(3));

const sourceOf = (arrays: Record<string, NDArray>): SourceWeights => ({
  found: '',
  tensors: new Map(Object.entries(arrays).map(([name, array]) => [name, { ...array, read: () => array }])),
  others: [],
});

const renamedBy = (rename: (name: string) => string, more: Record<string, NDArray> = {}): SourceWeights =>
  sourceOf({ ...Object.fromEntries(Object.entries(ours).map(([name, array]) => [rename(name), array])), ...more });

const official = (name: string) => name.replace('backbone.', 'module.');
const mmaction2 = (name: string) =>
  name
    .replace('backbone.base_model.', 'backbone.')
    .replace('.downsample.0.', '.downsample.conv.')
    .replace('.downsample.1.', '.downsample.bn.')
    .replace(/\.conv(\d)\./, '.conv$1.conv.')
    .replace(/\.bn(\d)\./, '.conv$1.bn.');

describe('importBackbone', () => {
  it.each([
    ['psl', 'PSL', (name: string) => name, 'head.mlp.linear_a.weight'],
    ['tsm', 'the official TSM code', official, 'module.new_fc.weight'],
    ['mmaction2', 'MMAction2', mmaction2, 'cls_head.fc_cls.weight'],
  ])('takes weights by the names of %s, without head or classifier', async (naming, words, rename, head) => {
    const source = renamedBy(rename, { [head]: zeros([5, 64]) });
    const imported = importBackbone(source, 'w.pth');
    expect(imported.params).toEqual(ours);
    expect(imported.merged).toEqual({ matched: Object.keys(ours), missing: [], unexpected: [head], wrongShape: [] });
    expect([imported.needed, imported.notFinite]).toEqual([[], []]);
    expect(imported.base).toBe(`TSM on resnet18, width 8, by the names of ${words}`);
    const file = join(dir, `${naming}.safetensors`);
    await writeBackbone(file, imported);
    expect(parseSafetensors(await readBytes(file), file).tensors).toEqual(ours);
    expect(await loadStart(file)).toEqual({ params: ours, normalized: naming !== 'psl' });
    expect(imported.description).toMatchObject({ network: 'resnet18', width: 8, normalized: naming !== 'psl', source: 'w.pth' });
    await expect(loadModel(file)).rejects.toThrow(`${file}: expected a model, found the weights of a backbone alone`);
  });

  it('names what is missing, and does without counters', () => {
    const names = Object.keys(ours).filter(name => !/num_batches_tracked|layer4\.1\.bn2\.bias/.test(name));
    const { merged, needed } = importBackbone(sourceOf(Object.fromEntries(names.map(name => [name, ours[name]]))), 'w');
    expect(merged.missing).toHaveLength(21);
    expect(needed).toEqual(['backbone.base_model.layer4.1.bn2.bias']);
  });

  it('refuses weights of another shape, of another network and of no TSM', () => {
    const wrong = renamedBy(official, { 'module.base_model.layer1.0.bn1.bias': zeros([9]) });
    const imported = importBackbone(wrong, 'w');
    expect(() => mustFit(imported, wrong, 'w', false)).toThrow('backbone.base_model.layer1.0.bn1.bias is [9], not [8]');
    const deeper = renamedBy(name => name, { 'backbone.base_model.layer2.2.conv2.weight': zeros([1]) });
    expect(() => importBackbone(deeper, 'w')).toThrow('w: expected a TSM on ResNet-18, -34 or -50, found another network');
    expect(() => importBackbone(sourceOf({ 'fc.weight': zeros([2]) }), 'w')).toThrow(
      'w: expected a TSM checkpoint of PSL, the official TSM code, MMAction2, found names such as fc.weight',
    );
    const mixed = renamedBy(mmaction2, { 'neck.weight': zeros([1]) });
    expect(() => importBackbone(mixed, 'w')).toThrow(
      'w: array neck.weight: not a name of a TSM checkpoint of the kind mmaction2',
    );
  });

  it('reads what a program saved under the prefix of data parallelism', async () => {
    const file = join(dir, 'parallel.safetensors');
    const saved = Object.fromEntries(Object.entries(ours).map(([name, array]) => [official(name), array]));
    await writeFile(file, Buffer.concat(encodeSafetensors(saved)));
    const { merged } = importBackbone(await readSourceWeights(file), file);
    expect(merged.matched).toHaveLength(Object.keys(ours).length);
  });
});

describe('loadStart', () => {
  it('refuses a backbone that does not describe itself as one', async () => {
    const file = join(dir, 'strange.safetensors');
    await writeFile(file, Buffer.concat(encodeSafetensors(ours, { inklingBackbone: '{"format":2}' })));
    await expect(loadStart(file)).rejects.toThrow(`${file}: the description of the backbone lacks format`);
  });
});

describe('tsmNetwork', () => {
  it.each(Object.keys(resnetPresets) as (keyof typeof resnetPresets)[])('knows %s by its shapes', name => {
    const options = { ...resnetPresets[name], width: 16 };
    const shapes = tsmShapes({ ...tsmPreset, network: options });
    expect(tsmNetwork(new Map(Object.entries(shapes)))).toEqual({ name, options });
  });
});
