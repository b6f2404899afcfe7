/** One process at a time in a run folder (Node). */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';
import { DataError, writeProblem } from '../data/index.ts';
import { identify, isAlive, machineSchema, type ProcessIdentity, processSchema, thisMachine } from './processes.ts';
import type { Reporter } from './reporter.ts';

/** The file that says which process works in a run folder. */
export const lockFile = 'train.lock';

const ownerSchema = processSchema.extend({
  /** The process whose end is this one's end too: the command that started it. */
  parent: processSchema.optional(),
  /** Missing in locks of older versions, which are the process's number and nothing else. */
  machine: machineSchema.optional(),
});
type Owner = z.infer<typeof ownerSchema>;

/** Milliseconds that are waited for a process that works: it may have been killed just now. */
const grace = 1_000;

/** Milliseconds that are waited for a process that is about to end: the command that started it is gone. */
const patience = 10_000;

/** Milliseconds that the first process may take to write itself into the mark, or another one to take the same old mark off. */
const moment = 100;

/**
 * Marks a run folder as this process's own; the result takes the mark off. A mark whose process is gone is taken over. No wall clock
 * is asked: processes are told apart by number and start.
 * @param reporter is told what is waited for
 * @throws DataError naming the process that trains there, and its machine if it is another one; or the lock if it cannot be written
 */
export async function lockRun(run: string, { info }: Pick<Reporter, 'info'>): Promise<() => Promise<void>> {
  const path = join(run, lockFile);
  const own = thisOwner();
  const text = JSON.stringify(own);
  const began = performance.now();
  let isTold = false;
  for (let tookOver = false; ; ) {
    if (mark(path, text, run)) {
      // Two that found the same old mark may both have taken it off; the later mark counts.
      if (tookOver) await sleep(moment);
      // A mark that cannot be taken off any more is taken over by the next one: its process is gone.
      if (!tookOver || (await read(path)) === text) return () => rm(path, { force: true }).catch(() => {});
    }
    let found = await read(path);
    if (found !== undefined && !parseOwner(found)) {
      await sleep(moment);
      found = await read(path);
    }
    if (found === undefined) {
      // Taken off in between; or a link that leads nowhere, which never ends.
      if (performance.now() - began > grace)
        throw new DataError(path, 'expected a file, or none, found a link that leads nowhere');
      await sleep(1);
      continue;
    }
    const owner = parseOwner(found);
    const state = owner ? stateOf(owner) : 'gone';
    if (owner === undefined || state === 'gone') {
      await takeOff(run, found);
      tookOver = true;
      continue;
    }
    const waited = performance.now() - began;
    if (state === 'elsewhere') throw new DataError(run, elsewhere(owner, path));
    if (waited > (state === 'ending' ? patience : grace)) throw new DataError(run, busy(owner, path));
    if (state === 'ending' && !isTold) {
      const why =
        owner.machine === undefined ? 'holds the run folder' : 'is still there, though the command that started it is gone';
      info(`waiting for process ${owner.pid} to end, which ${why} (at most ${patience / 1000} s)`);
      isTold = true;
    }
    await sleep(moment);
  }
}

/**
 * Refuses a run folder that another process clearly works in, before long work that would be in vain; {@link lockRun} has the last word.
 * @throws DataError naming the process
 */
export async function refuseBusyRun(run: string): Promise<void> {
  const path = join(run, lockFile);
  for (const began = performance.now(); ; await sleep(moment)) {
    const text = await read(path);
    const owner = text === undefined ? undefined : parseOwner(text);
    const state = owner ? stateOf(owner) : 'gone';
    if (owner === undefined || state === 'gone' || state === 'ending') return;
    if (state === 'elsewhere') throw new DataError(run, elsewhere(owner, path));
    if (performance.now() - began > grace) throw new DataError(run, busy(owner, path));
  }
}

