/** An experiment that trains in a second: synthetic features in a folder, and a configuration beside it. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeSyntheticFeatures } from '../../src/data/synthetic.ts';
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

/** The lines of a run's `metrics.jsonl` without `seconds`, the one thing that differs between equal runs. */
export async function metricsOf(run: string): Promise<unknown[]> {
  const lines = (await readFile(join(run, 'metrics.jsonl'), 'utf8')).trim().split('\n');
  return lines.map(line => {
    const { seconds, ...record } = JSON.parse(line) as { seconds: unknown };
    if (typeof seconds !== 'number') throw new Error(`no seconds in ${line}`);
    return record;
  });
}

/** Every file of a run by its path, as a digest of its bytes; `metrics.jsonl` as {@link metricsOf}. */
export async function contentsOf(run: string): Promise<Record<string, unknown>> {
  const contents: Record<string, unknown> = {};
  for (const entry of await readdir(run, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const bytes = createHash('sha256').update(await readFile(path));
    contents[path.slice(run.length + 1)] = entry.name === 'metrics.jsonl' ? await metricsOf(run) : bytes.digest('hex');
  }
  return contents;
}
