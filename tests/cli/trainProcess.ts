/** A training in processes of its own, to be killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { entry } from './entry.ts';

/** What dies: the process that was started, or every process of the command. */
export type Victim = 'parent' | 'tree';

/** A command under way. */
export interface TrainProcess {
  readonly pid: number;
  /** Sends SIGKILL. */
  kill(victim: Victim): void;
  /** Sends SIGINT to every process of the command, as a terminal does. */
  interrupt(): void;
  /** Resolves when the process that was started is gone. */
  readonly exited: Promise<number | null>;
  /** Resolves when nothing that was started holds the command's output any more. */
  readonly closed: Promise<number | null>;
  stderr(): string;
}

/** Starts `inkling ...args` in a process group of its own. */
export function startTraining(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): TrainProcess {
  const child: ChildProcess = spawn(process.execPath, [entry, ...args], {
    cwd,
    detached: true,
    env: { ...process.env, INKLING_DEBUG: '', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error('the command did not start');
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const code = (event: 'exit' | 'close') => once(child, event).then(([value]) => value as number | null);
  return {
    pid,
    kill: victim => signalTo(victim === 'tree' ? -pid : pid, 'SIGKILL'),
    interrupt: () => signalTo(-pid, 'SIGINT'),
    exited: code('exit'),
    closed: code('close'),
    stderr: () => stderr,
  };
}

/** What ended by itself in the meantime needs no signal. */
function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown;
  }
}

/** Asks again and again until there is an answer. @throws Error naming `what` after a minute without one */
export async function until<T>(what: string, ask: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`${what}: did not happen`);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}

/** The first process that another one started, once there is one (Linux). */
export function childOf(pid: number): Promise<number> {
  return until(`a child of process ${pid}`, async () => {
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
    return Number(children.trim().split(' ')[0]) || undefined;
  });
}
