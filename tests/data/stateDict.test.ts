import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readArrays } from '../../src/data/files.ts';
import type { StoredTensor } from '../../src/data/formats/storedTensor.ts';
import { type CheckpointValue, parseTorchCheckpoint } from '../../src/data/formats/torchCheckpoint.ts';
import { findStateDict } from '../../src/data/stateDict.ts';
import { ndarray } from '../../src/engine/ndarray.ts';
import { folderOf, messageRejected, messageThrown } from './builders.ts';
import { checkpoint, tensorOpcodes } from './pickles.ts';

const folder = join(import.meta.dirname, 'torch');
const tensor = parseTorchCheckpoint(checkpoint(tensorOpcodes()), 'x.pth') as StoredTensor;

/** A tree of dictionaries out of records; `T` stands for a tensor. */
const T = 'T';
type Tree = { readonly [name: string]: Tree | string | number };
function tree(record: Tree): CheckpointValue {
  const value = (of: Tree | string | number): CheckpointValue => (of === T ? tensor : typeof of === 'object' ? tree(of) : of);
  return new Map(Object.entries(record).map(([name, of]) => [name, value(of)]));
}
const find = (record: Tree, key?: string) => {
  const { path, stripped, tensors, others } = findStateDict(tree(record), 'm.pth', { key });
  return { path, stripped, names: [...tensors.keys()], others };
};
const refusal = (value: CheckpointValue, key?: string) => messageThrown(() => findStateDict(value, 'm.pth', { key }));

test('weights are found at the root, under the usual names, or where alone they are', () => {
  expect(find({ 'a.weight': T, 'a.bias': T })).toEqual({ path: '', stripped: '', names: ['a.weight', 'a.bias'], others: [] });
  for (const path of ['model_state', 'model_state_dict', 'state_dict', 'model']) {
    expect(find({ epoch: 3, [path]: { w: T }, optimizer: { state: { momentum: T } } })).toMatchObject({ path, names: ['w'] });
  }
  expect(find({ model_state: { w: T }, prototypes: T })).toMatchObject({ path: 'model_state', names: ['w'] });
  expect(find({ model: { state_dict: { w: T }, ema: { w: T } } })).toMatchObject({ path: 'model.state_dict' });
  expect(find({ model: { generator: { w: T } }, others: { w: T } })).toMatchObject({ path: 'model.generator' });
  expect(find({ backbone: { w: T }, epoch: 1 })).toMatchObject({ path: 'backbone' });
});

test('of several sets the plain one is taken, or the one that is asked for', () => {
  const both = { state_dict_ema: { w: T, extra: 1 }, state_dict: { w: T } };
  expect(find(both)).toMatchObject({ path: 'state_dict', others: [] });
  expect(find(both, 'state_dict_ema')).toMatchObject({ path: 'state_dict_ema', others: ['extra'] });
  expect(find({ state_dict_ema: { w: T } })).toMatchObject({ path: 'state_dict_ema' });
  expect(find({ a: { b: { w: T } } }, 'a.b')).toMatchObject({ path: 'a.b' });
  expect(refusal(tree(both), 'ema')).toBe('m.pth: expected weights under "ema", found them under "state_dict_ema", "state_dict"');
  expect(refusal(tree({ encoder: { w: T }, decoder: { w: T } }))).toBe(
    'm.pth: expected one set of weights, found several, under "encoder", "decoder": say which',
  );
});

test('prefixes of wrappers go where every name has them', () => {
  expect(find({ 'module.a.w': T, 'module.b.w': T, 'module.extra_state': 1 })).toEqual({
    path: '',
    stripped: 'module.',
    names: ['a.w', 'b.w'],
    others: ['extra_state'],
  });
  expect(find({ 'module._orig_mod.a': T })).toMatchObject({ stripped: 'module._orig_mod.', names: ['a'] });
  expect(find({ '_orig_mod.module.a': T })).toMatchObject({ stripped: '_orig_mod.module.', names: ['a'] });
  expect(find({ 'module.a': T, head: T })).toMatchObject({ stripped: '', names: ['module.a', 'head'] });
  expect(find({ 'module.': T, 'module.a': T })).toMatchObject({ stripped: '' });
});

test('what has no weights is described', () => {
  expect(refusal(tensor)).toBe('m.pth: expected tensors by their names, found a single tensor');
  expect(refusal([tensor])).toBe('m.pth: expected tensors by their names, found a list');
  expect(refusal(null)).toBe('m.pth: expected tensors by their names, found a single value');
  expect(refusal(new Map())).toBe('m.pth: expected tensors by their names, found an empty dictionary');
  expect(refusal(tree({ epoch: 1, lr: 2 }))).toBe('m.pth: expected tensors by their names, found a dictionary of "epoch", "lr"');
});

test('readArrays takes checkpoints of either format under any of their endings', async () => {
  const { dir, remove } = await folderOf({});
  try {
    const expected = { weight: ndarray('float32', [4], Float32Array.of(0, 1, 2, 3)) };
    for (const [file, name] of [
      ['gpu-zip.torch2.pth', 'a.pth'],
      ['gpu-legacy.torch2.pth', 'a.pt'],
      ['gpu-legacy.torch1.pth', 'a.PYTH'],
      ['gpu-zip.torch1.pth', 'a.pkl'],
      ['gpu-zip.torch1.pth', 'a.ckpt'],
      ['gpu-zip.torch1.pth', 'model_best.pth.tar'],
    ]) {
      await copyFile(join(folder, file), join(dir, name));
      expect(await readArrays(join(dir, name))).toEqual(expected);
    }
    await copyFile(join(folder, 'tensor-4.torch2.pkl'), join(dir, 'b.pkl'));
    expect(await readArrays(join(dir, 'b.pkl'))).toEqual({
      weight: ndarray('float32', [2, 3], Float32Array.of(0, 1, 2, 3, 4, 5)),
    });
    await copyFile(join(folder, 'views-zip.torch2.pth'), join(dir, 'c.pth'));
    const { base, tied } = await readArrays(join(dir, 'c.pth'));
    expect(tied.data).toEqual(base.data);
    const complex = join(dir, 'd.pth');
    await copyFile(join(folder, 'dtypes-zip.torch2.pth'), complex);
    expect(await messageRejected(readArrays(complex))).toMatch(
      /d\.pth: "complex64": .*a tensor \[2\] of type complex64 cannot be read$/,
    );
  } finally {
    await remove();
  }
});
