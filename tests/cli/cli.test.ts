import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runName } from '../../src/cli/trainTarget.ts';
import { writeSyntheticFeatures } from '../../src/data/synthetic.ts';
import { counting, folderOf } from '../data/builders.ts';
import { runCli } from './runCli.ts';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-cli-'));
  const options = { seed: 1, classes: 2, trainVideos: 3, testVideos: 2, featureDim: 8, snippetSeconds: 0.64 };
  await writeSyntheticFeatures(join(dir, 'good'), options);
  await writeSyntheticFeatures(join(dir, 'bad'), options);
  await rm(join(dir, 'bad/train/synthetic_train_001.npy'));
  await mkdir(join(dir, 'used'));
  await writeFile(join(dir, 'used/notes.txt'), 'mine');
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe('help', () => {
  it('lists every verb', async () => {
    const { code, stdout } = await runCli(['--help'], dir);
    expect(code).toBe(0);
    const verbs = [
      'train',
      'test',
      'predict',
      'eval',
      'export',
      'extract',
      'import',
      'runs',
      'inspect',
      'print-config',
      'check-data',
      'doctor',
    ];
    for (const verb of verbs) expect(stdout).toMatch(new RegExp(`^  ${verb} `, 'm'));
  });
  it.concurrent.each([
    [['train']],
    [['test']],
    [['predict']],
    [['eval']],
    [['eval', 'localization']],
    [['runs']],
    [['runs', 'show']],
    [['runs', 'compare']],
    [['check-data']],
    [['import']],
    [['export']],
    [['extract']],
    [['inspect']],
    [['print-config']],
    [['doctor']],
  ])('shows an example: %j', async verb => {
    const { code, stdout } = await runCli([...verb, '--help'], dir);
    expect(code).toBe(0);
    expect(stdout).toContain(`Example:\n  $ inkling ${verb.join(' ')}`);
  });
});

describe('errors', () => {
  // With settings of the user's own no second process is started.
  const env = { MALLOC_TRIM_THRESHOLD_: '131072' };
  it.concurrent.each([
    [['trian'], "unknown command 'trian' (Did you mean train?)"],
    [['test'], "missing required argument 'run'"],
    [['train', 'x', '--seed', 'one'], "option '--seed <n>' argument 'one' is invalid. expected a whole number of at least 0."],
    [['train'], 'expected a configuration, such as localization/thumos14/acm-net, or --resume RUN'],
    [['train', '--resume', 'used'], 'used: expected a run folder with config.yaml, found none'],
    [['train', '--resume', 'used', '--seed', '1'], "--resume goes on with the run's own configuration; leave out --seed"],
    [['train', '--resume', 'used', '--set', 'a=1'], "--resume goes on with the run's own configuration; leave out --set"],
    [
      ['train', 'localization/thumos14/acm-net', '--set', 'train.epoch=3'],
      '--set train.epoch=3: unknown key "train.epoch"; the nearest is "train.epochs"',
    ],
    [
      ['train', 'localization/synthetic/acm-net', '--data', 'used'],
      'used: expected a folder of synthetic features (with synthetic.json) or none, found another one',
    ],
    [['predict', 'm', 'nothing.npy'], 'm: expected a run folder or a model file, found nothing'],
    [['check-data', 'good', '--data', 'x'], 'good is a folder; --data and --set go with a configuration'],
    [['check-data', 'good', '--decode'], '--format, --split and --decode go with --task openset'],
    [
      ['check-data', 'good', '--task', 'openset', '--data', 'x'],
      '--task openset goes with a folder; --data and --set with a configuration',
    ],
  ])('are one line, with exit code 1: %j', async (args, message) => {
    expect(await runCli(args, dir, env)).toEqual({ code: 1, stdout: '', stderr: `error: ${message}\n` });
    expect(await readdir(dir)).toEqual(['bad', 'good', 'used']);
  });
});

