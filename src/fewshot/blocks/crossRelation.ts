import { add, concat, matmul, mul, reshape, slice, softmax, type Tensor, take, transpose } from '../../engine/index.ts';
import { layerNorm, linear, type SymbolicParams } from '../../nn/index.ts';
import { attend, drop, joinHeads, type Kept, splitHeads } from './attention.ts';
import { scaled } from './scaled.ts';

/** Dropout of a cross-relation block. */
export interface CrossKept {
  /** Of attention weights, published 0.1: `[…, heads, tokens, tokens]`; of tasks `[E, heads, Q, tokens, tokens]`. */
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
  inputs: readonly [q: Tensor, k: Tensor, v: Tensor],
  heads: number,
  kept: CrossKept = {},
): Tensor {
  const [q, k, v] = project(params, name, inputs, heads);
  const mixed = linear(params, `${name}.fc`, joinHeads(attend(q, k, v, kept.attention)));
  return finish(params, name, mixed, inputs[0], kept);
}

/**
 * The cross-relation of every query with the videos it is compared to: tokens of the references `[E, R, D]` and of the queries `[E, Q, D]` ->
 * `[E, Q, R + 1, D]`, in which a query's own token comes last.
 *
 * The projections are computed once a token, not once a query. (`fc` could be, too, head by head before attention mixes the values: 10 % fewer products in a step, and
 * no faster.)
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
  const count = queries.shape[1];
  const n = r + count;
  const tokens = concat([references, queries], 1);
  const [q, k, v] = project(params, name, [tokens, tokens, tokens], heads);

  // Scores of all pairs of tokens; of them, those of each query's task.
  const scores = reshape(matmul(scaled(q, 1 / Math.sqrt(width / heads)), k, { transposeB: true }), [episodes, heads, n * n]);
  const members = (j: number) => Array.from({ length: r + 1 }, (_, i) => (i < r ? i : r + j));
  const places = Array.from({ length: count }, (_, j) => members(j).flatMap(a => members(j).map(b => a * n + b))).flat();
  const shape = [episodes, heads, count, r + 1, r + 1];
  const weights = drop(softmax(reshape(take(scores, places, 2), shape)), kept.attention);

  // What each token takes from the references, and from the query itself.
  const part = width / heads;
  const fromReferences = matmul(reshape(slice(weights, 4, 0, r), [episodes, heads, count * (r + 1), r]), slice(v, 2, 0, r));
  const fromQuery = mul(slice(weights, 4, r), reshape(slice(v, 2, r), [episodes, heads, count, 1, part]));
  const taken = add(reshape(fromReferences, [episodes, heads, count, r + 1, part]), fromQuery);
  const together = reshape(transpose(taken, [0, 2, 3, 1, 4]), [episodes, count, r + 1, width]);
  const mixed = linear(params, `${name}.fc`, together);
  const input = take(tokens, Array.from({ length: count }, (_, j) => members(j)).flat(), 1);
  const residual = reshape(input, [episodes, count, r + 1, width]);
  return finish(params, name, mixed, residual, kept);
}

/** The three projections with heads apart, `[…, heads, tokens, D / heads]`. */
function project(params: SymbolicParams, name: string, inputs: readonly Tensor[], heads: number): Tensor[] {
  return ['w_qs', 'w_ks', 'w_vs'].map((part, i) =>
    splitHeads(linear(params, `${name}.${part}`, inputs[i], { bias: false }), heads),
  );
}

function finish(params: SymbolicParams, name: string, mixed: Tensor, input: Tensor, kept: CrossKept): Tensor {
  return layerNorm(params, `${name}.layer_norm`, add(drop(mixed, kept.output), input));
}
