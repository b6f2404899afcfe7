import { join } from 'node:path';
import { exists, prefetch, readBytes, writeFileAtomic } from '../data/index.ts';
import { fold, key } from '../engine/random.ts';
import { allFinite, type Optimizer, type OptimizerState, type Params, type Schedule } from '../nn/index.ts';
import { loadLast, readPointer, saveBest, saveLast, type TrainingState } from './checkpoint.ts';
import { type EpochRecord, epochScalars, parseEpochRecords } from './epochRecord.ts';
import type { Reporter } from './reporter.ts';
import type { Task } from './task.ts';
import { type EventLog, openEventLog } from './tensorboard.ts';
import { type WallClock, wallClock } from './wallClock.ts';

export type { EpochRecord } from './epochRecord.ts';

export interface TrainLoopOptions {
  /** The run folder, which exists. */
  readonly run: string;
  readonly seed: number;
  readonly epochs: number;
  readonly optimizer: Optimizer;
  /** By epochs done, with their fraction. */
  readonly learningRate: Schedule;
  /** A checkpoint is written after every so many epochs, and after the last. */
  readonly checkpointEvery: number;
  readonly evaluation: {
    /** First epoch (from 0) that is evaluated, and then every so many; the last one always. */
    readonly start: number;
    readonly every: number;
    /** `best-on-test` keeps the checkpoint of the best test result too, as the papers do. */
    readonly select: 'last' | 'best-on-test';
  };
  /** What weights files say of themselves. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Weights to start from in the place of a fresh initialisation. */
  readonly initial?: Params;
  readonly reporter: Reporter;
  /** Stops the training at the next step. */
  readonly signal?: AbortSignal;
  /** What the time of day is taken from. */
  readonly clock?: WallClock;
  /** Shown by TensorBoard beside the curves: Markdown by tag. */
  readonly texts?: Readonly<Record<string, string>>;
  /** Called when it is known how many epochs are done already, before anything is trained or written. */
  readonly onBegin?: (epoch: number) => Promise<void>;
}

