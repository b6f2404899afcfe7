import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readFeatureFolder } from '../../src/data/featureFolder.ts';
import { readArray } from '../../src/data/files.ts';
import { type BackboneOptions, openBackbone } from '../../src/video/backbone.ts';
import { type ExtractOptions, extractFeatures } from '../../src/video/extract.ts';
import { findVideos } from '../../src/video/videoFiles.ts';
import { runCli } from '../cli/runCli.ts';
import { meanBackbone } from './meanBackbone.ts';
import { writeVideo } from './writeVideo.ts';

let dir: string;

/** Red is 10 times the frame's number, green 100, blue 200 in the left half (of 8 columns) and 0 in the right. */
const clip = (frames: number, framesPerSecond = 10) => ({
  frames,
  height: 4,
  width: 8,
  framesPerSecond,
  pixel: (i: number, _: number, x: number) => [10 * i, 100, x < 4 ? 200 : 0] as const,
});

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-extract-'));
  await mkdir(join(dir, 'videos/walk'), { recursive: true });
  await writeVideo(join(dir, 'videos/walk/a.mkv'), clip(7));
  await writeVideo(join(dir, 'videos/b.mkv'), clip(2));
});
afterEach(() => rm(dir, { recursive: true }));

async function extract(options: Partial<ExtractOptions> & BackboneOptions & { model?: Uint8Array } = {}) {
  const path = join(dir, 'mean.onnx');
  await writeFile(path, options.model ?? meanBackbone());
  const backbone = await openBackbone(path, options);
  try {
    const out = options.out ?? join(dir, 'features');
    return await extractFeatures(await findVideos(join(dir, 'videos')), backbone, { ...options, out });
  } finally {
    await backbone.dispose();
  }
}

/** Rows of a feature file in whole pixel values. */
async function rows(name: string): Promise<number[][]> {
  const { shape, data } = await readArray(join(dir, 'features', name));
  const all = Array.from(data as Float32Array, value => Math.round(255 * value));
  return Array.from({ length: shape[0] }, (_, i) => all.slice(i * shape[1], (i + 1) * shape[1]));
}

describe('extractFeatures', () => {
  test('writes a row for each frame, the middle square of it, and what made them', async () => {
    const summary = await extract({ batch: 3 });
    expect(summary).toMatchObject({ done: 2, skipped: 0, failures: [], frames: 9, rows: 9, interrupted: false });
    expect(await rows('walk/a.npy')).toEqual([0, 1, 2, 3, 4, 5, 6].map(i => [10 * i, 100, 100]));
    expect(await rows('b.npy')).toEqual([
      [0, 100, 100],
      [10, 100, 100],
    ]);
    const folder = await readFeatureFolder(join(dir, 'features'));
    expect(folder?.extractor).toEqual({
      file: 'mean.onnx',
      sha256: createHash('sha256').update(meanBackbone()).digest('hex'),
      output: 'colours',
      size: 4,
      scale: 1 / 255,
      mean: [0, 0, 0],
      std: [1, 1, 1],
      fps: null,
      stride: 1,
      window: 1,
      shortSide: 4,
      layout: 'nchw',
      resize: 'bicubic',
      crop: 'centre',
    });
    expect(folder?.items).toEqual([
      { file: 'b.npy', frames: 2, rows: 2, duration: expect.closeTo(0.2, 9), fps: 10 },
      { file: 'walk/a.npy', frames: 7, rows: 7, duration: expect.closeTo(0.7, 9), fps: 10, label: 'walk' },
    ]);
  });

  test('normalises', async () => {
    await extract({ scale: 1 / 100, mean: [0, 0.5, 1], std: [1, 0.5, 2] });
    const { data } = await readArray(join(dir, 'features/b.npy'));
    [0, 1, 0, 0.1, 1, 0].forEach((value, i) => {
      expect(data[i]).toBeCloseTo(value, 6);
    });
  });

  test('a window of a backbone of pictures is a mean; stride and shorter videos', async () => {
    await extract({ window: 3, stride: 2, batch: 2 });
    // Frames 0-2, 2-4, 4-6; of the two frames of b the last stands again.
    expect(await rows('walk/a.npy')).toEqual([10, 30, 50].map(red => [red, 100, 100]));
    expect(await rows('b.npy')).toEqual([[7, 100, 100]]);
  });

  test('a backbone of clips takes windows; a fixed batch is filled', async () => {
    await extract({ model: meanBackbone({ clip: 2, batch: 3 }) });
    expect(await rows('walk/a.npy')).toEqual([5, 25, 45].map(red => [red, 100, 100]));
    expect((await readFeatureFolder(join(dir, 'features')))?.extractor).toMatchObject({ window: 2, stride: 2, layout: 'ncthw' });
  });

  test('brings videos to a rate', async () => {
    await extract({ fps: 5 });
    expect((await rows('walk/a.npy')).map(([red]) => red)).toEqual([0, 20, 40, 60]);
    await rm(join(dir, 'features'), { recursive: true });
    await extract({ fps: 20 });
    expect((await rows('b.npy')).map(([red]) => red)).toEqual([0, 0, 10, 10]);
  });

  test('goes on where it stopped, and only with the same settings', async () => {
    const stop = new AbortController();
    const first = await extract({ signal: stop.signal, onProgress: done => done >= 1 && stop.abort() });
    expect(first).toMatchObject({ done: 1, interrupted: true });
    expect((await readFeatureFolder(join(dir, 'features')))?.items.map(({ file }) => file)).toEqual(['b.npy']);
    expect(await extract()).toMatchObject({ done: 1, skipped: 1, interrupted: false });
    await rm(join(dir, 'features/b.npy'));
    expect(await extract()).toMatchObject({ done: 1, skipped: 1 });
    await expect(extract({ stride: 2 })).rejects.toThrow(
      'features.json: the features in the folder were made with stride 1, not 2; choose another --out',
    );
  });

  test('names what does not fit the model', async () => {
    await expect(extract({ output: 'logits' })).rejects.toThrow('mean.onnx: it has no output "logits" (its outputs: colours)');
    await expect(extract({ size: 224 })).rejects.toThrow('mean.onnx: its size is 4, not 224');
    await expect(extract({ layout: 'nhwc' })).rejects.toThrow('input pictures [batch, 3, 4, 4] is not nhwc');
  });
});

