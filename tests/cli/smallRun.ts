/** An experiment that trains in a second: synthetic features in a folder, and a configuration beside it. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exists } from '../../src/data/files.ts';
import { writeSyntheticFeatures } from '../../src/data/synthetic.ts';
import { readEvents } from '../train/eventReader.ts';
import { type CliResult, runCli } from './runCli.ts';

/** Width of the features. */
export const featureDim = 8;

/** `small.yaml` of {@link smallExperiment}. */
const config = `extends: localization/base
data:
  dir: data
  samples: 16
model: { featureDim: ${featureDim}, dropout: 0.5, lcsLength: 8, fsdLength: 3, projectionDim: 4 }
loss: { featureMargin: 5 }
train: { epochs: 3, batchSize: 3, learningRate: 0.01, threads: 1 }
evaluation: { start: 0, every: 1 }
`;

/** Overrides that make phase 2 of the experiment. */
export const phase2 = ['--set', 'method=ftcl', '--set', 'loss.sequence.terms=pairs'];

/** With settings of the user's own the command starts no second process. */
export const oneProcess = { MALLOC_TRIM_THRESHOLD_: '131072' };

/** A temporary folder with `small.yaml` and its data set in `data`: 6 training and 3 test videos of 2 classes. */
export async function smallExperiment(): Promise<{ dir: string; remove: () => Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'inkling-small-'));
  const made = { seed: 1, classes: 2, trainVideos: 6, testVideos: 3, featureDim, snippetSeconds: 0.64 };
  await writeSyntheticFeatures(join(dir, 'data'), made);
  await writeFile(join(dir, 'small.yaml'), config);
  return { dir, remove: () => rm(dir, { recursive: true, force: true }) };
}

/** Runs a command that must succeed. @throws Error with what it said otherwise */
export async function succeed(args: readonly string[], cwd: string): Promise<CliResult> {
  const result = await runCli(args, cwd, oneProcess);
  if (result.code !== 0) throw new Error(`inkling ${args.join(' ')}: exit code ${result.code}: ${result.stderr}`);
  return result;
}

/** The lines of a run's `metrics.jsonl` without times and durations, which differ between equal runs. */
export async function metricsOf(run: string): Promise<unknown[]> {
  const lines = (await readFile(join(run, 'metrics.jsonl'), 'utf8')).trim().split('\n');
  return lines.map(line => {
    const { seconds, waitSeconds, testSeconds, time, ...record } = JSON.parse(line) as Record<string, unknown>;
    if (typeof seconds !== 'number' || typeof time !== 'string') throw new Error(`no seconds or no time in ${line}`);
    if ((typeof testSeconds === 'number') !== 'test' in record) throw new Error(`a test without seconds in ${line}`);
    return record;
  });
}

/** What TensorBoard shows of a run, without the throughput, which differs between equal runs. */
export async function eventsOf(run: string): Promise<Record<string, unknown>> {
  const { scalars } = await readEvents(join(run, 'tensorboard'));
  const lasting = [...scalars].filter(([tag]) => !tag.startsWith('throughput/'));
  return Object.fromEntries(lasting.map(([tag, points]) => [tag, points.map(({ step, value }) => [step, value])]));
}

/** A run's `run.json` without the sessions, which tell of time, machine and versions. */
export async function recordOf(run: string): Promise<unknown> {
  const { sessions, ...record } = JSON.parse(await readFile(join(run, 'run.json'), 'utf8')) as { sessions: unknown[] };
  if (sessions.length === 0) throw new Error(`no session in ${run}/run.json`);
  return record;
}

/**
 * Every file of a run by its path, as a digest of its bytes; what holds times by its content, as {@link metricsOf}, {@link recordOf} and,
 * for all event files as one, {@link eventsOf}.
 */
export async function contentsOf(run: string): Promise<Record<string, unknown>> {
  const contents: Record<string, unknown> = {};
  for (const entry of await readdir(run, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.parentPath.endsWith('tensorboard')) continue;
    const path = join(entry.parentPath, entry.name);
    const read =
      timed[entry.name] ??
      (async () =>
        createHash('sha256')
          .update(await readFile(path))
          .digest('hex'));
    contents[path.slice(run.length + 1)] = await read(run);
  }
  if (await exists(join(run, 'tensorboard'))) contents.tensorboard = await eventsOf(run);
  return contents;
}

/** How files are compared that hold times. */
const timed: Readonly<Record<string, (run: string) => Promise<unknown>>> = { 'metrics.jsonl': metricsOf, 'run.json': recordOf };
