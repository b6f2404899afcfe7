import { add, constant, type DType, fromNumbers, matmul, mean, mul, relu, sub, type Tensor } from '../engine/index.ts';
import { unitFrames } from './cosine.ts';

/** Temporal coherence: frames near in time are drawn together, frames far apart kept at a distance. */
export interface CoherenceOptions {
  /** delta: frames at most this far apart are near. */
  readonly window: number;
  /** beta of the margin of far frames, 1 - e^(-(gap - delta)^2 / beta). */
  readonly balance: number;
  /** gamma: weight of far frames; published 10 or 20, and 1 where it is not set or 0. */
  readonly farWeight: number;
}

/**
 * Weights and mask `[frames, frames]`, row-major: W = 1 / (gap^2 + 1) and M = 1 for near frames, W = 1 - e^(-(gap - delta)^2 / beta) and M = 0 for far ones.
 */
export function coherenceWeights(frames: number, { window, balance }: CoherenceOptions): { weights: number[]; near: number[] } {
  const gaps = Array.from({ length: frames * frames }, (_, i) => Math.abs(Math.floor(i / frames) - (i % frames)));
  return {
    weights: gaps.map(gap => (gap <= window ? 1 / (gap ** 2 + 1) : 1 - Math.exp(-((gap - window) ** 2) / balance))),
    near: gaps.map(gap => Number(gap <= window)),
  };
}

/**
 * The coherence term of sequences x `[E, …, T, D]` -> `[E]`: the mean over all sequences and pairs of frames of M W D + gamma (1 - M) max(0, W - D), with
 * D = 1 - cosine. Source: HyRSM++ (X. Wang et al., 2023), temporal coherence regularisation; gamma as in the published code.
 */
export function coherence(x: Tensor, options: CoherenceOptions): Tensor {
  const unit = unitFrames(x);
  return coherenceOf(sub(1, matmul(unit, unit, { transposeB: true })), options);
}

/** {@link coherence} from the distances of each sequence's frames, `[E, …, T, T]`. */
export function coherenceOf(distances: Tensor, options: CoherenceOptions): Tensor {
  const frames = distances.shape[distances.rank - 1];
  const { weights, near } = coherenceWeights(frames, options);
  const square = (values: readonly number[], dtype: DType) => constant(fromNumbers(values, [frames, frames], dtype));
  const nearWeights = square(
    weights.map((weight, i) => weight * near[i]),
    distances.dtype,
  );
  const farWeights = square(
    near.map(is => options.farWeight * (1 - is)),
    distances.dtype,
  );
  const far = relu(sub(square(weights, distances.dtype), distances));
  const each = add(mul(nearWeights, distances), mul(farWeights, far));
  return mean(
    each,
    each.shape.map((_, axis) => axis).filter(axis => axis > 0),
  );
}