/** Whether a process works in a run folder now, as far as can be known: one on another machine counts as long as its mark is there. */
export async function isTraining(run: string): Promise<boolean> {
  const text = await read(join(run, lockFile));
  const owner = text === undefined ? undefined : parseOwner(text);
  return owner !== undefined && stateOf(owner) !== 'gone';
}

function thisOwner(): Owner {
  // A channel to the process that started this one: when it closes, this one ends.
  const parent: ProcessIdentity | undefined = process.connected ? identify(process.ppid) : undefined;
  return { ...identify(process.pid), ...(parent ? { parent } : {}), machine: thisMachine() };
}

/** Makes the mark; false if there is one. */
function mark(path: string, text: string, run: string): boolean {
  let file: number;
  try {
    file = openSync(path, 'wx');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new DataError(path, writeProblem(error, run), { cause: error });
  }
  try {
    writeSync(file, text);
  } catch (error) {
    rmSync(path, { force: true });
    throw new DataError(path, writeProblem(error, run, text.length), { cause: error });
  } finally {
    closeSync(file);
  }
  return true;
}

/** A guard that is older, in milliseconds, was left by a process that ended while it held it. */
const guardAge = 10_000;

/**
 * Takes an old mark off. One process at a time, by a guard: otherwise one that is slow could take off the mark that a quicker one has put in the old one's
 * place.
 */
async function takeOff(run: string, expected: string): Promise<void> {
  const path = join(run, lockFile);
  const guard = join(run, `.${lockFile}.0.0.tmp`); // as isTemporaryFile knows it
  try {
    closeSync(openSync(guard, 'wx'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
      throw new DataError(path, `cannot be removed (${(error as Error).message})`, { cause: error });
    const made = await stat(guard).catch(() => undefined);
    if (made && Date.now() - made.mtimeMs > guardAge) await rm(guard, { force: true });
    await sleep(moment);
    return;
  }
  try {
    if ((await read(path)) === expected) await rm(path, { force: true });
  } catch (error) {
    throw new DataError(path, `cannot be removed (${(error as Error).message})`, { cause: error });
  } finally {
    await rm(guard, { force: true });
  }
}

/** What a lock holds; undefined if there is none. */
async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new DataError(path, `cannot be read (${(error as Error).message})`, { cause: error });
  }
}

/** Undefined if no process has written itself into the mark. */
function parseOwner(text: string): Owner | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return ownerSchema.safeParse(typeof json === 'number' ? { pid: json } : json).data;
  } catch {
    return undefined;
  }
}

/**
 * Where the owner of a mark is: gone, at work on this machine, perhaps about to end (the command that started it is gone, or it is of an
 * older version that does not tell), or on a machine whose processes cannot be seen from here.
 */
function stateOf(owner: Owner): 'gone' | 'working' | 'ending' | 'elsewhere' {
  const { machine } = owner;
  const here = thisMachine();
  if (machine) {
    // The same start of the same machine, whatever it is called now.
    const isSame = machine.boot !== undefined && machine.boot === here.boot;
    if (!isSame && machine.host !== here.host) return 'elsewhere';
    // It was started again since.
    if (!isSame && machine.boot !== undefined && here.boot !== undefined) return 'gone';
    if (machine.numbering !== here.numbering) return 'elsewhere';
  }
  if (!isAlive(owner)) return 'gone';
  return machine === undefined || (owner.parent !== undefined && !isAlive(owner.parent)) ? 'ending' : 'working';
}

function elsewhere({ pid, machine }: Owner, path: string): string {
  const here = thisMachine();
  const place = machine?.host === here.host ? `another container of ${here.host}` : machine?.host;
  return `process ${pid} on ${place} is training in this run folder, as far as can be known from ${here.host}; if it is gone, remove ${path}`;
}

function busy({ pid, started }: Owner, path: string): string {
  const doubt = started === undefined ? ` (if it is none of ours, remove ${path})` : '';
  return `process ${pid} is training in this run folder; wait for it, or stop it${doubt}`;
}
