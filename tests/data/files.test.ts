import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  isOutOfSpace,
  makeFolder,
  readArray,
  readArrays,
  readBytes,
  readJson,
  readText,
  requireNewFile,
  requireWritableFile,
  writeFileAtomic,
  writeProblem,
} from '../../src/data/files.ts';
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

test('what has no end is not read, what does not say its size is', async () => {
  expect(await messageRejected(readBytes('/dev/zero'))).toBe('/dev/zero: expected a file, found a device');
  const huge = join(dir, 'huge.npy');
  await writeFile(huge, '');
  await truncate(huge, 5 * 2 ** 30); // takes no room
  expect(await messageRejected(readArray(huge))).toBe(`${huge}: expected at most 4294967296 bytes, found 5368709120 bytes`);
  const pipe = join(dir, 'pipe.npy');
  execFileSync('mkfifo', [pipe]);
  const [read] = await Promise.all([readArray(pipe), writeFile(pipe, encodeNpy(counting(2, 3)))]);
  expect(read).toEqual(counting(2, 3));
});

test('writing replaces the whole file, or nothing at all', async () => {
  const path = join(dir, 'run.json');
  await writeFileAtomic(path, 'first, and longer');
  await writeFileAtomic(path, [Buffer.from('sec'), Buffer.from('ond')]);
  expect(await readFile(path, 'utf8')).toBe('second');
  // A folder in the file's place makes the rename fail after the temporary file has been written.
  await mkdir(join(dir, 'taken', 'x'), { recursive: true });
  expect(await messageRejected(writeFileAtomic(join(dir, 'taken'), 'text'))).toMatch(/taken: cannot be written/);
  expect(await messageRejected(writeFileAtomic(join(dir, 'none', 'x'), 'text'))).toBe(
    `${join(dir, 'none', 'x')}: there is no folder ${join(dir, 'none')} to write it to`,
  );
  expect((await readdir(dir)).sort()).toEqual(['run.json', 'taken']);
});

test('pieces are handed on in their order while a file is written and read', async () => {
  const path = join(dir, 'large.bin');
  // More than one piece of 8 MiB, in chunks that end elsewhere, one of them empty.
  const bytes = new Uint8Array(20_000_003).map((_, i) => i * 31 + (i >> 13));
  const chunks = [bytes.subarray(0, 11), bytes.subarray(11, 11), bytes.subarray(11, 17_000_000), bytes.subarray(17_000_000)];
  const digests = [createHash('sha256'), createHash('sha256')];
  await writeFileAtomic(path, chunks, piece => digests[0].update(piece));
  const read = await readBytes(path, piece => digests[1].update(piece));
  const expected = createHash('sha256').update(bytes).digest('hex');
  expect(createHash('sha256').update(read).digest('hex')).toBe(expected);
  expect(digests.map(digest => digest.digest('hex'))).toEqual([expected, expected]);
});

test('a link is followed, not replaced', async () => {
  await writeFile(join(dir, 'target'), 'old');
  await symlink(join(dir, 'target'), join(dir, 'link'));
  await writeFileAtomic(join(dir, 'link'), 'new');
  expect(await readFile(join(dir, 'target'), 'utf8')).toBe('new');
  expect((await lstat(join(dir, 'link'))).isSymbolicLink()).toBe(true);
});

test.skipIf(process.platform !== 'linux')('a full device is named with what was needed, and stays a device', async () => {
  const thrown = await writeFileAtomic('/dev/full', 'four').catch((error: unknown) => error);
  expect((thrown as Error).message).toBe('/dev/full: no space left on device (needed 4 bytes in /dev)');
  expect(isOutOfSpace(thrown)).toBe(true);
  expect((await lstat('/dev/full')).isCharacterDevice()).toBe(true);
  await writeFileAtomic('/dev/null', 'four');
  expect((await lstat('/dev/null')).isCharacterDevice()).toBe(true);
});

test('a file is new only where there is none, and never a device', async () => {
  const path = join(dir, 'x.onnx');
  await requireNewFile(path);
  await writeFile(path, '');
  expect(await messageRejected(requireNewFile(path))).toBe(
    `${path}: the file exists; choose another one, or replace it by --force`,
  );
  await requireNewFile(path, true);
  expect(await messageRejected(requireNewFile('/dev/null', true))).toBe(
    '/dev/null: expected a file to write, found a device or pipe',
  );
  expect(await messageRejected(requireNewFile(dir, true))).toBe(`${dir}: expected a file, found a folder`);
  expect(await messageRejected(requireNewFile(join(dir, 'none', 'x')))).toBe(
    `${join(dir, 'none', 'x')}: there is no folder ${join(dir, 'none')} to write it to`,
  );
});

test('what keeps a file from being written is told apart', async () => {
  const withCode = (code: string) => Object.assign(new Error(`${code}: x`), { code });
  expect(writeProblem(withCode('ENOSPC'), 'run', 12)).toBe('no space left on device (needed 12 bytes in run)');
  expect(writeProblem(withCode('EDQUOT'), 'run', 12)).toBe('disk quota exceeded (needed 12 bytes in run)');
  expect(writeProblem(withCode('EROFS'), 'run', 12)).toBe('cannot be written: the file system is read-only');
  expect(writeProblem(withCode('EACCES'), 'run', 12)).toBe('cannot be written: no permission in run');
  expect(writeProblem(withCode('EIO'), 'run', 12)).toBe('cannot be written (EIO: x)');
  expect([withCode('EIO'), new Error('ENOSPC'), undefined].map(isOutOfSpace)).toEqual([false, false, false]);
  await writeFile(join(dir, 'file'), '');
  expect(await messageRejected(makeFolder(join(dir, 'file')))).toBe(`${join(dir, 'file')}: expected a folder, found a file`);
  expect(await messageRejected(requireWritableFile(dir))).toBe(`${dir}: expected a file, found a folder`);
});
