import { add, logSoftmax, mean, mul, neg, oneHot, reshape, sum, type Tensor } from '../engine/index.ts';
import type { HeadOutput } from './heads/head.ts';

/** Weights of the parts beside matching. */
export interface FewshotLossWeights {
  /** lambda of the auxiliary classification of frames; 0: left out. */
  readonly classification: number;
  /** lambda of temporal coherence; 0: left out. */
  readonly coherence: number;
}

/** What the queries, and the clips themselves, are labelled with: integers. */
export interface EpisodeLabels<T = Tensor> {
  /** Position of each query's class in the episode, `[episodes, Q]`. */
  readonly queries: T;
  /** The data set's class of each support and then each query, `[episodes, S + Q]`; only for classification. */
  readonly clips?: T;
}

/** The objective and its parts. */
export interface FewshotLoss<T = Tensor> {
  /** The mean over the episodes. */
  readonly loss: T;
  /** Cross-entropy of the queries, of each episode `[episodes]`. */
  readonly matching: T;
  /** Cross-entropy of all frames, of each episode. */
  readonly classification?: T;
  /** Of each episode. */
  readonly coherence?: T;
}

/**
 * Matching + classification weight x classification + coherence weight x coherence, each a mean within the episode, and the mean over the episodes. Parts
 * whose weight is 0 or that the head does not have are left out. Source: HyRSM++, objective; published as a sum over accumulated episodes / their number.
 * @throws Error if frames are to be classified and `clips` is missing
 */
export function fewshotLoss(output: HeadOutput, labels: EpisodeLabels, weights: FewshotLossWeights): FewshotLoss {
  const { frameLogits, regulariser } = output;
  const matching = episodeCrossEntropy(output.logits, labels.queries);
  let each = matching;
  let classification: Tensor | undefined;
  if (frameLogits && weights.classification !== 0) {
    if (!labels.clips) throw new Error('fewshotLoss: frames are to be classified, but the classes of the clips are missing');
    classification = frameCrossEntropy(frameLogits, labels.clips);
    each = add(each, mul(classification, weights.classification));
  }
  const coherence = weights.coherence !== 0 ? regulariser : undefined;
  if (coherence) each = add(each, mul(coherence, weights.coherence));
  return { loss: mean(each), matching, ...(classification && { classification }), ...(coherence && { coherence }) };
}

/** Mean cross-entropy of each episode's queries: logits `[…, Q, N]`, labels `[…, Q]` -> `[…]`. */
export function episodeCrossEntropy(logits: Tensor, labels: Tensor): Tensor {
  const classes = logits.shape[logits.rank - 1];
  return mean(neg(sum(mul(logSoftmax(logits), oneHot(labels, classes, logits.dtype)), -1)), -1);
}

/** Mean cross-entropy of each episode's frames, each with the class of its clip: logits `[…, V, T, C]`, labels `[…, V]` -> `[…]`. */
export function frameCrossEntropy(logits: Tensor, labels: Tensor): Tensor {
  const classes = logits.shape[logits.rank - 1];
  const hot = reshape(oneHot(labels, classes, logits.dtype), [...labels.shape, 1, classes]);
  return mean(neg(sum(mul(logSoftmax(logits), hot), -1)), [-2, -1]);
}
