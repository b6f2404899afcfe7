import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readArrays } from '../../src/data/files.ts';
import { StoredTensor } from '../../src/data/formats/storedTensor.ts';
import { type CheckpointValue, parseTorchCheckpoint } from '../../src/data/formats/torchCheckpoint.ts';
import { messageThrown } from './builders.ts';

/** Written by bench/pytorch/checkpoint_fixtures.py, with PyTorch 1.13 and 2.15. */
const folder = join(import.meta.dirname, 'torch');
const bytesOf = (file: string): Uint8Array => readFileSync(join(folder, file));
const parse = (file: string): CheckpointValue => parseTorchCheckpoint(bytesOf(file), file);
const names = readdirSync(folder);

/** A tree in the form in which the script wrote down what PyTorch itself reads. */
function shown(value: CheckpointValue): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value).replace('NaN', 'nan').replace('Infinity', 'inf');
  if (typeof value === 'bigint') return `${value}n`;
  if (value instanceof Uint8Array) return { bytes: [...value] };
  if (value instanceof StoredTensor) return shownTensor(value);
  if (value instanceof Map) return { map: [...value].map(([k, v]) => [shown(k), shown(v)]) };
  if (value instanceof Set) return { set: [...value].sort() };
  return Array.isArray(value) ? value.map(shown) : value;
}

function shownTensor(tensor: StoredTensor): unknown {
  const head = { tensor: tensor.dtype, shape: tensor.shape };
  if (/^(complex|quint)/.test(tensor.dtype)) return head;
  const { shape, data, dtype } = tensor.read();
  expect(shape).toEqual(tensor.shape);
  const value = (x: number | bigint): unknown => {
    if (dtype === 'bool') return x === 1;
    return shown(typeof x === 'bigint' && Number.isSafeInteger(Number(x)) ? Number(x) : x);
  };
  return { ...head, values: Array.from<number | bigint, unknown>(data, value) };
}

describe.each(['torch1', 'torch2'])('what PyTorch wrote (%s)', version => {
  const expected = JSON.parse(readFileSync(join(folder, `expected.${version}.json`), 'utf8')) as Record<string, unknown>;
  test.each(Object.keys(expected))('%s', file => {
    expect(shown(parse(file))).toEqual(expected[file]);
  });

  test('every file of this version is expected, or refused below', () => {
    const refused = /^(attack|module|script|export|shapes)/;
    expect(names.filter(name => name.includes(version) && !/\.json$/.test(name) && !refused.test(name)).sort()).toEqual(
      Object.keys(expected).sort(),
    );
  });
});
