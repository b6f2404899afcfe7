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

const phase1Arguments = ['small.yaml', '--set', 'train.epochs=12', '--set', 'evaluation.select=best-on-test'];
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

/** Resolves as soon as a file whose name matches appears in a run folder or its `checkpoints`, or the training ends. */
async function appearance(run: string, name: RegExp, training: TrainProcess): Promise<void> {
  const watchers: FSWatcher[] = [];
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
  await Promise.race([appeared, training.exited]).finally(() => {
    for (const watcher of watchers) watcher.close();
  });
}

/**
 * Kills a run whenever one of these files appears, goes on with it each time and lets it end at last.
 * @returns how often the kill came before the end; on a busy machine some come late
 */
async function killAtFiles(
  run: string,
  beginning: readonly string[],
  kills: readonly (readonly [RegExp, Victim])[],
): Promise<number> {
  await mkdir(join(dir, run));
  let killed = 0;
  for (const [name, victim] of kills) {
    const training = await goOn(run, beginning, victim === 'tree' ? oneProcess : {});
    await appearance(run, name, training);
    training.kill(victim);
    // The training process may still be there when only its parent was killed: the next one has to wait for it.
    const code = await training.exited;
    expect([code === null ? 0 : code, training.stderr()]).toEqual([0, expect.not.stringContaining('error')]);
    if (code === null) killed++;
  }
  const last = await goOn(run, beginning, oneProcess);
  expect([await last.exited, last.stderr()]).toEqual([0, expect.stringContaining('resuming after epoch')]);
  return killed;
}

describe.concurrent('a killed training goes on to the same bits', () => {
  it('when killed while it writes', async () => {
    const killed = await killAtFiles('written', phase1Arguments, [
      [/^train\.lock$/, 'tree'],
      [/^\.config\.yaml\..*tmp$|^checkpoints$/, 'tree'],
      [/^checkpoints$|^\.epoch/, 'parent'],
      [/^\.epoch-\d+\.safetensors\..*tmp$/, 'tree'],
      [/^\.epoch-\d+\.optimizer\.safetensors\..*tmp$/, 'parent'],
      [/^\.previous\.json\..*tmp$/, 'tree'],
      [/^\.last\.json\..*tmp$/, 'tree'],
      [/^\.metrics\.jsonl\..*tmp$/, 'tree'],
      [/^\.detections\.json\..*tmp$/, 'parent'],
      [/^\.model\.safetensors\..*tmp$/, 'tree'],
    ]);
    expect(killed).toBeGreaterThanOrEqual(4);
    expect(await contentsOf(join(dir, 'written'))).toEqual(whole);
  }, 240_000);

  it('when killed at random moments', async () => {
    const kills = Array.from({ length: 6 }, (_, i) => ({ victim: i % 2 ? 'tree' : 'parent', wait: Math.random() }) as const);
    for (const [i, { victim, wait }] of kills.entries()) {
      const training = await goOn('random', phase1Arguments);
      // Some at any moment, the others when it trains.
      if (i > 1) await until('a training', () => /run folder|error/.test(training.stderr()) || undefined);
      await new Promise(resolve => setTimeout(resolve, wait * (i > 1 ? 100 : 1500)));
      training.kill(victim);
      await training.exited;
    }
    const last = await goOn('random', phase1Arguments);
    expect([await last.exited, kills]).toEqual([0, kills]);
    expect(await contentsOf(join(dir, 'random'))).toEqual(whole);
  }, 240_000);

  it('in phase 2, from the weights of phase 1', async () => {
    const killed = await killAtFiles('written2', phase2Arguments, [
      [/^checkpoints$/, 'tree'],
      [/^\.metrics\.jsonl\..*tmp$/, 'parent'],
      [/^\.epoch-\d+\.optimizer\.safetensors\..*tmp$/, 'tree'],
    ]);
    expect(killed).toBeGreaterThanOrEqual(1);
    expect(await contentsOf(join(dir, 'written2'))).toEqual(whole2);
  }, 240_000);

  it('when interrupted', async () => {
    await mkdir(join(dir, 'interrupted'));
    const training = await goOn('interrupted', phase1Arguments);
    await appearance('interrupted', /^\.epoch-0001\.safetensors\..*tmp$/, training);
    training.interrupt();
    expect([await training.closed, training.stderr()]).toEqual([
      130,
      expect.stringMatching(/stopped; go on with: inkling train --resume interrupted\n$/),
    ]);
    expect((await metricsOf(join(dir, 'interrupted'))).length).toBeLessThan(12);
    expect(await exists(join(dir, 'interrupted/train.lock'))).toBe(false);
    const last = await goOn('interrupted', phase1Arguments);
    expect(await last.exited).toBe(0);
    expect(await contentsOf(join(dir, 'interrupted'))).toEqual(whole);
  }, 120_000);
});

/** The process in a run's lock, once it is another one than `before`. */
function lockOwner(run: string, before?: number): Promise<number> {
  return until(`a lock in ${run}`, async () => {
    const text = await readFile(join(dir, run, 'train.lock'), 'utf8').catch(() => '');
    const owner = /"pid":(\d+)/.exec(text)?.[1];
    return owner !== undefined && Number(owner) !== before ? Number(owner) : undefined;
  });
}

/** Whether a process works (Linux); one that has ended but was not yet waited for is a zombie, Z. */
async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat !== undefined && !/\) [ZX] /.test(stat);
}

describe.concurrent('a run folder', () => {
  it('belongs to one process at a time; the lock of a killed one is taken over', async () => {
    const first = await goOn('locked', endless, oneProcess);
    const owner = await lockOwner('locked');
    await until('an epoch', () => exists(join(dir, 'locked/metrics.jsonl')).then(there => there || undefined));
    expect(owner).toBe(first.pid);
    expect(await runCli(['train', '--resume', 'locked'], dir, oneProcess)).toEqual({
      code: 1,
      stdout: '',
      stderr: `error: locked: process ${owner} is training in this run folder; wait for it, or stop it\n`,
    });
    first.kill('tree');
    await first.exited;
    expect(await lockOwner('locked')).toBe(owner);
    const second = await goOn('locked', endless, oneProcess);
    expect(await lockOwner('locked', owner)).toBe(second.pid);
    await until('an epoch', () => /resuming after epoch/.test(second.stderr()) || undefined);
    second.kill('tree');
    await second.exited;
  }, 120_000);

  it('that is new is given to one of two that begin in it at once', async () => {
    const rivals = [1, 2].map(() => startTraining(['train', ...endless, '--out', 'rivals'], dir, oneProcess));
    started.push(...rivals);
    const code = await Promise.race(rivals.map(rival => rival.closed));
    const owner = await lockOwner('rivals');
    const [winner, loser] = rivals[0].pid === owner ? rivals : rivals.toReversed();
    expect([code, winner.pid]).toEqual([1, owner]);
    // Whoever comes when the other one is far already finds a run there.
    expect(loser.stderr()).toMatch(
      new RegExp(`^error: rivals: (process ${owner} is training in this run folder; .*|the folder holds a run already; .*)\n$`),
    );
    winner.kill('tree');
    await winner.exited;
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
        await until('the end of the training process', async () => ((await isRunning(child)) ? undefined : true));
      }
    },
    120_000,
  );
});
