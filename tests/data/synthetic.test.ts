import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureSyntheticFeatures, writeSyntheticFeatures } from '../../src/data/synthetic.ts';
import { openVideoDataset } from '../../src/data/videos.ts';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-synthetic-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const options = { seed: 3, classes: 3, trainVideos: 8, testVideos: 4, featureDim: 16, snippetSeconds: 0.5 };

describe('writeSyntheticFeatures', () => {
  it('writes a data set that opens, and says everywhere that it is synthetic', async () => {
    const path = join(dir, 'set');
    await writeSyntheticFeatures(path, options);
    expect(await readdir(dir)).toEqual(['set']);
    const { train, test, classes, warnings, testSubset } = await openVideoDataset({ dir: path, featureWidth: 16 });
    expect([train.length, test.length, classes.length, testSubset, warnings.length]).toEqual([8, 4, 3, 'test', 0]);
    expect(classes[0]).toBe('synthetic action 1');
    expect(train.map(({ label }) => label.reduce((a, b) => a + b))).toEqual([1, 1, 1, 2, 1, 1, 1, 2]);
    const gt = JSON.parse(await readFile(join(path, 'gt.json'), 'utf8')) as {
      synthetic: boolean;
      database: Record<string, { synthetic: boolean }>;
    };
    expect([gt.synthetic, Object.values(gt.database).every(video => video.synthetic)]).toEqual([true, true]);
    expect(await readFile(join(path, 'README.txt'), 'utf8')).toMatch(/^Synthetic/);
  });

  it('puts an action where the annotations say: snippets of one class are alike, others are not', async () => {
    const { test } = await openVideoDataset({ dir: join(dir, 'set') });
    const [{ instances, duration, load }] = test;
    const { shape, data } = await load();
    expect(shape[0] * options.snippetSeconds).toBeCloseTo(duration ?? Number.NaN, 9);
    const row = (t: number) => data.subarray(t * 16, (t + 1) * 16);
    const cosine = (a: Float32Array, b: Float32Array) =>
      a.reduce((sum, x, i) => sum + x * b[i], 0) / (Math.hypot(...a) * Math.hypot(...b));
    const inside = instances.map(({ segment = [0, 0] }) => segment[0] / options.snippetSeconds);
    expect(inside).toHaveLength(4);
    expect(inside.every(Number.isInteger)).toBe(true);
    expect(cosine(row(inside[0]), row(inside[3]))).toBeGreaterThan(0.7);
    expect(Math.abs(cosine(row(inside[0]), row(inside[0] - 1)))).toBeLessThan(0.6);
  });

  it('is the same for the same seed and another for another', async () => {
    await writeSyntheticFeatures(join(dir, 'again'), options);
    await writeSyntheticFeatures(join(dir, 'other'), { ...options, seed: 4 });
    const bytes = (name: string) => readFile(join(dir, name, 'test/synthetic_test_002.npy'));
    expect((await bytes('again')).equals(await bytes('set'))).toBe(true);
    expect((await bytes('other')).equals(await bytes('set'))).toBe(false);
  });
});

describe('ensureSyntheticFeatures', () => {
  it('writes once, and refuses a folder of another kind', async () => {
    const path = join(dir, 'ensured');
    expect(await ensureSyntheticFeatures(path, options)).toBe(true);
    expect(await ensureSyntheticFeatures(path, options)).toBe(false);
    await expect(ensureSyntheticFeatures(path, { ...options, seed: 9 })).rejects.toThrow(
      /synthetic\.json: expected .*"seed":9.*found .*"seed":3/,
    );
    await expect(ensureSyntheticFeatures(join(path, 'train'), options)).rejects.toThrow(
      'expected a folder of synthetic features',
    );
    await expect(writeSyntheticFeatures(path, options)).rejects.toThrow(`${path}: exists already`);
  });
});
