import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openClipDataset } from '../../src/data/clips.ts';
import { type FeatureIndex, readFeatureIndex } from '../../src/data/featureIndex.ts';
import { readFeatureFile } from '../../src/data/features.ts';
import { encodeNpy } from '../../src/data/formats/npy.ts';
import type { NDArray } from '../../src/engine/ndarray.ts';
import { fold, key, normal } from '../../src/engine/random.ts';
import { runCli } from './runCli.ts';

const width = 16;
let dir = '';

/** Rows around a direction of their own class. */
function clip(label: number, i: number): NDArray<'float32'> {
  const rows = normal(fold(fold(key(1), label), i), [3, width]);
  return { ...rows, data: rows.data.map((value, at) => 0.2 * value + (at % width === label ? 3 : 0)) };
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-cluster-'));
  await mkdir(join(dir, 'features/deep'), { recursive: true });
  await mkdir(join(dir, 'bare'));
  const items: object[] = [];
  const sizes = [9, 8, 7, 3];
  for (const [label, size] of sizes.entries())
    for (let i = 0; i < size; i++) {
      // Names say nothing of the class.
      const file = `${label === 1 ? 'deep/' : ''}${(7 * (10 * label + i)) % 41}.npy`;
      await writeFile(join(dir, 'features', file), encodeNpy(clip(label, i)));
      await writeFile(join(dir, 'bare', `${String(items.length).padStart(2, '0')}.npy`), encodeNpy(clip(label, i)));
      items.push({ file, label: ['run', 'jump', 'sit', 'stand'][label], duration: i + 1 });
    }
  await writeFile(join(dir, 'features/index.json'), JSON.stringify({ items }));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const indexOf = async (name: string): Promise<FeatureIndex> => (await readFeatureIndex(join(dir, name))) as FeatureIndex;
const cluster = (...args: string[]) => runCli(['cluster', ...args], dir);
async function succeed(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await cluster(...args);
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
}
async function problem(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await cluster(...args);
  expect([code, stdout]).toEqual([1, '']);
  return stderr;
}

describe.concurrent('inkling cluster', () => {
  it('makes a data set whose classes are the clusters', async () => {
    const printed = await succeed('--features', 'features', '--clusters', '4', '--min-members', '4', '--out', 'made');
    expect(printed).toBe(
      [
        'made/index.json: 3 clusters of 7 to 9 clips, 24 of 27 clips',
        'dropped: 1 clusters of fewer than 4 clips (3 clips)',
        'agreement with the 4 true classes, which clustering did not see:',
        '  all clips: purity 1.000, NMI 1.000, adjusted Rand 1.000',
        '  clips kept: purity 1.000, NMI 1.000, adjusted Rand 1.000',
        '',
      ].join('\n'),
    );
    const [made, own] = await Promise.all(['made', 'features'].map(name => openClipDataset({ dir: join(dir, name) })));
    expect(made.classes).toEqual(['cluster-00', 'cluster-01', 'cluster-02']);
    expect(new Set((await indexOf('made')).items.map(({ subset }) => subset))).toEqual(new Set(['train']));
    const labels = new Map(own.items.map(({ name, label }) => [name, own.classes[label]]));
    for (const { name, label, load } of made.items) {
      expect(labels.get(name)).toBe(['run', 'jump', 'sit'][label]);
      expect(await load()).toEqual(await readFeatureFile(join(dir, 'features', name)));
    }
    expect(await readFile(join(dir, 'made/index.json'), 'utf8')).not.toMatch(/run|jump|sit|stand/);
    // Again: what is there is the same, the index is replaced only if told.
    expect(await problem('--features', 'features', '--clusters', '4', '--out', 'made')).toContain('the file exists');
    await succeed('--features', 'features', '--clusters', '3', '--min-members', '1', '--force', '--out', 'made');
    expect((await openClipDataset({ dir: join(dir, 'made') })).items.length).toBe(27);
  });

  it('leaves classes to test on as they are', async () => {
    const printed = await succeed(
      ...['--features', 'features', '--clusters', '2', '--test-classes', 'sit,stand', '--min-members', '2'],
      ...['--drop-farthest', '0.13', '--out', 'parts', '--json'],
    );
    const outcome = JSON.parse(printed) as Record<string, unknown>;
    expect(outcome).toMatchObject({
      ...{ index: 'parts/index.json', clusters: 2, clips: 15, clustered: 17, labelled: 10, leftOut: 0, converged: true },
      ...{ dropped: { clusters: 0, ofSmall: 0, far: 2 }, files: { linked: 25, copied: 0 } },
      quality: { classes: 2, all: { purity: 1, nmi: 1, adjustedRand: 1 } },
    });
    const { classes, items } = await indexOf('parts');
    expect(classes).toEqual(['cluster-00', 'cluster-01', 'sit', 'stand']);
    const parts = items.map(({ label, subset }) => `${label} ${subset}`);
    const count = (of: string) => parts.filter(part => part === of).length;
    expect(['cluster-00 train', 'cluster-01 train', 'sit test', 'stand test'].map(count)).toEqual([8, 7, 7, 3]);
  });

  it('takes a folder without an index, and whitens', async () => {
    const args = ['--features', 'bare', '--clusters', '4', '--whiten', '4', '--min-members', '3', '--out', 'bare.json'];
    expect(await succeed(...args)).toBe(
      'bare.json: 4 clusters of 3 to 9 clips, 27 of 27 clips\nits files are relative to bare: put it there as index.json to train on it\n',
    );
    const first = await readFile(join(dir, 'bare.json'), 'utf8');
    expect(await problem(...args)).toContain('bare.json: the file exists');
    await succeed(...args, '--force');
    expect(await readFile(join(dir, 'bare.json'), 'utf8')).toBe(first);
    const { items } = JSON.parse(first) as { items: { file: string; label: string }[] };
    expect(items.slice(0, 9).map(({ label }) => label)).toEqual(Array(9).fill('cluster-00'));
    expect(items.slice(24).map(({ label }) => label)).toEqual(Array(3).fill('cluster-03'));
  });

  it('says in one line what is wrong', async () => {
    const on = (features: string, ...more: string[]) => problem('--features', features, '--clusters', '4', '--out', 'x', ...more);
    expect(await on('missing')).toBe('error: missing: no such folder\n');
    expect(await on('features', '--out', 'features')).toBe(
      'error: --out features is the feature folder; its index would be lost\n',
    );
    expect(await on('features', '--clusters', '28')).toBe(
      'error: features: kMeans: expected at least 28 different points, one a cluster, found 27\n',
    );
    expect(await on('features', '--min-members', '10')).toBe(
      'error: features: expected at least 2 clusters of 10 clips or more, found 0 (the largest has 9 clips before any is dropped)\n',
    );
    expect(await on('features', '--test-classes', 'walk')).toBe(
      'error: features: no clip has the label "walk", a class to test on\n',
    );
    expect(await on('features', '--subset', 'val')).toBe('error: features: no clips to cluster in the part val (parts: none)\n');
    expect(await on('features', '--drop-farthest', '1')).toContain('expected a number between 0 and 1');
    await mkdir(join(dir, 'mixed'), { recursive: true });
    await writeFile(join(dir, 'mixed/a.npy'), encodeNpy(clip(0, 0)));
    await writeFile(join(dir, 'mixed/b.npy'), encodeNpy({ dtype: 'float32', shape: [1, 2], data: Float32Array.of(1, 2) }));
    expect(await on('mixed')).toBe('error: mixed/b.npy: expected features of width 16, as of a.npy, found 2\n');
  });
});
