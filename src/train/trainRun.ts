/** Training as a run: a folder that holds all of it (Node). */
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { DataError, exists, isTemporaryFile, readJson, type VideoDataset, writeFileAtomic } from '../data/index.ts';
import { fold, key } from '../engine/random.ts';
import { initAcmNet } from '../localization/acmNet.ts';
import { acmNetOptions, type LocalizationConfig } from '../localization/config.ts';
import { mergeParams, type Params } from '../nn/index.ts';
import { readPointer } from './checkpoint.ts';
import { dumpConfig, runConfigFile } from './config.ts';
import { openDataset, openTask } from './localizationRun.ts';
import { loadModel, modelMetadata, writeModel } from './model.ts';
import type { Reporter } from './reporter.ts';
import { lockFile, lockRun } from './runLock.ts';
import { type TrainSummary, trainLoop } from './trainLoop.ts';

/** The file of a run folder that says what the run is, and what it was started from. */
const recordFile = 'run.json';

export interface TrainRunOptions {
  /** The run folder: new or empty, unless `resume`. */
  readonly out: string;
  /** A run or model whose weights to start from. */
  readonly from?: string;
  /** Go on with the run that `out` holds. */
  readonly resume?: boolean;
  readonly reporter: Reporter;
  readonly signal?: AbortSignal;
}

/**
 * Trains as a configuration says and leaves everything in the run folder: `config.yaml` (resolved), `run.json`, `metrics.jsonl`,
 * `checkpoints/`, `detections.json` of the last test and, at the end, `model.safetensors`.
 * @throws DataError for data that is wrong, or a folder that already holds something.
 */
export async function trainRun(
  config: LocalizationConfig,
  { out, from, resume = false, reporter, signal }: TrainRunOptions,
): Promise<TrainSummary> {
  if (!resume) await refuseUsedFolder(out);
  const record = resume ? await readRecord(out) : undefined;
  // Everything that can be wrong is found before anything is written.
  const dataset = await openDataset(record ? { ...config, data: { ...config.data, classes: record.classes } } : config);
  if (dataset.train.length === 0) throw new DataError(config.data.dir, 'the data set has no training videos');
  for (const warning of dataset.warnings) reporter.warn(warning);
  const task = await openTask(config, dataset);
  if (!task.canTest) {
    if (config.evaluation.select === 'best-on-test')
      throw new DataError(
        config.data.dir,
        'evaluation.select: best-on-test needs test videos with labels or segments, found none',
      );
    reporter.warn('no test videos with labels or segments: the run will be trained without tests');
  }
  if (task.canTest && !task.testsDetections)
    reporter.warn('the test videos have no segments: only their classification is tested, there is no detection mAP');
  await readEveryVideo(dataset, reporter);
  const source = record ? record.from : from;
  // The run folder can be used from anywhere: it knows where its data is.
  const recorded = { ...config, data: { ...config.data, dir: resolve(config.data.dir) } };
  const isFresh = !resume || (await readPointer(out, 'last')) === undefined;
  const initial = source !== undefined && isFresh ? await initialParams(config, dataset.classes, source, reporter) : undefined;
  if (config.method === 'ftcl' && source === undefined) {
    reporter.warn(
      'FTCL is the second phase: without --from RUN it starts from random weights, which the published recipe never does',
    );
  }

  await mkdir(out, { recursive: true });
  const unlock = await lockRun(out);
  try {
    if (!resume) await refuseUsedFolder(out);
    await removeTemporaryFiles(out);
    if (!resume) {
      const written = {
        format: 1,
        task: config.task,
        method: config.method,
        classes: dataset.classes,
        from: source === undefined ? null : resolve(source),
      };
      await writeFileAtomic(join(out, recordFile), `${JSON.stringify(written, null, 2)}\n`);
      await writeFileAtomic(join(out, runConfigFile), dumpConfig(recorded));
    }
    const { train, test, classes } = dataset;
    reporter.info(
      `training ${config.method} on ${train.length} videos, testing on ${test.length}, ${classes.length} classes; run folder ${out}`,
    );
    const summary = await trainLoop(task, {
      run: out,
      seed: config.train.seed,
      epochs: config.train.epochs,
      learningRate: config.train.learningRate,
      weightDecay: config.train.weightDecay,
      betas: config.train.betas,
      checkpointEvery: config.train.checkpointEvery,
      evaluation: config.evaluation,
      metadata: modelMetadata({ classes, config: recorded }),
      initial,
      reporter,
      signal,
    });
    if (!summary.interrupted) {
      await writeModel(join(out, 'model.safetensors'), await loadModel(out));
    }
    return summary;
  } finally {
    await unlock();
    await task.dispose();
  }
}

