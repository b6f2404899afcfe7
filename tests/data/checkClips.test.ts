import { afterEach, expect, test } from 'vitest';
import { checkClips, holdsFeatures } from '../../src/data/checkClips.ts';
import { counting, folderOf } from './builders.ts';

const made: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const remove of made.splice(0)) await remove();
});

async function folder(files: Readonly<Record<string, unknown>>): Promise<string> {
  const { dir, remove } = await folderOf(files);
  made.push(remove);
  return dir;
}

test('reads every clip and counts', async () => {
  const dir = await folder({ 'a/1.npy': counting(2, 4), 'a/2.npy': counting(5, 4), 'b/1.npy': counting(3, 4) });
  expect(await checkClips({ dir })).toEqual([
    { level: 'warning', message: 'classes with fewer than two clips, of which none can test: b' },
    { level: 'info', message: 'features: 2 classes, 3 clips' },
    { level: 'info', message: 'clips per class: a 2, b 1' },
    { level: 'info', message: 'features: width 4, 2 / 3 / 5 rows (fewest / median / most)' },
  ]);
});

test('says all that is wrong', async () => {
  const items = ['1', '2', '3'].map(name => ({ file: `${name}.npy`, label: 'a' }));
  const dir = await folder({ 'index.json': { items }, '1.npy': counting(2, 4), '2.npy': counting(2, 3) });
  const errors = (await checkClips({ dir })).filter(({ level }) => level === 'error');
  expect(errors.map(({ message }) => message)).toEqual([
    '2.npy: expected features of width 4 (as the clips before it), found 3',
    `${dir}/3.npy: no such file`,
  ]);
  expect(await checkClips({ dir: `${dir}/none` })).toEqual([{ level: 'error', message: `${dir}/none: no such folder` }]);
});

test('knows features from videos', async () => {
  const features = [
    { 'features.json': {} },
    { 'index.json': { items: [{ file: 'x.npy', label: 'a' }] } },
    { 'a/readme.txt': '', 'b/1.npz': '' },
  ];
  for (const files of features) expect(await holdsFeatures(await folder(files))).toBe(true);
  const videos = [
    { 'index.json': { items: [{ file: 'x.avi', label: 'a' }] } },
    { 'index.json': [] },
    { 'a/1.avi': '', 'x.npy': '' },
  ];
  for (const files of videos) expect(await holdsFeatures(await folder(files))).toBe(false);
});
