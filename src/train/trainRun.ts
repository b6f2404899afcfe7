/** Training as a run: a folder that holds all of it (Node). */
import { readdir, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { DataError, exists, isTemporaryFile, makeFolder, readBytes, requireWritable, writeFileAtomic } from '../data/index.ts';
import { fold, key } from '../engine/random.ts';
import { mergeParams, type Params } from '../nn/index.ts';
import { hasCheckpoint } from './checkpoint.ts';
import { type Config, dumpConfig, runConfigFile, withAbsoluteFolders } from './config.ts';
import { type DataCollector, type DataFingerprint, dataChanges, dataCollector } from './dataFingerprint.ts';
import { withExtractor } from './featureProvenance.ts';
import { loadModel, loadStart, modelMetadata, writeModel } from './model.ts';
import type { Reporter } from './reporter.ts';
import { lockFile, lockRun, refuseBusyRun } from './runLock.ts';
import {
  digestsFile,
  type RunRecord,
  readDigests,
  readRunRecord,
  recordFile,
  writeDigests,
  writeRunRecord,
} from './runRecord.ts';
import { recordSession, sessionFacts } from './runSession.ts';
import type { Task } from './task.ts';
import type { OpenedData } from './taskKind.ts';
import { kindOf } from './tasks.ts';
import { type TrainSummary, trainLoop } from './trainLoop.ts';
import { wallClock } from './wallClock.ts';

export interface TrainRunOptions {
  /** The run folder: new or empty, unless `resume`. */
  readonly out: string;
  /** A run or model whose weights to start from. */
  readonly from?: string;
  /** Go on with the run that `out` holds. */
  readonly resume?: boolean;
  /** What the configuration is called, for the record. */
  readonly name?: string;
  /** Arguments of the command line, for the record. */
  readonly command?: readonly string[];
  readonly reporter: Reporter;
  readonly signal?: AbortSignal;
}

/**
 * Trains as a configuration says and leaves everything in the run folder: `config.yaml` (resolved), `run.json`, `data.sha256`,
 * `metrics.jsonl`, `tensorboard/`, `checkpoints/`, `detections.json` of the last test and, at the end, `model.safetensors`
 * (docs/formats.md).
 * @throws DataError for data that is wrong, or a folder that already holds something.
 */
export async function trainRun(
  config: Config,
  { out, from, resume = false, name, command, reporter, signal }: TrainRunOptions,
): Promise<TrainSummary> {
  if (!resume) await refuseUsedFolder(out);
  await requireWritable(out);
  await refuseBusyRun(out);
  const record = resume ? await readRunRecord(out) : undefined;
  // Everything that can be wrong is found before anything is written.
  const collector = dataCollector(config.data.dir);
  const kind = kindOf(config);
  const dataset = await kind.openData(record ? kind.withClasses(config, record.classes) : config, collector);
  if (dataset.train.length === 0) throw new DataError(config.data.dir, `the data set has no training ${kind.samples(config)}`);
  for (const warning of dataset.warnings) reporter.warn(warning);
  const { task, warnings } = await kind.openTask(config, dataset);
  if (!task.canTest) {
    if (config.evaluation.select === 'best-on-test')
      throw new DataError(config.data.dir, `evaluation.select: best-on-test needs ${kind.testNeeds}, found none`);
    reporter.warn(`no ${kind.testNeeds}: the run will be trained without tests`);
  }
  for (const warning of warnings) reporter.warn(warning);
  for (const file of kind.labelFiles(config, dataset)) collector.add(file, await readBytes(file));
  const data = await readEverything(dataset, kind.samples(config), collector, reporter);
  if (record) await warnOfChanges(out, record, data, reporter);
  const { device, threads } = config.train;
  const facts = await sessionFacts({ command, device, threads, data: data.sha256 });
  const source = record ? (record.from ?? undefined) : from;
  // The run folder can be used from anywhere: it knows where its data is.
  const recorded = withAbsoluteFolders(await withExtractor(config, reporter));
  const isFresh = !resume || !(await hasCheckpoint(out));
  const initial = source !== undefined && isFresh ? await initialParams(config, task, source, reporter) : undefined;
  const freshStart = source === undefined ? kind.freshStart(config) : undefined;
  if (freshStart !== undefined) reporter.warn(freshStart);

  await makeFolder(out);
  const unlock = await lockRun(out, reporter);
  try {
    if (!resume) await refuseUsedFolder(out);
    await removeTemporaryFiles(out);
    const { train, test, classes } = dataset;
    if (!resume) {
      await writeDigests(out, data);
      await writeRunRecord(out, {
        format: 1,
        task: config.task,
        method: config.method,
        config: name ?? null,
        seed: config.train.seed,
        classes: [...classes],
        from: source === undefined ? null : resolve(source),
        data: { sha256: data.sha256, files: data.files.size, bytes: data.bytes, train: train.length, test: test.length },
        sessions: [],
      });
      // What makes the folder a run comes last.
      await writeFileAtomic(join(out, runConfigFile), dumpConfig(recorded));
    }
    reporter.info(
      `training ${config.method} on ${train.length} ${kind.samples(config)}, testing on ${test.length}, ${classes.length} classes; run folder ${out}`,
    );
    const clock = wallClock();
    return await recordSession(out, facts, clock, async onBegin => {
      const summary = await trainLoop(task, {
        run: out,
        seed: config.train.seed,
        epochs: config.train.epochs,
        optimizer: kind.optimizer(config),
        learningRate: kind.learningRate(config),
        checkpointEvery: config.train.checkpointEvery,
        evaluation: config.evaluation,
        metadata: modelMetadata({ classes, config: recorded }),
        initial,
        reporter,
        signal,
        clock,
        texts: { config: indented(dumpConfig(recorded)) },
        onBegin,
      });
      if (!summary.interrupted) await writeModel(join(out, 'model.safetensors'), await loadModel(out, undefined, reporter));
      return summary;
    });
  } finally {
    await unlock();
    await task.dispose();
  }
}

/** Text that Markdown shows as it is. */
function indented(text: string): string {
  return text.replace(/^/gm, '    ');
}

/**
 * Reads all samples once, which finds what is wrong with features before hours are spent, and fills the cache.
 * @returns the fingerprint of what the collector was told of
 */
async function readEverything(
  { train, test }: OpenedData,
  samples: string,
  collector: DataCollector,
  reporter: Reporter,
): Promise<DataFingerprint> {
  const videos = [...train, ...test];
  for (const [i, video] of videos.entries()) {
    await video.load();
    reporter.progress({ label: `reading ${samples}`, done: i + 1, total: videos.length });
  }
  return collector.end();
}

/** Says which files are not what they were when the run began; a run of an older version does not know. */
async function warnOfChanges(run: string, record: RunRecord, data: DataFingerprint, reporter: Reporter): Promise<void> {
  if (record.data === undefined || record.data.sha256 === data.sha256) return;
  const before = await readDigests(run);
  const changes = before ? dataChanges(before, data.files) : '';
  reporter.warn(`${run}: the data is not what the run began with${changes ? ` (${changes})` : ''}`);
}

/** What a run writes before its configuration. */
const beginnings: ReadonlySet<string> = new Set([lockFile, digestsFile, recordFile]);

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
  if (files.some(file => !beginnings.has(file) && !isTemporaryFile(file)))
    throw new DataError(out, `expected a new or empty folder, found ${files.length} file${files.length === 1 ? '' : 's'}`);
}

