/** What a session of training says of where and how it ran (Node). */
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { env as runtime } from 'onnxruntime-common';
import { messageOf } from '../data/index.ts';
import { gitState } from './gitState.ts';
import { packageVersion } from './packageVersion.ts';
import { latestMoment, type RunSession, readRunRecord, writeRunRecord } from './runRecord.ts';
import type { WallClock } from './wallClock.ts';

const packageRoot = fileURLToPath(new URL('../..', import.meta.url));

export interface SessionOptions {
  /** Arguments of the command line, where there is one. */
  readonly command?: readonly string[];
  readonly device: string;
  readonly threads: number | null;
  /** The fingerprint of the data. */
  readonly data: string;
}

/** What is known of a session before it begins. */
export type SessionFacts = Awaited<ReturnType<typeof sessionFacts>>;

/** Gathers versions, git states and the machine. */
export async function sessionFacts({ command, device, threads, data }: SessionOptions) {
  const directory = process.cwd();
  const [here, own] = await Promise.all([gitState(directory), gitState(packageRoot, { root: true })]);
  return {
    command: command ? [...command] : null,
    directory,
    versions: {
      inkling: packageVersion(),
      node: process.versions.node,
      onnxruntime: runtime.versions.node ?? runtime.versions.common,
      platform: `${process.platform}-${process.arch}`,
    },
    git: { directory: here, package: own },
    machine: {
      host: os.hostname(),
      os: `${os.type()} ${os.release()}`,
      cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
      cores: os.availableParallelism(),
      memory: os.totalmem(),
    },
    device,
    threads,
    data,
  };
}

/**
 * Writes a session into the record of a run: its start when `work` says after how many epochs it begins, and its end, with the error
 * where there was one. A session whose process was killed has no end.
 * @param clock is made to give no time before what the run has recorded
 */
export async function recordSession<T>(
  run: string,
  facts: SessionFacts,
  clock: WallClock,
  work: (begin: (epoch: number) => Promise<void>) => Promise<T>,
): Promise<T> {
  const now = (): string => new Date(clock.now()).toISOString();
  let session: RunSession | undefined;
  const begin = async (epoch: number): Promise<void> => {
    const record = await readRunRecord(run);
    clock.notBefore(latestMoment(record));
    const begun = { started: now(), ended: null, error: null, epoch, ...facts };
    await writeRunRecord(run, { ...record, sessions: [...record.sessions, begun] });
    session = begun;
  };
  const end = async (error: string | null): Promise<void> => {
    if (!session) return;
    const record = await readRunRecord(run);
    await writeRunRecord(run, { ...record, sessions: [...record.sessions.slice(0, -1), { ...session, ended: now(), error }] });
  };
  try {
    const result = await work(begin);
    await end(null);
    return result;
  } catch (thrown) {
    // What stopped the training may keep its end from being written too (a full disk); the first error is the one to tell.
    await end(messageOf(thrown)).catch(() => {});
    throw thrown;
  }
}
