import { add, addBias, concat, matmul, reshape, slice, softmax, type Tensor, take, transpose } from '../../engine/index.ts';
import { layerNorm, linear, parameter, type SymbolicParams } from '../../nn/index.ts';
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
 * Everything that depends on one token is computed once a token, not once a query: the projections, and `fc`, which is linear and therefore applied to the
 * values of each head before attention mixes them.
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

  const values = headValues(params, name, v);
  // Over the references' values, [E, Q (R + 1), heads R] x [E, heads R, D], and over the query's own, [E, Q, R + 1, heads] x [E, Q, heads, D].
  const shared = reshape(transpose(slice(weights, 4, 0, r), [0, 2, 3, 1, 4]), [episodes, count * (r + 1), heads * r]);
  const own = reshape(transpose(slice(weights, 4, r), [0, 2, 3, 1, 4]), [episodes, count, r + 1, heads]);
  const ofReferences = matmul(shared, reshape(slice(values, 2, 0, r), [episodes, heads * r, width]));
  const ofQueries = matmul(own, transpose(slice(values, 2, r), [0, 2, 1, 3]));
  const mixed = add(reshape(ofReferences, [episodes, count, r + 1, width]), ofQueries);
  const input = take(tokens, Array.from({ length: count }, (_, j) => members(j)).flat(), 1);
  const residual = reshape(input, [episodes, count, r + 1, width]);
  return finish(params, name, addBias(mixed, parameter(params, `${name}.fc.bias`)), residual, kept);
}

/** Each head's part of `fc` without its bias: v `[E, heads, tokens, D / heads]` -> `[E, heads, tokens, D]`, whose sum over heads is fc. */
function headValues(params: SymbolicParams, name: string, v: Tensor): Tensor {
  const [episodes, heads, tokens, part] = v.shape;
  const weight = parameter(params, `${name}.fc.weight`);
  const outputs = weight.shape[0];
  const ofHeads = transpose(reshape(weight, [outputs, heads, part]), [1, 2, 0]);
  const rows = reshape(transpose(v, [1, 0, 2, 3]), [heads, episodes * tokens, part]);
  return transpose(reshape(matmul(rows, ofHeads), [heads, episodes, tokens, outputs]), [1, 0, 2, 3]);
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
