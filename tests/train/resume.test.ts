import { type FSWatcher, watch } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exists } from '../../src/data/files.ts';
import { runCli } from '../cli/runCli.ts';
import { contentsOf, metricsOf, oneProcess, phase2, smallExperiment, succeed } from '../cli/smallRun.ts';
import { childOf, startTraining, type TrainProcess, until, type Victim } from '../cli/trainProcess.ts';

let dir = '';
let remove = async (): Promise<void> => {};
/** What uninterrupted trainings leave in their run folders. */
let whole: Record<string, unknown> = {};
let whole2: Record<string, unknown> = {};
const started: TrainProcess[] = [];

const phase1Arguments = ['small.yaml', '--set', 'train.epochs=6', '--set', 'evaluation.select=best-on-test'];
const phase2Arguments = ['small.yaml', ...phase2, '--set', 'train.epochs=4', '--from', 'whole'];
const endless = ['small.yaml', '--set', 'train.epochs=1000000', '--set', 'evaluation.start=999999'];

beforeAll(async () => {
  ({ dir, remove } = await smallExperiment());
  await succeed(['train', ...phase1Arguments, '--out', 'whole'], dir);
  await succeed(['train', ...phase2Arguments, '--out', 'whole2'], dir);
  whole = await contentsOf(join(dir, 'whole'));
  whole2 = await contentsOf(join(dir, 'whole2'));
});
afterAll(async () => {
  for (const training of started) training.kill('tree');
  await remove();
});

