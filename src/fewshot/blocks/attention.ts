import { add, matmul, mul, reshape, softmax, split, squeeze, type Tensor, transpose } from '../../engine/index.ts';
import { dropout, layerNorm, linear, type SymbolicParams } from '../../nn/index.ts';

/** A mask of kept values, 0/1, and the probability it was drawn with. */
export interface Kept {
  readonly mask: Tensor;
  readonly keep: number;
}

/** x with dropped values, or x where nothing is. */
export function drop(x: Tensor, kept: Kept | undefined): Tensor {
  return kept ? dropout(x, kept.mask, kept.keep) : x;
}

/** Heads side by side to heads apart: `[…, tokens, D]` -> `[…, heads, tokens, D / heads]`. */
export function splitHeads(x: Tensor, heads: number): Tensor {
  const outer = x.shape.slice(0, -2);
  const [tokens, width] = x.shape.slice(-2);
  return swapLast(reshape(x, [...outer, tokens, heads, width / heads]));
}

/** Inverse of {@link splitHeads}. */
export function joinHeads(x: Tensor): Tensor {
  const [heads, tokens, width] = x.shape.slice(-3);
  return reshape(swapLast(x), [...x.shape.slice(0, -3), tokens, heads * width]);
}

/** The third and second last axes exchanged. */
function swapLast(x: Tensor): Tensor {
  const axes = Array.from({ length: x.rank }, (_, i) => i);
  const n = x.rank;
  return transpose(x, [...axes.slice(0, n - 3), n - 2, n - 3, n - 1]);
}

/** softmax(q k^T / sqrt(width)) v, dropping attention weights: q `[…, a, d]`, k and v `[…, b, d]` -> `[…, a, d]`. */
export function attend(q: Tensor, k: Tensor, v: Tensor, kept?: Kept): Tensor {
  const width = q.shape[q.rank - 1];
  const weights = softmax(matmul(mul(q, 1 / Math.sqrt(width)), k, { transposeB: true }));
  return matmul(drop(weights, kept), v);
}

/**
 * Multi-head self-attention within each sequence: x `[…, T, D]` -> `[…, T, D]`, with `to_qkv` (no bias) and, unless there is one head, `to_out.0`. The
 * published dropout follows `to_out.0` and so disappears with it.
 */
export function selfAttention(params: SymbolicParams, name: string, x: Tensor, heads: number, kept?: Kept): Tensor {
  const qkv = linear(params, `${name}.to_qkv`, x, { bias: false });
  const width = x.shape[x.rank - 1];
  const outer = x.shape.slice(0, -2);
  const frames = x.shape[x.rank - 2];
  // One transpose for all three.
  const apart = reshape(qkv, [-1, frames, 3, heads, width / heads]);
  const [q, k, v] = split(transpose(apart, [2, 0, 3, 1, 4]), [1, 1, 1], 0).map(part => squeeze(part, 0));
  const y = reshape(joinHeads(attend(q, k, v)), [...outer, frames, width]);
  return heads === 1 ? y : drop(linear(params, `${name}.to_out.0`, y), kept);
}

/**
 * Intra-relation: x + attention(layer norm(x)), each video over its own frames: x `[…, T, D]` -> `[…, T, D]`, parameters `norm`, `fn.to_qkv`,
 * `fn.to_out.0`. Source: HyRSM (X. Wang et al., CVPR 2022), intra-relation modelling.
 */
export function intraRelation(params: SymbolicParams, name: string, x: Tensor, heads: number, kept?: Kept): Tensor {
  return add(x, selfAttention(params, `${name}.fn`, layerNorm(params, `${name}.norm`, x), heads, kept));
}

/** The same with the norm behind: layer norm(x + attention(x)). No published head has it. */
export function postNormRelation(params: SymbolicParams, name: string, x: Tensor, heads: number, kept?: Kept): Tensor {
  return layerNorm(params, `${name}.norm`, add(x, selfAttention(params, `${name}.fn`, x, heads, kept)));
}
