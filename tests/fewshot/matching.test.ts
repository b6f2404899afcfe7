import { describe, expect, it } from 'vitest';
import { fromNumbers, type NDArray, ndarray, sum, type Tensor, transpose } from '../../src/engine/index.ts';
import {
  biMhm,
  cosines,
  type Frames,
  frameDistances,
  type MetricName,
  matchingMetrics,
  nearest,
  otam,
  otamOneWay,
  sequenceDistance,
} from '../../src/fewshot/index.ts';
import { apart, between } from '../engine/arrays.ts';
import { array64, checkGradient, numbers, once, valueWithGradient } from '../localization/tensors.ts';

const names = Object.keys(matchingMetrics) as MetricName[];
/** Rows: three frames of the query; columns: two of the support. */
const small = [0.1, 0.9, 0.4, 0.3, 0.8, 0.2];

/** OTAM's recursion as it is published, cell by cell and without any shift. */
function otamByDefinition(d: readonly number[][], lambda: number): number {
  const padded = d.map(row => [0, ...row, 0]);
  const columns = padded[0].length;
  const c = padded.map(row => row.map(() => 0));
  const soft = (...x: number[]) => -lambda * Math.log(x.reduce((total, v) => total + Math.exp(-v / lambda), 0));
  for (let m = 1; m < columns; m++) c[0][m] = padded[0][m] + c[0][m - 1];
  for (let l = 1; l < padded.length; l++)
    for (let m = 1; m < columns; m++) {
      const from = [c[l - 1][m - 1], c[l][m - 1], ...(m === 1 || m === columns - 1 ? [c[l - 1][m]] : [])];
      c[l][m] = padded[l][m] + soft(...from);
    }
  return c[padded.length - 1][columns - 1];
}

/** The cheapest of all paths from corner to corner. */
function cheapestPath(d: readonly number[][], l = 0, m = 0): number {
  const [rows, columns] = [d.length, d[0].length];
  if (l >= rows || m >= columns) return Number.POSITIVE_INFINITY;
  if (l === rows - 1 && m === columns - 1) return d[l][m];
  return d[l][m] + Math.min(cheapestPath(d, l + 1, m + 1), cheapestPath(d, l + 1, m), cheapestPath(d, l, m + 1));
}

const rowsOf = (values: ArrayLike<number>, rows: number, columns: number): number[][] =>
  Array.from({ length: rows }, (_, l) => Array.from({ length: columns }, (_, m) => values[l * columns + m]));
const flipped = (d: readonly number[][]): number[][] => d[0].map((_, m) => d.map(row => row[m]));