/** Goes on with a run if it is one, else begins it. */
async function goOn(run: string, beginning: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<TrainProcess> {
  const isRun = await exists(join(dir, run, 'config.yaml'));
  const training = startTraining(isRun ? ['train', '--resume', run] : ['train', ...beginning, '--out', run], dir, env);
  started.push(training);
  return training;
}

/** Resolves as soon as a file whose name matches appears in a run folder or its `checkpoints`. @throws Error if `training` ends before */
async function appearance(run: string, name: RegExp, training: TrainProcess): Promise<void> {
  const watchers: FSWatcher[] = [];
  const ended = training.exited.then(code => {
    throw new Error(`${name}: the training ended before, exit code ${code}: ${training.stderr()}`);
  });
  const appeared = new Promise<void>(resolve => {
    const look = (folder: string): void => {
      const each = (_: string, file: string | null): void => {
        if (file !== null && name.test(file)) resolve();
        if (file === 'checkpoints' && watchers.length === 1) look(join(folder, file));
      };
      watchers.push(watch(folder, each));
    };
    look(join(dir, run));
    exists(join(dir, run, 'checkpoints')).then(there => there && watchers.length === 1 && look(join(dir, run, 'checkpoints')));
  });
  await Promise.race([appeared, ended]).finally(() => {
    for (const watcher of watchers) watcher.close();
  });
}

/** Kills a run whenever one of these files appears, goes on with it each time and lets it end at last. */
async function killAtFiles(
  run: string,
  beginning: readonly string[],
  kills: readonly (readonly [RegExp, Victim])[],
): Promise<void> {
  await mkdir(join(dir, run));
  for (const [name, victim] of kills) {
    const training = await goOn(run, beginning, victim === 'tree' ? oneProcess : {});
    await appearance(run, name, training);
    training.kill(victim);
    // The training process may still be there when only its parent was killed: the next one has to wait for it.
    expect(await training.exited).toBe(null);
  }
  const last = await goOn(run, beginning, oneProcess);
  expect([await last.exited, last.stderr()]).toEqual([0, expect.stringContaining('resuming after epoch')]);
}

describe('a killed training goes on to the same bits', () => {
  it('when killed while it writes', async () => {
    await killAtFiles('written', phase1Arguments, [
      [/^train\.lock$/, 'tree'],
      [/^\.config\.yaml\..*tmp$/, 'tree'],
      [/^checkpoints$/, 'parent'],
      [/^\.epoch-0000\.safetensors\..*tmp$/, 'tree'],
      [/^\.epoch-0001\.safetensors\..*tmp$/, 'tree'],
      [/^\.epoch-0002\.optimizer\.safetensors\..*tmp$/, 'parent'],
      [/^\.last\.json\..*tmp$/, 'tree'],
      [/^\.metrics\.jsonl\..*tmp$/, 'tree'],
      [/^\.detections\.json\..*tmp$/, 'parent'],
      [/^\.model\.safetensors\..*tmp$/, 'tree'],
    ]);
    expect(await contentsOf(join(dir, 'written'))).toEqual(whole);
  }, 240_000);

  it('when killed at random moments', async () => {
    const kills = Array.from({ length: 6 }, (_, i) => ({ victim: i % 2 ? 'tree' : 'parent', wait: Math.random() }) as const);
    for (const [i, { victim, wait }] of kills.entries()) {
      const training = await goOn('random', phase1Arguments);
      // Some at any moment, the others when it trains.
      if (i > 1)
        await Promise.race([until('training', () => /run folder/.test(training.stderr()) || undefined), training.exited]);
      await new Promise(resolve => setTimeout(resolve, wait * (i > 1 ? 100 : 1500)));
      training.kill(victim);
      await training.exited;
    }
    const last = await goOn('random', phase1Arguments);
    expect([await last.exited, kills]).toEqual([0, kills]);
    expect(await contentsOf(join(dir, 'random'))).toEqual(whole);
  }, 240_000);

  it('in phase 2, from the weights of phase 1', async () => {
    await killAtFiles('written2', phase2Arguments, [
      [/^checkpoints$/, 'tree'],
      [/^\.epoch-0002\.safetensors\..*tmp$/, 'parent'],
      [/^\.last\.json\..*tmp$/, 'tree'],
    ]);
    expect(await contentsOf(join(dir, 'written2'))).toEqual(whole2);
  }, 240_000);

  it('when checkpoints are rarer than tests, and the best one is later than the last one', async () => {
    const rare = [...phase1Arguments, '--set', 'train.checkpointEvery=4'];
    await succeed(['train', ...rare, '--out', 'wholeRare'], dir);
    const expected = await contentsOf(join(dir, 'wholeRare'));
    await mkdir(join(dir, 'rare'));
    const first = await goOn('rare', rare);
    await appearance('rare', /^best\.json$/, first);
    first.kill('tree');
    await first.exited;
    const best = JSON.parse(await readFile(join(dir, 'rare/checkpoints/best.json'), 'utf8')) as { epoch: number };
    expect(best.epoch).toBeGreaterThan(0);
    expect(JSON.parse(await readFile(join(dir, 'rare/checkpoints/last.json'), 'utf8'))).toMatchObject({ epoch: 0 });
    const last = await goOn('rare', rare);
    expect(await last.exited).toBe(0);
    expect(await contentsOf(join(dir, 'rare'))).toEqual(expected);
  }, 120_000);

  it('when interrupted', async () => {
    await mkdir(join(dir, 'interrupted'));
    const training = await goOn('interrupted', phase1Arguments);
    await appearance('interrupted', /^\.epoch-0002\.safetensors\..*tmp$/, training);
    training.interrupt();
    expect([await training.closed, training.stderr()]).toEqual([
      130,
      expect.stringMatching(/stopped; go on with: inkling train --resume interrupted\n$/),
    ]);
    expect((await metricsOf(join(dir, 'interrupted'))).length).toBeLessThan(6);
    expect(await exists(join(dir, 'interrupted/train.lock'))).toBe(false);
    const last = await goOn('interrupted', phase1Arguments);
    expect(await last.exited).toBe(0);
    expect(await contentsOf(join(dir, 'interrupted'))).toEqual(whole);
  }, 120_000);
});

/** The process in a run's lock, once it is another one than `before`. */
function lockOwner(run: string, before?: string): Promise<string> {
  return until(`a lock in ${run}`, async () => {
    const owner = await readFile(join(dir, run, 'train.lock'), 'utf8').catch(() => '');
    return owner !== '' && owner !== before ? owner : undefined;
  });
}

describe('a run folder', () => {
  it('belongs to one process at a time; the lock of a killed one is taken over', async () => {
    const first = await goOn('locked', endless, oneProcess);
    const owner = await lockOwner('locked');
    await until('an epoch', () => exists(join(dir, 'locked/metrics.jsonl')).then(there => there || undefined));
    expect(Number(owner)).toBe(first.pid);
    expect(await runCli(['train', '--resume', 'locked'], dir, oneProcess)).toEqual({
      code: 1,
      stdout: '',
      stderr: `error: locked: process ${owner} is training in this run folder; wait for it, or stop it (if it is none of ours, remove locked/train.lock)\n`,
    });
    first.kill('tree');
    await first.exited;
    expect(await readFile(join(dir, 'locked/train.lock'), 'utf8')).toBe(owner);
    const second = await goOn('locked', endless, oneProcess);
    expect(Number(await lockOwner('locked', owner))).toBe(second.pid);
    await until('an epoch', () => /resuming after epoch/.test(second.stderr()) || undefined);
    second.kill('tree');
    await second.exited;
  }, 120_000);

  it('is not in the way of a second beginning if the first was killed before it was a run', async () => {
    await mkdir(join(dir, 'early'));
    await writeFile(join(dir, 'early/train.lock'), '');
    await writeFile(join(dir, 'early/run.json'), '{}');
    await writeFile(join(dir, 'early/.config.yaml.123.4.tmp'), 'task: loc');
    const training = await goOn('early', phase1Arguments, oneProcess);
    expect([await training.exited, await contentsOf(join(dir, 'early'))]).toEqual([0, whole]);
  }, 120_000);

  it.skipIf(process.platform !== 'linux')(
    'is not written to after kill -9 of a command that was only starting',
    async () => {
      for (const delay of [0, 150, 400]) {
        const training = await goOn(`orphan${delay}`, endless);
        const child = await childOf(training.pid);
        await new Promise(resolve => setTimeout(resolve, delay));
        training.kill('parent');
        // The child has the same standard error, which closes when it ends.
        await training.closed;
        expect(() => process.kill(child, 0)).toThrow('ESRCH');
      }
    },
    120_000,
  );
});
