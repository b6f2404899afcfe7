import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { featureCache, openFeatures, readFeatureFile } from '../../src/data/features.ts';
import { encodeNpz } from '../../src/data/formats/npz.ts';
import { fromNumbers, zeros } from '../../src/engine/ndarray.ts';
import { counting, folderOf, messageRejected, npyFile, npyHeader } from './builders.ts';

const half = npyFile(npyHeader('<f2', '(2, 3)'), [0, 0x3c, 0, 0x40, 0, 0x42, 0, 0x44, 0, 0x45, 0, 0x46]);
const bad = fromNumbers([1, 2, 3, 4, 5, Number.NaN], [2, 3]);

let dir = '';
beforeEach(async () => {
  ({ dir } = await folderOf({
    'one.npy': counting(4, 3),
    'half.npy': half,
    'packed.npz': encodeNpz({ features: counting(2, 3) }),
    'several.npz': encodeNpz({ a: counting(2, 3), b: counting(2, 3) }),
    'rgb/two.npy': counting(2, 2),
    'flow/two.npy': counting(2, 3, 10),
    'rgb/uneven.npy': counting(2, 2),
    'flow/uneven.npy': counting(3, 2),
    'rgb/half.npy': counting(2, 2),
    'flow/half.npy': counting(2, 2),
    'rgb/lone.npy': counting(2, 2),
    'class/clip.npy': counting(1, 3),
    'nan.npy': bad,
    'infinite.npy': fromNumbers([Number.NEGATIVE_INFINITY, 0], [1, 2]),
    'beyond.npy': fromNumbers([0, 1e300], [1, 2], 'float64'),
    'empty.npy': zeros([0, 3]),
    'narrow.npy': zeros([3, 0]),
    'flat.npy': zeros([3]),
  }));
});
afterEach(() => rm(dir, { recursive: true }));

describe('openFeatures', () => {
  test('reads one file, two streams (RGB first), npz, and float16 as float32', async () => {
    expect(await openFeatures(dir, 'one', 3)).toEqual(counting(4, 3));
    expect(await openFeatures(dir, 'packed')).toEqual(counting(2, 3));
    expect(await openFeatures(dir, 'two', 5)).toEqual(fromNumbers([0, 1, 10, 11, 12, 2, 3, 13, 14, 15], [2, 5]));
    expect(await openFeatures(dir, 'class/clip')).toEqual(counting(1, 3));
    expect(await readFeatureFile(join(dir, 'half.npy'))).toEqual(fromNumbers([1, 2, 3, 4, 5, 6], [2, 3]));
  });

  test.each([
    [
      'none',
      undefined,
      /^features of "none" in .*: no such file: looked for none\.npy, none\.npz, and rgb\/none\.npy with flow\/none\.npy$/,
    ],
    ['one', 2048, /one\.npy: expected features of width 2048, found 3$/],
    ['two', 2048, /two\.npy \+ .*two\.npy: expected features of width 2048, found 5 \(2 \+ 3\)$/],
    ['uneven', undefined, /uneven\.npy \+ .*: expected as many rows in both, found 2 and 3$/],
    ['lone', undefined, /expected rgb\/lone\.npy and flow\/lone\.npy, found only rgb\/lone\.npy$/],
    ['half', undefined, /ambiguous: found half\.npy, rgb\/half\.npy, flow\/half\.npy$/],
    ['nan', undefined, /nan\.npy: the features hold NaN in row 1, column 2$/],
    ['infinite', undefined, /infinite\.npy: the features hold -Infinity in row 0, column 0$/],
    ['beyond', undefined, /beyond\.npy: the features hold Infinity in row 0, column 1$/],
    ['empty', undefined, /empty\.npy: the video is empty: its features have no rows$/],
    ['narrow', undefined, /narrow\.npy: expected features \[snippets, width\], found width 0$/],
    ['flat', undefined, /flat\.npy: expected features \[snippets, width\], found shape \[3\]$/],
    ['several', undefined, /several\.npz: expected one array, found 2 \(a, b\)$/],
    ['../one', undefined, /a video name cannot leave the folder$/],
  ])('refuses %s', async (name, width, message) => {
    expect(await messageRejected(openFeatures(dir, name, width))).toMatch(message);
  });
});

describe('featureCache', () => {
  test('answers from memory what it has read', async () => {
    const cache = featureCache({ maxBytes: 1000 });
    const path = join(dir, 'one.npy');
    const [first, meanwhile] = await Promise.all([cache.read(path), cache.read(path)]);
    expect(meanwhile.data).toBe(first.data);
    expect(cache.bytes()).toBe(48);
    await rm(path);
    expect(await cache.read(path)).toEqual(counting(4, 3));
  });

  test('keeps at most maxBytes, the last used', async () => {
    const folder = await folderOf({
      'a.npy': counting(2, 3),
      'b.npy': counting(2, 3),
      'c.npy': counting(2, 3),
      'big.npy': counting(9, 3),
    });
    const at = (name: string): string => join(folder.dir, name);
    const cache = featureCache({ maxBytes: 60 });
    for (const name of ['a.npy', 'b.npy', 'a.npy', 'big.npy', 'c.npy']) await cache.read(at(name));
    expect(cache.bytes()).toBe(48);
    await folder.remove();
    expect(await cache.read(at('a.npy'))).toEqual(counting(2, 3));
    expect(await cache.read(at('c.npy'))).toEqual(counting(2, 3));
    expect(await messageRejected(cache.read(at('b.npy')))).toMatch(/b\.npy: no such file/);
  });

  test('holds float16 files as they are, and forgets files that failed', async () => {
    const rows = 50;
    const folder = await folderOf({ 'h.npy': npyFile(npyHeader('<f2', `(${rows}, 3)`), Array(rows * 6).fill(0)) });
    const cache = featureCache({ maxBytes: 1000 });
    const path = join(folder.dir, 'h.npy');
    await cache.read(path);
    expect(cache.bytes()).toBeLessThan(rows * 3 * 4);
    await folder.remove();
    expect(await cache.read(path)).toEqual(zeros([rows, 3]));
    expect(await messageRejected(cache.read(join(dir, 'nan.npy')))).toMatch(/NaN/);
    expect(await messageRejected(cache.read(join(dir, 'nan.npy')))).toMatch(/NaN/);
  });
});
