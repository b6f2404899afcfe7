import { add, broadcastTo, concat, reshape, slice, type Tensor } from '../../engine/index.ts';
import { layerNorm, linear, type SymbolicParams } from '../../nn/index.ts';
import { attend, drop, joinHeads, type Kept, splitHeads } from './attention.ts';

/** Dropout of a cross-relation block. */
export interface CrossKept {
  /** Of attention weights, published 0.1: `[…, heads, tokens, tokens]`. */
  readonly attention?: Kept;
  /** Of the output before the residual, published 0.05: `[…, tokens, D]`. */
  readonly output?: Kept;
}

/**
 * Cross-relation: layer norm(fc(attention of q over k and v) + q); q `[…, a, D]`, k and v `[…, b, D]` -> `[…, a, D]`. Parameters `w_qs`, `w_ks`, `w_vs`
 * (no bias), `fc`, `layer_norm`. Source: HyRSM, cross-relation modelling.
 */
export function crossRelation(
  params: SymbolicParams,
  name: string,
  [q, k, v]: readonly [q: Tensor, k: Tensor, v: Tensor],
  heads: number,
  kept: CrossKept = {},
): Tensor {
  const [queries, keys, values] = project(params, name, [q, k, v]);
  return finish(params, name, q, [queries, keys, values], heads, kept);
}

/**
 * The cross-relation of every query with the videos it is compared to: tokens of the references `[E, R, D]` and of the queries `[E, Q, D]` ->
 * `[E, Q, R + 1, D]`, in which a query's own token comes last. References are projected once, not once a query.
 */
export function taskRelation(
  params: SymbolicParams,
  name: string,
  references: Tensor,
  queries: Tensor,
  heads: number,
  kept: CrossKept = {},
): Tensor {
  const [episodes, r, width] = references.shape;
  const q = queries.shape[1];
  const tokens = concat([references, queries], 1);
  const together = (a: Tensor): Tensor => {
    const [first, second] = [slice(a, 1, 0, r), slice(a, 1, r)];
    return concat(
      [broadcastTo(reshape(first, [episodes, 1, r, width]), [episodes, q, r, width]), reshape(second, [episodes, q, 1, width])],
      2,
    );
  };
  const projected = project(params, name, [tokens, tokens, tokens]).map(together) as [Tensor, Tensor, Tensor];
  return finish(params, name, together(tokens), projected, heads, kept);
}

function project(params: SymbolicParams, name: string, [q, k, v]: readonly [Tensor, Tensor, Tensor]): [Tensor, Tensor, Tensor] {
  const by = (part: string, x: Tensor) => linear(params, `${name}.${part}`, x, { bias: false });
  return [by('w_qs', q), by('w_ks', k), by('w_vs', v)];
}

function finish(
  params: SymbolicParams,
  name: string,
  input: Tensor,
  projected: readonly [Tensor, Tensor, Tensor],
  heads: number,
  kept: CrossKept,
): Tensor {
  const [q, k, v] = projected.map(x => splitHeads(x, heads));
  const mixed = joinHeads(attend(q, k, v, kept.attention));
  return layerNorm(params, `${name}.layer_norm`, add(drop(linear(params, `${name}.fc`, mixed), kept.output), input));
}