/** Removes files that a killed process did not finish. */
async function removeTemporaryFiles(run: string): Promise<void> {
  for (const file of await readdir(run)) if (isTemporaryFile(file)) await rm(join(run, file), { force: true });
}

/**
 * Fresh parameters, with those of another model in their place where name and shape agree (non-strict, as published). Of a backbone's weights,
 * and of a model of other classes, the backbone alone is taken, and has to fit whole.
 * @throws DataError if the other model has other classes and no backbone, or its embedding or backbone does not fit.
 */
async function initialParams(config: Config, task: Task, from: string, reporter: Reporter): Promise<Params> {
  const { classes } = task;
  const kind = kindOf(config);
  const params = task.init(fold(key(config.train.seed), 'init'));
  const source = await loadStart(from, reporter);
  const strange = source.classes && classDifference(source.classes, classes);
  const { backbonePrefix } = kind;
  const ofBackbone = (all: Params): Params =>
    Object.fromEntries(Object.entries(all).filter(([name]) => backbonePrefix !== undefined && name.startsWith(backbonePrefix)));
  const backbone = Object.keys(ofBackbone(params));
  if (strange !== undefined && Object.keys(ofBackbone(source.params)).length === 0) throw new DataError(from, strange);
  const onlyBackbone = source.classes === undefined || strange !== undefined;
  const { matched, missing, unexpected, wrongShape } = mergeParams(
    params,
    onlyBackbone ? ofBackbone(source.params) : source.params,
  );
  const needed = onlyBackbone ? backbone : [Object.keys(params)[0]];
  const absent = needed.find(name => !matched.includes(name));
  if (absent !== undefined || needed.length === 0)
    throw new DataError(from, `it has no ${absent ?? 'part'} that fits this model (another ${kind.inputKeys}?)`);
  for (const { name, expected, found } of wrongShape)
    reporter.warn(`${from}: ${name} has shape [${found}], needed [${expected}]; it starts fresh`);
  if (missing.length > 0) reporter.warn(`${from}: ${firstNames(missing)}: not there, or of other classes; fresh to start with`);
  reporter.info(
    `starting from ${from}: ${matched.length} parameters${onlyBackbone ? ' of the backbone' : ''}${unexpected.length > 0 ? `, ${unexpected.length} not used` : ''}`,
  );
  if (source.normalized && config.task === 'openset' && config.video?.normalize === null)
    reporter.warn(`${from}: it was trained on normalised frames; video.normalize is null, as published for PSL`);
  return params;
}

function firstNames(names: readonly string[], most = 3): string {
  const more = names.length - most;
  return names.slice(0, most).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** How the classes of another model differ, in words; undefined if they do not. */
function classDifference(others: readonly string[], classes: readonly string[]): string | undefined {
  const longer = others.length > classes.length ? others : classes;
  const strange = longer.findIndex((_, i) => others[i] !== classes[i]);
  if (strange < 0) return undefined;
  const [own, other] = [classes[strange], others[strange]].map(name => name ?? 'none');
  return `its classes are not those of the data set: class ${strange} is ${other} there, ${own} here (${others.length} and ${classes.length} classes)`;
}
