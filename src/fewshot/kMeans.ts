/** k-means in memory. Pure; float64 arithmetic in a fixed order, so that the same key gives the same clusters on every machine. */
import { choiceWithoutReplacement, fold, type Key, uniform } from '../engine/random.ts';

/** Points as rows: value d of point i is `data[i * width + d]`. */
export interface Points {
  readonly count: number;
  readonly width: number;
  readonly data: Float64Array;
}

export interface KMeansOptions {
  readonly clusters: number;
  /** Starts from other centres, of which the best outcome counts. Default 10. */
  readonly restarts?: number;
  /** Iterations of a restart at most. Default 100. */
  readonly iterations?: number;
  /** Called after each restart. */
  readonly onRestart?: (done: number, total: number) => void;
}

/** Clusters of points. */
export interface KMeans {
  /** The cluster of each point: the nearest centre, of equally near ones the first (once converged). */
  readonly labels: Int32Array;
  /** Euclidean distance of each point to its centre. */
  readonly distances: Float64Array;
  /** The means of the clusters. */
  readonly centres: Points;
  /** Sum of the squared distances. */
  readonly inertia: number;
  /** Iterations of the restart that counts, and whether its labels had come to rest. */
  readonly iterations: number;
  readonly converged: boolean;
}

/**
 * Lloyd's iterations from k-means++ seeds (D. Arthur, S. Vassilvitskii, 2007), several times; bounds by the triangle inequality (C. Elkan, 2003) spare most
 * distances and change no outcome. A cluster that loses all its points goes on from the point that is farthest from its centre. No cluster is empty.
 * @throws RangeError if a value is not finite, or there are fewer different points than clusters
 */
export function kMeans(points: Points, options: KMeansOptions, key: Key): KMeans {
  const { clusters, restarts = 10, iterations = 100, onRestart } = options;
  for (const [name, value] of Object.entries({ clusters, restarts, iterations }))
    if (!(Number.isInteger(value) && value > 0))
      throw new RangeError(`kMeans: ${name}: expected a positive integer, found ${value}`);
  if (!points.data.every(Number.isFinite)) throw new RangeError('kMeans: expected finite values');
  let best: KMeans | undefined;
  for (let run = 0; run < restarts; run++) {
    const found = kMeansFrom(points, seeds(points, clusters, fold(key, run)), iterations);
    if (!best || found.inertia < best.inertia) best = found;
    onRestart?.(run + 1, restarts);
  }
  return best as KMeans;
}

/** Squared distance of a row to a row. */
function squared(a: Points, i: number, b: Points, j: number): number {
  const { width } = a;
  const [x, y] = [a.data, b.data];
  let [p, q] = [i * width, j * width];
  let sum = 0;
  for (const end = p + width; p < end; p++, q++) sum += (x[p] - y[q]) * (x[p] - y[q]);
  return sum;
}

/** The first seed uniformly, each further one with a probability in proportion to its squared distance to the nearest seed so far. */
function seeds(points: Points, clusters: number, key: Key): Points {
  const { count, width } = points;
  const draws = uniform(fold(key, 'weighted'), [clusters]).data;
  const centres: Points = { count: clusters, width, data: new Float64Array(clusters * width) };
  const nearest = new Float64Array(count).fill(Number.POSITIVE_INFINITY);
  let at = count > 0 ? choiceWithoutReplacement(fold(key, 'first'), count, 1)[0] : -1;
  for (let k = 0; k < clusters; k++) {
    if (at < 0) throw new RangeError(`kMeans: expected at least ${clusters} different points, one a cluster, found ${k}`);
    centres.data.set(points.data.subarray(at * width, (at + 1) * width), k * width);
    let total = 0;
    for (let i = 0; i < count; i++) {
      nearest[i] = Math.min(nearest[i], squared(points, i, centres, k));
      total += nearest[i];
    }
    at = weightedPlace(nearest, draws[k] * total);
  }
  return centres;
}

/** The place at which the running sum of weights passes `target`; never one of weight 0; -1 if there is no other. */
function weightedPlace(weights: Float64Array, target: number): number {
  let [sum, last] = [0, -1];
  for (let i = 0; i < weights.length; i++) {
    if (weights[i] === 0) continue;
    last = i;
    sum += weights[i];
    if (sum > target) return i;
  }
  return last;
}

/**
 * {@link kMeans} from given centres, without restarts.
 * @param most iterations
 * @throws RangeError if there are fewer points than centres
 */
