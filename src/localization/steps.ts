import { type Compiled, compile, type Device, type NDArray, type Tensor, valueAuxAndGrad } from '../engine/index.ts';
import type { Params } from '../nn/index.ts';
import type { AcmLossOptions } from './acmLoss.ts';
import { type AcmNetMasks, type AcmNetOptions, type AcmNetOutput, acmNet, type SymbolicParams } from './acmNet.ts';
import { exactMatches } from './classification.ts';
import {
  acmInBatchLoss,
  acmOnlyLoss,
  type FtclLoss,
  ftclPairLoss,
  type InBatchWeights,
  type SequenceLossOptions,
} from './ftclLoss.ts';

/** Everything that decides what a step computes. */
export interface ModelOptions {
  readonly network: AcmNetOptions;
  readonly loss: AcmLossOptions;
  readonly sequence: SequenceLossOptions;
}

/** Where steps run. */
export interface StepDevice {
  readonly device?: Device;
  readonly threads?: number;
}

/** Names of the loss pieces, in the order of {@link lossPieces}; the sequence terms are weighted, the others are not. */
export const pieceNames = [
  'total',
  'acm',
  'instance',
  'context',
  'background',
  'guide',
  'feature',
  'sparse',
  'lcs',
  'fsd',
] as const;
export type LossPieces<T = number> = Record<(typeof pieceNames)[number], T>;

/** The pieces of a loss by name. */
export function lossPieces({ total, acm, lcs, fsd }: FtclLoss): LossPieces<Tensor> {
  const { classification, guide, feature, sparse } = acm;
  return { total, acm: acm.total, ...classification, guide, feature, sparse, lcs, fsd };
}

/** Loss pieces as numbers. */
export function pieceValues(pieces: LossPieces<NDArray>): LossPieces {
  return Object.fromEntries(pieceNames.map(name => [name, Number(pieces[name].data[0])])) as LossPieces;
}

/** What a training step gives: the pieces of the loss, the instance class probabilities, and gradients by parameter name. */
interface StepOutput<T, P> {
  readonly pieces: LossPieces<T>;
  /** `[batch, C + 1]`, one for each stream. */
  readonly probabilities: readonly T[];
  readonly gradients: P;
}

/** Differentiates a loss over the parameters, with what else the log wants. */
function trainingStep(
  forward: (params: SymbolicParams) => { loss: FtclLoss; outputs: readonly AcmNetOutput[] },
  params: SymbolicParams,
): StepOutput<Tensor, SymbolicParams> {
  const [, [pieces, probabilities], gradients] = valueAuxAndGrad(
    (p: SymbolicParams): [Tensor, [LossPieces<Tensor>, Tensor[]]] => {
      const { loss, outputs } = forward(p);
      return [loss.total, [lossPieces(loss), outputs.map(output => output.classProbabilities.instance)]];
    },
  )(params);
  return { pieces, probabilities, gradients };
}

/** Parameters that only the FSD term reads: without it they have no gradient and stay as they are. */
export const sequenceParams = ['feature_trans.weight', 'feature_trans.bias'] as const;

/** Divides the parameters into those a loss trains and those it leaves alone. */
export function trainable<T>(
  params: Readonly<Record<string, T>>,
  usesFsd: boolean,
): { trained: Record<string, T>; frozen: Record<string, T> } {
  const isFrozen = (name: string) => !usesFsd && (sequenceParams as readonly string[]).includes(name);
  const part = (frozen: boolean) => Object.fromEntries(Object.entries(params).filter(([name]) => isFrozen(name) === frozen));
  return { trained: part(false), frozen: part(true) };
}

/** Gradients of a step whose sequence terms are absent: what only they train has none. */
export function withoutSequenceParams(gradients: Params): Params {
  return Object.fromEntries(Object.entries(gradients).filter(([name]) => !(sequenceParams as readonly string[]).includes(name)));
}

/** Samples whose thresholded scores equal the labels exactly; of a pair, both videos must be right. */
export function correctVideos(
  probabilities: readonly NDArray[],
  labels: readonly NDArray[],
  threshold: number,
): { correct: number; samples: number } {
  const matches = probabilities.map((p, i) => exactMatches(p, labels[i], threshold));
  const samples = matches[0].length;
  let correct = 0;
  for (let i = 0; i < samples; i++) if (matches.every(m => m[i] === 1)) correct++;
  return { correct, samples };
}

