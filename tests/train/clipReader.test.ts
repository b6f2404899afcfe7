import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeNpy } from '../../src/data/formats/npy.ts';
import { fromNumbers } from '../../src/engine/ndarray.ts';
import type { Frames } from '../../src/fewshot/matching/sequenceDistances.ts';
import { clipReader, viewCount } from '../../src/train/clipReader.ts';
import { meanBackbone } from '../video/meanBackbone.ts';
import { writeVideo } from '../video/writeVideo.ts';

let dir = '';
const at = (name: string): string => join(dir, name);
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-clips-'));
  await writeFile(at('pictures.onnx'), meanBackbone());
  await writeFile(at('clips.onnx'), meanBackbone({ clip: 3, batch: 2 }));
  // Red is ten times the frame's number; green the column, 0 to 70.
  await writeVideo(at('video.mkv'), { frames: 20, height: 4, width: 8, pixel: (i, _, x) => [10 * i, 10 * x, 0] });
  await writeFile(at('rows.npy'), encodeNpy(fromNumbers([...Array(20).keys()], [20, 1], 'float32')));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** One channel of each frame, in whole pixel values. */
const channel = ({ data, frames, width }: Frames, c: number): number[] =>
  Array.from({ length: frames }, (_, k) => Math.round(255 * data[k * width + c]));

describe('clipReader', () => {
  it('gives the middle frames of equal parts, of videos and of features', async () => {
    const reader = await clipReader({ frames: 4, backbone: { path: at('pictures.onnx'), batch: 3 } });
    const clip = await reader.read(at('video.mkv'));
    expect(channel(clip, 0)).toEqual([20, 70, 120, 170]);
    // The middle square of eight columns.
    expect(channel(clip, 1)).toEqual([35, 35, 35, 35]);
    expect(await reader.read(at('rows.npy'))).toEqual({ data: Float32Array.of(2, 7, 12, 17), frames: 4, width: 1 });
    expect(reader.backbone).toMatchObject({ path: at('pictures.onnx'), output: 'colours', window: 1, size: 4, shortSide: 4 });
    await reader.dispose();
  });

  it('gives a backbone of clips the frames around them', async () => {
    const reader = await clipReader({ frames: 5, backbone: { path: at('clips.onnx'), layout: 'ncthw' } });
    // Frames 2, 6, 10, 14, 18 with one on either side.
    expect(channel(await reader.read(at('video.mkv')), 0)).toEqual([20, 60, 100, 140, 180]);
    await reader.dispose();
    const dense = await clipReader({ frames: 20, backbone: { path: at('clips.onnx'), layout: 'ncthw' } });
    // At the ends the first and the last frame come twice.
    const red = channel(await dense.read(at('video.mkv')), 0);
    expect([red[0], red[1], red[18], red[19]]).toEqual([3, 10, 180, 187]);
    await dense.dispose();
  });

  it('changes views of a video in frames, place and side, the same every time', async () => {
    const reader = await clipReader({ frames: 4, backbone: { path: at('pictures.onnx') } });
    const views = await reader.views(at('video.mkv'));
    expect(views).toHaveLength(viewCount);
    for (const view of views)
      for (const [k, red] of channel(view, 0).entries()) {
        expect(red).toBeGreaterThanOrEqual(50 * k);
        expect(red).toBeLessThan(50 * (k + 1));
      }
    expect(new Set(views.map(view => String(channel(view, 0)))).size).toBeGreaterThan(4);
    // Squares at the left, or at the right.
    const green = views.map(view => channel(view, 1)[0]);
    expect(green.filter(each => each < 25)).toHaveLength(4);
    expect(green.filter(each => each > 45)).toHaveLength(4);
    expect(await reader.views(at('video.mkv'))).toEqual(views);
    const rows = await reader.views(at('rows.npy'));
    expect(new Set(rows.map(({ data }) => String(data))).size).toBe(viewCount);
    for (const { data } of rows) expect([...data].map(row => Math.floor(row / 5))).toEqual([0, 1, 2, 3]);
    await reader.dispose();
  });
});