export function kMeansFrom(points: Points, start: Points, most: number): KMeans {
  const { count } = points;
  const { count: clusters } = start;
  if (count < clusters) throw new RangeError(`kMeans: expected at least ${clusters} points, one a cluster, found ${count}`);
  const centres: Points = { ...start, data: start.data.slice() };
  const labels = new Int32Array(count).fill(-1);
  // Bounds of distances (not squared): of each point to its centre from above, to every centre from below.
  const upper = new Float64Array(count).fill(Number.POSITIVE_INFINITY);
  const lower = new Float64Array(count * clusters);
  let [iterations, converged] = [0, false];
  while (iterations < most && !converged) {
    iterations++;
    const changed = assign(points, centres, labels, upper, lower);
    const refilled = refill(points, centres, labels, upper, lower);
    converged = !changed && !refilled;
    if (converged) break;
    const moved = updateCentres(points, centres, labels);
    for (let i = 0; i < count; i++) {
      upper[i] += moved[labels[i]];
      for (let k = 0; k < clusters; k++) lower[i * clusters + k] = Math.max(0, lower[i * clusters + k] - moved[k]);
    }
  }
  const distances = Float64Array.from(labels, (k, i) => Math.sqrt(squared(points, i, centres, k)));
  const inertia = distances.reduce((sum, distance) => sum + distance * distance, 0);
  return { labels, distances, centres, inertia, iterations, converged };
}

/** Every point to its nearest centre; whether any label changed. */
function assign(points: Points, centres: Points, labels: Int32Array, upper: Float64Array, lower: Float64Array): boolean {
  const { count: clusters } = centres;
  const between = centreDistances(centres);
  // A centre twice as far from a point's centre as the point is cannot be nearer. Rounding must not decide ties.
  const slack = 1 - 1e-9;
  let changed = false;
  for (let i = 0; i < points.count; i++) {
    const before = labels[i];
    let [own, distance, exact] = [before, upper[i], false];
    for (let k = 0; k < clusters; k++) {
      if (k === own) continue;
      const bound = own < 0 ? 0 : Math.max(lower[i * clusters + k], between[own * clusters + k] / 2) * slack;
      if (distance < bound) continue;
      if (own >= 0 && !exact) {
        distance = Math.sqrt(squared(points, i, centres, own));
        lower[i * clusters + own] = distance;
        exact = true;
        if (distance < bound) continue;
      }
      const other = Math.sqrt(squared(points, i, centres, k));
      lower[i * clusters + k] = other;
      if (own < 0 || other < distance || (other === distance && k < own)) [own, distance, exact] = [k, other, true];
    }
    labels[i] = own;
    upper[i] = distance;
    changed ||= own !== before;
  }
  return changed;
}

function centreDistances(centres: Points): Float64Array {
  const { count } = centres;
  const between = new Float64Array(count * count);
  for (let a = 0; a < count; a++)
    for (let b = a + 1; b < count; b++)
      between[a * count + b] = between[b * count + a] = Math.sqrt(squared(centres, a, centres, b));
  return between;
}

/** Gives each empty cluster the point that is farthest from its centre, among clusters of several points; whether there was one. */
function refill(points: Points, centres: Points, labels: Int32Array, upper: Float64Array, lower: Float64Array): boolean {
  const sizes = new Int32Array(centres.count);
  for (const k of labels) sizes[k]++;
  let refilled = false;
  for (let k = 0; k < sizes.length; k++) {
    if (sizes[k] > 0) continue;
    let [farthest, at] = [-1, -1];
    for (let i = 0; i < labels.length; i++) {
      if (sizes[labels[i]] < 2) continue;
      const distance = squared(points, i, centres, labels[i]);
      if (distance > farthest) [farthest, at] = [distance, i];
    }
    sizes[labels[at]]--;
    sizes[k]++;
    labels[at] = k;
    // The centre will be the point itself; how far the move takes it, the bounds learn from its distance.
    upper[at] = Math.sqrt(squared(points, at, centres, k));
    lower[at * sizes.length + k] = upper[at];
    refilled = true;
  }
  return refilled;
}

/** Puts each centre into the mean of its points; how far each went. */
function updateCentres(points: Points, centres: Points, labels: Int32Array): Float64Array {
  const { count, width } = centres;
  const before: Points = { count, width, data: centres.data.slice() };
  const sizes = new Int32Array(count);
  centres.data.fill(0);
  for (let i = 0; i < points.count; i++) {
    const [from, to] = [i * width, labels[i] * width];
    sizes[labels[i]]++;
    for (let d = 0; d < width; d++) centres.data[to + d] += points.data[from + d];
  }
  for (let k = 0; k < count; k++) for (let d = 0; d < width; d++) centres.data[k * width + d] /= sizes[k];
  return Float64Array.from({ length: count }, (_, k) => Math.sqrt(squared(centres, k, before, k)));
}
