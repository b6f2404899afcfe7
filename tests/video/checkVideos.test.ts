import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkVideos } from '../../src/video/checkVideos.ts';
import { folderOf } from '../data/builders.ts';
import { writeVideo } from './writeVideo.ts';

let dir = '';
let remove: () => Promise<void>;

beforeAll(async () => {
  ({ dir, remove } = await folderOf({
    'train.txt': 'run/1.avi 0\nrun/2.mkv 0\nfly/3.mkv 1\n',
    'test.txt': 'run/4.mkv 0\nrun/5.mkv 0\n',
  }));
  for (const folder of ['run', 'fly']) await mkdir(join(dir, folder));
  const video = (path: string, frames: number): Promise<void> =>
    writeVideo(join(dir, path), { frames, height: 16, width: 16, pixel: frame => [frame, 0, 0] });
  await video('run/1.mkv', 3);
  await video('run/2.mkv', 5);
  await video('fly/3.mkv', 4);
  await writeFile(join(dir, 'run/4.mkv'), '');
});
afterAll(() => remove());

const labels = { level: 'info', message: '' };
const lines = [
  { level: 'info', message: 'lists: 2 classes, 3 train videos, 1 test videos' },
  { ...labels },
  { level: 'info', message: 'train videos per class: run 2, fly 1' },
  { level: 'info', message: 'test videos per class: run 1, fly 0' },
];

test('says what there is and what is missing, without opening a video', async () => {
  labels.message = `labels from ${dir}/train.txt, ${dir}/test.txt`;
  expect(await checkVideos({ dir })).toEqual([
    { level: 'warning', message: `${dir}: listed but not there: 1 of 2 test videos: run/5.mkv` },
    { level: 'warning', message: `${dir}: 1 video has another ending than listed: 1.mkv for run/1.avi` },
    { level: 'warning', message: '1 classes without test videos: fly' },
    lines[0],
    labels,
    ...lines.slice(2),
  ]);
});

test('decodes every video, and goes on after one that cannot be', async () => {
  const seen: string[] = [];
  const findings = await checkVideos(
    { dir },
    { decode: true, onProgress: (done, total, name) => seen.push(`${done}/${total} ${name}`) },
  );
  expect(seen).toEqual(['1/4 run/1.mkv', '2/4 run/2.mkv', '3/4 fly/3.mkv', '4/4 run/4.mkv']);
  expect(findings[0]).toEqual({ level: 'error', message: `${dir}/run/4.mkv: expected a video, found an empty file` });
  expect(findings.at(-1)).toEqual({ level: 'info', message: 'decoded 3 of 4 videos: 3 / 4 / 5 frames (fewest / median / most)' });
});

test('stops when it is told to', async () => {
  const controller = new AbortController();
  const findings = await checkVideos({ dir }, { decode: true, signal: controller.signal, onProgress: () => controller.abort() });
  expect(findings.map(({ message }) => message)).toEqual(
    expect.arrayContaining(['stopped after 1 of 4 videos', 'decoded 1 of 4 videos: 3 / 3 / 3 frames (fewest / median / most)']),
  );
});

test('a wrong list is a finding; many classes are a summary', async () => {
  const other = await folderOf({ 'train.txt': Array.from({ length: 30 }, (_, i) => `c${i}/v.avi ${i}\n`).join('') });
  try {
    for (let i = 0; i < 30; i++) {
      await mkdir(join(other.dir, `c${i}`));
      await writeFile(join(other.dir, `c${i}`, 'v.avi'), '');
    }
    expect((await checkVideos({ dir: other.dir })).at(-1)!.message).toBe(
      'train videos per class: 1 (c0) / 1 / 1 (c29) (fewest / median / most)',
    );
    await rm(join(other.dir, 'c0'), { recursive: true });
    await appendFile(join(other.dir, 'train.txt'), 'c1/v.avi 1\n');
    expect(await checkVideos({ dir: other.dir })).toEqual([
      { level: 'error', message: `${other.dir}/train.txt, line 31: "c1/v.avi" is on line 2 already` },
    ]);
  } finally {
    await other.remove();
  }
});
