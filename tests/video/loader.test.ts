import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fold, key } from '../../src/engine/random.ts';
import { type ClipPlan, type ClipRequest, makeClips } from '../../src/video/clip.ts';
import { clipLoader, type LoadedClips } from '../../src/video/loader.ts';
import { writeVideo } from './writeVideo.ts';

let dir: string;
const names = ['a', 'b', 'c', 'd', 'e'];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-loader-'));
  // Red tells the frame, blue the video.
  for (const [v, name] of names.entries()) {
    const pixel = (i: number, y: number, x: number) => [4 * i, 3 * y + x, 40 * v] as const;
    await writeVideo(join(dir, `${name}.mkv`), { frames: 20 + v, height: 12, width: 16, pixel });
  }
  await writeFile(join(dir, 'broken.mkv'), 'no video');
});
afterAll(() => rm(dir, { recursive: true }));

const train: ClipPlan = {
  frames: 4,
  size: 8,
  sampling: { kind: 'segment' },
  augment: { colour: { probability: 0.8 } },
};
const test8: ClipPlan = { frames: 4, size: 12, sampling: { kind: 'segment' } };

const requests = (plan: ClipPlan, files: readonly string[], seed = 7): ClipRequest[] =>
  files.map((name, i) => ({
    path: join(dir, `${name}.mkv`),
    wishes: [0, 1].map(c => ({ plan, key: fold(fold(key(seed), i), c) })),
  }));

async function loaded(all: readonly ClipRequest[], workers: number): Promise<LoadedClips[]> {
  const loader = clipLoader({ workers });
  try {
    const results: LoadedClips[] = [];
    for await (const result of loader.load(all)) results.push(result);
    return results;
  } finally {
    await loader.close();
  }
}

test('a test clip has the middles of the segments, cropped in the middle', async () => {
  const [request] = requests(test8, ['b']);
  const { clips, length } = await makeClips(request);
  expect(length).toBe(21);
  expect(clips[0].shape).toEqual([3, 4, 12, 12]);
  // 21 frames: middles 2.625, 7.875, 13.125, 18.375.
  expect([3, 8, 13, 18].map((_, t) => Math.round((255 * clips[0].data[t * 144]) / 4))).toEqual([3, 8, 13, 18]);
  // The crop begins 2 columns from the left.
  expect(Math.round(255 * clips[0].data[4 * 144])).toBe(2);
  expect(clips[1]).toEqual(clips[0]);
});

test('two training clips of a video differ, and follow from their keys', async () => {
  const [request] = requests(train, ['c']);
  const first = await makeClips(request);
  expect(first.clips[0].data).not.toEqual(first.clips[1].data);
  expect(await makeClips(request)).toEqual(first);
  expect((await makeClips(requests(train, ['c'], 8)[0])).clips[0].data).not.toEqual(first.clips[0].data);
  // A count that is wrong is found out.
  expect(await makeClips({ ...request, length: 30 })).toEqual(first);
  expect(await makeClips({ ...request, length: 10 })).toEqual(first);
});

test('workers give the same in the same order as no workers', async () => {
  const all = requests(train, [...names, 'broken', ...names]);
  const [alone, two] = [await loaded(all, 0), await loaded(all, 2)];
  expect(two).toEqual(alone);
  expect(alone[5]).toEqual({ problem: expect.stringContaining('broken.mkv: expected a video') });
  expect(alone.filter(result => 'clips' in result).length).toBe(10);
});

test('an error that is no video’s fault is thrown once, and the loader closes', async () => {
  const loader = clipLoader({ workers: 1 });
  const wrong = requests({ ...train, frames: 0 }, ['a', 'b']);
  const results = loader.load(wrong);
  await expect(results.next()).rejects.toThrow('expected at least 1 frame for a clip, found 0');
  expect((await results.next()).done).toBe(true);
  await loader.close();
  await expect(loader.load(requests(train, ['a'])).next()).rejects.toThrow('the clip loader is closed');
});
