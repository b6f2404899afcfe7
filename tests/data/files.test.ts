import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readArray, readArrays, readJson, readText, writeFileAtomic } from '../../src/data/files.ts';
import { encodeNpy } from '../../src/data/formats/npy.ts';
import { encodeNpz } from '../../src/data/formats/npz.ts';
import { encodeSafetensors } from '../../src/data/formats/safetensors.ts';
import { counting, folderOf, messageRejected } from './builders.ts';

let dir = '';
beforeEach(async () => {
  ({ dir } = await folderOf({}));
});
afterEach(() => rm(dir, { recursive: true }));

test('arrays survive on disk', async () => {
  const x = counting(2, 3);
  await writeFileAtomic(join(dir, 'x.npy'), encodeNpy(x));
  await writeFileAtomic(join(dir, 'x.npz'), encodeNpz({ x }));
  await writeFileAtomic(join(dir, 'x.safetensors'), encodeSafetensors({ x }));
  expect(await readArray(join(dir, 'x.npy'))).toEqual(x);
  expect(await readArrays(join(dir, 'x.npz'))).toEqual({ x });
  expect(await readArrays(join(dir, 'x.safetensors'))).toEqual({ x });
  expect(await readdir(dir)).toEqual(['x.npy', 'x.npz', 'x.safetensors']);
});

test('a file that is missing or wrong is named', async () => {
  const path = join(dir, 'x.npy');
  expect(await messageRejected(readArray(path))).toBe(`${path}: no such file`);
  expect(await messageRejected(readArray(dir))).toBe(`${dir}: expected a file, found a folder`);
  expect(await messageRejected(readArrays(join(dir, 'x.bin')))).toBe(
    `${join(dir, 'x.bin')}: expected a .npz, .safetensors or PyTorch (.pth, .pt, .pyth, .pkl, .ckpt, .pth.tar) file, found the ending .bin`,
  );
  await writeFile(path, encodeNpy(counting(2, 3)).subarray(0, 140));
  expect(await messageRejected(readArray(path))).toBe(
    `${path}: shape [2, 3] of type <f4 needs 24 bytes of data, found 12 (truncated file?)`,
  );
  await writeFile(path, '{"a":\n1,}');
  expect(await messageRejected(readJson(path))).toMatch(/^.*x\.npy: expected JSON \(/);
  await writeFile(path, Buffer.from([0xff, 0xfe, 0x41]));
  expect(await messageRejected(readText(path))).toBe(`${path}: expected UTF-8 text`);
});

test('writing replaces the whole file, or nothing at all', async () => {
  const path = join(dir, 'run.json');
  await writeFileAtomic(path, 'first, and longer');
  await writeFileAtomic(path, [Buffer.from('sec'), Buffer.from('ond')]);
  expect(await readFile(path, 'utf8')).toBe('second');
  // A folder in the file's place makes the rename fail after the temporary file has been written.
  await mkdir(join(dir, 'taken', 'x'), { recursive: true });
  expect(await messageRejected(writeFileAtomic(join(dir, 'taken'), 'text'))).toMatch(/taken: cannot be written/);
  expect(await messageRejected(writeFileAtomic(join(dir, 'none', 'x'), 'text'))).toMatch(/x: cannot be written/);
  expect((await readdir(dir)).sort()).toEqual(['run.json', 'taken']);
});
