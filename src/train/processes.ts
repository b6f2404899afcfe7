/** Which process on which machine: what a lock has to know of its owner (Node). */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { z } from 'zod';

/** A process, so that another one that later has the same number is not taken for it. */
export const processSchema = z.object({
  pid: z.number().int().positive(),
  /** When it started, in the system's own count; only where the system tells (Linux). */
  started: z.string().optional(),
});
export type ProcessIdentity = z.infer<typeof processSchema>;

/** The machine as far as processes go. */
export const machineSchema = z.object({
  host: z.string(),
  /** Changes whenever the machine starts (Linux). */
  boot: z.string().optional(),
  /** Containers of one machine number their processes apart (Linux). */
  numbering: z.string().optional(),
});
export type Machine = z.infer<typeof machineSchema>;

const attempt = <T>(read: () => T): T | undefined => {
  try {
    return read();
  } catch {
    return undefined;
  }
};

/** The machine that this process runs on. */
export function thisMachine(): Machine {
  const boot = attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
  const numbering = attempt(() => readlinkSync('/proc/self/ns/pid'));
  return { host: hostname(), ...(boot ? { boot } : {}), ...(numbering ? { numbering } : {}) };
}

/** A process of this machine as it is now. */
export function identify(pid: number): ProcessIdentity {
  const started = startOf(pid)?.started;
  return { pid, ...(started === undefined ? {} : { started }) };
}

/** State and start of a process (Linux): fields 3 and 22 of its `stat`; the second field, its name, may hold anything. */
function startOf(pid: number): { state: string; started: string } | undefined {
  const text = attempt(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields && fields.length > 19 ? { state: fields[0], started: fields[19] } : undefined;
}

/**
 * Whether a process of this machine is there still. One that has ended and was only not waited for (a zombie) is not. Without a start to
 * compare, a process of the same number counts as the same, unless that number is this process's own.
 */
export function isAlive({ pid, started }: ProcessIdentity): boolean {
  const found = startOf(pid);
  if (found && (found.state === 'Z' || found.state === 'X')) return false;
  if (found && started !== undefined) return found.started === started;
  return pid !== process.pid && exists(pid);
}

/** Signal 0 asks without sending anything. */
function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
