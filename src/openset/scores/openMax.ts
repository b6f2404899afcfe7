/** OpenMax: class scores recalibrated by how far a sample lies from the class means (Bendale & Boult, CVPR 2016). */

import { type NDArray, ndarray } from '../../engine/ndarray.ts';
import { softmax } from './logitScores.ts';
import { type Rows, rowsOf } from './rows.ts';
import { fitWeibullTail, type WeibullTail, weibullTailScore } from './weibullTail.ts';

/** What is known of each class, 0 .. K - 1. */
export interface OpenMaxModel {
  /** Mean activation vectors, [K][D]. */
  readonly means: readonly Float64Array[];
  /** Distances of the class's training samples to its mean, in their order. */
  readonly distances: readonly Float64Array[];
  readonly tails: readonly WeibullTail[];
}

/** Distance of two feature vectors: Euclidean / 200 + (1 - cosine). */
export function euclideanCosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [squares, dot, normA, normB] = [0, 0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    squares += (a[i] - b[i]) ** 2;
    dot += a[i] * b[i];
    normA += a[i] ** 2;
    normB += b[i] ** 2;
  }
  return Math.sqrt(squares) / 200 + 1 - dot / Math.sqrt(normA * normB);
}

/**
 * Means, and Weibull tails of the `tail` largest distances, from correctly classified training samples.
 * @param features [N, D]
 * @param labels class of each row, 0 .. K - 1
 * @throws RangeError naming the class that has too few different samples
 */
export function fitOpenMax(
  features: NDArray,
  labels: ArrayLike<number>,
  { classes, tail = 20 }: { readonly classes: number; readonly tail?: number },
): OpenMaxModel {
  const rows = rowsOf(features, 'training features');
  const means: Float64Array[] = [];
  const distances: Float64Array[] = [];
  const tails: WeibullTail[] = [];
  for (let c = 0; c < classes; c++) {
    const members = Array.from({ length: rows.count }, (_, i) => i).filter(i => labels[i] === c);
    const mean = new Float64Array(rows.width);
    for (const i of members) for (let d = 0; d < rows.width; d++) mean[d] += rows.data[i * rows.width + d] / members.length;
    const far = Float64Array.from(members, i => euclideanCosine(row(rows, i), mean));
    try {
      tails.push(fitWeibullTail(far.toSorted().slice(-tail)));
    } catch (thrown) {
      throw new RangeError(`OpenMax: class ${c} with ${members.length} training samples: ${(thrown as Error).message}`, {
        cause: thrown,
      });
    }
    means.push(mean);
    distances.push(far);
  }
  return { means, distances, tails };
}

/**
 * Probabilities [N, K + 1], the last of the unknown class. The class at rank r of the `alpha` highest scores v_c keeps v_c (1 - w (alpha + 1 - r) / alpha),
 * where w is the Weibull score of the distance to its mean; what all lose is the score of the unknown class.
 * @param features [N, D]
 * @param scores [N, K], before softmax
 * @throws RangeError if the shapes do not fit
 */
export function openMax(model: OpenMaxModel, features: NDArray, scores: NDArray, { alpha = 1 } = {}): NDArray<'float64'> {
  const [f, v] = [rowsOf(features, 'features'), rowsOf(scores, 'scores')];
  const K = model.means.length;
  if (v.width !== K || f.count !== v.count || f.width !== model.means[0].length) {
    throw new RangeError(
      `OpenMax: expected features [N, ${model.means[0].length}] and scores [N, ${K}], found [${f.count}, ${f.width}] and [${v.count}, ${v.width}]`,
    );
  }
  const out = new Float64Array(v.count * (K + 1));
  for (let i = 0; i < v.count; i++) {
    const values = row(v, i);
    const ranked = Array.from(values.keys()).sort((a, b) => values[b] - values[a] || a - b);
    const recalibrated = new Float64Array(K + 1);
    recalibrated.set(values);
    for (const [rank, c] of ranked.slice(0, alpha).entries()) {
      const weight = (alpha - rank) / alpha;
      const lost = values[c] * weight * weibullTailScore(model.tails[c], euclideanCosine(row(f, i), model.means[c]));
      recalibrated[c] -= lost;
      recalibrated[K] += lost;
    }
    out.set(softmax(recalibrated), i * (K + 1));
  }
  return ndarray('float64', [v.count, K + 1], out);
}

function row({ width, data }: Rows, i: number): Float64Array {
  return data.subarray(i * width, (i + 1) * width);
}
