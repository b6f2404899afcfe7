import { appendFile, cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EpochRecord } from '../../src/train/epochRecord.ts';
import { silentReporter } from '../../src/train/reporter.ts';
import {
  bestPoint,
  curvesCsv,
  curvesOf,
  findMetric,
  lastPoint,
  lowerIsBetter,
  primaryMetric,
} from '../../src/train/runCurves.ts';
import { configDifferences, recordDifferences } from '../../src/train/runDifferences.ts';
import { lockRun } from '../../src/train/runLock.ts';
import { readRunRecord, writeRunRecord } from '../../src/train/runRecord.ts';
import { findRuns, readRun } from '../../src/train/runs.ts';
import { smallExperiment } from '../cli/smallRun.ts';
import { smallConfig, trainSilently } from './smallTraining.ts';

let dir = '';
let remove = async (): Promise<void> => {};
beforeAll(async () => {
  ({ dir, remove } = await smallExperiment());
  await mkdir(join(dir, 'runs'));
  await trainSilently(await smallConfig(dir, 'data'), { out: join(dir, 'runs/first'), name: 'small' });
  await trainSilently(await smallConfig(dir, 'data', 'train.seed=1', 'evaluation.tious=[0.5]', 'evaluation.average=null'), {
    out: join(dir, 'runs/group/second'),
  });
});
afterAll(() => remove());

/** A copy of the first run, changed. */
async function changed(name: string, change: (run: string) => Promise<void>): ReturnType<typeof readRun> {
  const run = join(dir, 'changed', name);
  await cp(join(dir, 'runs/first'), run, { recursive: true });
  await change(run);
  return readRun(run, join(dir, 'changed'));
}

const record = (epoch: number, train: Record<string, number>, test?: Record<string, number>, primary?: string): EpochRecord => ({
  epoch,
  step: 10 * epoch,
  learningRate: 0.1,
  seconds: 2,
  samples: 4,
  steps: 2,
  train,
  test,
  primary,
});

describe('curves', () => {
  const records = [
    record(1, { total: 4 }),
    record(2, { total: 3, skipped: 1 }, { 'mAP@0.5': 0.5, 'loss.total': 2 }, 'mAP@0.5'),
    record(3, { total: Number.NaN }),
    record(4, { total: 3.5 }, { 'mAP@0.5': 0.5, 'loss.total': 1 }, 'mAP@0.5'),
    record(5, { total: 3 }, { 'mAP@0.5': 0.25, 'loss.total': 1.5 }, 'mAP@0.5'),
  ];
  const curves = curvesOf(records);
  const epochOf = (metric: string, point: typeof bestPoint): number | undefined => point(curves.get(metric) ?? [], metric)?.epoch;

  it('are named as TensorBoard names them', () => {
    expect([...curves.keys()].toSorted()).toEqual([
      'learningRate',
      'test/loss.total',
      'test/mAP@0.5',
      'throughput/samples-per-second',
      'throughput/steps-per-second',
      'train/skipped',
      'train/total',
    ]);
    expect(curves.get('test/mAP@0.5')?.[2]).toEqual({ epoch: 5, step: 50, value: 0.25 });
    expect(curves.get('throughput/samples-per-second')?.[0].value).toBe(2);
  });

  it('have a last and a first best value: the most of a score, the least of a loss', () => {
    expect(['test/mAP@0.5', 'test/loss.total', 'train/total'].map(name => epochOf(name, bestPoint))).toEqual([2, 4, 2]);
    expect(['test/mAP@0.5', 'train/skipped'].map(name => epochOf(name, curve => lastPoint(curve)))).toEqual([5, 2]);
    expect(lastPoint(curves.get('train/total')?.slice(0, 3) ?? [])?.epoch).toBe(2);
    expect(['train/accuracy', 'test/classification.accuracy', 'train/guide'].map(lowerIsBetter)).toEqual([false, false, true]);
  });

  it('are judged by what the tests select by, in files of older versions by what comes first', () => {
    expect(primaryMetric(records)).toBe('test/mAP@0.5');
    expect(primaryMetric([record(1, { total: 1 }, { 'mAP@0.1:0.7': 0.1, 'mAP@0.1': 0.2 })])).toBe('test/mAP@0.1:0.7');
    expect(primaryMetric(records.slice(0, 1))).toBe('train/total');
    expect(primaryMetric([])).toBeUndefined();
  });

  it('are found by short names; a misspelt one is told the nearest', () => {
    const names = [...curves.keys()];
    expect(['mAP@0.5', 'total', 'test/loss.total', 'learningRate'].map(name => findMetric(name, names))).toEqual([
      'test/mAP@0.5',
      'train/total',
      'test/loss.total',
      'learningRate',
    ]);
    expect(() => findMetric('map@0.5', names)).toThrow('no metric map@0.5; the nearest is mAP@0.5');
    expect(() => findMetric('mAP', [])).toThrow('no metric mAP: no epoch is done');
  });

  it('are written as CSV', () => {
    expect(curvesCsv([{ path: 'a,"b"', curves }], ['train/total'])).toBe(
      [
        'run,metric,epoch,step,value',
        ...['1,10,4', '2,20,3', '3,30,', '4,40,3.5', '5,50,3'].map(row => `"a,""b""",train/total,${row}`),
        '',
      ].join('\n'),
    );
    expect(
      curvesCsv([{ path: 'a', curves }])
        .trim()
        .split('\n'),
    ).toHaveLength(1 + 5 * 4 + 1 + 2 * 3);
  });
});

