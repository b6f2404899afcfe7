/** Runs a command in a process whose memory allocator suits training. */

import { spawn } from 'node:child_process';

/**
 * glibc gives large blocks back to the system and asks for them again at every step; the pages must then be cleared anew. With these
 * settings it keeps them, which makes large outputs of the runtime about 3x cheaper. They are read when a process starts.
 */
export const allocatorSettings = {
  MALLOC_MMAP_THRESHOLD_: '1073741824',
  MALLOC_TRIM_THRESHOLD_: '4294967296',
} as const;

/** Set in the second process, so that it does not start a third. */
const guard = 'INKLING_CHILD';

const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** True where the settings can be made and are not: on Linux, unless the user has chosen their own. */
function needsSettings(): boolean {
  const { env, platform } = process;
  return (
    platform === 'linux' && env[guard] === undefined && Object.keys(allocatorSettings).every(name => env[name] === undefined)
  );
}

/**
 * Runs `work` with {@link allocatorSettings}: if this process lacks them, the same command line is run in a process that has them and
 * this one only passes on signals and the exit code. That process ends when this one does, however it ends.
 */
export async function withAllocator(work: () => Promise<void>): Promise<void> {
  if (needsSettings()) return delegate();
  if (process.env[guard] !== undefined) {
    // The channel closes when the first process is gone, kill -9 included; nobody is left then to whom this one belongs. That may
    // have happened before this line.
    if (process.connected === false) process.exit(1);
    process.once('disconnect', () => process.exit(1));
    process.channel?.unref();
  }
  return work();
}

async function delegate(): Promise<void> {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, ...allocatorSettings, [guard]: '1' },
  });
  const handlers = forwarded.map(signal => [signal, () => void child.kill(signal)] as const);
  for (const [signal, handler] of handlers) process.on(signal, handler);
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (...outcome) => resolve(outcome));
  });
  for (const [name, handler] of handlers) process.off(name, handler);
  if (signal !== null) process.kill(process.pid, signal);
  process.exitCode = code ?? 1;
}
