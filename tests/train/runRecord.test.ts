import { appendFile, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadRunConfig, withDataFolder } from '../../src/train/config.ts';
import { silentReporter } from '../../src/train/reporter.ts';
import { type RunRecord, readRunRecord, writeRunRecord } from '../../src/train/runRecord.ts';
import { recordSession, sessionFacts } from '../../src/train/runSession.ts';
import { trainRun } from '../../src/train/trainRun.ts';
import { wallClock } from '../../src/train/wallClock.ts';
import { smallExperiment } from '../cli/smallRun.ts';
import { smallConfig, trainSilently } from './smallTraining.ts';

let dir = '';
let remove = async (): Promise<void> => {};
beforeAll(async () => {
  ({ dir, remove } = await smallExperiment());
  await cp(join(dir, 'data'), join(dir, 'original'), { recursive: true });
  const stop = new AbortController();
  const progress = ({ label, done }: { label: string; done: number }): void => {
    if (label === 'epoch 2/3' && done === 3) stop.abort();
  };
  const options = { out: join(dir, 'run'), name: 'small', command: ['train', 'small'], signal: stop.signal };
  await trainRun(await smallConfig(dir, 'data', 'train.seed=7'), { ...options, reporter: { ...silentReporter(), progress } });
});
afterAll(() => remove());

/** A copy of the interrupted run on a copy of its data. */
async function copy(name: string): Promise<{ run: string; data: string; resume: () => ReturnType<typeof trainSilently> }> {
  const [run, data] = [join(dir, `${name}-run`), join(dir, `${name}-data`)];
  await cp(join(dir, 'run'), run, { recursive: true });
  await cp(join(dir, 'original'), data, { recursive: true });
  const resume = async () => {
    const config = await loadRunConfig(run);
    return trainSilently(withDataFolder(config, data), { out: run, resume: true });
  };
  return { run, data, resume };
}

