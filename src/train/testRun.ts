/** Testing a trained run (Node). */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError, requireWritableFile, writeFileAtomic } from '../data/index.ts';
import type { Device } from '../engine/index.ts';
import type { CheckpointName } from './checkpoint.ts';
import { type Config, overriddenConfig, withDataFolder } from './config.ts';
import { loadModel } from './model.ts';
import type { Reporter } from './reporter.ts';
import { kindOf } from './tasks.ts';

export interface TestRunOptions {
  /** Default: the one that the run selected. */
  readonly checkpoint?: CheckpointName;
  /** Where to run, in the place of where it was trained. */
  readonly device?: Device;
  readonly threads?: number;
  /** Changes of the configuration such as `evaluation.uncertainty=method`, of keys that decide about tests alone. */
  readonly sets?: readonly string[];
  /** Data folder in the place of the one trained on. */
  readonly dataDir?: string;
  /** Where to write the detections or scores (default: `test-<checkpoint>-detections.json` or `-scores.npz` in the run folder). */
  readonly out?: string;
  readonly reporter: Reporter;
  readonly signal?: AbortSignal;
}

export interface TestSummary {
  readonly run: string;
  readonly checkpoint: CheckpointName;
  /** Epochs done at that checkpoint. */
  readonly epoch: number;
  readonly metrics: Readonly<Record<string, number>>;
  /** Detection mAP, where the data set has segments to judge by. */
  readonly mAP?: readonly { readonly tiou: number; readonly value: number }[];
  readonly average?: { readonly range: string; readonly value: number };
  /** Where the detections, or the scores, were written, and what they are called. */
  readonly resultFile: string;
  readonly results: string;
  /** What else was written. */
  readonly otherFiles: readonly string[];
}

/**
 * Tests a run's checkpoint on the test part of its data set, and writes the detections, or the scores.
 * @throws DataError before anything is computed if the detections could not be written, naming the folder.
 */
export async function testRun(
  run: string,
  { checkpoint: named, sets = [], dataDir, out, device, threads, reporter, signal }: TestRunOptions,
): Promise<TestSummary> {
  if ((await stat(run).catch(() => undefined))?.isFile())
    throw new DataError(run, 'expected a run folder, found a file (predict takes a model file)');
  const { config: own, params, classes, checkpoint } = await loadModel(run, named, reporter);
  if (checkpoint === undefined) throw new DataError(run, 'expected a run folder, found a model file');
  const trained = overriddenConfig(own, sets, kindOf(own).testKeys, run);
  const resultFile = out ?? join(run, `test-${checkpoint.name}-${kindOf(trained).resultFile}`);
  const elsewhere = `choose another place for the ${kindOf(trained).results}: --out FILE`;
  await requireWritableFile(resultFile, out === undefined ? elsewhere : undefined);
  const kind = kindOf(trained);
  const placed = kind.withClasses(withDataFolder(trained, dataDir ?? trained.data.dir), classes);
  const config = withDevice(placed, device, threads);
  const dataset = await kind.openData(config);
  if (dataset.test.length === 0) throw new DataError(config.data.dir, `the data set has no test ${kind.samples(config)}`);
  for (const warning of dataset.warnings) reporter.warn(warning);
  const { task } = await kind.openTask(config, dataset);
  try {
    const { metrics, files, detection, warnings } = await (task.test ?? task.evaluate)(
      params,
      (done, total) => reporter.progress({ label: 'testing', done, total }),
      signal,
    );
    for (const warning of warnings) reporter.warn(warning);
    const [[, result], ...others] = Object.entries(files);
    await writeFileAtomic(resultFile, result);
    const otherFiles = others.map(([name]) => join(run, `test-${checkpoint.name}-${name}`));
    for (const [i, [, content]] of others.entries()) await writeFileAtomic(otherFiles[i], content);
    const mAP = detection?.tious.map((tiou, i) => ({ tiou, value: detection.mAP[i] }));
    return {
      run,
      checkpoint: checkpoint.name,
      epoch: checkpoint.epoch,
      metrics,
      mAP,
      average: detection?.average,
      resultFile,
      results: kind.results,
      otherFiles,
    };
  } finally {
    await task.dispose();
  }
}

/** A configuration to be run elsewhere. */
function withDevice<C extends Config>(config: C, device?: Device, threads?: number): C {
  const { train } = config;
  return { ...config, train: { ...train, device: device ?? train.device, threads: threads ?? train.threads } };
}
