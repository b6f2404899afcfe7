import {
  add,
  type DType,
  div,
  expandDims,
  matmul,
  maximum,
  mul,
  reshape,
  sqrt,
  square,
  stopGradient,
  sub,
  sum,
  type Tensor,
  transpose,
} from '../../engine/index.ts';
import { type CoherenceOptions, coherenceOf } from '../coherence.ts';
import { unitFrames } from '../cosine.ts';

/** The references as each query sees them, in two parts whose sum they are; and the queries. */
export interface Related {
  /** What of a reference's frames does not depend on the query, `[E, R, T, D]`. */
  readonly reference: Tensor;
  /** What a query's task adds to all frames of a reference, `[E, Q, R, D]`. */
  readonly shift: Tensor;
  /** `[E, Q, T, D]` */
  readonly query: Tensor;
}

/** Features of the references as each query sees them, `[E, Q, R, T, D]`. */
export function taskSupportOf({ reference, shift }: Related): Tensor {
  return add(expandDims(reference, 1), expandDims(shift, 3));
}

/**
 * A squared length below this share of its summands is taken for this share: there, the sum's own rounding is all that is left of it.
 */
const resolution: Readonly<Partial<Record<DType, number>>> = { float32: 1e-6, float64: 1e-14 };

/**
 * Frame distances 1 - cosine of queries and their references, `[E, Q, R, query frames, reference frames]`, and the coherence of both.
 *
 * A reference's frame is p + g, g the same for all its frames. All products with it and between its frames come from those of p and g, which are few: the
 * frames as each query sees them, by far the largest array of the head, are never made.
 */
export function relatedDistances(
  { reference: p, shift: g, query }: Related,
  coherenceOptions: CoherenceOptions | null,
): { distances: Tensor; regulariser: Tensor | undefined } {
  const [episodes, r, t, d] = p.shape;
  const q = query.shape[1];
  const u = unitFrames(query);
  const ofFrames = matmul(reshape(u, [episodes, q * t, d]), reshape(p, [episodes, r * t, d]), { transposeB: true });
  const pu = transpose(reshape(ofFrames, [episodes, q, t, r, t]), [0, 1, 3, 2, 4]);
  const gu = expandDims(matmul(g, u, { transposeB: true }), 4);
  const gp = transpose(matmul(transpose(g, [0, 2, 1, 3]), p, { transposeB: true }), [0, 2, 1, 3]);
  const pp = expandDims(sum(square(p), -1), 1);
  const gg = sum(square(g), -1, true);

  const least = maximum(mul(stopGradient(add(pp, gg)), resolution[p.dtype] as number), 1e-24);
  const length = sqrt(maximum(add(add(pp, mul(gp, 2)), gg), least));
  const distances = sub(1, div(add(pu, gu), expandDims(length, 3)));
  if (!coherenceOptions) return { distances, regulariser: undefined };

  const between = add(expandDims(matmul(p, p, { transposeB: true }), 1), expandDims(gg, 4));
  const gram = add(between, add(expandDims(gp, 3), expandDims(gp, 4)));
  const own = sub(1, div(gram, mul(expandDims(length, 3), expandDims(length, 4))));
  const ofQueries = sub(1, matmul(u, u, { transposeB: true }));
  return { distances, regulariser: add(coherenceOf(own, coherenceOptions), coherenceOf(ofQueries, coherenceOptions)) };
}
