/** Reference cases `train__*` that run a trainer: the steps' losses, the logs of the epochs and the parameters at the end. */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { copyOf } from '../../../src/engine/index.ts';
import type { LossPieces } from '../../../src/localization/steps.ts';
import { adam, constantRate, mapParams, type Params } from '../../../src/nn/index.ts';
import { loadCheckpoint } from '../../../src/train/checkpoint.ts';
import { silentReporter } from '../../../src/train/reporter.ts';
import type { Task } from '../../../src/train/task.ts';
import { type EpochRecord, trainLoop } from '../../../src/train/trainLoop.ts';
import { type Adapter, type Compared, compareArray, type ReferenceCase } from '../case.ts';
import { arraysOf, numberOf, publishedLosses } from './network.ts';
import { type RecordedPairs, trainingOfCase } from './steps.ts';

/** What the JSON of a trainer's case holds. */
interface Training {
  readonly steps: readonly Readonly<Record<string, number>>[];
  readonly epoch_logs: readonly Readonly<Record<string, number>>[];
  readonly n_batches: number;
  readonly epochs: number;
  readonly pairs_per_step?: readonly RecordedPairs[];
}

/** Published names of the epoch's means, by those of the steps' losses. */
const logNames: Readonly<Record<string, string>> = {
  loss: 'train_loss',
  act_inst_loss: 'train_act_inst_cls_loss',
  act_cont_loss: 'train_act_cont_cls_loss',
  act_back_loss: 'train_act_back_cls_loss',
  guide_loss: 'train_guide_loss',
  feat_loss: 'train_feat_loss',
  sparse_loss: 'train_att_loss',
  acm_loss: 'train_acm_loss',
  lcs_loss: 'train_lcs_loss',
  fsd_loss: 'train_fsd_loss',
};

const trainer: Adapter = {
  matches: c =>
    c.kind === 'train' && 'init.att_branch.weight' in c.arrays && c.expected.some(key => key.startsWith('out.final.')),
  async run(c) {
    const { steps, epoch_logs } = c.json as Training;
    const { losses, records, params } = await train(c);
    return [
      ...steps.flatMap((expected, i) => compareRecord(c, 'steps', i, losses[i], expected)),
      ...epoch_logs.flatMap((expected, i) => compareRecord(c, 'epoch_logs', i, publishedLog(records[i]), expected)),
      ...Object.entries(params).map(([name, array]) => compareArray(c, `out.final.${name}`, array)),
    ];
  },
};

/** Trains by the product's loop, in a run folder of its own: the losses of the steps, the records of the epochs, the last weights. */
async function train(c: ReferenceCase): Promise<{ losses: Record<string, number>[]; records: EpochRecord[]; params: Params }> {
  const { epochs } = c.json as Training;
  const run = await mkdtemp(join(tmpdir(), 'inkling-trainer-'));
  const losses: Record<string, number>[] = [];
  const initial = mapParams(arraysOf(c, 'init.'), copyOf);
  const task = replayTask(c, initial, pieces => losses.push(publishedLosses(pieces)));
  try {
    await trainLoop(task, {
      run,
      seed: 0,
      epochs,
      optimizer: adam({ weightDecay: numberOf(c, ['weight_decay'], 0) }),
      learningRate: constantRate(numberOf(c, ['lr'], 1e-4)),
      checkpointEvery: epochs,
      evaluation: { start: 0, every: 1, select: 'last' },
      metadata: {},
      initial,
      reporter: silentReporter(),
    });
    const lines = (await readFile(join(run, 'metrics.jsonl'), 'utf8')).trim().split('\n');
    const { params } = await loadCheckpoint(run, 'last');
    return { losses, records: lines.map(line => JSON.parse(line) as EpochRecord), params };
  } finally {
    await task.dispose();
    await rm(run, { recursive: true });
  }
}

/** A task whose epochs go through the case's batches in their order; every step's loss pieces are shown to `onStep`. */
function replayTask(c: ReferenceCase, initial: Params, onStep: (pieces: LossPieces) => void): Task {
  const { n_batches, pairs_per_step } = c.json as Training;
  const batches = Array.from({ length: n_batches }, (_, i) => arraysOf(c, `in.batch${i}.`));
  const { epoch, dispose } = trainingOfCase(c, initial);
  return {
    classes: [],
    canTest: false,
    init: () => initial,
    epoch: index => {
      const { count, prepare, step } = epoch(batches, pairs_per_step?.slice(index * n_batches, (index + 1) * n_batches));
      const shown: typeof step = async (params, batch) => {
        const report = await step(params, batch);
        onStep(report.pieces);
        return report;
      };
      return { count, prepare, step: shown };
    },
    evaluate: () => Promise.reject(new Error(`${c.name}: nothing to test on`)),
    dispose,
  };
}

/** An epoch's record under the published names. JSON has no number that is not finite: null is NaN. */
function publishedLog({ train: { accuracy, ...means } }: EpochRecord): Record<string, number> {
  const published = publishedLosses(means as LossPieces<number | null>);
  const named = Object.entries(logNames).map(([name, log]) => [log, published[name] ?? Number.NaN]);
  return { ...Object.fromEntries(named), train_acc: accuracy };
}

/** Compares the numbers of one step or epoch; every expected one must have been computed. */
function compareRecord(
  c: ReferenceCase,
  list: string,
  index: number,
  got: Readonly<Record<string, number>>,
  want: Readonly<Record<string, number>>,
): Compared[] {
  return Object.entries(want).map(([name, value]) => {
    if (!(name in got)) throw new Error(`${c.name}: ${list}[${index}] has "${name}", which is not computed`);
    return { key: `json.${list}[${index}].${name}`, got: got[name], want: value, tolerance: c.tolerance(`${list}.${name}`) };
  });
}

/** Adapters of the trainers' cases. */
export const adapters: Adapter[] = [trainer];
