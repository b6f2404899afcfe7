import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { readBytes } from '../../src/data/files.ts';
import { parseNpz } from '../../src/data/formats/npz.ts';
import { StoredTensor } from '../../src/data/formats/storedTensor.ts';
import { type CheckpointValue, parseTorchCheckpoint } from '../../src/data/formats/torchCheckpoint.ts';
import { findStateDict } from '../../src/data/stateDict.ts';
import type { NDArray } from '../../src/engine/ndarray.ts';

const folder = resolve(process.env.INKLING_SHARED ?? '../shared', 'reference');
const read = async (file: string): Promise<CheckpointValue> => parseTorchCheckpoint(await readBytes(join(folder, file)), file);
const json = async (file: string): Promise<unknown> => JSON.parse(await readFile(join(folder, file), 'utf8'));

/** The arrays of an npz whose names start so, without the start. */
async function arrays(file: string, prefix: string): Promise<Record<string, NDArray>> {
  const all = Object.entries(parseNpz(await readBytes(join(folder, file)), file));
  return Object.fromEntries(
    all.flatMap(([name, array]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), array]] : [])),
  );
}

function weights(tree: CheckpointValue, key?: string): Record<string, NDArray> {
  const { tensors } = findStateDict(tree, 'checkpoint', { key });
  return Object.fromEntries([...tensors].map(([name, tensor]) => [name, tensor.read()]));
}

/** The fustal cases store scalars as arrays of one. */
function scalarsAsOne(byName: Readonly<Record<string, NDArray>>): Record<string, NDArray> {
  const one = (of: NDArray): NDArray => (of.shape.length === 0 ? { ...of, shape: [1] } : of);
  return Object.fromEntries(Object.entries(byName).map(([name, of]) => [name, one(of)]));
}

/** What is under these keys. */
function at(tree: CheckpointValue, ...keys: readonly (string | number)[]): CheckpointValue {
  return keys.reduce((value, key) => {
    if (Array.isArray(value)) return value[key as number];
    if (!(value instanceof Map) || !value.has(key)) throw new Error(`nothing under ${key}`);
    return value.get(key) as CheckpointValue;
  }, tree);
}

function array(value: CheckpointValue): NDArray {
  if (!(value instanceof StoredTensor)) throw new Error('expected a tensor');
  return value.read();
}

/** A tree of plain values as JSON would hold it. */
function plain(value: CheckpointValue): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([name, part]) => [name, plain(part)]));
  if (Array.isArray(value)) return value.map(plain);
  return typeof value === 'bigint' ? String(value) : value;
}

test.each(['acm', 'ftcl_cuda_tag', 'without_projection'])('ftcl: train__checkpoint_%s', async name => {
  const tree = await read(`ftcl/train__checkpoint_${name}.pth`);
  expect(findStateDict(tree, name)).toMatchObject({ path: 'model_state_dict', stripped: '', others: [] });
  expect(weights(tree)).toEqual(await arrays(`ftcl/train__checkpoint_${name}.npz`, 'out.'));
  expect(at(tree, 'epoch')).toBe(((await json(`ftcl/train__checkpoint_${name}.json`)) as { epoch: number }).epoch);
});

test('fustal: generator', async () => {
  const tree = await read('fustal/checkpoint_generator_small.pth');
  expect(weights(tree)).toEqual(await arrays('fustal/checkpoint_generator_small.npz', 'w.'));
});

test('fustal: student as its trainer saves it, with averages, both moments and an integer beyond 64 bits', async () => {
  const file = 'fustal/checkpoint_student_full_format';
  const tree = await read(`${file}.pth`);
  const expected = (await json(`${file}.json`)) as {
    epoch: number;
    optimizer_param_order: readonly string[];
    param_groups: readonly Record<string, unknown>[];
    scheduler: Record<string, unknown>;
  };
  expect(findStateDict(tree, file)).toMatchObject({ path: 'state_dict', stripped: 'module.' });
  expect(scalarsAsOne(weights(tree))).toEqual(await arrays(`${file}.npz`, 'sd.module.'));
  expect(scalarsAsOne(weights(tree, 'state_dict_ema'))).toEqual(await arrays(`${file}.npz`, 'ema.module.'));

  const moments = { exp_avg: await arrays(`${file}.npz`, 'm.'), exp_avg_sq: await arrays(`${file}.npz`, 'v.') };
  const order = expected.optimizer_param_order;
  expect(order).toHaveLength(82);
  for (const [moment, byName] of Object.entries(moments)) {
    const found = order.map((name, i): [string, NDArray] => [name, array(at(tree, 'optimizer', 'state', i, moment))]);
    expect(scalarsAsOne(Object.fromEntries(found))).toEqual(byName);
  }
  const groups = plain(at(tree, 'optimizer', 'param_groups')) as Record<string, unknown>[];
  expect(groups.map(({ params: _, ...options }) => options)).toEqual(expected.param_groups);
  expect(at(tree, 'scheduler', 'max_epochs')).toBe(25n * 10n ** 39n);
  expect(plain(at(tree, 'scheduler'))).toEqual(expected.scheduler);
  expect(at(tree, 'epoch')).toBe(expected.epoch);
});

test('fustal: weights of the student training case', async () => {
  const tree = await read('fustal/student_train_base.pth');
  expect(findStateDict(tree, 'student').stripped).toBe('module.');
  const expected = await arrays('fustal/student_train_base.npz', 'w.');
  expect(Object.keys(expected)).toHaveLength(123);
  expect(scalarsAsOne(weights(tree))).toEqual(expected);
});

test('hyrsm: state_dict, and the checkpoint after one step', async () => {
  const before = await read('hyrsm/e2e_hyrsmpp1_bottleneck_b2.state_dict.pth');
  expect(weights(before)).toEqual(await arrays('hyrsm/e2e_hyrsmpp1_bottleneck_b2.npz', 'param.'));

  const tree = await read('hyrsm/e2e_hyrsmpp1_bottleneck_b2.checkpoint_epoch_00005.pyth');
  const file = 'hyrsm/e2e_hyrsmpp1_bottleneck_b2_checkpoint.npz';
  expect(findStateDict(tree, file).path).toBe('model_state');
  expect(weights(tree)).toEqual(await arrays(file, 'param.'));
  const adam = Object.entries(await arrays(file, 'adam.'));
  expect(adam).toHaveLength(152);
  for (const [name, expected] of adam) {
    const [index, moment] = name.split('.');
    expect(array(at(tree, 'optimizer_state', 'state', Number(index), moment)), name).toEqual(expected);
  }
  expect(at(tree, 'epoch')).toBe(4);
  expect(JSON.parse(at(tree, 'cfg') as string)).toMatchObject({ VIDEO: { HEAD: { NAME: 'CNN_HyRSM_plusplus_1shot' } } });
});

test.each(['tsm_tiny_a', 'tsm_tiny_b'])('psl: %s', async name => {
  const tree = await read(`psl/${name}.pth`);
  const { prototypes, ...expected } = await arrays(`psl/${name}_state.npz`, '');
  expect(weights(tree)).toEqual(expected);
  expect(array(at(tree, 'prototypes'))).toEqual(prototypes);
  expect(at(tree, 'epoch')).toBe(0);
});
