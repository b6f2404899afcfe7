/** Testing a trained run (Node). */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError, requireWritableFile, writeFileAtomic } from '../data/index.ts';
import type { Device } from '../engine/index.ts';
import type { CheckpointName } from './checkpoint.ts';
import { openDataset, openTask } from './localizationRun.ts';
import { loadModel } from './model.ts';
import type { Reporter } from './reporter.ts';

export interface TestRunOptions {
  /** Default: the one that the run selected. */
  readonly checkpoint?: CheckpointName;
  /** Where to run, in the place of where it was trained. */
  readonly device?: Device;
  readonly threads?: number;
  /** Data folder in the place of the one trained on. */
  readonly dataDir?: string;
  /** Where to write the detections (default: `test-<checkpoint>-detections.json` in the run folder). */
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
  /** Where the detections were written. */
  readonly detectionsFile: string;
}

/**
 * Tests a run's checkpoint on the test videos of its data set, and writes the detections.
 * @throws DataError before anything is computed if the detections could not be written, naming the folder.
 */
export async function testRun(
  run: string,
  { checkpoint: named, dataDir, out, device, threads, reporter, signal }: TestRunOptions,
): Promise<TestSummary> {
  if ((await stat(run).catch(() => undefined))?.isFile())
    throw new DataError(run, 'expected a run folder, found a file (predict takes a model file)');
  const { config: trained, params, classes, checkpoint } = await loadModel(run, named, reporter);
  if (checkpoint === undefined) throw new DataError(run, 'expected a run folder, found a model file');
  const detectionsFile = out ?? join(run, `test-${checkpoint.name}-detections.json`);
  const elsewhere = 'choose another place for the detections: --out FILE';
  await requireWritableFile(detectionsFile, out === undefined ? elsewhere : undefined);
  const config = {
    ...trained,
    data: { ...trained.data, ...(dataDir === undefined ? {} : { dir: dataDir }), classes: [...classes] },
    train: { ...trained.train, device: device ?? trained.train.device, threads: threads ?? trained.train.threads },
  };
  const dataset = await openDataset(config);
  if (dataset.test.length === 0) throw new DataError(config.data.dir, 'the data set has no test videos');
  for (const warning of dataset.warnings) reporter.warn(warning);
  const task = await openTask(config, dataset);
  try {
    const { metrics, files, detection, warnings } = await task.evaluate(
      params,
      (done, total) => reporter.progress({ label: 'testing', done, total }),
      signal,
    );
    for (const warning of warnings) reporter.warn(warning);
    await writeFileAtomic(detectionsFile, files['detections.json']);
    const mAP = detection?.tious.map((tiou, i) => ({ tiou, value: detection.mAP[i] }));
    return {
      run,
      checkpoint: checkpoint.name,
      epoch: checkpoint.epoch,
      metrics,
      mAP,
      average: detection?.average,
      detectionsFile,
    };
  } finally {
    await task.dispose();
  }
}
