import { describe, expect, it } from 'vitest';
import { astype, fromNumbers, type NDArray, sum, type Tensor } from '../../src/engine/index.ts';
import { fsd, fsdGradients, fsdOfSequences, fsdOnHost, fsdTable, smoothMax } from '../../src/localization/sequences/fsd.ts';
import { lcs, lcsOnHost, lcsPath, lcsTable } from '../../src/localization/sequences/lcs.ts';
import { cosineSimilarity, matchAndGap, rescaledSimilarity, unitRows } from '../../src/localization/sequences/similarity.ts';
import { between } from '../engine/arrays.ts';
import { expectClose } from '../engine/checks.ts';
import { array64, checkGradient, numbers, once, valueWithGradient } from './tensors.ts';

/** Every path from a cell back to the border, as the sum of what it collects: m of each cell, g of each gap move. */
function pathScores(m: number[][], g: number[][], i: number, j: number): number[] {
  if (i === 0 || j === 0) return [0];
  const collected = (scores: number[], gap: number) => scores.map(score => score + m[i - 1][j - 1] + gap);
  const gap = g[i - 1][j - 1];
  return [
    ...collected(pathScores(m, g, i - 1, j - 1), 0),
    ...collected(pathScores(m, g, i - 1, j), gap),
    ...collected(pathScores(m, g, i, j - 1), gap),
  ];
}

const rows = (x: NDArray): number[][] => {
  const values = numbers(x);
  const [n, m] = x.shape.slice(-2);
  return Array.from({ length: n }, (_, i) => values.slice(i * m, (i + 1) * m));
};

describe('fsd', () => {
  it('is the smooth maximum over all alignments of what each collects', async () => {
    const [m, g] = [between(1, [1, 3, 4]), between(2, [1, 3, 4])];
    const scores = pathScores(rows(m), rows(g), 3, 4);
    for (const gamma of [0.1, 0.7]) {
      const smooth = gamma * Math.log(scores.reduce((total, score) => total + Math.exp(score / gamma), 0));
      const score = await once((a: Tensor, b: Tensor) => fsd(a, b, gamma), m, g);
      expect(numbers(score)[0]).toBeCloseTo(smooth, 10);
    }
    expect(numbers(await once((a: Tensor, b: Tensor) => fsd(a, b, 0), m, g))[0]).toBeCloseTo(Math.max(...scores), 10);
  });

  it('counts the alignments where nothing matches: 0.1 ln 1683 for five snippets', async () => {
    const zeros = fromNumbers(Array(25).fill(0), [1, 5, 5]);
    expect(numbers(await once((a: Tensor) => fsd(a, a), zeros))[0]).toBeCloseTo(0.1 * Math.log(1683), 5);
    expect(fsdTable(zeros.data, zeros.data, 5, 5)[35]).toBeCloseTo(0.1 * Math.log(1683), 12);
  });

  it('has the gradient that finite differences give', async () => {
    await checkGradient((m, g) => fsd(m, g), [between(3, [2, 4, 3]), between(4, [2, 4, 3])]);
  });

  it.each(['float32', 'float64'] as const)('is the same on the host, values and gradients (%s)', async dtype => {
    const inputs = [between(5, [3, 4, 6]), between(6, [3, 4, 6])].map(x => astype(x, dtype));
    for (const gamma of [0.1, 1]) {
      const graph = await valueWithGradient((m, g) => sum(fsd(m, g, gamma)), ...inputs);
      const host = await valueWithGradient((m, g) => sum(fsdOnHost(m, g, gamma)), ...inputs);
      const digits = dtype === 'float32' ? 1e-5 : 1e-12;
      expect(Math.abs(graph.value - host.value)).toBeLessThan(digits * 10);
      for (const [i, gradient] of graph.gradients.entries()) expectClose(host.gradients[i], gradient, digits);
      expect(numbers(graph.gradients[0]).some(value => value !== 0)).toBe(true);
    }
  });

  it('gives every alignment its share: gradients of a 1 x 1 table', () => {
    // S = m + 0.1 ln(1 + 2 e^(g / 0.1)); dS/dg = 2 e^(g / 0.1) / (1 + 2 e^(g / 0.1)).
    const table = fsdTable([0.4], [0.05], 1, 1);
    const e = 2 * Math.exp(0.5);
    expect(table[3]).toBeCloseTo(0.4 + 0.1 * Math.log(1 + e), 12);
    const gradients = fsdGradients(table, [0.05], 1, 1);
    expect(gradients.match[0]).toBe(1);
    expect(gradients.gap[0]).toBeCloseTo(e / (1 + e), 12);
  });

  it('reads the first half of the columns as match and the rest as gap', async () => {
    const [p, q] = [between(7, [2, 3, 5]), between(8, [2, 3, 5])];
    const { match, gap } = await once((a: Tensor, b: Tensor) => matchAndGap(a, b), p, q);
    const cosine = (from: number, to: number, i: number, j: number) => {
      const [u, v] = [rows({ ...p, shape: [6, 5] })[i].slice(from, to), rows({ ...q, shape: [6, 5] })[j].slice(from, to)];
      return u.reduce((total, value, k) => total + value * v[k], 0) / Math.hypot(...u) / Math.hypot(...v);
    };
    expect(numbers(match)[1 * 3 + 2]).toBeCloseTo(cosine(0, 2, 1, 2), 10);
    expect(numbers(gap)[9 + 2 * 3]).toBeCloseTo(cosine(2, 5, 5, 3), 10);
    const direct = await once((a: Tensor, b: Tensor) => fsd(a, b), match, gap);
    expectClose(await once((a: Tensor, b: Tensor) => fsdOfSequences(a, b), p, q), direct, 1e-12);
  });

  it('refuses rows that cannot be halved', async () => {
    await expect(once((a: Tensor) => fsdOfSequences(a, a), between(1, [1, 2, 1]))).rejects.toThrow(
      /rows of 1 columns cannot be halved/,
    );
  });

  it('without a temperature shares the gradient of ties evenly, in the graph and on the host', async () => {
    // All scores 0: every cell's three arguments tie. The last column and row of a 2 x 2 table then receive 1/3 each.
    const none = array64([0, 0, 0, 0], [1, 2, 2]);
    for (const form of [fsd, fsdOnHost]) {
      const { gradients } = await valueWithGradient((m, g) => sum(form(m, g, 0)), none, none);
      const expected = [
        [1 / 3 + 2 / 9, 1 / 3, 1 / 3, 1],
        [(2 / 3) * (1 / 3 + 2 / 9), 2 / 9, 2 / 9, 2 / 3],
      ];
      for (const [i, wanted] of expected.entries())
        for (const [k, value] of numbers(gradients[i]).entries()) expect(value).toBeCloseTo(wanted[k], 12);
    }
  });

  it('scores an empty sequence 0', async () => {
    const none = fromNumbers([], [2, 5, 0]);
    expect(numbers(await once((a: Tensor) => fsd(a, a), none))).toEqual([0, 0]);
  });
});