describe('runs in a folder', () => {
  it('are found below it, but not within each other, in hidden folders, or in circles', async () => {
    const folder = join(dir, 'runs');
    await mkdir(join(folder, '.hidden'));
    await cp(join(folder, 'first'), join(folder, '.hidden/run'), { recursive: true });
    await cp(join(folder, 'group/second'), join(folder, 'first/inner'), { recursive: true });
    await mkdir(join(folder, 'notes/checkpoints'), { recursive: true });
    await symlink(folder, join(folder, 'group/circle'));
    await mkdir(join(folder, '1/2/3/4/5'), { recursive: true });
    await cp(join(folder, 'group/second'), join(folder, '1/2/3/4'), { recursive: true });
    await cp(join(folder, 'group/second'), join(folder, '1/2/3/5/6/7'), { recursive: true });
    expect(await findRuns(folder)).toEqual(['1/2/3/4', 'first', 'group/second'].map(name => join(folder, name)));
    expect(await findRuns(join(folder, 'first'))).toEqual([join(folder, 'first')]);
    await expect(findRuns(join(dir, 'nowhere'))).rejects.toThrow(`${join(dir, 'nowhere')}: no such folder`);
    await rm(join(folder, 'first/inner'), { recursive: true });
  });

  it('say how far they are, how good, and how long they took', async () => {
    const run = await readRun(join(dir, 'runs/first'), join(dir, 'runs'));
    expect(run).toMatchObject({ name: 'first', status: 'finished', problems: [], epochs: { done: 3, total: 3 } });
    expect(run.metric).toBe('test/mAP@0.1:0.7');
    expect(run.started).toBe(run.record?.sessions[0].started);
    const lines = (await readFile(join(dir, 'runs/first/metrics.jsonl'), 'utf8')).trim().split('\n');
    const records = lines.map(line => JSON.parse(line) as { seconds: number; testSeconds: number; test: Record<string, number> });
    expect(run.seconds).toBeCloseTo(
      records.reduce((sum, r) => sum + r.seconds + r.testSeconds, 0),
      9,
    );
    expect(run.curves.get('test/mAP@0.1:0.7')?.map(({ value }) => value)).toEqual(records.map(({ test }) => test['mAP@0.1:0.7']));
  });

  it('have a status that follows from what is there', async () => {
    const cut = async (run: string): Promise<void> => {
      const [first] = (await readFile(join(run, 'metrics.jsonl'), 'utf8')).split('\n');
      await writeFile(join(run, 'metrics.jsonl'), `${first}\n`);
    };
    expect(await changed('cut', cut)).toMatchObject({ status: 'interrupted', epochs: { done: 1, total: 3 }, problems: [] });
    expect(await changed('no-model', run => rm(join(run, 'model.safetensors')))).toMatchObject({ status: 'interrupted' });
    const fail = async (run: string): Promise<void> => {
      await cut(run);
      const found = await readRunRecord(run);
      await writeRunRecord(run, { ...found, sessions: found.sessions.map(session => ({ ...session, error: 'no power' })) });
    };
    expect(await changed('failed', fail)).toMatchObject({ status: 'failed' });
    const unlock = await lockRun(join(dir, 'changed/cut'), silentReporter());
    expect(await readRun(join(dir, 'changed/cut'))).toMatchObject({ status: 'running' });
    await unlock();
    expect(await readRun(join(dir, 'changed/cut'))).toMatchObject({ status: 'interrupted' });
  });

  it('that an older version made are read', async () => {
    const run = await changed('older', async path => {
      const { format, task, method, classes, from } = await readRunRecord(path);
      await writeFile(join(path, 'run.json'), JSON.stringify({ format, task, method, classes, from }));
      const lines = (await readFile(join(path, 'metrics.jsonl'), 'utf8')).trim().split('\n');
      const old = lines.map(line => {
        const { time, steps, samples, primary, waitSeconds, testSeconds, ...rest } = JSON.parse(line) as Record<string, unknown>;
        return JSON.stringify(rest);
      });
      await writeFile(join(path, 'metrics.jsonl'), `${old.join('\n')}\n`);
    });
    expect(run).toMatchObject({ status: 'finished', problems: [], metric: 'test/mAP@0.1:0.7', epochs: { done: 3, total: 3 } });
    expect(run.started).toMatch(/^\d{4}-/);
    expect(run.curves.has('throughput/samples-per-second')).toBe(false);
  });

  it('that are damaged are told of, with what is there still', async () => {
    const at = (name: string): string => join(dir, 'changed', name);
    const damaged = async (name: string, change: (run: string) => Promise<void>) => {
      const { status, problems, epochs } = await changed(name, change);
      return { status, problems, done: epochs.done };
    };
    expect(await damaged('record', run => writeFile(join(run, 'run.json'), '{"format": 1}'))).toEqual({
      status: 'damaged',
      problems: [`${at('record')}/run.json: task: expected string, found none`],
      done: 3,
    });
    expect(await damaged('config', run => rm(join(run, 'config.yaml')))).toEqual({
      status: 'damaged',
      problems: [`${at('config')}: expected a run folder with config.yaml, found none`],
      done: 3,
    });
    const spoil = (run: string) => appendFile(join(run, 'metrics.jsonl'), '{"epoch": 4, "st\n{"epoch": "five"}\n');
    expect(await damaged('metrics', spoil)).toEqual({
      status: 'damaged',
      problems: [
        `${at('metrics')}/metrics.jsonl: line 4: expected the record of an epoch, found "{\\"epoch\\": 4, \\"st"`,
        `${at('metrics')}/metrics.jsonl: line 5: expected the record of an epoch, found "{\\"epoch\\": \\"five\\"}" (epoch: expected number, found string)`,
      ],
      done: 3,
    });
    expect(await damaged('weights', run => rm(join(run, 'checkpoints/epoch-0003.safetensors')))).toEqual({
      status: 'damaged',
      problems: [`${at('weights')}/checkpoints/epoch-0003.safetensors: no such file, but last.json names it`],
      done: 3,
    });
  });
});

