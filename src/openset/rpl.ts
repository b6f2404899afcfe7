import { add, matmul, mean, mul, oneHot, reshape, square, sub, type Tensor } from '../engine/index.ts';
import { crossEntropy } from './crossEntropy.ts';

export interface RplOptions {
  /** Weight of the open-space term; published: 0.1. */
  readonly weight: number;
  /** Logits are divided by it; published: 1. */
  readonly temperature: number;
}

/** The published settings. */
export const rplPreset = { weight: 0.1, temperature: 1 } as const satisfies RplOptions;

/** Logits of reciprocal points, dot products with the class's point: features `[batch, D]`, points `[K, D]` -> `[batch, K]`. */
export function rplLogits(features: Tensor, points: Tensor): Tensor {
  return matmul(features, points, { transposeB: true });
}

/**
 * Reciprocal point learning: cross-entropy of the logits plus weight / 2 of the mean squared difference between a feature's mean squared
 * distance to its class's point and the class's radius. Source: G. Chen et al., "Learning open set network with discriminative
 * reciprocal points", ECCV 2020, eq. 6 to 9, in the form that the video baselines use (one point a class, dot products as logits).
 * @param radius R of each class `[K]`, learnt, from 0
 */
export function rplLoss(
  features: Tensor,
  points: Tensor,
  radius: Tensor,
  labels: Tensor,
  { weight, temperature }: RplOptions = rplPreset,
): Tensor {
  const own = oneHot(labels, points.shape[0], features.dtype);
  const distance = mean(square(sub(features, matmul(own, points))), 1);
  const ownRadius = reshape(matmul(own, reshape(radius, [-1, 1])), [-1]);
  const open = mean(square(sub(distance, ownRadius)));
  return add(crossEntropy(mul(rplLogits(features, points), 1 / temperature), labels), mul(open, weight / 2));
}
