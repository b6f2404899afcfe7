import { linear, reshape, split, type Tensor } from '../../engine/index.ts';
import { parameter, type SymbolicParams } from '../../nn/index.ts';

/** The two halves of a fusion layer: fused(f, g) = frames(f) + relation(g). */
export interface Fusion {
  /** W1 f + b: x `[…, D]` -> `[…, D]`. */
  readonly frames: (x: Tensor) => Tensor;
  /** W2 g: x `[…, D]` -> `[…, D]`. */
  readonly relation: (x: Tensor) => Tensor;
}

/**
 * The fusion of a frame's feature and its video's relation feature, a convolution of width 1 over [f; g], as its two halves: what depends on the frame
 * alone need not be computed for every query. Exact. Parameters `weight` `[D, 2 D, 1]`, `bias` `[D]`.
 */
export function fusion(params: SymbolicParams, name: string): Fusion {
  const weight = parameter(params, `${name}.weight`);
  const bias = parameter(params, `${name}.bias`);
  const [outputs, inputs] = weight.shape;
  const [first, second] = split(reshape(weight, [outputs, inputs]), [inputs / 2, inputs / 2], 1);
  return { frames: x => linear(x, first, bias), relation: x => linear(x, second) };
}