describe('smoothMax', () => {
  it('is log-sum-exp at temperature gamma, and the maximum without', async () => {
    const v = array64([0.1, 0.3, -0.2], [3]);
    const at = async (gamma: number) => numbers(await once((x: Tensor) => smoothMax(x, -1, gamma), v))[0];
    expect(await at(0.1)).toBeCloseTo(0.1 * Math.log(Math.exp(1) + Math.exp(3) + Math.exp(-2)), 12);
    expect(await at(0)).toBeCloseTo(0.3, 12);
  });

  it('has the gradient softmax(v / gamma), shared evenly by equals without a temperature', async () => {
    const v = array64([0.3, 0.3, -0.2, 0.3], [4]);
    const slope = async (gamma: number) => numbers((await valueWithGradient(x => smoothMax(x, -1, gamma), v)).gradients[0]);
    const e = [3, 3, -2, 3].map(Math.exp);
    for (const [i, s] of (await slope(0.1)).entries()) expect(s).toBeCloseTo(e[i] / (3 * e[0] + e[2]), 12);
    for (const [i, s] of (await slope(0)).entries()) expect(s).toBeCloseTo([1 / 3, 1 / 3, 0, 1 / 3][i], 12);
  });

  it('does not overflow, along any axis', async () => {
    const v = array64([1000, 1, 1000, 2], [2, 2]);
    const [a, b] = numbers(await once((x: Tensor) => smoothMax(x, 0, 0.1), v));
    expect(a).toBeCloseTo(1000 + 0.1 * Math.log(2), 10);
    expect(b).toBeCloseTo(2 + 0.1 * Math.log1p(Math.exp(-10)), 12);
  });
});

