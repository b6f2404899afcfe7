import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from './runCli.ts';
import { oneProcess, smallExperiment, succeed } from './smallRun.ts';

interface ListedRun {
  readonly name: string;
  readonly status: string;
  readonly seed: number;
  readonly epochs: { readonly done: number; readonly total: number };
  readonly metric: string;
  readonly best: { readonly epoch: number; readonly value: number };
  readonly last: { readonly epoch: number; readonly value: number };
  readonly problems: readonly string[];
}

let dir = '';
let remove = async (): Promise<void> => {};
/** Average mAP by run and epoch. */
const scores: Record<string, number[]> = {};
beforeAll(async () => {
  ({ dir, remove } = await smallExperiment());
  await succeed(['train', 'small.yaml', '--out', 'runs/one'], dir);
  await succeed(['train', 'small.yaml', '--out', 'runs/group/two', '--seed', '5', '--set', 'train.epochs=2'], dir);
  for (const name of ['one', 'group/two']) {
    const lines = (await readFile(join(dir, 'runs', name, 'metrics.jsonl'), 'utf8')).trim().split('\n');
    scores[name] = lines.map(line => (JSON.parse(line) as { test: Record<string, number> }).test['mAP@0.1:0.7']);
  }
  await cp(join(dir, 'runs/one'), join(dir, 'runs/bad'), { recursive: true });
  await writeFile(join(dir, 'runs/bad/run.json'), 'nonsense');
  await mkdir(join(dir, 'empty'));
});
afterAll(() => remove());

const inkling = (...args: readonly string[]): ReturnType<typeof runCli> => runCli(args, dir, oneProcess);
const jsonOf = async <T>(...args: readonly string[]): Promise<T> => JSON.parse((await succeed(args, dir)).stdout) as T;
const shown = (name: string, epoch: number): string => `${(100 * scores[name][epoch - 1]).toFixed(2)} (${epoch})`;
const bestEpoch = (name: string): number => scores[name].indexOf(Math.max(...scores[name])) + 1;

describe.concurrent('runs', () => {
  it('lists every run below the folder, damaged ones with what is wrong', async () => {
    const { code, stdout, stderr } = await inkling('runs', '--sort', 'name');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout.split('\n');
    expect(lines[0]).toBe('best and last (epoch): test/mAP@0.1:0.7 %');
    const cells = lines.slice(1, 5).map(line => line.trim().split(/ {2,}/));
    expect(cells[0]).toEqual(['run', 'method', 'configuration', 'seed', 'epochs', 'status', 'best', 'last', 'begun', 'took']);
    expect(cells.slice(1).map(row => row.slice(0, 8))).toEqual([
      ['bad', '-', '-', '0', '3/3', 'damaged', shown('one', bestEpoch('one')), shown('one', 3)],
      [
        'group/two',
        'acm-net',
        'small.yaml',
        '5',
        '2/2',
        'finished',
        shown('group/two', bestEpoch('group/two')),
        shown('group/two', 2),
      ],
      ['one', 'acm-net', 'small.yaml', '0', '3/3', 'finished', shown('one', bestEpoch('one')), shown('one', 3)],
    ]);
    expect(cells.slice(1).every(row => /^\d{4}-\d\d-\d\d \d\d:\d\d$/.test(row[8]))).toBe(true);
    expect(lines[5]).toMatch(/^warning: runs\/bad\/run\.json: expected JSON /);
  });

  it('sorts by time and by metric, and takes another metric', async () => {
    const names = async (...args: readonly string[]) =>
      (await jsonOf<{ runs: ListedRun[] }>('runs', ...args, '--json')).runs.map(run => run.name);
    expect((await names()).filter(name => name !== 'bad')).toEqual(['group/two', 'one']);
    const { runs } = await jsonOf<{ folder: string; runs: ListedRun[] }>(
      'runs',
      '--sort',
      'metric',
      '--metric',
      'total',
      '--json',
    );
    const best = runs.map(run => run.best.value);
    // The smallest loss is the best one.
    expect(best).toEqual(best.toSorted((a, b) => a - b));
    expect(runs.map(run => run.metric)).toEqual(['train/total', 'train/total', 'train/total']);
    expect(await names('--sort', 'metric')).toEqual(
      Math.max(...scores.one) >= Math.max(...scores['group/two']) ? ['bad', 'one', 'group/two'] : ['group/two', 'bad', 'one'],
    );
  });

  it('gives fractions as JSON', async () => {
    const { folder, runs } = await jsonOf<{ folder: string; runs: ListedRun[] }>('runs', 'runs/group', '--json');
    expect([folder, runs.length]).toEqual(['runs/group', 1]);
    const [last] = scores['group/two'].slice(-1);
    expect(runs[0]).toMatchObject({
      run: 'runs/group/two',
      name: 'two',
      status: 'finished',
      problems: [],
      task: 'localization',
      method: 'acm-net',
      config: 'small.yaml',
      seed: 5,
      epochs: { done: 2, total: 2 },
      metric: 'test/mAP@0.1:0.7',
      last: { epoch: 2, value: last },
    });
  });

  it.each([
    [['runs', 'empty'], 'empty: no runs\n', ''],
    [['runs', 'nowhere'], '', 'error: nowhere: no such folder\n'],
    [['runs', '--metric', 'mAP@0.55'], '', 'error: no metric mAP@0.55; the nearest is mAP@0.5\n'],
    [['runs', 'show', 'nowhere'], '', 'error: nowhere: no such run folder, nor runs/nowhere\n'],
    [
      ['runs', 'show', 'runs/group'],
      '',
      'error: runs/group: expected a run folder, found none (inkling runs runs/group lists the runs in it)\n',
    ],
    [['runs', 'compare', 'one'], '', 'error: expected at least two runs to compare, found 1\n'],
  ])('says plainly what is not there: %j', async (args, stdout, stderr) => {
    expect(await inkling(...args)).toEqual({ code: stderr === '' ? 0 : 1, stdout, stderr });
  });
});

