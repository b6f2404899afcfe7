/** Reference cases `train__*` that run a trainer: the steps' losses, the logs of the epochs and the parameters at the end. */

import { copyOf } from '../../../src/engine/index.ts';
import { exactMatches } from '../../../src/localization/classification.ts';
import { pieceValues } from '../../../src/localization/steps.ts';
import { adam, allFinite, mapParams } from '../../../src/nn/index.ts';
import { type Adapter, type Compared, compareArray, type ReferenceCase } from '../case.ts';
import { arraysOf, numberOf, publishedLosses } from './network.ts';
import { type RecordedPairs, type StepResult, stepsOfCase } from './steps.ts';

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
    const { steps, epoch_logs, n_batches, epochs, pairs_per_step } = c.json as Training;
    const threshold = numberOf(c, ['cls_threshold'], 0.25);
    const params = mapParams(arraysOf(c, 'init.'), copyOf);
    const optimizer = adam({ weightDecay: numberOf(c, ['weight_decay'], 0) });
    const state = optimizer.init(params);
    const { run, dispose } = stepsOfCase(c, params);
    const losses: Record<string, number>[] = [];
    const accuracies: number[] = [];
    try {
      for (let epoch = 0; epoch < epochs; epoch++) {
        const matched: number[] = [];
        for (let batch = 0; batch < n_batches; batch++) {
          const result = await run(params, arraysOf(c, `in.batch${batch}.`), pairs_per_step?.[losses.length]);
          const pieces = pieceValues(result.pieces);
          if (Number.isFinite(pieces.total) && allFinite(result.gradients)) {
            optimizer.update(params, result.gradients, state, numberOf(c, ['lr'], 1e-4));
          }
          losses.push(publishedLosses(pieces));
          matched.push(...matches(result, threshold));
        }
        accuracies.push(mean(matched));
      }
    } finally {
      await dispose();
    }
    return [
      ...steps.flatMap((expected, i) => compareRecord(c, 'steps', i, losses[i], expected)),
      ...epoch_logs.flatMap((expected, i) => {
        const ofEpoch = losses.slice(i * n_batches, (i + 1) * n_batches);
        const means = Object.entries(logNames).map(([name, log]) => [log, mean(ofEpoch.map(step => step[name]))]);
        return compareRecord(c, 'epoch_logs', i, { ...Object.fromEntries(means), train_acc: accuracies[i] }, expected);
      }),
      ...Object.entries(params).map(([name, array]) => compareArray(c, `out.final.${name}`, array)),
    ];
  },
};

/** 1 for every sample all of whose videos are classified exactly. */
function matches({ probabilities, labels }: StepResult, threshold: number): number[] {
  const streams = probabilities.map((p, i) => exactMatches(p, labels[i], threshold));
  return Array.from(streams[0], (_, i) => (streams.every(stream => stream[i] === 1) ? 1 : 0));
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

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