type Arguments = [trained: SymbolicParams, frozen: SymbolicParams];

/** One step of phase 1 without sequence terms: L_ACM over a batch of videos. */
export function acmStep(
  { network, loss }: ModelOptions,
  where: StepDevice,
): Compiled<[...Arguments, features: Tensor, labels: Tensor, masks: AcmNetMasks], StepOutput<Tensor, SymbolicParams>> {
  return compile(
    (trained: SymbolicParams, frozen: SymbolicParams, features: Tensor, labels: Tensor, masks: AcmNetMasks) =>
      trainingStep(params => {
        const output = acmNet({ ...frozen, ...params }, features, network, masks);
        return { loss: acmOnlyLoss(output, labels, loss), outputs: [output] };
      }, trained),
    { ...where, name: 'ACM-Net step' },
  );
}

/** One step of phase 1 with sequence terms between the videos of the batch. */
export function inBatchStep(
  { network, loss, sequence }: ModelOptions,
  where: StepDevice,
): Compiled<
  [...Arguments, features: Tensor, labels: Tensor, masks: AcmNetMasks, weights: InBatchWeights],
  StepOutput<Tensor, SymbolicParams>
> {
  return compile(
    (
      trained: SymbolicParams,
      frozen: SymbolicParams,
      features: Tensor,
      labels: Tensor,
      masks: AcmNetMasks,
      weights: InBatchWeights,
    ) =>
      trainingStep(params => {
        const output = acmNet({ ...frozen, ...params }, features, network, masks);
        return { loss: acmInBatchLoss(output, labels, weights, loss, sequence), outputs: [output] };
      }, trained),
    { ...where, name: 'ACM-Net step with in-batch pairs' },
  );
}

/** A value for each video of a pair. */
export type Both<T> = readonly [T, T];

/** One step of phase 2: a batch of pairs of videos through shared parameters. */
export function pairStep(
  { network, loss, sequence }: ModelOptions,
  where: StepDevice,
): Compiled<
  [...Arguments, features: Both<Tensor>, labels: Both<Tensor>, masks: Both<AcmNetMasks>],
  StepOutput<Tensor, SymbolicParams>
> {
  return compile(
    (trained: SymbolicParams, frozen: SymbolicParams, features: Both<Tensor>, labels: Both<Tensor>, masks: Both<AcmNetMasks>) =>
      trainingStep(params => {
        const all = { ...frozen, ...params };
        const outputs = [0, 1].map(i => acmNet(all, features[i], network, masks[i])) as [AcmNetOutput, AcmNetOutput];
        return { loss: ftclPairLoss(outputs, [labels[0], labels[1]], loss, sequence), outputs };
      }, trained),
    { ...where, name: 'FTCL pair step' },
  );
}

/** What post-processing needs, for videos `[batch, time, F]`: instance probabilities, attention and instance CAS. */
export interface Inference<T> {
  readonly classScores: T;
  readonly attention: T;
  readonly cas: T;
}

/** The evaluation pass, without labels. */
export function inferenceStep(
  { network }: Pick<ModelOptions, 'network'>,
  where: StepDevice,
): Compiled<[params: SymbolicParams, features: Tensor], Inference<Tensor>> {
  return compile((params: SymbolicParams, features: Tensor) => inference(acmNet(params, features, network)), {
    ...where,
    name: 'ACM-Net inference',
  });
}

/** The evaluation pass with the pieces of L_ACM, one video at a time so that they are those of the video. */
export function evaluationStep(
  { network, loss }: Pick<ModelOptions, 'network' | 'loss'>,
  where: StepDevice,
): Compiled<
  [params: SymbolicParams, features: Tensor, labels: Tensor],
  Inference<Tensor> & { readonly pieces: LossPieces<Tensor> }
> {
  return compile(
    (params: SymbolicParams, features: Tensor, labels: Tensor) => {
      const output = acmNet(params, features, network);
      return { ...inference(output), pieces: lossPieces(acmOnlyLoss(output, labels, loss)) };
    },
    { ...where, name: 'ACM-Net evaluation' },
  );
}

function inference(output: AcmNetOutput): Inference<Tensor> {
  return { classScores: output.classProbabilities.instance, attention: output.attention, cas: output.cas.instance };
}