describe('check-data', () => {
  it('finds nothing wrong', async () => {
    const { code, stdout, stderr } = await runCli(['check-data', 'good', '--json'], dir);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { ok, findings } = JSON.parse(stdout) as { ok: boolean; findings: { level: string; message: string }[] };
    expect(ok).toBe(true);
    expect(findings[0]).toEqual({ level: 'info', message: '3 training and 2 test videos, 2 classes' });
  });

  it('fails and names what is missing', async () => {
    const { code, stdout } = await runCli(['check-data', 'bad'], dir);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^error: .*synthetic_train_001.*\n/);
    expect(stdout).toMatch(/the data set has errors\n$/);
  });

  it('checks clips of open-set recognition, videos and features', async () => {
    const clips = await folderOf({
      'v/run/1.avi': '',
      'v/jump/2.avi': '',
      'f/run/1.npy': counting(2, 4),
      'f/run/2.npy': counting(2, 4),
    });
    try {
      const check = (...args: string[]) => runCli(['check-data', ...args, '--task', 'openset'], clips.dir);
      expect((await check('v')).stdout).toBe(
        'info: folders: 2 classes, 2 videos\ninfo: videos per class: jump 1, run 1\nno errors\n',
      );
      expect((await check('f')).stdout).toContain('info: features: 1 classes, 2 clips\n');
      const wrong = await check('v', '--format', 'ucf101');
      expect(wrong.code).toBe(1);
      expect(wrong.stdout).toBe(
        'error: v: expected ucfTrainTestlist/classInd.txt with trainlist0N.txt, testlist0N.txt (ucf101); found 2 folders, such as v/jump\nthe data set has errors\n',
      );
      const decoded = await check('v', '--decode');
      expect(decoded.code).toBe(1);
      expect(decoded.stdout).toMatch(/^error: v\/jump\/2\.avi: expected a video, found an empty file\n/);
    } finally {
      await clips.remove();
    }
  });

  it('takes what to expect from a configuration', async () => {
    const { code, stdout } = await runCli(['check-data', 'localization/synthetic/acm-net', '--data', 'good', '--json'], dir);
    expect(code).toBe(1);
    const { findings } = JSON.parse(stdout) as { findings: { level: string; message: string }[] };
    expect(findings[0].level).toBe('error');
    expect(findings[0].message).toContain('expected features of width 64, found 8');
  });
});

describe('doctor', () => {
  it('says what there is', async () => {
    const { code, stdout, stderr } = await runCli(['doctor', '--json'], dir, { MALLOC_TRIM_THRESHOLD_: '77' });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const facts = JSON.parse(stdout) as {
      node: string;
      devices: string[];
      cpu: { cores: number };
      allocator: { settings: unknown };
      video: { package: string; ffmpeg: string; license: string; decoders: string[]; missing: string[]; problem: unknown };
    };
    expect(facts.node).toBe(process.versions.node);
    expect(facts.devices).toContainEqual({ device: 'cpu', problem: null });
    expect(facts.cpu.cores).toBeGreaterThan(0);
    const { video } = facts;
    expect(video).toMatchObject({ problem: null, package: expect.stringMatching(/^node-av \d+\.\d+\.\d+/) });
    expect(video.ffmpeg).toMatch(/^\d+\.\d+/);
    expect(video.license).toMatch(/^L?GPL [23]/);
    expect(video.decoders).toEqual(expect.arrayContaining(['h264', 'hevc', 'vp9', 'av1', 'mpeg4', 'prores']));
    expect(video.missing.filter(name => video.decoders.includes(name))).toEqual([]);
    expect(facts.allocator.settings).toEqual({ MALLOC_TRIM_THRESHOLD_: '77' });
  });
});

describe('runName', () => {
  it('is made of the last two parts and the seed', () => {
    expect(runName('configs/localization/thumos14/ftcl.yaml', 3)).toBe('thumos14-ftcl-3');
    expect(runName('./my.config.yaml', 0)).toBe('my.config-0');
  });
});
