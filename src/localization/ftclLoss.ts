import {
  add,
  cast,
  div,
  greater,
  mul,
  type NDArray,
  reshape,
  softplus,
  sub,
  sum,
  type Tensor,
  take,
  where,
  zeros,
} from '../engine/index.ts';
import { sameShape } from '../engine/op.ts';
import { type AcmLoss, type AcmLossInput, type AcmLossOptions, acmLoss } from './acmLoss.ts';
import type { AcmNetOptions, AcmNetOutput } from './acmNet.ts';
import { fsdOfSequences } from './sequences/fsd.ts';
import { lcs } from './sequences/lcs.ts';
import { type CosineOptions, cosineSimilarity, rescaledSimilarity } from './sequences/similarity.ts';

export interface SequenceLossOptions extends CosineOptions {
  /** Weight of the LCS term; 0 leaves the term out. */
  readonly lcsWeight: number;
  /** Weight of the FSD term; 0 leaves the term out. */
  readonly fsdWeight: number;
  /** Similarity above which two snippets are the same. */
  readonly lcsThreshold: number;
  /** Temperature of FSD's smooth maximum. */
  readonly gamma: number;
  /** How scores of different and of same pairs are set against each other: published `difference`, or `softplus(difference / 0.2)`. */
  readonly contrast?: 'difference' | 'softplus';
}

/** How many snippets a training sample needs, so that every sequence that is compared has its full length. */
export function snippetsNeeded({
  lcsLength,
  fsdLength,
  fsdBackground,
}: Pick<AcmNetOptions, 'lcsLength' | 'fsdLength' | 'fsdBackground'>): number {
  return Math.max(lcsLength, fsdBackground === 'background-attention' ? fsdLength : 2 * fsdLength);
}

/** What of a network's output the sequence terms read. */
export type SequenceLossInput = Pick<AcmNetOutput, 'lcsCandidates' | 'fsdAction' | 'fsdBackground'>;

/** The published settings. */
export const sequenceLossPreset = {
  lcsWeight: 0.1,
  fsdWeight: 0.8,
  lcsThreshold: 0.92,
  gamma: 0.1,
} as const satisfies SequenceLossOptions;

export interface FtclLoss {
  readonly total: Tensor;
  /** L_ACM and its pieces; of a pair, the means over the two streams. */
  readonly acm: AcmLoss;
  /** The weighted sequence terms, as they are logged. */
  readonly lcs: Tensor;
  readonly fsd: Tensor;
}

/** Scores of different pairs minus scores of same pairs, as configured. */
function contrast(difference: Tensor, { contrast: kind = 'difference' }: SequenceLossOptions): Tensor {
  return kind === 'difference' ? difference : softplus(mul(difference, 1 / 0.2));
}

// ------------------------------------------------------------------------------------------- phase 2

/** z = 1 where two label vectors `[pairs, C]` share a class. */
export function sharesClass(labels0: Tensor, labels1: Tensor): Tensor {
  return cast(greater(sum(mul(labels0, labels1), 1), 0), labels0.dtype);
}

/** Mean score of the pairs with z = 0 minus that of the pairs with z = 1, `[pairs]` each; an empty side contributes 0. */
function pairDifference(scores: Tensor, same: Tensor): Tensor {
  const meanOver = (side: Tensor) => div(sum(mul(scores, side)), add(sum(side), 1e-10));
  return sub(meanOver(sub(1, same)), meanOver(same));
}

/** FSD of stream 0's action block with stream 1's action block where z = 1, with its background block where z = 0. */
function pairFsd(a: SequenceLossInput, b: SequenceLossInput, same: Tensor, { gamma, zeroRows }: SequenceLossOptions): Tensor {
  const score = (q: Tensor) => fsdOfSequences(a.fsdAction, q, gamma, { zeroRows });
  const isSame = greater(same, 0);
  // Blocks of a video shorter than two blocks differ in length; then both scores are taken with their true lengths.
  if (!sameShape(b.fsdAction.shape, b.fsdBackground.shape)) return where(isSame, score(b.fsdAction), score(b.fsdBackground));
  return score(where(reshape(isSame, [-1, 1, 1]), b.fsdAction, b.fsdBackground));
}

