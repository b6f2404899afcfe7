import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeNpy } from '../../src/data/formats/npy.ts';
import { fromNumbers } from '../../src/engine/ndarray.ts';
import { runCli } from './runCli.ts';

let dir = '';
/** Rows that go through four directions of space, forwards or backwards. */
const movement = (rows: number, order: readonly number[], strength: number) =>
  fromNumbers(
    Array.from({ length: rows }, (_, t) =>
      [0, 1, 2, 3].map(i => (i === order[Math.floor((4 * t) / rows)] ? strength : 0)),
    ).flat(),
    [rows, 4],
    'float32',
  );
const put = async (file: string, array: Parameters<typeof encodeNpy>[0]) => writeFile(join(dir, file), encodeNpy(array));

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-fewshot-'));
  for (const name of ['good/up', 'good/down', 'good/still', 'widths/a', 'widths/b', 'empty/a', 'empty/b'])
    await mkdir(join(dir, name), { recursive: true });
  for (let i = 0; i < 4; i++) {
    await put(`good/up/${i}.npy`, movement(8 + i, [0, 1, 2, 3], 1 + i));
    await put(`good/down/${i}.npy`, movement(4 + i, [3, 2, 1, 0], 1 + i));
    await put(`good/still/${i}.npy`, movement(3, [0, 0, 0, 0], 1 + i));
    await put(`widths/a/${i}.npy`, movement(4, [0, 1, 2, 3], 1));
    await put(`widths/b/${i}.npy`, i < 3 ? movement(4, [0, 1, 2, 3], 1) : fromNumbers([1, 2], [1, 2], 'float32'));
    await put(`empty/a/${i}.npy`, movement(4, [0, 1, 2, 3], 1));
    await put(`empty/b/${i}.npy`, i < 3 ? movement(4, [0, 1, 2, 3], 1) : fromNumbers([], [0, 4], 'float32'));
  }
  await writeFile(join(dir, 'classes.txt'), 'up\ndown\n');
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const evaluate = (...args: string[]) => runCli(['eval', 'fewshot', '--features', ...args], dir);
const json = async (...args: string[]) => {
  const { code, stdout, stderr } = await evaluate(...args, '--json');
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
};

describe('eval fewshot', () => {
  it('judges metrics side by side, and what they are compared with', async () => {
    const args = ['--way', '2', '--queries', '2', '--episodes', '50', '--classes', 'classes.txt', '--metric', 'bi-mhm', 'otam'];
    const { code, stdout } = await evaluate('good', ...args, '--per-class');
    expect(code).toBe(0);
    expect(stdout.split('\n')).toEqual([
      'good: 2 classes, 8 clips, 8 frames each',
      '50 episodes: 2 classes with 1 shot and 2 queries each, seed 0; percent, with 95 % intervals over episodes; mean distance to the clips of a class',
      '4 of the clips have fewer rows than that and repeat them: what little order they have is all that metrics of order can use',
      '',
      'metric  accuracy    95 %  against bi-mhm',
      expect.stringMatching(/^bi-mhm +50\.00 +± 0\.00$/),
      expect.stringMatching(/^otam +100\.00 +± 0\.00 +\+50\.00 ± 0\.00$/),
      '',
      expect.stringMatching(/^class +queries +bi-mhm +otam$/),
      expect.stringMatching(/^up +100 +\d+\.\d\d +100\.00$/),
      expect.stringMatching(/^down +100 +\d+\.\d\d +100\.00$/),
      '',
    ]);
  });

  it('prints JSON, and knows all metrics', async () => {
    const found = await json(
      'good',
      '--way',
      '3',
      '--shot',
      '2',
      '--episodes',
      '20',
      '--metric',
      'all',
      '--per-class',
      '--frames',
      '4',
      '--class-distance',
      'nearest',
    );
    expect(found).toMatchObject({
      way: 3,
      shot: 2,
      queries: 1,
      seed: 0,
      episodes: 20,
      frames: 4,
      classDistance: 'nearest',
      classes: 3,
      clips: 12,
      shorterClips: 4,
    });
    expect(found.metrics).toHaveLength(10);
    const otam = found.metrics.find((each: { metric: string }) => each.metric === 'otam');
    expect(otam.accuracy).toBeCloseTo(1, 12);
    expect(otam.interval).toBeCloseTo(0, 12);
    expect(otam.against.metric).toBe('bi-mhm');
    expect(otam.perClass.map((each: { class: string; queries: number }) => [each.class, each.queries])).toEqual([
      ['down', 20],
      ['still', 20],
      ['up', 20],
    ]);
  });

  it('saves its episodes, and replays them to the same result', async () => {
    const drawn = await json('good', '--way', '2', '--episodes', '30', '--seed', '7', '--save-episodes', 'episodes.json');
    const list = JSON.parse(await readFile(join(dir, 'episodes.json'), 'utf8'));
    expect([list.format, list.seed, list.episodes.length]).toEqual(['inkling-episodes-1', 7, 30]);
    const replayed = await json('good', '--episodes-from', 'episodes.json');
    expect(replayed.metrics).toEqual(drawn.metrics);
    expect(replayed.list).toBe('episodes.json');
    const others = await json('good', '--way', '2', '--episodes', '30', '--seed', '8', '--save-episodes', 'others.json');
    expect(others.metrics).toHaveLength(1);
    expect(await readFile(join(dir, 'others.json'), 'utf8')).not.toBe(await readFile(join(dir, 'episodes.json'), 'utf8'));
  });

  it.each([
    [['good'], 'good: 5-way episodes need 5 classes, found 3'],
    [
      ['good', '--way', '3', '--shot', '4'],
      'good: class "down": an episode needs 5 clips (4 shot + 1 query), found 4 (and 2 more classes too few)',
    ],
    [['widths', '--way', '2'], 'b/3.npy: expected features of width 4 as in a/0.npy, found 2'],
    [['empty', '--way', '2'], 'empty/b/3.npy: the video is empty: its features have no rows'],
    [['none'], 'none: no such folder'],
    [['good', '--metric', 'cosine'], /^error: --metric: expected bi-mhm, .* or all, found "cosine"\n$/],
    [['good', '--way', '1'], /expected at least 2 classes/],
    [['good', '--episodes-from', 'e.json', '--seed', '1'], '--seed does not go with --episodes-from: the list has it'],
    [['good', '--episodes-from', 'none.json'], 'none.json: no such file'],
    [['widths', '--way', '2', '--classes', 'classes.txt'], 'widths: no class "up" (its classes: a, b)'],
  ])('fails with one line: %j', async (args, message) => {
    const { code, stdout, stderr } = await evaluate(...args);
    expect([code, stdout]).toEqual([1, '']);
    if (typeof message === 'string') expect(stderr).toBe(`error: ${message}\n`);
    else expect(stderr).toMatch(message);
  });
});
