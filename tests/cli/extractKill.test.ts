/** Extraction that is killed: what is left goes on to the same features. */
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFeatureFolder } from '../../src/data/featureFolder.ts';
import { exists } from '../../src/data/files.ts';
import { meanBackbone } from '../video/meanBackbone.ts';
import { writeVideo } from '../video/writeVideo.ts';
import { runCli } from './runCli.ts';
import { oneProcess } from './smallRun.ts';
import { startTraining, until } from './trainProcess.ts';

const videos = 40;
/** One run of the model a frame, so that there is time to kill it. */
const command = ['extract', '--backbone', 'mean.onnx', '--videos', 'videos', '--batch', '1'];
let dir = '';
let whole: Record<string, string> = {};

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-kill-'));
  await mkdir(join(dir, 'videos/wave'), { recursive: true });
  await writeFile(join(dir, 'mean.onnx'), meanBackbone());
  const pixel = (i: number, y: number, x: number) => [i % 256, 10 * y, 5 * x] as const;
  const [long, short] = ['long.mkv', 'short.mkv'].map(name => join(dir, name));
  await writeVideo(long, { frames: 400, height: 8, width: 8, pixel });
  await writeVideo(short, { frames: 90, height: 8, width: 12, pixel });
  for (let i = 0; i < videos; i++) await copyFile(i % 4 === 0 ? long : short, join(dir, `videos/wave/${i}.mkv`));
  const { code } = await runCli([...command, '--out', 'whole'], dir, oneProcess);
  expect(code).toBe(0);
  whole = await contents('whole');
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Every file of a feature folder by its content; hidden ones too. */
async function contents(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(join(dir, folder), { recursive: true, withFileTypes: true });
  const files = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name));
  return Object.fromEntries(
    await Promise.all(
      files.sort().map(async file => [file.slice(join(dir, folder).length + 1), (await readFile(file)).toString('base64')]),
    ),
  );
}

/** How many feature files are there. */
async function finished(folder: string): Promise<number> {
  const names = await readdir(join(dir, folder, 'wave')).catch(() => []);
  return names.filter(name => /^\d+\.npy$/.test(name)).length;
}

const atLeast = (folder: string, count: number): Promise<true> =>
  until(`${count} feature files`, async () => ((await finished(folder)) >= count ? true : undefined));

describe('inkling extract, killed', () => {
  it('has the features of all videos', () => {
    expect(Object.keys(whole).length).toBe(videos + 1);
  });

  it('goes on to the same bits, after a kill at several moments', async () => {
    const args = [...command, '--out', 'killed'];
    for (const count of [0, 3]) {
      const run = startTraining(args, dir, oneProcess);
      if (count === 0)
        await until('a feature file begun', async () => ((await exists(join(dir, 'killed/wave'))) ? true : undefined));
      else await atLeast('killed', count);
      run.kill('tree');
      await run.closed;
      // The index is old or whole, and what has its name is whole too.
      await readFeatureFolder(join(dir, 'killed'));
      for (const [file, bytes] of Object.entries(await contents('killed')))
        if (/^wave\/\d+\.npy$/.test(file)) expect([file, bytes]).toEqual([file, whole[file]]);
    }
    // Now the index names some of the videos, and the next kill comes while others are worked on.
    await rm(join(dir, 'killed/wave'), { recursive: true });
    const stopped = startTraining(args, dir, oneProcess);
    await atLeast('killed', 5);
    stopped.interrupt();
    expect(await stopped.closed).toBe(130);
    const { items } = (await readFeatureFolder(join(dir, 'killed')))!;
    expect(items.length).toBe(await finished('killed'));
    expect(items.length).toBeLessThan(videos);
    const again = startTraining(args, dir, oneProcess);
    await atLeast('killed', items.length + 2);
    again.kill('tree');
    await again.closed;
    expect((await readFeatureFolder(join(dir, 'killed')))!.items).toEqual(items);

    const { code, stdout } = await runCli(args, dir, oneProcess);
    expect([code, stdout]).toEqual([0, expect.stringContaining(`${items.length} had their features already`)]);
    expect(await contents('killed')).toEqual(whole);
  });
});
