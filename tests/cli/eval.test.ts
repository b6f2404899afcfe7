import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from './runCli.ts';

let dir = '';
const video = (subset: string, ...annotations: unknown[]) => ({ subset, duration: 10, annotations });
const instance = (label: string, ...segment: number[]) => ({ label, segment });

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-eval-'));
  const put = (name: string, value: unknown) =>
    writeFile(join(dir, name), typeof value === 'string' ? value : JSON.stringify(value));
  await put('gt.json', {
    database: {
      a: video('test', instance('run', 0, 4), instance('jump', 5, 11)),
      b: video('test', instance('run', 2, 6)),
      c: video('validation', instance('run', 0, 1)),
    },
  });
  await put('detections.json', {
    results: {
      // tIoU 0.5 with [0, 4]; exact; tIoU 0 with everything.
      a: [
        { ...instance('run', 0, 2), score: 0.9 },
        { ...instance('jump', 5, 11), score: 0.8 },
      ],
      b: [{ ...instance('run', 8, 9), score: 0.95 }],
    },
  });
  await put('inverted.json', { results: { a: [{ ...instance('run', 3, 2), score: 1 }] } });
  await put('split.txt', 'a\n');
  await put('broken.json', '{"results": ');
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const evaluate = (...args: string[]) => runCli(['eval', 'localization', '--ground-truth', 'gt.json', ...args], dir);

describe('eval localization', () => {
  it('prints one JSON object in fractions, warnings elsewhere', async () => {
    const { code, stdout, stderr } = await evaluate('--detections', 'detections.json', '--tiou', '0.3:0.3:0.6', '--json');
    expect(code).toBe(0);
    // run: false positive first, then a hit at 0.3 (precision 1/2, recall 1/2); jump: perfect.
    expect(JSON.parse(stdout)).toEqual({
      mAP: { '0.3': (0.25 + 1) / 2, '0.6': (0 + 1) / 2 },
      average: { range: '0.3:0.6', value: 0.5625 },
    });
    expect(stdout.trim().split('\n')).toHaveLength(1);
    expect(stderr).toBe(
      'warning: gt.json: 1 segment ends after the stated duration of the video (kept in evaluation), in 1 video: a\n',
    );
  });

  it('prints percent otherwise, over 0.1:0.7 by default', async () => {
    const { code, stdout } = await evaluate('--detections', 'detections.json');
    expect(code).toBe(0);
    expect(stdout).toBe(
      [
        '3 detections, 3 instances of 2 classes of subset test',
        'tIoU     0.1    0.2    0.3    0.4    0.5    0.6    0.7',
        'mAP %  62.50  62.50  62.50  62.50  62.50  50.00  50.00',
        'mAP@0.1:0.7: 58.93 %',
        '',
      ].join('\n'),
    );
  });

  it('counts only the videos of a list, or another subset', async () => {
    const split = await evaluate('--detections', 'detections.json', '--tiou', '0.5', '--split', 'split.txt', '--json');
    expect(JSON.parse(split.stdout)).toEqual({ mAP: { '0.5': 1 }, average: { range: '0.5', value: 1 } });
    const subset = await evaluate('--detections', 'detections.json', '--tiou', '0.5', '--subset', 'validation', '--json');
    expect(JSON.parse(subset.stdout)).toEqual({ mAP: { '0.5': 0 }, average: { range: '0.5', value: 0 } });
  });

  it.concurrent.each([
    [['--detections', 'inverted.json'], 'inverted.json: results["a"][0].segment: expected start <= end, found [3, 2]'],
    [['--detections', 'none.json'], 'none.json: no such file'],
    [
      ['--detections', 'detections.json', '--subset', 'val'],
      'the ground truth has no instances of subset "val" (its subsets: test, validation)',
    ],
    [
      ['--detections', 'detections.json', '--tiou', '0.1:0'],
      '--tiou: expected thresholds in (0, 1] as 0.5, 0.3,0.5 or start:step:last (0.1:0.1:0.7), found "0.1:0"',
    ],
    [[], "required option '--detections <file>' not specified"],
  ])('fails with one line and exit code 1: %j', async (args, message) => {
    expect(await evaluate(...args, '--json')).toEqual({ code: 1, stdout: '', stderr: `error: ${message}\n` });
  });

  it('shows where an error came from when asked', async () => {
    const args = ['eval', 'localization', '--ground-truth', 'gt.json', '--detections', 'broken.json'];
    const plain = await runCli(args, dir);
    expect(plain.code).toBe(1);
    expect(plain.stderr).toMatch(/^error: broken\.json: expected JSON .*\n$/);
    const debug = await runCli(args, dir, { INKLING_DEBUG: '1' });
    expect(debug.stderr).toMatch(/\n\s+at /);
  });
});
