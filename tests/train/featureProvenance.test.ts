import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig } from '../../src/train/config.ts';
import { withExtractor } from '../../src/train/featureProvenance.ts';
import { silentReporter } from '../../src/train/reporter.ts';

const extractor = {
  ...{ file: 'net.onnx', sha256: 'ab', output: 'features', size: 224, scale: 1, mean: [0], std: [1], fps: null },
  ...{ stride: 16, window: 16 },
};

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-provenance-'));
});
afterEach(() => rm(dir, { recursive: true }));

/** The extractor that a training on the folder records, and its warnings. */
async function recorded(sets: readonly string[]) {
  const { config } = await loadConfig('localization/features/acm-net', {
    sets: [`data.dir=${dir}`, 'model.featureDim=4', ...sets],
  });
  const warnings: string[] = [];
  const { data } = await withExtractor(config, { ...silentReporter(), warn: line => warnings.push(line) });
  return { extractor: data.extractor, warnings };
}

const rate = (framesPerSecond: number, snippetFrames: number) => [
  `data.framesPerSecond=${framesPerSecond}`,
  `data.snippetFrames=${snippetFrames}`,
];

test('a model carries what features.json says, unless the configuration does', async () => {
  expect(await recorded([])).toEqual({ extractor: null, warnings: [] });
  const items = [{ file: 'a.npy', frames: 50, rows: 3, duration: 2, fps: 25 }];
  await writeFile(join(dir, 'features.json'), JSON.stringify({ extractor, items }));
  expect(await recorded(rate(25, 16))).toEqual({ extractor, warnings: [] });
  expect((await recorded([...rate(25, 16), 'data.extractor=mine'])).extractor).toBe('mine');
  expect((await recorded(rate(25, 8))).warnings).toEqual([
    `${dir}: a row of a.npy lasts 0.640 s, data.snippetFrames / data.framesPerSecond is 0.320 s: segments will be off`,
  ]);
});

test('a damaged features.json is named with its key', async () => {
  await writeFile(join(dir, 'features.json'), JSON.stringify({ extractor: { ...extractor, stride: '16' }, items: [] }));
  await expect(recorded([])).rejects.toThrow('features.json: extractor.stride: ');
});
