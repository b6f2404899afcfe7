import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openClipDataset } from '../../src/data/clips.ts';
import { encodeNpy } from '../../src/data/formats/npy.ts';
import { fromNumbers } from '../../src/engine/ndarray.ts';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-clips-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const clip = (value: number) => encodeNpy(fromNumbers([value, value, 0, 1], [2, 2]));

/** A folder of two clips of 2 x 2 numbers, with an index file. */
async function folder(name: string, index: unknown, file = 'index.json'): Promise<string> {
  const path = join(dir, name);
  await mkdir(path);
  await writeFile(join(path, 'one.npy'), clip(1));
  await writeFile(join(path, 'two.npy'), clip(2));
  await writeFile(join(path, file), JSON.stringify(index));
  return path;
}

describe('openClipDataset', () => {
  const items = [
    { file: 'one.npy', label: 'run', shape: [2, 2] },
    { file: 'two.npy', label: 'jump' },
  ];

  it.each(['index.json', 'features.json'])('reads %s, with the classes in its order', async file => {
    const path = await folder(`indexed-${file}`, { classes: ['walk', 'run', 'jump'], items, extractor: {} }, file);
    const { classes, items: clips, files } = await openClipDataset({ dir: path });
    expect({ classes, files }).toEqual({ classes: ['walk', 'run', 'jump'], files: [join(path, file)] });
    expect(clips.map(({ name, label }) => [name, label])).toEqual([
      ['one.npy', 1],
      ['two.npy', 2],
    ]);
    expect(Array.from((await clips[1].load()).data)).toEqual([2, 2, 0, 1]);
  });

  it('reads a folder for each class, in alphabetical order', async () => {
    for (const [place, value] of [
      ['b/2.npy', 2],
      ['b/1.npy', 1],
      ['a/3.npy', 3],
    ] as const) {
      await mkdir(join(dir, 'classes', place, '..'), { recursive: true });
      await writeFile(join(dir, 'classes', place), clip(value));
    }
    await mkdir(join(dir, 'classes', 'empty'));
    const { classes, items: clips } = await openClipDataset({ dir: join(dir, 'classes') });
    expect(classes).toEqual(['a', 'b']);
    expect(clips.map(({ name, label }) => `${name} ${label}`)).toEqual(['a/3.npy 0', 'b/1.npy 1', 'b/2.npy 1']);
  });

  it.each([
    ['numbers', undefined, [10, 2], ['2', '10'], [1, 0]],
    ['places', ['walk', 'run'], [1, 0], ['walk', 'run'], [1, 0]],
  ])('takes labels that are %s', async (name, classes, [one, two], expected, labels) => {
    const items = [
      { file: 'one.npy', label: one },
      { file: 'two.npy', label: two },
    ];
    const dataset = await openClipDataset({ dir: await folder(name, { classes, items }, 'features.json') });
    expect([dataset.classes, dataset.items.map(({ label }) => label)]).toEqual([expected, labels]);
  });

  it.each([
    ['no-label', { items: [{ file: 'one.npy' }] }, 'items[0]: expected a label for one.npy, found none'],
    ['strange', { classes: ['run'], items }, 'items[1].label: expected one of classes, found "jump"'],
    ['beyond', { classes: ['run'], items: [{ file: 'one.npy', label: 1 }] }, 'items[0].label: expected one of classes, found 1'],
    ['negative', { items: [{ file: 'one.npy', label: -1 }] }, 'items.0.label: too small: expected number to be >=0'],
    ['same-class', { classes: ['run', 'run'], items }, 'classes: "run" is listed twice'],
    ['outside', { items: [{ file: '../x.npy', label: 'a' }] }, 'items[0].file: expected a file in the folder, found "../x.npy"'],
    ['twice', { items: [items[0], items[0]] }, 'one.npy is listed twice'],
    ['no-items', { items: [] }, 'items: too small: expected array to have >=1 items'],
  ])('says what is wrong: %s', async (name, index, message) => {
    const path = await folder(name, index);
    await expect(openClipDataset({ dir: path })).rejects.toThrow(`${join(path, 'index.json')}: ${message}`);
  });

  it('says that there are no labels, or no folder', async () => {
    const path = join(dir, 'bare');
    await mkdir(path);
    await expect(openClipDataset({ dir: path })).rejects.toThrow(`${path}: expected index.json`);
    await expect(openClipDataset({ dir: join(dir, 'none') })).rejects.toThrow('no such folder');
  });

  it('checks the width when a clip is read', async () => {
    const path = await folder('width', { items });
    const { items: clips } = await openClipDataset({ dir: path, featureWidth: 3 });
    await expect(clips[0].load()).rejects.toThrow('expected features of width 3, found 2');
  });
});
