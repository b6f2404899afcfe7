/** The training steps as a case sets them up. */

import { inBatchPairs, type Pair } from '../../../src/data/pairs.ts';
import type { NDArray } from '../../../src/engine/index.ts';
import { type InBatchWeights, inBatchWeights } from '../../../src/localization/ftclLoss.ts';
import {
  acmStep,
  inBatchStep,
  type LossPieces,
  type ModelOptions,
  pairStep,
  trainable,
  withoutSequenceParams,
} from '../../../src/localization/steps.ts';
import type { Gradients, Params } from '../../../src/nn/index.ts';
import type { ReferenceCase } from '../case.ts';
import { acmLossOptions, type Named, networkOptions, sequenceOptions } from './network.ts';

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

/** What a step gives, with the labels it was given. */
export interface StepResult {
  readonly pieces: LossPieces<NDArray>;
  readonly probabilities: readonly NDArray[];
  readonly labels: readonly NDArray[];
  readonly gradients: Gradients;
}

/**
 * The step of a case: of pairs for `features_1` and `features_2`, with in-batch pairs for `features` unless both sequence terms are
 * off, else of L_ACM alone. `run` takes a batch as the case names its arrays (`features`, `label`, or both with `_1` and `_2`).
 */
export function stepsOfCase(c: ReferenceCase, params: Params) {
  const isPair = Object.keys(c.arrays).some(key => /^in\.(.*\.)?features_2$/.test(key));
  const sequence = sequenceOptions(c);
  const options: ModelOptions = {
    network: networkOptions(c, params),
    loss: acmLossOptions(c, isPair ? 'FTCL' : 'ACM'),
    sequence,
  };
  const divided = (all: Params) => {
    const { trained, frozen } = trainable(all, sequence.fsdWeight !== 0);
    return [trained, frozen] as const;
  };

  if (isPair) {
    const step = pairStep(options, {});
    const run = async (all: Params, batch: Named<NDArray>): Promise<StepResult> => {
      const labels = [batch.label_1, batch.label_2] as const;
      return { ...(await step(...divided(all), [batch.features_1, batch.features_2], labels, [{}, {}])), labels };
    };
    return { run, dispose: step.dispose };
  }
  if (sequence.lcsWeight === 0 && sequence.fsdWeight === 0) {
    const step = acmStep(options, {});
    const run = async (all: Params, { features, label }: Named<NDArray>): Promise<StepResult> => ({
      ...(await step(...divided(all), features, label, {})),
      labels: [label],
    });
    return { run, dispose: step.dispose };
  }
  const step = inBatchStep(options, {});
  const run = async (all: Params, { features, label }: Named<NDArray>, pairs?: RecordedPairs): Promise<StepResult> => {
    if (!pairs) throw new Error(`${c.name}: expected recorded pairs for every step`);
    const output = await step(...divided(all), features, label, {}, weightsOf(label, pairs));
    const gradients = pairs.positive.length === 0 ? withoutSequenceParams(output.gradients) : output.gradients;
    return { ...output, gradients, labels: [label] };
  };
  return { run, dispose: step.dispose };
}
