import { join } from 'node:path';
import { parseJson } from '../data/formats/json.ts';
import { DataError, exists, prefetch, readText, writeFileAtomic } from '../data/index.ts';
import { fold, key } from '../engine/random.ts';
import { adam, allFinite, type OptimizerState, type Params } from '../nn/index.ts';
import { loadLast, readPointer, saveBest, saveLast, type TrainingState } from './checkpoint.ts';
import type { Reporter } from './reporter.ts';
import type { Evaluation, Task } from './task.ts';

export interface TrainLoopOptions {
  /** The run folder, which exists. */
  readonly run: string;
  readonly seed: number;
  readonly epochs: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly betas: readonly [number, number];
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
}

/** One line of `metrics.jsonl`. */
export interface EpochRecord {
  /** From 1. */
  readonly epoch: number;
  /** Optimiser steps so far. */
  readonly step: number;
  readonly learningRate: number;
  readonly seconds: number;
  /** Means over the epoch's batches, unweighted (a short last batch counts like a full one), and the training accuracy. */
  readonly train: Readonly<Record<string, number>>;
  readonly test?: Readonly<Record<string, number>>;
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
  const { run, reporter, epochs } = options;
  const root = key(options.seed);
  const optimizer = adam({ betas: options.betas, weightDecay: options.weightDecay });
  const found = await loadLast(run);
  const params = found?.params ?? options.initial ?? task.init(fold(root, 'init'));
  const state: OptimizerState = found?.optimizer ?? optimizer.init(params);
  const records = await readRecords(run, found?.epoch ?? 0);
  if (found) reporter.info(`resuming after epoch ${found.epoch} of ${epochs}`);
  else await saveLast(run, { epoch: 0, params, optimizer: state }, options.metadata);

  let epoch = found?.epoch ?? 0;
  let interrupted = false;
  try {
    while (epoch < epochs) {
      const record = await trainEpoch(task, { epoch, params, optimizer: state }, optimizer.update, options);
      epoch++;
      const test = await evaluateEpoch(task, { epoch, params, optimizer: state }, options);
      records.push(test ? { ...record, test: test.metrics } : record);
      await writeRecords(run, records);
      if (epoch % options.checkpointEvery === 0 || epoch === epochs) {
        await saveLast(run, { epoch, params, optimizer: state }, options.metadata);
      }
    }
  } catch (error) {
    if (!options.signal?.aborted || error !== options.signal.reason) throw error;
    interrupted = true;
  }
  const best = await readPointer(run, 'best');
  return {
    run,
    epochs: interrupted ? ((await readPointer(run, 'last'))?.epoch ?? 0) : epoch,
    interrupted,
    metrics: records.findLast(record => record.test)?.test ?? {},
    ...(best?.metric !== undefined && best.value !== undefined
      ? { best: { epoch: best.epoch, metric: best.metric, value: best.value } }
      : {}),
  };
}

/** The epoch's steps; gives the record of the epoch without its test. */
async function trainEpoch(
  task: Task,
  { epoch, params, optimizer }: TrainingState,
  update: ReturnType<typeof adam>['update'],
  { seed, epochs, learningRate, reporter, signal }: TrainLoopOptions,
): Promise<EpochRecord> {
  const started = performance.now();
  const { count, prepare, step } = task.epoch(epoch, fold(fold(key(seed), 'epoch'), epoch));
  const sums: Record<string, number> = {};
  let [correct, samples, skipped, done] = [0, 0, 0, 0];
  for await (const batch of prefetch(prepare, count, 1)) {
    signal?.throwIfAborted();
    const report = await step(params, batch);
    // A loss can be finite while its gradients are not; such a step would destroy the weights.
    if (Number.isFinite(report.pieces.total) && allFinite(report.gradients))
      update(params, report.gradients, optimizer, learningRate);
    else skipped++;
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
  return { epoch: epoch + 1, step: optimizer.step, learningRate, seconds: (performance.now() - started) / 1000, train };
}

/** Tests after an epoch where the cadence says so, keeps the files, and the checkpoint where it is the best one. */
async function evaluateEpoch(
  task: Task,
  { epoch, params }: TrainingState,
  { run, epochs, evaluation: { start, every, select }, metadata, reporter, signal }: TrainLoopOptions,
): Promise<Evaluation | undefined> {
  const index = epoch - 1;
  if (!task.canTest) return undefined;
  if (epoch < epochs && (index < start || (index - start) % every !== 0)) return undefined;
  const result = await task.evaluate(
    params,
    (done, total) => reporter.progress({ label: `testing epoch ${epoch}`, done, total }),
    signal,
  );
  signal?.throwIfAborted();
  for (const [name, content] of Object.entries(result.files)) await writeFileAtomic(join(run, name), content);
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
  return result;
}

const recordsPath = (run: string): string => join(run, 'metrics.jsonl');

/** The records of the epochs that the checkpoint includes; later ones will be made again. */
async function readRecords(run: string, epoch: number): Promise<EpochRecord[]> {
  if (!(await exists(recordsPath(run)))) return [];
  return parseEpochRecords(await readText(recordsPath(run)), recordsPath(run)).filter(record => record.epoch <= epoch);
}

/** The lines of `metrics.jsonl`. @throws DataError naming the line that is no record of an epoch */
export function parseEpochRecords(text: string, where: string): EpochRecord[] {
  return text.split('\n').flatMap((line, i) => {
    if (line === '') return [];
    const record = parseJson(line, `${where}, line ${i + 1}`) as EpochRecord | null;
    if (!Number.isSafeInteger(record?.epoch)) throw new DataError(`${where}, line ${i + 1}`, 'expected the record of an epoch');
    return [record as EpochRecord];
  });
}

async function writeRecords(run: string, records: readonly EpochRecord[]): Promise<void> {
  await writeFileAtomic(recordsPath(run), `${records.map(record => JSON.stringify(record)).join('\n')}\n`);
}