describe('matching metrics', () => {
  it('have known values', () => {
    const of = (name: MetricName, values = small, rows = 3, columns = 2) => matchingMetrics[name].ofPair(values, rows, columns);
    // Nearest of the rows: 0.1, 0.3, 0.2; of the columns: 0.1, 0.2.
    expect(of('bi-mhm')).toBeCloseTo(0.6 + 0.3, 12);
    expect(of('bi-mhm-mean')).toBeCloseTo(0.2 + 0.15, 12);
    expect(of('mhm-query')).toBeCloseTo(0.2, 12);
    expect(of('mhm-support')).toBeCloseTo(0.15, 12);
    expect(of('max-mhm')).toBeCloseTo(0.2, 12);
    expect(of('hausdorff')).toBeCloseTo(0.3, 12);
    expect(of('dtw')).toBeCloseTo(0.1 + 0.3 + 0.2, 12);
    expect(of('mean-cosine')).toBeCloseTo(2.7 / 6, 12);
    expect(of('diagonal', small.slice(0, 4), 2, 2)).toBeCloseTo(0.4, 12);
    const d = rowsOf(small, 3, 2);
    expect(of('otam')).toBeCloseTo(otamByDefinition(d, 0.1) + otamByDefinition(flipped(d), 0.1), 12);
  });

  it('are the same in the graph and in memory, for any lengths', async () => {
    for (const [l, m] of [
      [1, 1],
      [1, 4],
      [5, 1],
      [4, 6],
      [7, 3],
      [8, 8],
    ]) {
      const d = between(l * 10 + m, [2, 3, l, m], 0, 2);
      for (const name of names.filter(one => l === m || !matchingMetrics[one].sameLength)) {
        const inGraph = await once((x: Tensor) => matchingMetrics[name].inGraph(x), d);
        expect(inGraph.shape, name).toEqual([2, 3]);
        for (const [pair, value] of numbers(inGraph).entries())
          expect(value, `${name} ${l}x${m}`).toBeCloseTo(matchingMetrics[name].ofPair(d.data, l, m, pair * l * m), 9);
      }
    }
  });

  it('find the cheapest path, and the soft minimum of all', () => {
    for (let seed = 1; seed <= 5; seed++) {
      const [l, m] = [2 + (seed % 3), 3 + (seed % 2)];
      const { data } = between(seed, [l, m], 0, 2);
      const d = rowsOf(data, l, m);
      expect(matchingMetrics.dtw.ofPair(data, l, m)).toBeCloseTo(cheapestPath(d), 12);
      expect(matchingMetrics.otam.ofPair(data, l, m)).toBeCloseTo(
        otamByDefinition(d, 0.1) + otamByDefinition(flipped(d), 0.1),
        10,
      );
    }
  });

  it('see the order of frames or do not, as they say', () => {
    const [t, shuffle] = [6, [3, 0, 5, 1, 4, 2]];
    const { data } = between(7, [t, t], 0, 2);
    const moved = Float64Array.from(data, (_, i) => data[shuffle[Math.floor(i / t)] * t + (i % t)]);
    for (const name of names) {
      const { ofPair, ordered } = matchingMetrics[name];
      const change = Math.abs(ofPair(moved, t, t) - ofPair(data, t, t));
      if (ordered) expect(change, name).toBeGreaterThan(1e-2);
      else expect(change, name).toBeLessThan(1e-12);
    }
  });

  it('treat both sequences alike, but for the one-sided ones, which change places', () => {
    const [l, m] = [4, 5];
    const { data } = between(8, [l, m], 0, 2);
    const other = flipped(rowsOf(data, l, m)).flat();
    const counterpart: Partial<Record<MetricName, MetricName>> = { 'mhm-query': 'mhm-support', 'mhm-support': 'mhm-query' };
    for (const name of names.filter(one => one !== 'diagonal'))
      expect(matchingMetrics[counterpart[name] ?? name].ofPair(other, m, l), name).toBeCloseTo(
        matchingMetrics[name].ofPair(data, l, m),
        12,
      );
    expect(matchingMetrics['mhm-query'].ofPair(data, l, m)).not.toBeCloseTo(matchingMetrics['mhm-support'].ofPair(data, l, m), 3);
  });

  it('have the gradients of their definitions', async () => {
    const d = apart(9, [2, 4, 5]);
    const square = apart(10, [2, 4, 4]);
    for (const name of names)
      await checkGradient(x => matchingMetrics[name].inGraph(x), [matchingMetrics[name].sameLength ? square : d]);
    await checkGradient(x => otam(x, { form: 'host' }), [d]);
  });

  it('say which lengths do not fit', async () => {
    expect(() => matchingMetrics.diagonal.ofPair(small, 3, 2)).toThrow(
      'diagonal: sequences must have equally many frames, got 3 and 2',
    );
    await expect(once((x: Tensor) => matchingMetrics.diagonal.inGraph(x), array64(small, [3, 2]))).rejects.toThrow('got 3 and 2');
  });
});

describe('OTAM', () => {
  const gradientOf = (d: NDArray, form: 'host' | 'graph', smoothing: number) =>
    valueWithGradient(x => sum(otamOneWay(x, { form, smoothing })), d);

  it('is the same as host call and in the graph, with its gradient', async () => {
    for (const [d, smoothing] of [
      [between(11, [3, 8, 8], 0, 1), 0.1],
      [between(12, [2, 5, 7], 0, 2), 0.1],
      [between(13, [2, 1, 6], 0, 2), 0.1],
      [between(14, [2, 6, 1], 0, 2), 1],
      // Too large for e^(-c / lambda): by logarithms.
      [between(15, [2, 8, 8], 5, 60), 0.1],
      [between(16, [2, 8, 8], 0, 2), 0.005],
    ] as const) {
      const host = await gradientOf(d, 'host', smoothing);
      const graph = await gradientOf(d, 'graph', smoothing);
      expect(host.value).toBeCloseTo(graph.value, 9);
      const other = numbers(graph.gradients[0]);
      for (const [i, value] of numbers(host.gradients[0]).entries()) expect(value).toBeCloseTo(other[i], 9);
    }
  });

  it('gives every pair a path through each row but the first, whose frames it may pass in the border', async () => {
    // Shares of paths through a row's cells add up to at most 1, and a hard minimum has them 0 or 1.
    const { gradients } = await gradientOf(between(17, [1, 4, 4], 0, 1), 'graph', 1e-4);
    for (const share of numbers(gradients[0])) expect(Math.min(share, Math.abs(share - 1))).toBeLessThan(1e-6);
  });

  it('stays finite in float32 where direct exponentials overflow', async () => {
    const d = between(18, [2, 8, 8], 50, 60);
    const expected = numbers(await once((x: Tensor) => otam(x), d));
    for (const form of ['host', 'graph'] as const) {
      const narrow = await once((x: Tensor) => otam(x, { form }), ndarray('float32', d.shape, Float32Array.from(d.data)));
      for (const [i, value] of numbers(narrow).entries()) expect(value / expected[i]).toBeCloseTo(1, 5);
    }
  });
});