/** The weighted sequence terms, scalars; undefined where the weight is 0. */
export interface SequenceTermValues {
  readonly lcs?: Tensor;
  readonly fsd?: Tensor;
}

/**
 * The sequence terms of a batch of pairs: mean score of the different pairs minus that of the same pairs, for LCS and FSD.
 * @param same 1 for a pair with a common class, else 0, `[pairs]`; see {@link sharesClass}.
 */
export function pairTerms(
  [a, b]: readonly [SequenceLossInput, SequenceLossInput],
  same: Tensor,
  options: SequenceLossOptions,
): SequenceTermValues {
  const term = (weight: number, scores: () => Tensor) =>
    weight === 0 ? undefined : mul(contrast(pairDifference(scores(), same), options), weight);
  const similarity = () => cosineSimilarity(a.lcsCandidates, b.lcsCandidates, options);
  return {
    lcs: term(options.lcsWeight, () => lcs(similarity(), options.lcsThreshold)),
    fsd: term(options.fsdWeight, () => pairFsd(a, b, same, options)),
  };
}

/** L = L_ACM + L_LCS + L_FSD, with the terms there are. */
function withTerms(acm: AcmLoss, { lcs: lcsLoss, fsd: fsdLoss }: SequenceTermValues): FtclLoss {
  const none = mul(acm.total, 0);
  const terms = [lcsLoss, fsdLoss].filter(term => term !== undefined);
  return { total: terms.reduce((a, b) => add(a, b), acm.total), acm, lcs: lcsLoss ?? none, fsd: fsdLoss ?? none };
}

/**
 * L = (L_ACM(stream 0) + L_ACM(stream 1)) / 2 + L_LCS + L_FSD over a batch of pairs of videos.
 * @param streams the network's outputs for the two videos of each pair.
 * @param labels their multi-hot labels `[pairs, C]`.
 * Source: FTCL (CVPR 2022), total objective; spec (c), phase 2.
 */
export function ftclPairLoss(
  streams: readonly [AcmLossInput & SequenceLossInput, AcmLossInput & SequenceLossInput],
  labels: readonly [Tensor, Tensor],
  acmOptions: AcmLossOptions,
  options: SequenceLossOptions,
): FtclLoss {
  const [first, second] = streams.map((output, i) => acmLoss(output, labels[i], acmOptions));
  return withTerms(averageAcm(first, second), pairTerms(streams, sharesClass(labels[0], labels[1]), options));
}

function averageAcm(a: AcmLoss, b: AcmLoss): AcmLoss {
  const average = (x: Tensor, y: Tensor) => mul(add(x, y), 0.5);
  return {
    total: average(a.total, b.total),
    classification: {
      instance: average(a.classification.instance, b.classification.instance),
      context: average(a.classification.context, b.classification.context),
      background: average(a.classification.background, b.classification.background),
    },
    guide: average(a.guide, b.guide),
    feature: average(a.feature, b.feature),
    sparse: average(a.sparse, b.sparse),
  };
}

// ------------------------------------------------------------------------------------------- phase 1

/** How much each pair i < j of a batch counts: 1 / N+ for the positive, 1 / N- for the sampled negative ones, 0 for the rest. */
export interface InBatchWeights<T = Tensor> {
  readonly positive: T;
  readonly negative: T;
}

/** All pairs i < j of a batch, in the order of the weights. */
export function allPairs(batch: number): { first: number[]; second: number[] } {
  const first: number[] = [];
  const second: number[] = [];
  for (let i = 0; i < batch; i++) {
    for (let j = i + 1; j < batch; j++) {
      first.push(i);
      second.push(j);
    }
  }
  return { first, second };
}