describe('lcs', () => {
  const hit = 0.95;

  it('takes the diagonal on a hit, even where a neighbour is larger', async () => {
    // Row by row: (0.95, 0.99 | 0.1, 0.93). The last cell is a hit, so 0.95 + 0.93.
    const c = array64([0.95, 0.99, 0.1, 0.93], [1, 2, 2]);
    const { value, gradients } = await valueWithGradient(x => sum(lcs(x)), c);
    expect(value).toBeCloseTo(1.88, 12);
    expect(numbers(gradients[0])).toEqual([1, 0, 0, 1]);
    // (0, hit | hit, hit): the greedy diagonal gives one hit only.
    expect(numbers(await once((x: Tensor) => lcs(x), array64([0, hit, hit, hit], [1, 2, 2])))[0]).toBeCloseTo(hit, 12);
  });

  it('follows the upper neighbour on a tie', async () => {
    // R[1,2] = R[2,1] = hit; the last cell is no hit.
    const { gradients } = await valueWithGradient(x => sum(lcs(x)), array64([0, hit, hit, 0], [1, 2, 2]));
    expect(numbers(gradients[0])).toEqual([0, 1, 0, 0]);
  });

  it('has neither score nor gradient without a hit', async () => {
    const { value, gradients } = await valueWithGradient(x => sum(lcs(x)), between(9, [2, 4, 4], 0, 0.9));
    expect(value).toBe(0);
    expect(numbers(gradients[0]).every(x => x === 0)).toBe(true);
  });

  it('compares strictly, in the precision of the similarities', async () => {
    const threshold = Math.fround(0.92);
    const next = new Float32Array(new Uint32Array([new Uint32Array(Float32Array.of(threshold).buffer)[0] + 1]).buffer)[0];
    const c = fromNumbers([threshold, next], [2, 1, 1]);
    for (const form of [lcs, lcsOnHost]) expect(numbers(await once((x: Tensor) => form(x, 0.92), c))).toEqual([0, next]);
  });

  it.each(['float32', 'float64'] as const)('is the same on the host, values and gradients (%s)', async dtype => {
    const c = astype(between(10, [4, 7, 5], 0.8, 1), dtype);
    const graph = await valueWithGradient(x => sum(lcs(x)), c);
    const host = await valueWithGradient(x => sum(lcsOnHost(x)), c);
    expect(graph.value).toBeGreaterThan(4);
    expect(Math.abs(graph.value - host.value)).toBeLessThan(dtype === 'float32' ? 1e-5 : 1e-12);
    expect(numbers(host.gradients[0])).toEqual(numbers(graph.gradients[0]));
  });

  it('is the sum of the hits on the traced path', () => {
    const c = numbers(between(11, [6, 6], 0.7, 1));
    const table = lcsTable(c, 6, 6, 0.92);
    const path = lcsPath(table, c, 6, 6, 0.92);
    expect(path.some(on => on === 1)).toBe(true);
    expect(c.reduce((total, value, i) => total + value * path[i], 0)).toBeCloseTo(table[48], 12);
  });
});

describe('cosineSimilarity', () => {
  const p = array64([3, 4, 0, 0], [1, 2, 2]);
  const q = array64([4, 3, 1, 0], [1, 2, 2]);

  it('gives a row of zeros similarity 0 and a finite gradient', async () => {
    expectClose(await once((a: Tensor, b: Tensor) => cosineSimilarity(a, b), p, q), array64([0.96, 0.6, 0, 0], [1, 2, 2]), 1e-12);
    const { gradients } = await valueWithGradient((a, b) => sum(cosineSimilarity(a, b)), p, q);
    expect(gradients.flatMap(numbers).every(Number.isFinite)).toBe(true);
  });

  it('is NaN there if asked to be as published', async () => {
    const similarity = await once((a: Tensor, b: Tensor) => cosineSimilarity(a, b, { zeroRows: 'nan' }), p, q);
    expectClose(similarity, array64([0.96, 0.6, Number.NaN, Number.NaN], [1, 2, 2]), 1e-12);
    // The loss stays finite, since NaN is no hit; the gradients do not.
    const { value, gradients } = await valueWithGradient((a, b) => sum(lcs(cosineSimilarity(a, b, { zeroRows: 'nan' }))), p, q);
    expect(value).toBeCloseTo(0.96, 12);
    expect(gradients.flatMap(numbers).some(Number.isNaN)).toBe(true);
  });

  it('has the gradient that finite differences give', async () => {
    await checkGradient((a, b) => cosineSimilarity(a, b), [between(12, [2, 3, 4]), between(13, [2, 2, 4])]);
  });

  it('scales rows to length 1', async () => {
    expectClose(await once((a: Tensor) => unitRows(a), p), array64([0.6, 0.8, 0, 0], [1, 2, 2]), 1e-12);
  });

  it('is rescaled to 5 max(0, c - 0.8)', async () => {
    const scaled = await once((c: Tensor) => rescaledSimilarity(c), array64([0.5, 0.8, 0.984, 1], [4]));
    expectClose(scaled, array64([0, 0, 0.92, 1], [4]), 1e-12);
  });
});