describe.concurrent('runs show', () => {
  it('prints the record, the metrics and two curves of at most 80 columns', async () => {
    const { stdout } = await succeed(['runs', 'show', 'one'], dir);
    expect(stdout).toMatch(/^runs\/one: finished, 3\/3 epochs, /);
    expect(stdout).toMatch(/\nmethod +acm-net \(localization\)\nconfiguration +small\.yaml, seed 0\n/);
    expect(stdout).toMatch(/\ndata +6 training and 3 test videos, 13 files, \d+\.?\d* kB, SHA-256 [0-9a-f]{12}\n/);
    expect(stdout).toMatch(/\n +\$ inkling train small\.yaml --out runs\/one\n/);
    expect(stdout).toContain(`  ${shown('one', 3)}`);
    const drawn = stdout.slice(stdout.indexOf('\n\ntest/mAP@0.1:0.7 %\n')).split('\n');
    expect(drawn.filter(line => /^(test\/mAP@0\.1:0\.7 %|train\/total)$/.test(line))).toHaveLength(2);
    expect(Math.max(...drawn.map(line => line.length))).toBe(80);
    expect(drawn.filter(line => / epoch 1 +2 +3$/.test(line))).toHaveLength(2);
    expect(stdout).not.toContain('\x1b');
  });

  it('gives everything as JSON', async () => {
    const shownRun = await jsonOf<{ status: string; record: { sessions: unknown[] }; metrics: { epoch: number }[] }>(
      'runs',
      'show',
      'runs/one',
      '--json',
    );
    expect(shownRun.status).toBe('finished');
    expect(shownRun.record.sessions).toHaveLength(1);
    expect(shownRun.metrics.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
  });

  it('shows what is left of a damaged run', async () => {
    const { stdout } = await succeed(['runs', 'show', 'bad'], dir);
    expect(stdout).toMatch(
      /^runs\/bad: damaged, 3\/3 epochs, .*\nwarning: runs\/bad\/run\.json: expected JSON .*\n\nafter 3 epochs/,
    );
  });
});

describe.concurrent('runs compare', () => {
  it('prints what differs, metrics side by side, and one picture', async () => {
    const { stdout } = await succeed(['runs', 'compare', 'one', 'group/two'], dir);
    const lines = stdout.split('\n');
    expect(lines.slice(0, 2).map(line => line.split(/ {2,}/))).toEqual([
      ['a', 'runs/one', 'finished', '3/3 epochs'],
      ['b', 'runs/group/two', 'finished', '2/2 epochs'],
    ]);
    expect(stdout).toMatch(/\nconfiguration +a +b\ntrain\.epochs +3 +2\ntrain\.seed +0 +5\n\n/);
    expect(stdout).toContain('\notherwise: the same data, versions and machine\n');
    const rows = lines.filter(line => line.startsWith('test/mAP@0.1:0.7 %  ')).map(line => line.split(/ {2,}/).slice(1));
    expect(rows).toEqual([
      [shown('one', 3), shown('group/two', 2)],
      [shown('one', bestEpoch('one')), shown('group/two', bestEpoch('group/two'))],
    ]);
    expect(stdout).toContain('\ntest/mAP@0.1:0.7 %\na  runs/one\nb  runs/group/two\n');
    const picture = stdout.slice(stdout.indexOf('b  runs/group/two\n', 200) + 18);
    expect(picture).toMatch(/a/);
    expect(picture).toMatch(/b/);
  });

  it('gives JSON, and curves as CSV', async () => {
    const compared = await jsonOf<{
      runs: (ListedRun & { metrics: Record<string, { last: { value: number } }> })[];
      differences: { config: unknown };
    }>('runs', 'compare', 'runs/one', 'runs/group/two', '--metric', 'mAP@0.5', '--json', '--csv', 'curves.csv');
    expect(compared.runs.map(run => run.metric)).toEqual(['test/mAP@0.5', 'test/mAP@0.5']);
    expect(compared.differences.config).toEqual([
      { key: 'train.epochs', values: [3, 2] },
      { key: 'train.seed', values: [0, 5] },
    ]);
    expect(compared.runs[0].metrics['test/mAP@0.1:0.7'].last.value).toBe(scores.one[2]);
    const csv = (await readFile(join(dir, 'curves.csv'), 'utf8')).trim().split('\n');
    expect(csv.map(line => line.split(',').slice(0, 4))).toEqual([
      ['run', 'metric', 'epoch', 'step'],
      ...[1, 2, 3].map(epoch => ['runs/one', 'test/mAP@0.5', String(epoch), String(2 * epoch)]),
      ...[1, 2].map(epoch => ['runs/group/two', 'test/mAP@0.5', String(epoch), String(2 * epoch)]),
    ]);
    expect(Number(csv[3].split(',')[4])).toBe(compared.runs[0].last.value);
    await rm(join(dir, 'curves.csv'));
  });
});
