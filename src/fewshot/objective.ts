import { mean, mul, type Tensor } from '../engine/index.ts';
import type { FewshotConfig } from './config.ts';
import type { HeadOutput } from './heads/head.ts';
import { type EpisodeLabels, type FewshotLoss, fewshotLoss } from './losses.ts';

/** Which terms a training minimises. */
export type Objective = FewshotConfig['loss'];

/**
 * What a configuration minimises: {@link fewshotLoss}, with each video classified as the mean of its frames if `of` is `videos`, and
 * without `matching` classification alone, as published.
 * @throws Error if there is nothing to minimise
 */
export function objective(output: HeadOutput, labels: EpisodeLabels, terms: Objective): FewshotLoss {
  const { frameLogits } = output;
  const ofVideos = frameLogits && terms.classification?.of === 'videos';
  const classified: HeadOutput = ofVideos ? { ...output, frameLogits: mean(frameLogits, -2, true) } : output;
  const weights = { classification: terms.classification?.weight ?? 0, coherence: terms.coherence?.weight ?? 0 };
  const all = fewshotLoss(classified, labels, weights);
  if (terms.matching) return all;
  if (!all.classification) throw new Error('loss: expected matching or a classification of weight above 0');
  return { ...all, loss: mul(mean(all.classification), weights.classification) };
}

/** Parts of the loss as numbers of the whole batch: means over the episodes. */
export function lossPieces({ loss, matching, classification, coherence }: FewshotLoss): Record<string, Tensor> {
  return {
    total: loss,
    matching: mean(matching),
    ...(classification && { classification: mean(classification) }),
    ...(coherence && { coherence: mean(coherence) }),
  };
}