/** Reads all features once, which finds what is wrong with them before hours are spent, and fills the cache. */
async function readEveryVideo({ train, test }: VideoDataset, reporter: Reporter): Promise<void> {
  const videos = [...train, ...test];
  for (const [i, video] of videos.entries()) {
    await video.load();
    reporter.progress({ label: 'reading features', done: i + 1, total: videos.length });
  }
}

/**
 * A new run must not mix with what a folder already holds. The configuration is what makes a folder a run and is written after the
 * record: what a process killed before that left is not in the way.
 */
async function refuseUsedFolder(out: string): Promise<void> {
  if (!(await exists(out))) return;
  if (!(await stat(out)).isDirectory()) throw new DataError(out, 'expected a new or empty folder, found a file');
  const files = await readdir(out);
  if (files.includes(runConfigFile))
    throw new DataError(out, 'the folder holds a run already; go on with it by --resume, or choose another --out');
  if (files.some(file => file !== lockFile && file !== recordFile && !isTemporaryFile(file)))
    throw new DataError(out, `expected a new or empty folder, found ${files.length} file${files.length === 1 ? '' : 's'}`);
}

/** Removes files that a killed process did not finish. */
async function removeTemporaryFiles(run: string): Promise<void> {
  for (const file of await readdir(run)) if (isTemporaryFile(file)) await rm(join(run, file), { force: true });
}

const recordSchema = z.object({ classes: z.array(z.string()).min(1), from: z.string().nullable() });

/** The classes of a run, whose order its weights have, and what it was started from. @throws DataError if `run.json` is damaged. */
async function readRecord(out: string): Promise<{ classes: string[]; from?: string }> {
  const path = join(out, recordFile);
  return parseRunRecord(await readJson(path), path);
}

/** What `run.json` says. @throws DataError naming `where` if it is something else */
export function parseRunRecord(json: unknown, where: string): { classes: string[]; from?: string } {
  const parsed = recordSchema.safeParse(json);
  if (!parsed.success) throw new DataError(where, 'expected {classes, from}, found something else');
  return { classes: parsed.data.classes, from: parsed.data.from ?? undefined };
}

/**
 * Fresh parameters, with those of another model in their place where name and shape agree (non-strict, as published).
 * @throws DataError if the other model has other classes, or its embedding does not fit.
 */
async function initialParams(
  config: LocalizationConfig,
  classes: readonly string[],
  from: string,
  reporter: Reporter,
): Promise<Params> {
  const params = initAcmNet(acmNetOptions(config, classes.length), fold(key(config.train.seed), 'init'));
  const source = await loadModel(from);
  const longer = source.classes.length > classes.length ? source.classes : classes;
  const strange = longer.findIndex((_, i) => source.classes[i] !== classes[i]);
  if (strange >= 0) {
    const [own, other] = [classes[strange], source.classes[strange]].map(name => name ?? 'none');
    throw new DataError(
      from,
      `its classes are not those of the data set: class ${strange} is ${other} there, ${own} here (${source.classes.length} and ${classes.length} classes)`,
    );
  }
  const { matched, missing, unexpected, wrongShape } = mergeParams(params, source.params);
  const embedding = Object.keys(params)[0];
  if (!matched.includes(embedding))
    throw new DataError(from, `it has no ${embedding} that fits this model (another model.featureDim or model.inputDropout?)`);
  for (const { name, expected, found } of wrongShape)
    reporter.warn(`${from}: ${name} has shape [${found}], needed [${expected}]; it starts fresh`);
  for (const name of missing) reporter.warn(`${from}: no ${name}; it starts fresh`);
  reporter.info(
    `starting from ${from}: ${matched.length} parameters${unexpected.length > 0 ? `, ${unexpected.length} not used` : ''}`,
  );
  return params;
}
