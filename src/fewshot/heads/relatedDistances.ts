import { add, matmul, reshape, sub, type Tensor, transpose } from '../../engine/index.ts';
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

/** Frame distances of queries and their references `[E, Q, R, query frames, reference frames]`, and the coherence of both. */
export function relatedDistances(
  { reference, shift, query }: Related,
  coherenceOptions: CoherenceOptions | null,
): { distances: Tensor; regulariser: Tensor | undefined; taskSupport: Tensor } {
  const [episodes, r, t, d] = reference.shape;
  const q = query.shape[1];
  const taskSupport = add(reshape(reference, [episodes, 1, r, t, d]), reshape(shift, [episodes, q, r, 1, d]));
  const references = unitFrames(taskSupport);
  const queries = unitFrames(query);
  const cosines = matmul(queries, reshape(references, [episodes, q, r * t, d]), { transposeB: true });
  const distances = sub(1, transpose(reshape(cosines, [episodes, q, t, r, t]), [0, 1, 3, 2, 4]));
  const own = (x: Tensor) => coherenceOf(sub(1, matmul(x, x, { transposeB: true })), coherenceOptions as CoherenceOptions);
  return { distances, taskSupport, regulariser: coherenceOptions ? add(own(references), own(queries)) : undefined };
}
