/** A vector for each clip, made without labels. Pure. */
import type { NDArray } from '../engine/ndarray.ts';
import { symmetricEigen } from '../engine/symmetricEigen.ts';
import type { Points } from './kMeans.ts';

/** Divides a row of values by its length, at least 1e-12. */
function toUnit(row: Float64Array): void {
  let sum = 0;
  for (const value of row) sum += value * value;
  const length = Math.max(Math.sqrt(sum), 1e-12);
  for (let d = 0; d < row.length; d++) row[d] /= length;
}

/** The mean of a clip's frames, each brought to length 1, itself brought to length 1: features `[n, D]` -> D values. */
export function clipEmbedding({ shape: [n, width], data }: NDArray<'float32'>): Float64Array {
  const total = new Float64Array(width);
  for (let t = 0; t < n; t++) {
    const frame = Float64Array.from(data.subarray(t * width, (t + 1) * width));
    toUnit(frame);
    for (let d = 0; d < width; d++) total[d] += frame[d];
  }
  toUnit(total);
  return total;
}

/** Rows of equal width as points. @throws RangeError naming the first row of another width */
export function asPoints(rows: readonly Float64Array[]): Points {
  const width = rows[0]?.length ?? 0;
  const data = new Float64Array(rows.length * width);
  for (const [i, row] of rows.entries()) {
    if (row.length !== width) throw new RangeError(`row ${i}: expected ${width} values, found ${row.length}`);
    data.set(row, i * width);
  }
  return { count: rows.length, width, data };
}

/** Principal components with less than this share of the largest one's variance are rounding, not data. */
const leastVariance = 1e-10;

/**
 * PCA whitening: the points along their first principal components, with variance 1 in each, and brought to length 1 again.
 * As many components as points would make all distances equal: a few dozen keep what points have in common.
 * Takes the eigenvalues of whichever is smaller, the products of dimensions or of points.
 * @returns `[count, at most components]`: fewer where the points have no more dimensions
 * @throws RangeError if all points are the same
 */
export function whitened(points: Points, components: number): Points {
  const { count, width } = points;
  const x = centred(points);
  const byPoints = count < width;
  const n = byPoints ? count : width;
  const { values, vectors } = symmetricEigen(byPoints ? productsOfRows(x) : productsOfColumns(x), n);
  const order = Array.from(values.keys()).sort((a, b) => values[b] - values[a] || a - b);
  const kept = order.slice(0, components).filter(i => values[i] > 0 && values[i] > leastVariance * values[order[0]]);
  if (kept.length === 0) throw new RangeError('whitening: all points are the same');
  const data = new Float64Array(count * kept.length);
  for (let i = 0; i < count; i++) {
    const row = data.subarray(i * kept.length, (i + 1) * kept.length);
    for (const [c, place] of kept.entries()) {
      // By points, an eigenvector holds the coordinates themselves, as of variance 1 / count.
      if (byPoints) row[c] = vectors[place * n + i];
      else for (let d = 0; d < width; d++) row[c] += (x.data[i * width + d] * vectors[place * n + d]) / Math.sqrt(values[place]);
    }
    toUnit(row);
  }
  return { count, width: kept.length, data };
}

function centred({ count, width, data }: Points): Points {
  const mean = new Float64Array(width);
  for (let i = 0; i < data.length; i++) mean[i % width] += data[i] / count;
  return { count, width, data: data.map((value, i) => value - mean[i % width]) };
}

/** X X^T. */
function productsOfRows({ count, width, data }: Points): Float64Array {
  const products = new Float64Array(count * count);
  for (let a = 0; a < count; a++)
    for (let b = a; b < count; b++) {
      let sum = 0;
      for (let d = 0; d < width; d++) sum += data[a * width + d] * data[b * width + d];
      products[a * count + b] = products[b * count + a] = sum;
    }
  return products;
}

/** X^T X. */
function productsOfColumns({ count, width, data }: Points): Float64Array {
  const products = new Float64Array(width * width);
  for (let i = 0; i < count; i++) {
    const row = data.subarray(i * width, (i + 1) * width);
    for (let a = 0; a < width; a++) for (let b = a; b < width; b++) products[a * width + b] += row[a] * row[b];
  }
  for (let a = 0; a < width; a++) for (let b = 0; b < a; b++) products[a * width + b] = products[b * width + a];
  return products;
}