describe('differences', () => {
  it('are the keys whose values are not the same, with the value of each run', async () => {
    const runs = [await readRun(join(dir, 'runs/first')), await readRun(join(dir, 'runs/group/second'))];
    expect(configDifferences(runs)).toEqual([
      { key: 'train.seed', values: [0, 1] },
      { key: 'evaluation.tious', values: [[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9].map(t => expect.closeTo(t, 9)), [0.5]] },
      { key: 'evaluation.average.from', values: [0.1, undefined] },
      { key: 'evaluation.average.to', values: [0.7, undefined] },
    ]);
    expect(recordDifferences(runs)).toEqual([]);
    expect(configDifferences([runs[0], runs[0], runs[0]])).toEqual([]);
  });

  it('of data, versions and commits count too', async () => {
    const run = await readRun(join(dir, 'runs/first'));
    const found = await changed('other', async path => {
      const { sessions, ...rest } = await readRunRecord(path);
      const [session] = sessions;
      const git = { directory: { commit: 'a'.repeat(40), branch: 'main', dirty: true }, package: session.git.package };
      const other = { ...session, data: '1'.repeat(64), git, versions: { ...session.versions, inkling: '9.0.0' } };
      await writeRunRecord(path, { ...rest, sessions: [other] });
    });
    const directory = run.record?.sessions[0].git.directory;
    expect(recordDifferences([run, found])).toEqual([
      { key: 'data', values: [run.record?.data?.sha256, '1'.repeat(64)] },
      { key: 'inkling', values: [run.record?.sessions[0].versions.inkling, '9.0.0'] },
      {
        key: 'commit',
        values: [directory?.commit ? directory.commit + (directory.dirty ? '+' : '') : null, `${'a'.repeat(40)}+`],
      },
      { key: 'data changed since the beginning', values: [false, true] },
    ]);
  });
});
