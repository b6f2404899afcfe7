import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { identify, isAlive, thisMachine } from '../../src/train/processes.ts';
import { isTraining, lockRun, refuseBusyRun } from '../../src/train/runLock.ts';
import { until } from '../cli/trainProcess.ts';

let dir = '';
const children: ChildProcess[] = [];
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-lock-'));
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await rm(dir, { recursive: true, force: true });
});

const isLinux = process.platform === 'linux';

/** A process that does nothing until it is killed. */
function sleeper(): { pid: number; end: () => Promise<void> } {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' });
  children.push(child);
  const gone = once(child, 'exit');
  if (child.pid === undefined) throw new Error('no process was started');
  return {
    pid: child.pid,
    end: async () => {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** A folder with a lock of this content. */
async function locked(content: unknown): Promise<string> {
  const run = await mkdtemp(join(dir, 'run-'));
  await writeFile(join(run, 'train.lock'), typeof content === 'string' ? content : JSON.stringify(content));
  return run;
}

/** Locks a run; the message of the error if that is refused, and the lines that were said. */
async function tryLock(run: string, onLine: () => void = () => {}) {
  const lines: string[] = [];
  const info = (line: string): void => {
    lines.push(line);
    onLine();
  };
  const outcome = await lockRun(run, { info }).catch((thrown: Error) => thrown.message);
  return { outcome, lines };
}

const ownerOf = async (run: string): Promise<unknown> => JSON.parse(await readFile(join(run, 'train.lock'), 'utf8'));

/** Expects that a lock is taken over without a word, by this process, and can be taken off. */
async function expectTaken(run: string): Promise<void> {
  const { outcome, lines } = await tryLock(run);
  expect(lines).toEqual([]);
  expect(await ownerOf(run)).toMatchObject({ ...identify(process.pid), machine: thisMachine() });
  if (typeof outcome === 'string') throw new Error(outcome);
  await outcome();
  expect(await readdir(run)).toEqual([]);
}

describe('the lock of a run', () => {
  it('is refused to others while it is held, and free afterwards', async () => {
    const run = await mkdtemp(join(dir, 'run-'));
    const unlock = await lockRun(run, { info: () => {} });
    expect(await isTraining(run)).toBe(isLinux);
    if (isLinux)
      expect((await tryLock(run)).outcome).toBe(
        `${run}: process ${process.pid} is training in this run folder; wait for it, or stop it`,
      );
    await unlock();
    expect(await isTraining(run)).toBe(false);
    await expectTaken(run);
  });

  it('is given to one of several that find the same old mark', async () => {
    const gone = sleeper();
    await gone.end();
    const run = await locked({ pid: gone.pid, machine: thisMachine() });
    const outcomes = await Promise.all(Array.from({ length: 5 }, () => tryLock(run)));
    const taken = outcomes.filter(({ outcome }) => typeof outcome !== 'string');
    expect(taken).toHaveLength(1);
    expect(await readdir(run)).toEqual(['train.lock']);
  });

  it('names a process that works at this moment', async () => {
    const { pid, end } = sleeper();
    const owner = identify(pid);
    const run = await locked({ ...owner, machine: thisMachine() });
    const doubt = owner.started === undefined ? ` (if it is none of ours, remove ${join(run, 'train.lock')})` : '';
    expect(await tryLock(run)).toEqual({
      outcome: `${run}: process ${pid} is training in this run folder; wait for it, or stop it${doubt}`,
      lines: [],
    });
    expect(await isTraining(run)).toBe(true);
    await expect(refuseBusyRun(run)).rejects.toThrow(`process ${pid} is training in this run folder`);
    await end();
    await refuseBusyRun(run);
    expect(await isTraining(run)).toBe(false);
    await expectTaken(run);
  });

  it('is taken over from a process whose number another one has by now', async () => {
    if (!isLinux) return expect(identify(process.ppid)).toEqual({ pid: process.ppid });
    const { pid } = sleeper();
    await expectTaken(await locked({ pid, started: '1', machine: thisMachine() }));
    // A number that this very process has, as the first one of a container always does.
    await expectTaken(await locked({ pid: process.pid, started: '1', machine: thisMachine() }));
  });

  it('waits for a process that is ending since its command is gone, and says so at once', async () => {
    const command = sleeper();
    const parent = identify(command.pid);
    await command.end();
    const { pid, end } = sleeper();
    const run = await locked({ ...identify(pid), parent, machine: thisMachine() });
    // Not refused before the data is read: it will be gone by then.
    await refuseBusyRun(run);
    let ended: Promise<void> | undefined;
    const { outcome, lines } = await tryLock(run, () => {
      ended = end();
    });
    await ended;
    expect(typeof outcome).toBe('function');
    expect(lines).toEqual([
      `waiting for process ${pid} to end, which is still there, though the command that started it is gone (at most 10 s)`,
    ]);
  });

  it('of an older version, a number alone, is waited for and then refused with a doubt', async () => {
    const { pid, end } = sleeper();
    const run = await locked(String(pid));
    const { outcome, lines } = await tryLock(run);
    expect(lines).toEqual([`waiting for process ${pid} to end, which holds the run folder (at most 10 s)`]);
    expect(outcome).toMatch(new RegExp(`process ${pid} is training in this run folder; wait for it, or stop it`));
    expect(outcome).toMatch(/\(if it is none of ours, remove .*\/train\.lock\)$/);
    await end();
    await expectTaken(run);
  });

  it('of another machine is refused at once, with its name and the file to remove', async () => {
    const run = await locked({ pid: 4242, started: '7', machine: { host: 'node-17', boot: 'another', numbering: 'pid:[1]' } });
    expect(await tryLock(run)).toEqual({
      outcome: `${run}: process 4242 on node-17 is training in this run folder, as far as can be known from ${hostname()}; if it is gone, remove ${join(run, 'train.lock')}`,
      lines: [],
    });
    expect(await isTraining(run)).toBe(true);
  });

  it('of another container of this machine is refused too, one from before a restart is not', async () => {
    const machine = thisMachine();
    const run = await locked({ pid: process.pid, machine: { ...machine, numbering: 'pid:[1]' } });
    expect((await tryLock(run)).outcome).toMatch(
      /^.*: process \d+ on another container of .* if it is gone, remove .*train\.lock$/,
    );
    if (machine.boot !== undefined) {
      const { pid } = sleeper();
      await expectTaken(await locked({ ...identify(pid), machine: { ...machine, boot: 'before' } }));
      // Renamed since, but the same start of the same machine.
      await expectTaken(await locked({ pid, started: '1', machine: { ...machine, host: 'old-name' } }));
    }
  });

  it.each(['', '{"pid":', '{"pid":-1}', 'null'])('is taken over where nobody is named: %j', async content => {
    await expectTaken(await locked(content));
  });

  it.skipIf(process.platform === 'win32')('is an error where it cannot be made', async () => {
    const run = await mkdtemp(join(dir, 'run-'));
    await symlink(join(run, 'nowhere'), join(run, 'train.lock'));
    const problem = 'expected a file, or none, found a link that leads nowhere';
    expect((await tryLock(run)).outcome).toBe(`${join(run, 'train.lock')}: ${problem}`);
    expect((await tryLock(join(run, 'none'))).outcome).toMatch(/none\/train\.lock: there is no folder .*\/none to write it to$/);
  });

  it.skipIf(!isLinux)('does not count a process that has ended and was only not waited for', async () => {
    // The shell becomes a process that waits for nobody, and so its child stays as a zombie.
    const child = spawn('sh', ['-c', 'sleep 0.5 & echo $!; exec sleep 1000'], { stdio: ['ignore', 'pipe', 'ignore'] });
    children.push(child);
    const [printed] = (await once(child.stdout, 'data')) as [Buffer];
    const pid = Number(printed.toString());
    await until('a zombie', async () => /\) Z /.test(await readFile(`/proc/${pid}/stat`, 'utf8')) || undefined);
    expect(isAlive({ pid })).toBe(false);
    expect(isAlive(identify(process.pid))).toBe(true);
    await expectTaken(await locked({ ...identify(pid), machine: thisMachine() }));
  });
});
