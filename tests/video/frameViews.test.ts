import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { frameViews } from '../../src/video/frameViews.ts';
import { writeVideo } from './writeVideo.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-views-'));
  // Red is the frame's number, green the row, blue the column.
  await writeVideo(join(dir, 'a.mkv'), { frames: 9, height: 4, width: 8, pixel: (i, y, x) => [10 * i, 10 * y, 10 * x] });
  await writeFile(join(dir, 'no.mkv'), 'no video');
});
afterAll(() => rm(dir, { recursive: true }));

/** First pixel of each picture, and the last one of the first row. */
const corners = (pixels: Uint8Array, size: number): number[][] =>
  Array.from({ length: pixels.length / (3 * size * size) }, (_, k) => {
    const at = k * size * size * 3;
    return [...pixels.subarray(at, at + 3), ...pixels.subarray(at + 3 * (size - 1), at + 3 * size)];
  });

test('views of a video are squares of the frames that were asked for', async () => {
  const { pixels, length } = await frameViews(join(dir, 'a.mkv'), {
    size: 4,
    shortSide: 4,
    views: [
      { places: frames => [0, frames - 1] },
      { places: () => [2, 2, 5], crop: [0, 0] },
      { places: () => [5], crop: [1, 1], flip: true },
    ],
  });
  expect(length).toBe(9);
  expect(corners(pixels[0], 4)).toEqual([
    [0, 0, 20, 0, 0, 50],
    [80, 0, 20, 80, 0, 50],
  ]);
  expect(corners(pixels[1], 4)).toEqual([
    [20, 0, 0, 20, 0, 30],
    [20, 0, 0, 20, 0, 30],
    [50, 0, 0, 50, 0, 30],
  ]);
  expect(corners(pixels[2], 4)).toEqual([[50, 0, 70, 50, 0, 40]]);
});

test('pictures are scaled to the short side first', async () => {
  const { pixels } = await frameViews(join(dir, 'a.mkv'), {
    size: 2,
    shortSide: 2,
    views: [{ places: () => [4], crop: [0, 0] }],
  });
  expect(pixels[0]).toHaveLength(2 * 2 * 3);
  expect(pixels[0][0]).toBe(40);
});

test('what is no video is one line', async () => {
  const options = { size: 4, shortSide: 4, views: [{ places: () => [0] }] };
  await expect(frameViews(join(dir, 'none.mkv'), options)).rejects.toThrow('no such file');
  await expect(frameViews(join(dir, 'no.mkv'), options)).rejects.toThrow(/expected a video/);
});
