/** One process at a time in a run folder (Node). */
import { writeFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DataError } from '../data/index.ts';

/** The file that says which process works in a run folder. */
export const lockFile = 'train.lock';

/** How long a process that was just killed may take to be gone, and its child with it, in milliseconds. */
const patience = 10_000;

/** How long the first process may take to write its number into the mark, or another to take the same old mark off, in milliseconds. */
const moment = 100;

/**
 * Marks a run folder as this process's own; the result takes the mark off. A mark whose process is gone is taken over.
 * @throws DataError naming the process that trains there.
 */
export async function lockRun(run: string): Promise<() => Promise<void>> {
  const path = join(run, lockFile);
  const deadline = Date.now() + patience;
  for (let tookOver = false; ; ) {
    if (mark(path)) {
      // Two that found the same old mark may both have taken it off; the later mark counts.
      if (tookOver) await sleep(moment);
      if (!tookOver || (await ownerOf(path)) === process.pid) return () => rm(path, { force: true });
    }
    let owner = await ownerOf(path);
    if (owner === undefined) {
      await sleep(moment);
      owner = await ownerOf(path);
    }
    if (owner === undefined || !isRunning(owner)) {
      await rm(path, { force: true });
      tookOver = true;
    } else if (Date.now() > deadline) {
      const hint = `wait for it, or stop it (if it is none of ours, remove ${path})`;
      throw new DataError(run, `process ${owner} is training in this run folder; ${hint}`);
    } else await sleep(moment);
  }
}

/** Whether a process of this machine works in a run folder now. */
export async function isTraining(run: string): Promise<boolean> {
  const owner = await ownerOf(join(run, lockFile));
  return owner !== undefined && (owner === process.pid || isRunning(owner));
}

/** Makes the mark; false if there is one. */
function mark(path: string): boolean {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new DataError(path, `cannot be written (${(error as Error).message})`, { cause: error });
  }
}

/** The process that made the mark; undefined if there is none, or no number in it. */
async function ownerOf(path: string): Promise<number | undefined> {
  const pid = Number(await readFile(path, 'utf8').catch(() => ''));
  return Number.isInteger(pid) && pid > 0 ? pid : undefined;
}

/** Whether another process exists. Signal 0 asks without sending anything. */
function isRunning(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