describe('inkling extract', () => {
  test('reads the settings beside the model, lists what failed, and ends with 1', async () => {
    await writeFile(join(dir, 'mean.onnx'), meanBackbone());
    await writeFile(join(dir, 'mean.yaml'), 'scale: 1/10\nstride: 3\n');
    await writeFile(join(dir, 'videos/broken.mp4'), 'no video');
    const args = ['extract', '--backbone', 'mean.onnx', '--videos', 'videos', '--out', 'features', '--stride', '2'];
    const { code, stdout, stderr } = await runCli(args, dir);
    expect(code).toBe(1);
    expect(stdout.replaceAll(`${dir}/`, '')).toBe(
      'features: 5 rows of 9 frames from 2 videos\n1 gave none:\n' +
        '  videos/broken.mp4: expected a video, found a damaged or unknown file (Invalid data found when processing input)\n',
    );
    expect(stderr).toContain('warning: ');
    const folder = await readFeatureFolder(join(dir, 'features'));
    expect(folder?.extractor).toMatchObject({ scale: 0.1, stride: 2 });
    expect(folder?.failures?.length).toBe(1);
    expect((JSON.parse(await readFile(join(dir, 'features/features.json'), 'utf8')) as { items: unknown[] }).items.length).toBe(
      2,
    );
  });

  test('a wrong key beside the model is named', async () => {
    await writeFile(join(dir, 'mean.onnx'), meanBackbone());
    await writeFile(join(dir, 'mean.yaml'), 'sclae: 2\n');
    const { code, stderr } = await runCli(['extract', '--backbone', 'mean.onnx', '--videos', 'videos', '--out', 'out'], dir);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^error: mean\.yaml: Unrecognized key: "sclae" \(keys: output, .*\)\n$/),
    ]);
  });
});

test('findVideos reads lists, and names stay apart', async () => {
  await writeVideo(join(dir, 'videos/b.webm.mkv'), clip(1));
  await writeFile(join(dir, 'list.txt'), 'videos/walk/a.mkv 3\nvideos/b.mkv 0\n');
  const listed = await findVideos(join(dir, 'list.txt'));
  expect(listed.map(({ name, label }) => [name, label])).toEqual([
    ['videos/walk/a', 3],
    ['videos/b', 0],
  ]);
  await writeFile(join(dir, 'videos/b.mp4'), '');
  expect((await findVideos(join(dir, 'videos'))).map(({ name }) => name)).toEqual(['b.mkv', 'b.mp4', 'b.webm', 'walk/a']);
});
