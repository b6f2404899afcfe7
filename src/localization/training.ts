/** The three kinds of training in the terms of the training loop: batches in, reports of steps out. */
import type { NDArray } from '../engine/index.ts';
import type { Gradients, Params } from '../nn/index.ts';
import type { EpochBatches, InBatchBatch, PairBatch, VideoBatch } from './batches.ts';
import {
  acmStep,
  correctVideos,
  inBatchStep,
  type LossPieces,
  type ModelOptions,
  pairStep,
  pieceValues,
  type StepDevice,
  trainable,
  withoutSequenceParams,
} from './steps.ts';

export interface TrainingOptions extends ModelOptions {
  /** Class score above which a video counts as showing the class, for the training accuracy. */
  readonly classThreshold: number;
  readonly where: StepDevice;
}

/** A step's outcome: the pieces of the loss, gradients by parameter name, and how many of the batch's samples are classified exactly. */
export interface LocalizationStepReport {
  readonly pieces: LossPieces;
  readonly gradients: Gradients;
  readonly correct: number;
  readonly samples: number;
}

/** The steps of one epoch, each with its batch. */
export interface TrainingEpoch<B> {
  readonly count: number;
  prepare(index: number): Promise<B>;
  step(params: Params, batch: B): Promise<LocalizationStepReport>;
}

/** A kind of training: makes an epoch of any batches of its kind. */
export interface Training<B> {
  epoch(batches: EpochBatches<B>): TrainingEpoch<B>;
  dispose(): Promise<void>;
}

/** What a compiled step gave, with the labels of the videos in it. */
interface Outcome {
  readonly pieces: LossPieces<NDArray>;
  readonly probabilities: readonly NDArray[];
  readonly labels: readonly NDArray[];
  readonly gradients: Params;
}

/** Plain ACM-Net: L_ACM over batches of videos. */
export function videoTraining(options: TrainingOptions): Training<VideoBatch> {
  const step = acmStep(options, options.where);
  return training(options, step.dispose, async (params, { features, labels, masks }: VideoBatch) => ({
    ...(await step(...divided(params, false), features, labels, masks)),
    labels: [labels],
  }));
}

/** ACM-Net with sequence terms between the videos of a batch. */
export function inBatchTraining(options: TrainingOptions): Training<InBatchBatch> {
  const step = inBatchStep(options, options.where);
  const usesFsd = options.sequence.fsdWeight !== 0;
  return training(options, step.dispose, async (params, { features, labels, masks, weights, hasPairs }: InBatchBatch) => {
    const output = await step(...divided(params, usesFsd), features, labels, masks, weights);
    // Without a pair the terms are absent, not zero: what only they train gets no gradient, hence no decay and no momentum.
    const gradients = hasPairs ? output.gradients : withoutSequenceParams(output.gradients);
    return { ...output, gradients, labels: [labels] };
  });
}

/** FTCL: batches of pairs of videos. */
export function pairTraining(options: TrainingOptions): Training<PairBatch> {
  const step = pairStep(options, options.where);
  const usesFsd = options.sequence.fsdWeight !== 0;
  return training(options, step.dispose, async (params, { features, labels, masks }: PairBatch) => ({
    ...(await step(...divided(params, usesFsd), features, labels, masks)),
    labels,
  }));
}

function training<B>(
  { classThreshold }: TrainingOptions,
  dispose: () => Promise<void>,
  run: (params: Params, batch: B) => Promise<Outcome>,
): Training<B> {
  return {
    dispose,
    epoch: ({ count, make }) => ({
      count,
      prepare: make,
      step: async (params, batch) => {
        const { pieces, probabilities, labels, gradients } = await run(params, batch);
        return { pieces: pieceValues(pieces), gradients, ...correctVideos(probabilities, labels, classThreshold) };
      },
    }),
  };
}

function divided(params: Params, usesFsd: boolean): readonly [trained: Params, frozen: Params] {
  const { trained, frozen } = trainable(params, usesFsd);
  return [trained, frozen];
}
