/** Training as a case sets it up, over the batches it holds. */

import { inBatchPairs, type Pair } from '../../../src/data/pairs.ts';
import type { NDArray } from '../../../src/engine/index.ts';
import type { PairBatch } from '../../../src/localization/batches.ts';
import { type InBatchWeights, inBatchWeights } from '../../../src/localization/ftclLoss.ts';
import {
  inBatchTraining,
  pairTraining,
  type Training,
  type TrainingEpoch,
  type TrainingOptions,
  videoTraining,
} from '../../../src/localization/training.ts';
import type { Params } from '../../../src/nn/index.ts';
import type { ReferenceCase } from '../case.ts';
import { acmLossOptions, type Named, networkOptions, numberOf, sequenceOptions } from './network.ts';

/** A batch's in-batch pairs as a case records them: the positive ones and the negatives that were drawn. */
export interface RecordedPairs {
  readonly positive: readonly Pair[];
  readonly negative: readonly Pair[];
}

/** Rows of labels `[batch, C]`. */
function rowsOf({ shape, data }: NDArray): number[][] {
  const values = Array.from(data as ArrayLike<number>, Number);
  return Array.from({ length: shape[0] }, (_, i) => values.slice(i * shape[1], (i + 1) * shape[1]));
}

/** Weights of a batch's own positive pairs, which must be the recorded ones, and of the recorded negatives, which must be candidates. */
export function weightsOf(labels: NDArray, recorded: RecordedPairs): InBatchWeights<NDArray<'float32'>> {
  const { positive, negativeCandidates } = inBatchPairs(rowsOf(labels));
  const candidates = new Set(negativeCandidates.map(String));
  const strange = recorded.negative.find(pair => !candidates.has(String(pair)));
  if (strange) throw new Error(`negative pair [${strange}] is no candidate of the batch`);
  if (JSON.stringify(positive) !== JSON.stringify(recorded.positive)) {
    throw new Error(`positive pairs ${JSON.stringify(positive)}, expected ${JSON.stringify(recorded.positive)}`);
  }
  return inBatchWeights(labels.shape[0], positive, recorded.negative);
}

/**
 * The training of a case: of pairs for `features_1` and `features_2`, with in-batch pairs for `features` unless both sequence terms
 * are off, else of L_ACM alone. `epoch` goes through batches whose arrays are named as the case names them (`features`, `label`, or
 * both with `_1` and `_2`), with the in-batch pairs recorded for each.
 */
export function trainingOfCase(c: ReferenceCase, params: Params) {
  const isPair = Object.keys(c.arrays).some(key => /^in\.(.*\.)?features_2$/.test(key));
  const sequence = sequenceOptions(c);
  const options: TrainingOptions = {
    network: networkOptions(c, params),
    loss: acmLossOptions(c, isPair ? 'FTCL' : 'ACM'),
    sequence,
    classThreshold: numberOf(c, ['cls_threshold'], 0.25),
    where: {},
  };
  if (isPair) {
    return replaying(
      pairTraining(options),
      ({ features_1, features_2, label_1, label_2 }): PairBatch => ({
        features: [features_1, features_2],
        labels: [label_1, label_2],
        masks: [{}, {}],
      }),
    );
  }
  if (sequence.lcsWeight === 0 && sequence.fsdWeight === 0) {
    return replaying(videoTraining(options), ({ features, label }) => ({ features, labels: label, masks: {} }));
  }
  return replaying(inBatchTraining(options), ({ features, label }, pairs) => {
    if (!pairs) throw new Error(`${c.name}: expected recorded pairs for every step`);
    const hasPairs = pairs.positive.length > 0;
    return { features, labels: label, masks: {}, weights: weightsOf(label, pairs), hasPairs };
  });
}

/** A kind of training over recorded batches. */
function replaying<B>({ epoch, dispose }: Training<B>, batchOf: (arrays: Named<NDArray>, pairs?: RecordedPairs) => B) {
  return {
    dispose,
    epoch: (batches: readonly Named<NDArray>[], pairs?: readonly RecordedPairs[]): TrainingEpoch<unknown> =>
      epoch({ count: batches.length, make: async i => batchOf(batches[i], pairs?.[i]) }),
  };
}