describe('the record of a run', () => {
  it('says what it is, what it read and how it was trained', async () => {
    const record = await readRunRecord(join(dir, 'run'));
    expect(record).toMatchObject({ format: 1, task: 'localization', method: 'acm-net', config: 'small', seed: 7, from: null });
    expect(record.classes).toEqual(['synthetic action 1', 'synthetic action 2']);
    // 9 videos, annotations, two lists, classes.
    expect(record.data).toMatchObject({ files: 13, train: 6, test: 3 });
    const digests = (await readFile(join(dir, 'run/data.sha256'), 'utf8')).trim().split('\n');
    expect(digests.map(line => line.slice(66))).toEqual([
      'classes.json',
      'gt.json',
      'split_test.txt',
      'split_train.txt',
      ...['test', 'train'].flatMap(part =>
        Array.from({ length: part === 'test' ? 3 : 6 }, (_, i) => `${part}/synthetic_${part}_00${i}.npy`),
      ),
    ]);
    const [session] = record.sessions;
    expect(session).toMatchObject({
      error: null,
      epoch: 0,
      command: ['train', 'small'],
      directory: process.cwd(),
      versions: { node: process.versions.node, platform: `${process.platform}-${process.arch}` },
      device: 'cpu',
      threads: 1,
      data: record.data?.sha256,
    });
    expect(session.versions.onnxruntime).toMatch(/^\d+\.\d+\.\d+/);
    expect(session.versions.inkling).toBe((JSON.parse(await readFile('package.json', 'utf8')) as { version: string }).version);
    expect(Date.parse(session.ended ?? '')).toBeGreaterThanOrEqual(Date.parse(session.started));
    expect(session.machine.memory).toBeGreaterThan(1e8);
  });

  it('gets a session for each time that it goes on', async () => {
    const { run, resume } = await copy('again');
    const { lines } = await resume();
    expect(lines).not.toContainEqual(expect.stringContaining('the data is not'));
    const { sessions, data } = await readRunRecord(run);
    expect(sessions.map(({ epoch, data, error }) => ({ epoch, data, error }))).toEqual(
      [0, 1].map(epoch => ({ epoch, data: data?.sha256, error: null })),
    );
    expect(sessions.map(({ command }) => command)).toEqual([['train', 'small'], null]);
    expect(Date.parse(sessions[1].started)).toBeGreaterThanOrEqual(Date.parse(sessions[0].ended ?? ''));
  });

  it('shows that the data changed, and the run says where', async () => {
    const { run, data, resume } = await copy('changed');
    await appendFile(join(data, 'gt.json'), '\n');
    await cp(join(data, 'train/synthetic_train_001.npy'), join(data, 'train/synthetic_train_002.npy'));
    const { lines } = await resume();
    expect(lines).toContain(`${run}: the data is not what the run began with (changed: gt.json, train/synthetic_train_002.npy)`);
    const { sessions, data: beginning } = await readRunRecord(run);
    expect(sessions.map(session => session.data === beginning?.sha256)).toEqual([true, false]);
  });

  it('of an older version is read, and keys of a newer one are kept', async () => {
    const { run, resume } = await copy('old');
    const { format, task, method, classes, from } = await readRunRecord(run);
    await writeFile(join(run, 'run.json'), JSON.stringify({ format, task, method, classes, from, later: { a: 1 } }));
    await rm(join(run, 'data.sha256'));
    const { lines, interrupted } = await resume();
    expect([interrupted, lines.filter(line => /data is not/.test(line))]).toEqual([false, []]);
    const { sessions, ...record } = await readRunRecord(run);
    expect(record).toEqual({ format, task, method, classes, from, later: { a: 1 } });
    expect(sessions.map(({ epoch }) => epoch)).toEqual([1]);
  });

  it.each([
    ['{"format": 1, "task": "localization", "method": "acm-net", "from": null}', 'classes: expected array, found none'],
    ['{"format": 2}', 'format: expected 1, found 2 (was it written by a newer Inkling?)'],
    ['[]', 'expected object, found array'],
    ['{', expect.stringMatching(/^expected JSON/)],
  ])('that is damaged is named in one line: %s', async (text, problem) => {
    const run = await mkdtemp(join(tmpdir(), 'inkling-record-'));
    try {
      await writeFile(join(run, 'run.json'), text);
      const message = await readRunRecord(run).catch((thrown: Error) => thrown.message);
      expect(message).toMatch(new RegExp(`^${run}/run\\.json: `));
      expect((message as string).slice(run.length + 11)).toEqual(problem);
    } finally {
      await rm(run, { recursive: true });
    }
  });
});

describe('a session', () => {
  const facts = () => sessionFacts({ device: 'cpu', threads: null, data: '0'.repeat(64) });
  const empty: RunRecord = { format: 1, task: 't', method: 'm', classes: ['a'], from: null, sessions: [] };

  it('is there from its beginning, and has an end and an error afterwards', async () => {
    const run = await mkdtemp(join(dir, 'session-'));
    await writeRunRecord(run, empty);
    const failing = recordSession(run, await facts(), wallClock(), async begin => {
      await begin(4);
      expect((await readRunRecord(run)).sessions).toMatchObject([{ epoch: 4, ended: null, error: null }]);
      throw new Error('no power');
    });
    await expect(failing).rejects.toThrow('no power');
    expect((await readRunRecord(run)).sessions).toMatchObject([{ epoch: 4, ended: expect.any(String), error: 'no power' }]);
  });

  it('begins when the one before ended, where the clock was set back', async () => {
    const run = await mkdtemp(join(dir, 'session-'));
    await writeRunRecord(run, empty);
    for (const year of [2030, 2020, 2031]) {
      await recordSession(
        run,
        await facts(),
        wallClock(() => Date.UTC(year, 0)),
        begin => begin(0),
      );
    }
    expect((await readRunRecord(run)).sessions.map(({ started, ended }) => [started.slice(0, 4), ended?.slice(0, 4)])).toEqual([
      ['2030', '2030'],
      ['2030', '2030'],
      ['2031', '2031'],
    ]);
  });

  it('that never began leaves nothing', async () => {
    const run = await mkdtemp(join(dir, 'session-'));
    await writeRunRecord(run, empty);
    await expect(recordSession(run, await facts(), wallClock(), () => Promise.reject(new Error('damaged')))).rejects.toThrow();
    expect((await readRunRecord(run)).sessions).toEqual([]);
  });
});
