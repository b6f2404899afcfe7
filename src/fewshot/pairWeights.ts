/** Which pairs of frames make up a matching distance. Pure. */
import { type MetricName, matchingMetrics } from './matching/metrics.ts';
import { otamSmoothing } from './matching/otam.ts';
import { otamGradient, otamScratch } from './matching/otamPair.ts';

type Weigh = (d: Float64Array, rows: number, columns: number) => Float64Array;

/** Places of the nearest frame of the other sequence: of each row, or of each column; the first of equal ones. */
function nearestOf(d: Float64Array, rows: number, columns: number, side: 'query' | 'support'): number[] {
  const [count, others] = side === 'query' ? [rows, columns] : [columns, rows];
  const cell = (i: number, j: number): number => (side === 'query' ? i * columns + j : j * columns + i);
  return Array.from({ length: count }, (_, i) => {
    let best = cell(i, 0);
    for (let j = 1; j < others; j++) if (d[cell(i, j)] < d[best]) best = cell(i, j);
    return best;
  });
}

/** Nearest frames, each side with a weight a frame. */
function nearest(weightOf: (rows: number, columns: number) => readonly [query: number, support: number]): Weigh {
  return (d, rows, columns) => {
    const weights = new Float64Array(rows * columns);
    const [query, support] = weightOf(rows, columns);
    for (const cell of nearestOf(d, rows, columns, 'query')) weights[cell] += query;
    for (const cell of nearestOf(d, rows, columns, 'support')) weights[cell] += support;
    return weights;
  };
}

const mean = (d: Float64Array, cells: readonly number[]): number => cells.reduce((sum, cell) => sum + d[cell], 0) / cells.length;

/** The cells of the warping path, from the last pair of frames back to the first. */
function warpingPath(d: Float64Array, rows: number, columns: number): number[] {
  const costs = new Float64Array(rows * columns);
  const from = new Int32Array(rows * columns).fill(-1);
  for (let cell = 0; cell < rows * columns; cell++) {
    const [a, b] = [Math.floor(cell / columns), cell % columns];
    const steps = [
      ...(a > 0 && b > 0 ? [cell - columns - 1] : []),
      ...(a > 0 ? [cell - columns] : []),
      ...(b > 0 ? [cell - 1] : []),
    ];
    for (const step of steps) if (from[cell] < 0 || costs[step] < costs[from[cell]]) from[cell] = step;
    costs[cell] = d[cell] + (from[cell] < 0 ? 0 : costs[from[cell]]);
  }
  const path: number[] = [];
  for (let cell = rows * columns - 1; cell >= 0; cell = from[cell]) path.push(cell);
  return path;
}

function only(size: number, cells: readonly number[]): Float64Array {
  const weights = new Float64Array(size);
  for (const cell of cells) weights[cell] = 1;
  return weights;
}

function transposed(d: Float64Array, rows: number, columns: number): Float64Array {
  return Float64Array.from(d, (_, i) => d[(i % rows) * columns + Math.floor(i / rows)]);
}

function otamWeights(d: Float64Array, rows: number, columns: number): Float64Array {
  const scratch = otamScratch(Math.max(rows, columns), Math.max(rows, columns));
  const [forwards, backwards] = [new Float64Array(d.length), new Float64Array(d.length)];
  otamGradient(d, rows, columns, 0, otamSmoothing, 1, forwards, scratch);
  otamGradient(transposed(d, rows, columns), columns, rows, 0, otamSmoothing, 1, backwards, scratch);
  const back = transposed(backwards, columns, rows);
  return forwards.map((weight, i) => weight + back[i]);
}

const weighers: { readonly [M in MetricName]: Weigh } = {
  'bi-mhm': nearest(() => [1, 1]),
  'bi-mhm-mean': nearest((rows, columns) => [1 / rows, 1 / columns]),
  'mhm-query': nearest(rows => [1 / rows, 0]),
  'mhm-support': nearest((_, columns) => [0, 1 / columns]),
  'max-mhm': (d, rows, columns) => {
    const [query, support] = (['query', 'support'] as const).map(side => mean(d, nearestOf(d, rows, columns, side)));
    return nearest(() => (query >= support ? [1 / rows, 0] : [0, 1 / columns]))(d, rows, columns);
  },
  hausdorff: (d, rows, columns) => {
    const cells = (['query', 'support'] as const).flatMap(side => nearestOf(d, rows, columns, side));
    return only(d.length, [cells.reduce((far, cell) => (d[cell] > d[far] ? cell : far))]);
  },
  otam: otamWeights,
  dtw: (d, rows, columns) => only(d.length, warpingPath(d, rows, columns)),
  diagonal: (d, rows, columns) =>
    only(
      d.length,
      Array.from({ length: rows }, (_, a) => a * columns + a),
    ),
  'mean-cosine': d => new Float64Array(d.length).fill(1 / d.length),
};

/**
 * How much each pair of frames counts in a metric's distance: its derivative by the distance of the two frames. Of nearest frames the pairs that are
 * nearest, of warpings the path, of OTAM the share of the paths through each pair.
 * @param distances `[rows, columns]`, rows: the query's frames
 * @returns `[rows, columns]`
 * @throws RangeError where the metric needs equal lengths and they are not
 */
export function pairWeights(metric: MetricName, distances: Float64Array, rows: number, columns: number): Float64Array {
  if (matchingMetrics[metric].sameLength && rows !== columns)
    throw new RangeError(`${metric}: sequences must have equally many frames, got ${rows} and ${columns}`);
  return weighers[metric](distances, rows, columns);
}
