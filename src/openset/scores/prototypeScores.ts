/** Uncertainties from similarity to class prototypes. */

import { type NDArray, ndarray } from '../../engine/ndarray.ts';
import { largestOfRows } from './logitScores.ts';
import { products, rowsOf, unitRows } from './rows.ts';

/**
 * Cosine similarities [N, K] of embeddings [N, D] and prototypes [K, D]. Both are divided by max(norm, 1e-12). Their softmax at a temperature
 * gives class probabilities: pass the result to `maxSoftmaxUncertainty` or `entropyUncertainty` (PSL: temperature 0.2).
 * @throws RangeError if the widths differ
 */
export function prototypeSimilarity(embeddings: NDArray, prototypes: NDArray): NDArray<'float64'> {
  const [z, p] = [rowsOf(embeddings, 'embeddings'), rowsOf(prototypes, 'prototypes')];
  const similarity = products(unitRows(z, { least: 1e-12 }), unitRows(p, { least: 1e-12 }));
  return ndarray('float64', [similarity.count, similarity.width], similarity.data);
}

/** 1 - max cosine similarity with a prototype. */
export function cosineUncertainty(embeddings: NDArray, prototypes: NDArray): Float64Array {
  return largestOfRows(prototypeSimilarity(embeddings, prototypes)).map(value => 1 - value);
}

/**
 * Mean squared distance mean_d (f_d - c_kd)^2 [N, K] of features [N, D] to reciprocal points [K, D], which lie where a class is not. Their
 * negated largest, `maxLogitUncertainty(distances)`, is the distance form of RPL's score; the published tables use 1 - max softmax of
 * the products f . c_k instead.
 * Source: Chen et al., "Learning Open Set Network with Discriminative Reciprocal Points", ECCV 2020.
 * @throws RangeError if the widths differ
 */
export function reciprocalDistances(features: NDArray, points: NDArray): NDArray<'float64'> {
  const [f, c] = [rowsOf(features, 'features'), rowsOf(points, 'reciprocal points')];
  if (f.width !== c.width) throw new RangeError(`expected rows of the same width, found ${f.width} and ${c.width}`);
  const data = new Float64Array(f.count * c.count);
  for (let i = 0; i < f.count; i++) {
    for (let k = 0; k < c.count; k++) {
      let sum = 0;
      for (let d = 0; d < f.width; d++) sum += (f.data[i * f.width + d] - c.data[k * c.width + d]) ** 2;
      data[i * c.count + k] = sum / f.width;
    }
  }
  return ndarray('float64', [f.count, c.count], data);
}
