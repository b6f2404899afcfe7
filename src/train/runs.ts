/** What is in run folders (Node). Nothing here writes, and a damaged folder is told of, not thrown. */
import { readdir, realpath, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, relative, sep } from 'node:path';
import { DataError, exists, messageOf, readText } from '../data/index.ts';
import { readPointer } from './checkpoint.ts';
import { type Config, loadRunConfig, runConfigFile } from './config.ts';
import { type EpochRecord, parseEpochRecords } from './epochRecord.ts';
import { type Curves, curvesOf, primaryMetric } from './runCurves.ts';
import { isTraining, lockFile } from './runLock.ts';
import { type RunRecord, readRunRecord, recordFile } from './runRecord.ts';

/**
 * - `running`: a process trains in it.
 * - `finished`: all epochs are done and the model is written.
 * - `failed`: the last session ended with an error.
 * - `imported`: its weights come from elsewhere, and no epoch was trained yet.
 * - `interrupted`: it was stopped or killed; it can be resumed.
 * - `damaged`: something in the folder cannot be read, or is not there.
 */
export type RunStatus = 'running' | 'finished' | 'failed' | 'imported' | 'interrupted' | 'damaged';

/** A run as its folder shows it. */
export interface Run {
  readonly path: string;
  /** The path within the folder that was searched. */
  readonly name: string;
  readonly status: RunStatus;
  /** What is wrong with the folder, one line each. */
  readonly problems: readonly string[];
  /** Undefined if it cannot be read. */
  readonly record?: RunRecord;
  /** Undefined if it cannot be read. */
  readonly config?: Config;
  /** Epochs done, and how many there will be. */
  readonly epochs: { readonly done: number; readonly total?: number };
  readonly records: readonly EpochRecord[];
  readonly curves: Curves;
  /** The metric that the run is judged by; undefined before its first epoch. */
  readonly metric?: string;
  /** When it began, as an ISO date; of a run that an older version began, when its configuration was written. */
  readonly started?: string;
  /** Seconds of training and testing, sessions added up. */
  readonly seconds: number;
}

/** How deep below the given folder runs are looked for. */
const deepest = 4;

/** What a run folder holds; two of them make a folder a run, so that one whose record is lost is still found. */
const signs: readonly string[] = [recordFile, runConfigFile, 'metrics.jsonl', 'checkpoints'];

/**
 * The run folders in a folder and the folders in it, down to four levels; the folder itself if it is a run. Hidden folders and
 * `node_modules` are not looked into, nor is a run.
 * @throws DataError if there is no such folder
 */
export async function findRuns(folder: string): Promise<string[]> {
  if (!(await stat(folder).catch(() => undefined))?.isDirectory()) throw new DataError(folder, 'no such folder');
  const seen = new Set<string>();
  const search = async (path: string, depth: number): Promise<string[]> => {
    // A link may lead back to where it is.
    const real = await realpath(path);
    if (seen.has(real)) return [];
    seen.add(real);
    const names = (await readdir(path)).sort();
    if (signs.filter(sign => names.includes(sign)).length >= 2) return [path];
    if (depth === deepest) return [];
    const found: string[] = [];
    for (const name of names) {
      if (name.startsWith('.') || name === 'node_modules') continue;
      const below = join(path, name);
      if (!(await stat(below).catch(() => undefined))?.isDirectory()) continue;
      // What may not be looked into is not a run of this user.
      found.push(...(await search(below, depth + 1).catch(() => [])));
    }
    return found;
  };
  return search(folder, 0);
}

/**
 * Reads what a run folder says of the run.
 * @param folder the folder that was searched, for the name
 */
export async function readRun(path: string, folder = path): Promise<Run> {
  const problems: string[] = [];
  const attempt = async <T>(read: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await read();
    } catch (thrown) {
      problems.push(messageOf(thrown));
      return undefined;
    }
  };
  const config = await attempt(() => loadRunConfig(path));
  const record = await attempt(() => readRunRecord(path));
  const records = (await attempt(() => readRecords(path, problems))) ?? [];
  await attempt(() => checkPointers(path));
  const done = records.at(-1)?.epoch ?? 0;
  const total = config?.train.epochs;
  return {
    path,
    name: relative(folder, path).split(sep).join('/') || path,
    status: (await attempt(() => statusOf(path, problems, record, done, total))) ?? 'damaged',
    problems,
    record,
    config,
    epochs: { done, total },
    records,
    curves: curvesOf(records),
    metric: primaryMetric(records),
    started: record?.sessions[0]?.started ?? (await configTime(path)),
    seconds: records.reduce((sum, { seconds, testSeconds = 0 }) => sum + seconds + testSeconds, 0),
  };
}

async function readRecords(run: string, problems: string[]): Promise<EpochRecord[]> {
  const path = join(run, 'metrics.jsonl');
  if (!(await exists(path))) return [];
  const parsed = parseEpochRecords(await readText(path), path);
  problems.push(...parsed.problems);
  return parsed.records;
}

/** @throws DataError or Error if a checkpoint cannot be found */
async function checkPointers(run: string): Promise<void> {
  for (const name of ['last', 'best'] as const) {
    const pointer = await readPointer(run, name);
    if (!pointer) continue;
    const weights = join(run, 'checkpoints', pointer.weights);
    // A training that goes on may have moved on between the two looks.
    const moved = async () => (await readPointer(run, name))?.weights !== pointer.weights;
    if (!(await exists(weights)) && !(await moved())) throw new Error(`${weights}: no such file, but ${name}.json names it`);
  }
}

async function statusOf(
  run: string,
  problems: readonly string[],
  record: RunRecord | undefined,
  done: number,
  total: number | undefined,
): Promise<RunStatus> {
  const session = record?.sessions.at(-1);
  // Of a process on another machine nothing is known but that it took the run and has not given it back.
  const elsewhere = session?.ended === null && session.machine.host !== hostname() && (await exists(join(run, lockFile)));
  if (elsewhere || (await isTraining(run))) return 'running';
  if (problems.length > 0) return 'damaged';
  if (session && session.error !== null) return 'failed';
  if (record?.imported !== undefined && done === 0) return 'imported';
  return done === total && (await exists(join(run, 'model.safetensors'))) ? 'finished' : 'interrupted';
}

async function configTime(run: string): Promise<string | undefined> {
  const found = await stat(join(run, runConfigFile)).catch(() => undefined);
  return found?.mtime.toISOString();
}
