/** One process at a time in a run folder (Node). */
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DataError } from '../data/index.ts';

/** How long a process that was just killed may take to be gone, and its child with it, in milliseconds. */
const patience = 10_000;

/**
 * Marks a run folder as this process's own; the result takes the mark off. A mark whose process is gone is taken over.
 * @throws DataError naming the process that trains there.
 */
export async function lockRun(run: string): Promise<() => Promise<void>> {
  const path = join(run, 'train.lock');
  const deadline = Date.now() + patience;
  for (;;) {
    try {
      const file = await open(path, 'wx');
      await file.writeFile(String(process.pid));
      await file.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
        throw new DataError(path, `cannot be written (${(error as Error).message})`, { cause: error });
    }
    const owner = Number(await readFile(path, 'utf8').catch(() => ''));
    if (!isRunning(owner)) await rm(path, { force: true });
    else if (Date.now() > deadline)
      throw new DataError(
        run,
        `process ${owner} is training in this run folder; wait for it, or stop it (if it is none of ours, remove ${path})`,
      );
    else await sleep(100);
  }
}

/** Whether a process exists. Signal 0 asks without sending anything. */
function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
