/** Squared Mahalanobis distance to the training embeddings: PSL's uncertainty. */

import type { NDArray } from '../../engine/ndarray.ts';
import { symmetricEigen } from '../../engine/symmetricEigen.ts';
import { type Rows, rowsOf, unitRows } from './rows.ts';

/** One Gaussian. */
interface Gaussian {
  readonly mean: Float64Array;
  /** [D, D], divisor N. */
  readonly covariance: Float64Array;
  /** Eigenvectors divided by the roots of their eigenvalues [rank, D]: the distance is the squared norm of their products. */
  readonly whitening: Rows;
}

/** What training embeddings are made of, after dividing each by its norm. */
export interface MahalanobisModel {
  readonly width: number;
  /** Mean and population standard deviation of each dimension. */
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
  /** Of the standardised embeddings: one, or one for each class. */
  readonly gaussians: readonly Gaussian[];
  /** The class of each Gaussian; undefined for one over all. */
  readonly classes?: readonly number[];
}

/** Distances, and the nearest class where the model has classes. */
export interface MahalanobisScores {
  readonly distance: Float64Array;
  readonly nearest?: Int32Array;
}

/** Eigenvalues below this fraction of the largest count as zero. */
const smallest = 1e-9;
const epsilon = 1e-10;

/**
 * Fits the model to embeddings [N, D]: rows are divided by their norm + 1e-10, each dimension is standardised, and the covariance (divisor N)
 * is pseudo-inverted, so that a dimension without variance does not count.
 * @param labels for one Gaussian a class (each with its own mean and covariance); without them one for all, as published
 * @throws RangeError if there are no rows, or a label is missing
 */
export function fitMahalanobis(embeddings: NDArray, labels?: ArrayLike<number>): MahalanobisModel {
  const rows = unitRows(rowsOf(embeddings, 'training embeddings'), { added: epsilon });
  if (rows.count === 0) throw new RangeError('training embeddings: expected at least one row, found none');
  if (labels && labels.length !== rows.count) {
    throw new RangeError(`expected a label for each of ${rows.count} training embeddings, found ${labels.length}`);
  }
  const mean = meanOf(rows);
  const squares = new Float64Array(rows.width);
  for (let i = 0; i < rows.data.length; i++) squares[i % rows.width] += (rows.data[i] - mean[i % rows.width]) ** 2;
  const deviation = squares.map(sum => Math.sqrt(sum / rows.count));
  const standardised = standardise(rows, mean, deviation);
  if (!labels) return { width: rows.width, mean, deviation, gaussians: [gaussian(standardised)] };
  const classes = [...new Set(Array.from(labels))].sort((a, b) => a - b);
  const gaussians = classes.map(label => gaussian(rowsWhere(standardised, row => labels[row] === label)));
  return { width: rows.width, mean, deviation, gaussians, classes };
}

/**
 * Squared distances of embeddings [N, D] (no root): to the one Gaussian, or to the nearest class's. Over the training embeddings they
 * average to the rank, D where every dimension counts.
 * @throws RangeError if the width is not the model's
 */
export function mahalanobisScores(model: MahalanobisModel, embeddings: NDArray): MahalanobisScores {
  const rows = rowsOf(embeddings, 'embeddings');
  if (rows.width !== model.width) throw new RangeError(`embeddings: expected width ${model.width}, found ${rows.width}`);
  const { count, width, data } = standardise(unitRows(rows, { added: epsilon }), model.mean, model.deviation);
  const distance = new Float64Array(count);
  const nearest = new Int32Array(count);
  const centered = new Float64Array(width);
  for (let i = 0; i < count; i++) {
    let best = Infinity;
    for (const [g, { mean, whitening }] of model.gaussians.entries()) {
      for (let d = 0; d < width; d++) centered[d] = data[i * width + d] - mean[d];
      const value = squaredNorm(whitening, centered);
      if (value < best) [best, nearest[i]] = [value, model.classes?.[g] ?? 0];
    }
    distance[i] = best;
  }
  return model.classes ? { distance, nearest } : { distance };
}

function gaussian(rows: Rows): Gaussian {
  const { count, width, data } = rows;
  const mean = meanOf(rows);
  const covariance = new Float64Array(width * width);
  const x = new Float64Array(width);
  for (let i = 0; i < count; i++) {
    for (let d = 0; d < width; d++) x[d] = data[i * width + d] - mean[d];
    for (let a = 0; a < width; a++) for (let b = a; b < width; b++) covariance[a * width + b] += x[a] * x[b];
  }
  for (let a = 0; a < width; a++) {
    for (let b = a; b < width; b++) {
      covariance[a * width + b] /= count;
      covariance[b * width + a] = covariance[a * width + b];
    }
  }
  const { values, vectors } = symmetricEigen(covariance, width);
  const largest = values.reduce((a, b) => Math.max(a, b), 0);
  const kept = Array.from(values.keys()).filter(i => values[i] > smallest * largest);
  const whitening = new Float64Array(kept.length * width);
  for (const [to, from] of kept.entries()) {
    const root = Math.sqrt(values[from]);
    for (let d = 0; d < width; d++) whitening[to * width + d] = vectors[from * width + d] / root;
  }
  return { mean, covariance, whitening: { count: kept.length, width, data: whitening } };
}

function squaredNorm({ count, width, data }: Rows, x: Float64Array): number {
  let total = 0;
  for (let i = 0; i < count; i++) {
    let sum = 0;
    for (let d = 0; d < width; d++) sum += data[i * width + d] * x[d];
    total += sum * sum;
  }
  return total;
}

function meanOf({ count, width, data }: Rows): Float64Array {
  const sums = new Float64Array(width);
  for (let i = 0; i < data.length; i++) sums[i % width] += data[i];
  return sums.map(sum => sum / count);
}

function standardise({ count, width, data }: Rows, mean: Float64Array, deviation: Float64Array): Rows {
  const out = data.map((value, i) => (value - mean[i % width]) / (deviation[i % width] + epsilon));
  return { count, width, data: out };
}

function rowsWhere({ count, width, data }: Rows, keep: (row: number) => boolean): Rows {
  const rows = Array.from({ length: count }, (_, i) => i).filter(keep);
  const out = new Float64Array(rows.length * width);
  for (const [to, from] of rows.entries()) out.set(data.subarray(from * width, (from + 1) * width), to * width);
  return { count: rows.length, width, data: out };
}