export interface TrainSummary {
  readonly run: string;
  /** Epochs done. */
  readonly epochs: number;
  readonly interrupted: boolean;
  /** Metrics of the last evaluation. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly best?: { readonly epoch: number; readonly metric: string; readonly value: number };
}

/**
 * Trains a task in a run folder, from where the folder stands: a run that was killed or interrupted goes on from its last checkpoint
 * and ends in the same bits as an uninterrupted one, because everything random follows from the seed and the epoch's number.
 */
export async function trainLoop(task: Task, options: TrainLoopOptions): Promise<TrainSummary> {
  const { run, reporter, epochs, optimizer, clock = wallClock() } = options;
  const root = key(options.seed);
  const found = await loadLast(run, epochs, reporter);
  const params = found?.params ?? options.initial ?? task.init(fold(root, 'init'));
  const state: OptimizerState = found?.optimizer ?? optimizer.init(params);
  const records = await readRecords(run, found?.epoch ?? 0, reporter);
  const recorded = records.findLast(({ time }) => time !== undefined)?.time;
  if (recorded !== undefined) clock.notBefore(Date.parse(recorded));
  await options.onBegin?.(found?.epoch ?? 0);
  if (found) reporter.info(`resuming after epoch ${found.epoch} of ${epochs}`);
  else await saveLast(run, { epoch: 0, params, optimizer: state }, options.metadata);

  let epoch = found?.epoch ?? 0;
  let saved = epoch;
  let interrupted = false;
  // A run without anything left to do leaves no events.
  const told = new Set<string>();
  const log = epoch < epochs ? await openEventLog(run, { step: state.step, clock, texts: options.texts }) : undefined;
  try {
    while (epoch < epochs) {
      const trained = await trainEpoch(task, { epoch, params, optimizer: state }, options, log);
      epoch++;
      const tested = await evaluateEpoch(task, { epoch, params, optimizer: state }, options, told);
      const record = { ...trained, ...tested, time: new Date(clock.now()).toISOString() };
      records.push(record);
      await writeRecords(run, records);
      log?.add(record.step, epochScalars(record));
      await log?.flush();
      if (epoch % options.checkpointEvery === 0 || epoch === epochs) {
        await saveLast(run, { epoch, params, optimizer: state }, options.metadata);
        saved = epoch;
      }
    }
  } catch (error) {
    if (!options.signal?.aborted || error !== options.signal.reason) throw error;
    interrupted = true;
  } finally {
    await log?.close();
  }
  const best = await readPointer(run, 'best');
  return {
    run,
    epochs: interrupted ? saved : epoch,
    interrupted,
    metrics: records.findLast(record => record.test)?.test ?? {},
    ...(best?.metric !== undefined && best.value !== undefined
      ? { best: { epoch: best.epoch, metric: best.metric, value: best.value } }
      : {}),
  };
}

/** Losses of single steps that a run tells TensorBoard at most; of more, every n-th: TensorBoard itself shows 1000 of a curve. */
const mostStepEvents = 10_000;

/** The epoch's steps; gives the record of the epoch without its test. */
async function trainEpoch(
  task: Task,
  { epoch, params, optimizer: state }: TrainingState,
  { seed, epochs, optimizer, learningRate, reporter, signal }: TrainLoopOptions,
  log: EventLog | undefined,
): Promise<EpochRecord> {
  const started = performance.now();
  const { count, prepare, step } = task.epoch(epoch, fold(fold(key(seed), 'epoch'), epoch));
  const sums: Record<string, number> = {};
  const stride = Math.ceil((epochs * count) / mostStepEvents);
  let [correct, samples, skipped, done] = [0, 0, 0, 0];
  let [waited, free] = [0, started];
  for await (const batch of prefetch(prepare, count, 1)) {
    waited += performance.now() - free;
    signal?.throwIfAborted();
    const report = await step(params, batch);
    for (const warning of report.warnings ?? []) reporter.warn(warning);
    // A loss can be finite while its gradients are not; such a step would destroy the weights.
    if (Number.isFinite(report.pieces.total) && allFinite(report.gradients)) {
      optimizer.update(params, report.gradients, state, learningRate(epoch + done / count));
      keepBuffers(params, report.buffers);
      if ((epoch * count + done) % stride === 0) log?.add(state.step, { 'step/total': report.pieces.total });
    } else skipped++;
    for (const [name, value] of Object.entries(report.pieces)) sums[name] = (sums[name] ?? 0) + value / count;
    correct += report.correct;
    samples += report.samples;
    done++;
    reporter.progress({
      label: `epoch ${epoch + 1}/${epochs}`,
      done: epoch * count + done,
      total: epochs * count,
      detail: `loss ${report.pieces.total.toFixed(3)}`,
    });
    free = performance.now();
  }
  if (skipped > 0)
    reporter.warn(
      `epoch ${epoch + 1}: ${skipped} of ${count} steps had a loss or gradients that are not finite and were skipped`,
    );
  if (skipped === count)
    throw new Error(
      `epoch ${epoch + 1}: no step had a finite loss and finite gradients; training cannot go on (lower the learning rate?)`,
    );
  const train = { ...sums, accuracy: samples > 0 ? correct / samples : 0, ...(skipped > 0 ? { skipped } : {}) };
  const seconds = (performance.now() - started) / 1000;
  return {
    epoch: epoch + 1,
    step: state.step,
    steps: count,
    samples,
    learningRate: learningRate(epoch),
    seconds,
    waitSeconds: waited / 1000,
    train,
  };
}

/** Puts the buffers that a step made in the place of the old ones. */
function keepBuffers(params: Params, buffers: Readonly<Params> = {}): void {
  for (const [name, { data }] of Object.entries(buffers)) (params[name].data as Float32Array).set(data as Float32Array);
}

/** What a test adds to the record of an epoch. */
type TestRecord = Pick<EpochRecord, 'test' | 'primary' | 'testSeconds'>;

/** Tests after an epoch where the cadence says so, keeps the files, and the checkpoint where it is the best one. */
async function evaluateEpoch(
  task: Task,
  { epoch, params }: TrainingState,
  { run, epochs, evaluation: { start, every, select }, metadata, reporter, signal }: TrainLoopOptions,
  told: Set<string>,
): Promise<TestRecord> {
  const index = epoch - 1;
  if (!task.canTest) return {};
  if (epoch < epochs && (index < start || (index - start) % every !== 0)) return {};
  const started = performance.now();
  const result = await task.evaluate(
    params,
    (done, total) => reporter.progress({ label: `testing epoch ${epoch}`, done, total }),
    signal,
  );
  const testSeconds = (performance.now() - started) / 1000;
  signal?.throwIfAborted();
  for (const [name, content] of Object.entries(result.files)) await writeFileAtomic(join(run, name), content);
  // Every test says the same of the data.
  for (const warning of result.warnings.filter(line => !told.has(line))) reporter.warn(warning);
  for (const warning of result.warnings) told.add(warning);
  const value = result.metrics[result.primary];
  reporter.info(`epoch ${epoch}: ${result.primary} ${(100 * value).toFixed(2)} %`);
  if (select === 'best-on-test') {
    const best = await readPointer(run, 'best');
    // A resumed run comes again to a best epoch whose files were perhaps not all written; it may be later than this one.
    if (best?.value === undefined || best.epoch === epoch || value > best.value) {
      await saveBest(run, { epoch, params }, metadata, result.primary, value);
      for (const [name, content] of Object.entries(result.files)) await writeFileAtomic(join(run, `best-${name}`), content);
      reporter.info(`epoch ${epoch} is the best on the test set so far (selected on the test set, as in the papers)`);
    }
  }
  return { test: result.metrics, primary: result.primary, testSeconds };
}

const recordsPath = (run: string): string => join(run, 'metrics.jsonl');

/** The records of the epochs that the checkpoint includes; later ones will be made again. A damaged line is left out, and named. */
async function readRecords(run: string, epoch: number, { warn }: Reporter): Promise<EpochRecord[]> {
  const path = recordsPath(run);
  if (!(await exists(path))) return [];
  const { records, problems } = parseEpochRecords(new TextDecoder().decode(await readBytes(path)), path);
  for (const problem of problems) warn(`${problem}; it is left out`);
  return records.filter(record => record.epoch <= epoch);
}

async function writeRecords(run: string, records: readonly EpochRecord[]): Promise<void> {
  await writeFileAtomic(recordsPath(run), `${records.map(record => JSON.stringify(record)).join('\n')}\n`);
}