/**
 * Weights of the positive and negative pairs of a batch. Every pair is scored whatever the labels are, so the shapes of the
 * step never change; the pairs that do not count have weight 0.
 */
export function inBatchWeights(
  batch: number,
  positive: readonly (readonly [number, number])[],
  negative: readonly (readonly [number, number])[],
): InBatchWeights<NDArray<'float32'>> {
  const weigh = (pairs: readonly (readonly [number, number])[]) => {
    const weights = zeros([(batch * (batch - 1)) / 2]);
    // Position of (i, j) in the list of all pairs i < j.
    for (const [i, j] of pairs) weights.data[i * batch - (i * (i + 1)) / 2 + j - i - 1] = 1 / pairs.length;
    return weights;
  };
  const none = positive.length === 0;
  return { positive: weigh(positive), negative: weigh(none ? [] : negative) };
}

/**
 * L = L_ACM + L_LCS + L_FSD with the sequence terms between the videos of one batch, as the published baseline criterion adds
 * them unless both are switched off: FSD(act_i, bak_j) over negative minus FSD(act_i, act_j) over positive pairs, and the same
 * difference of LCS scores on the rescaled similarity 5 max(0, c - 0.8). Source: spec (c), phase 1.
 * @param weights of all pairs i < j, `[batch (batch - 1) / 2]`; see {@link inBatchWeights}.
 */
export function acmInBatchLoss(
  output: AcmLossInput & SequenceLossInput,
  labels: Tensor,
  weights: InBatchWeights,
  acmOptions: AcmLossOptions,
  options: SequenceLossOptions,
): FtclLoss {
  const acm = acmLoss(output, labels, acmOptions);
  const { first, second } = allPairs(labels.shape[0]);
  if (first.length === 0) return withTerms(acm, {});
  const hasPairs = greater(sum(weights.positive), 0);
  // Where zero rows make NaN, what a pair of weight 0 is made of must not reach the loss or its gradients: 0 times NaN is NaN.
  const rowsOf = (block: Tensor, of: readonly number[], weight: Tensor) => {
    const rows = take(block, of);
    return options.zeroRows === 'nan' ? where(reshape(greater(weight, 0), [-1, 1, 1]), rows, 1) : rows;
  };
  const term = (weight: number, scores: () => { negative: Tensor; positive: Tensor }) => {
    if (weight === 0) return undefined;
    const { negative, positive } = scores();
    const weighted = (scored: Tensor, w: Tensor) => sum(mul(scored, cast(w, scored.dtype)));
    const difference = sub(weighted(negative, weights.negative), weighted(positive, weights.positive));
    return mul(mul(contrast(difference, options), cast(hasPairs, difference.dtype)), weight);
  };

  const fsdScores = () => {
    const score = (block: Tensor, weight: Tensor) =>
      fsdOfSequences(rowsOf(output.fsdAction, first, weight), rowsOf(block, second, weight), options.gamma, options);
    return { negative: score(output.fsdBackground, weights.negative), positive: score(output.fsdAction, weights.positive) };
  };
  const lcsScores = () => {
    const counts = add(weights.positive, weights.negative);
    const [rows, others] = [first, second].map(of => rowsOf(output.lcsCandidates, of, counts));
    const similarity = rescaledSimilarity(cosineSimilarity(rows, others, options));
    const scores = lcs(similarity, options.lcsThreshold);
    return { negative: scores, positive: scores };
  };
  return withTerms(acm, { lcs: term(options.lcsWeight, lcsScores), fsd: term(options.fsdWeight, fsdScores) });
}

/** L_ACM alone, in the form of the other criteria. */
export function acmOnlyLoss(output: AcmLossInput, labels: Tensor, acmOptions: AcmLossOptions): FtclLoss {
  return withTerms(acmLoss(output, labels, acmOptions), {});
}
