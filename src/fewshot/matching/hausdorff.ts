/**
 * Set matching by nearest frames, after F. Hausdorff's distance of sets: each frame is compared to the nearest frame of the other sequence, wherever it
 * is, so the order of frames does not matter. All take frame distances `[…, L, M]` (rows: the query's frames, columns: the support's) -> `[…]`.
 */
import { add, max, maximum, mean, sum, type Tensor } from '../../engine/index.ts';
import { nearest } from './nearest.ts';

/**
 * Bidirectional mean Hausdorff metric: sum_a min_b d(a, b) + sum_b min_a d(a, b), as published with sums over frames; `mean` takes the means instead,
 * which for L = M = T is the same divided by T. Source: HyRSM++ (X. Wang et al., 2023), Bi-MHM.
 */
export function biMhm(distances: Tensor, reduction: 'sum' | 'mean' = 'sum'): Tensor {
  const reduce = reduction === 'sum' ? sum : mean;
  return add(reduce(nearest(distances, -1), -1), reduce(nearest(distances, -2), -1));
}

/** One-sided mean Hausdorff: the mean over the frames of the `query` (or the `support`) of the distance to the nearest of the other. */
export function oneSidedMhm(distances: Tensor, from: 'query' | 'support'): Tensor {
  return mean(nearest(distances, from === 'query' ? -1 : -2), -1);
}

/** The larger one of the two one-sided means. Source: M.-P. Dubuisson, A. Jain, "A modified Hausdorff distance for object matching", ICPR 1994. */
export function modifiedHausdorff(distances: Tensor): Tensor {
  return maximum(oneSidedMhm(distances, 'query'), oneSidedMhm(distances, 'support'));
}

/** Hausdorff distance: the farthest that any frame is from its nearest, max(max_a min_b d, max_b min_a d). */
export function hausdorff(distances: Tensor): Tensor {
  return maximum(max(nearest(distances, -1), -1), max(nearest(distances, -2), -1));
}