describe('nearest frames', () => {
  it('move the first of equal ones alone', async () => {
    const { value, gradients } = await valueWithGradient(x => sum(nearest(x, -1)), array64([3, 1, 1, 2, 2, 2], [2, 3]));
    expect(value).toBe(3);
    expect(numbers(gradients[0])).toEqual([0, 1, 0, 1, 0, 0]);
  });

  it('carry a NaN on', async () => {
    const d = array64([Number.NaN, Number.NaN, 0.2, 0.4], [2, 2]);
    expect(numbers(await once((x: Tensor) => biMhm(x), d))[0]).toBeNaN();
    for (const name of names) expect(matchingMetrics[name].ofPair(d.data, 2, 2), name).toBeNaN();
  });
});

describe('frame distances', () => {
  const x = between(20, [3, 5]);
  const y = between(21, [4, 5]);

  it('are 1 - cosine; damped ones add 0.01 to the product of lengths', async () => {
    const [unit, damped] = await once((a: Tensor, b: Tensor) => [frameDistances(a, b), cosines(a, b, 'damped')], x, y);
    for (let i = 0; i < 3; i++)
      for (let j = 0; j < 4; j++) {
        const [a, b] = [x.data.subarray(5 * i, 5 * i + 5), y.data.subarray(5 * j, 5 * j + 5)];
        const dot = a.reduce((total, value, k) => total + value * b[k], 0);
        const lengths = Math.hypot(...a) * Math.hypot(...b);
        expect(Number(unit.data[4 * i + j])).toBeCloseTo(1 - dot / lengths, 12);
        expect(Number(damped.data[4 * i + j])).toBeCloseTo(dot / (lengths + 0.01), 12);
      }
  });

  it('of frames of zeros are 1, with a finite gradient', async () => {
    const zero = fromNumbers([0, 0, 0, 1, 2, 3], [2, 3], 'float64');
    for (const cosine of ['unit', 'damped'] as const) {
      const { value, gradients } = await valueWithGradient(
        (a, b) => sum(cosines(a, b, cosine)),
        zero,
        array64([1, 1, 1], [1, 3]),
      );
      expect(value).toBeGreaterThan(0.9);
      for (const g of gradients) expect(numbers(g).every(Number.isFinite)).toBe(true);
    }
  });

  it('match sequences in memory as in the graph, odd numbers of frames too', async () => {
    const frames = (seed: number, n: number): Frames => ({
      data: Float32Array.from(between(seed, [n, 7]).data),
      frames: n,
      width: 7,
    });
    for (const [n, m] of [
      [3, 5],
      [2, 4],
      [1, 7],
      [5, 6],
    ]) {
      const [a, b] = [frames(22, n), frames(23, m)];
      const asArray = ({ data, frames: n, width }: Frames): NDArray => ndarray('float32', [n, width], data);
      for (const name of names.filter(one => one !== 'diagonal')) {
        const expected = await once(
          (p: Tensor, q: Tensor) => matchingMetrics[name].inGraph(frameDistances(p, q)),
          asArray(a),
          asArray(b),
        );
        expect(sequenceDistance(name, a, b), name).toBeCloseTo(Number(expected.data[0]), 4);
      }
      expect(sequenceDistance('hausdorff', a, a)).toBeCloseTo(0, 6);
      expect(sequenceDistance('diagonal', a, a)).toBeCloseTo(0, 6);
    }
  });

  it('refuse widths that differ and sequences without frames', () => {
    const of = (n: number, width: number): Frames => ({ data: new Float32Array(n * width).fill(1), frames: n, width });
    expect(() => sequenceDistance('otam', of(2, 3), of(2, 4))).toThrow(
      'frames of width 3 cannot be compared to frames of width 4',
    );
    expect(() => sequenceDistance('otam', of(0, 3), of(2, 3))).toThrow('otam: a sequence without frames cannot be matched');
  });

  it('in the graph keep queries in rows', async () => {
    const d = await once((a: Tensor, b: Tensor) => transpose(frameDistances(b, a), [1, 0]), x, y);
    const e = await once((a: Tensor, b: Tensor) => frameDistances(a, b), x, y);
    for (const [i, value] of numbers(d).entries()) expect(value).toBeCloseTo(numbers(e)[i], 12);
  });
});
