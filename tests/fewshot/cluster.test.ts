import { describe, expect, it } from 'vitest';
import { fromNumbers } from '../../src/engine/ndarray.ts';
import { key, normal, uniform } from '../../src/engine/random.ts';
import { asPoints, clipEmbedding, whitened } from '../../src/fewshot/clipEmbedding.ts';
import { pseudoClasses } from '../../src/fewshot/cluster.ts';
import { clusterQuality } from '../../src/fewshot/clusterQuality.ts';
import { type KMeans, kMeans, kMeansFrom, type Points } from '../../src/fewshot/kMeans.ts';

const points = (...rows: number[][]): Points => asPoints(rows.map(row => Float64Array.from(row)));
const random = (seed: number, count: number, width: number): Points => ({
  count,
  width,
  data: Float64Array.from(normal(key(seed), [count, width]).data),
});
const squared = (a: Points, i: number, b: Points, j: number): number => {
  let sum = 0;
  for (let d = 0; d < a.width; d++) sum += (a.data[i * a.width + d] - b.data[j * a.width + d]) ** 2;
  return sum;
};
/** The place of the nearest centre, by all distances. */
const nearest = (x: Points, i: number, centres: Points): number => {
  const all = Array.from({ length: centres.count }, (_, k) => squared(x, i, centres, k));
  return all.indexOf(Math.min(...all));
};
const meansOf = (x: Points, { labels }: KMeans, clusters: number): number[] =>
  Array.from({ length: clusters }, (_, k) => {
    const own = [...labels.keys()].filter(i => labels[i] === k);
    return Array.from({ length: x.width }, (_, d) => own.reduce((sum, i) => sum + x.data[i * x.width + d], 0) / own.length);
  }).flat();
const expectClose = (found: ArrayLike<number>, expected: readonly number[]): void =>
  expect(Array.from(found)).toEqual(expected.map(value => expect.closeTo(value, 9)));

describe('kMeans', () => {
  it('finds the pairs of a line, with distances, centres and inertia', () => {
    const { labels, distances, centres, inertia, converged } = kMeans(
      points([0], [10], [21], [1], [11], [20]),
      { clusters: 3 },
      key(0),
    );
    expect([labels[3], labels[4], labels[5]]).toEqual([labels[0], labels[1], labels[2]]);
    expect(new Set(labels).size).toBe(3);
    expect(Array.from(distances)).toEqual([0.5, 0.5, 0.5, 0.5, 0.5, 0.5]);
    expect([...centres.data].sort((a, b) => a - b)).toEqual([0.5, 10.5, 20.5]);
    expect([inertia, converged]).toEqual([1.5, true]);
  });

  it('goes step for step as with all distances computed', () => {
    const x = random(1, 400, 6);
    const upTo = (iterations: number) => kMeans(x, { clusters: 15, restarts: 1, iterations }, key(7));
    const last = upTo(1000);
    expect(last.converged).toBe(true);
    expect(last.iterations).toBeGreaterThan(8);
    for (let n = 1; n < last.iterations; n++) {
      const [before, now] = [upTo(n), upTo(n + 1)];
      expect(Array.from(now.labels)).toEqual(Array.from(now.labels, (_, i) => nearest(x, i, before.centres)));
      expectClose(now.centres.data, meansOf(x, now, 15));
    }
  });

  it('takes the best of its restarts, and the same key gives the same clusters', () => {
    const x = random(2, 120, 3);
    const each = Array.from({ length: 8 }, (_, restarts) => kMeans(x, { clusters: 9, restarts: restarts + 1 }, key(3)));
    for (let r = 1; r < each.length; r++) expect(each[r].inertia).toBeLessThanOrEqual(each[r - 1].inertia);
    expect(each[7].inertia).toBeLessThan(each[0].inertia);
    expect(kMeans(x, { clusters: 9, restarts: 8 }, key(3))).toEqual(each[7]);
    expect(kMeans(x, { clusters: 9, restarts: 1 }, key(4)).centres).not.toEqual(each[0].centres);
  });

  it('leaves no cluster empty, also where many points coincide', () => {
    for (let seed = 0; seed < 300; seed++) {
      const data = Float64Array.from(uniform(key(seed), [14, 2]).data, value => Math.floor(3 * value));
      const different = new Set(Array.from({ length: 14 }, (_, i) => `${data[2 * i]},${data[2 * i + 1]}`)).size;
      const x = { count: 14, width: 2, data };
      const found = kMeans(x, { clusters: different, restarts: 1 }, key(seed));
      expect([new Set(found.labels).size, found.inertia]).toEqual([different, 0]);
      const fewer = kMeans(x, { clusters: different - 1, restarts: 1 }, key(seed));
      expect(new Set(fewer.labels).size).toBe(different - 1);
      expect(fewer.inertia).toBeGreaterThan(0);
    }
  });

  it('gives a cluster that loses its points the farthest one', () => {
    const found = kMeansFrom(points([0], [1], [10], [12]), points([0.5], [-100], [1000]), 100);
    expect(Array.from(found.labels)).toEqual([0, 0, 2, 1]);
    expect(Array.from(found.centres.data)).toEqual([0.5, 12, 10]);
    expect([found.inertia, found.converged]).toEqual([0.5, true]);
    expect(() => kMeansFrom(points([0]), points([0], [1]), 5)).toThrow('expected at least 2 points, one a cluster, found 1');
  });

  it('says what it cannot do', () => {
    expect(() => kMeans(points([1, 2], [1, 2], [3, 4]), { clusters: 3 }, key(0))).toThrow(
      'kMeans: expected at least 3 different points, one a cluster, found 2',
    );
    expect(() => kMeans(points(), { clusters: 1 }, key(0))).toThrow('found 0');
    expect(() => kMeans(points([Number.NaN]), { clusters: 1 }, key(0))).toThrow('finite');
    expect(() => kMeans(points([1]), { clusters: 0 }, key(0))).toThrow('clusters: expected a positive integer, found 0');
  });
});

describe('embeddings', () => {
  it('are unit means of unit frames, whatever the frames’ lengths', () => {
    const root = Math.hypot(0.6, 1.8);
    expectClose(clipEmbedding(fromNumbers([3, 4, 0, 20], [2, 2])), [0.6 / root, 1.8 / root]);
    expectClose(clipEmbedding(fromNumbers([0, 0], [1, 2])), [0, 0]);
  });

  it('are whitened: every direction counts the same', () => {
    const corners = whitened(points([9, 3], [9, 1], [1, 3], [1, 1]), 2);
    const inner = (i: number, j: number): number =>
      corners.data[2 * i] * corners.data[2 * j] + corners.data[2 * i + 1] * corners.data[2 * j + 1];
    expectClose([inner(0, 0), inner(0, 1), inner(0, 2), inner(0, 3)], [1, 0, 0, -1]);
    expect(whitened(points([9, 3], [9, 1], [1, 3], [1, 1]), 1).width).toBe(1);
    expect(() => whitened(points([1, 2], [1, 2]), 2)).toThrow('all points are the same');
  });

  it('are whitened to the same by products of points and of dimensions', () => {
    const x = random(5, 12, 7);
    const padded: Points = { count: 12, width: 20, data: new Float64Array(240) };
    for (let i = 0; i < 12; i++) padded.data.set(x.data.subarray(7 * i, 7 * i + 7), 20 * i + 4);
    const products = ({ count, width, data }: Points): number[] =>
      Array.from({ length: count * count }, (_, at) => {
        let sum = 0;
        for (let d = 0; d < width; d++) sum += data[Math.floor(at / count) * width + d] * data[(at % count) * width + d];
        return sum;
      });
    for (const components of [3, 7, 19]) {
      const [byDimensions, byPoints] = [whitened(x, components), whitened(padded, components)];
      expect([byDimensions.width, byPoints.width]).toEqual([Math.min(7, components), Math.min(7, components)]);
      expectClose(products(byPoints), products(byDimensions));
    }
  });
});

describe('pseudoClasses', () => {
  // Five at 0 and one beside them, four at 10, two at 20.
  const line = points([10], [0], [0.1], [20], [10.1], [0.2], [0.1], [10.2], [0.1], [20.1], [10.1], [2]);
  const options = { clusters: 3, whiten: null, minMembers: 1, dropFarthest: 0 };

  it('are named by their size', () => {
    const { names, labels, dropped } = pseudoClasses(line, options, key(0));
    expect(names).toEqual(['cluster-00', 'cluster-01', 'cluster-02']);
    expect(Array.from(labels)).toEqual([1, 0, 0, 2, 1, 0, 0, 1, 0, 2, 1, 0]);
    expect(dropped).toEqual({ clusters: 0, ofSmall: 0, far: 0 });
  });

  it('lose the farthest members, then the small clusters', () => {
    const { names, labels, dropped } = pseudoClasses(line, { ...options, minMembers: 4, dropFarthest: 1 / 6 }, key(0));
    expect(names).toEqual(['cluster-00', 'cluster-01']);
    expect(Array.from(labels)).toEqual([1, 0, 0, -1, 1, 0, 0, 1, 0, -1, 1, -1]);
    expect(dropped).toEqual({ clusters: 1, ofSmall: 2, far: 1 });
    expect(pseudoClasses(line, { ...options, minMembers: 7 }, key(0)).names).toEqual([]);
    expect(() => pseudoClasses(line, { ...options, dropFarthest: 1 }, key(0))).toThrow('from 0 to below 1');
  });
});

describe('clusterQuality', () => {
  it('has the values of their definitions', () => {
    // H = ln 2 and 1.5 ln 2, I = ln 2; one pair together in both, of 2 and 1, of 6.
    const split = clusterQuality([0, 0, 1, 2], [5, 5, 7, 7]);
    expectClose([split.purity, split.nmi, split.adjustedRand], [1, 0.8, (1 - 2 / 6) / (1.5 - 2 / 6)]);
    expect(clusterQuality([1, 1, 0, 0], [0, 0, 1, 1])).toEqual({ purity: 1, nmi: 1, adjustedRand: 1 });
    const none = clusterQuality([0, 0, 1, 1], [0, 1, 0, 1]);
    expectClose([none.purity, none.nmi, none.adjustedRand], [0.5, 0, -0.5]);
    expect(clusterQuality([3, 3], [8, 8])).toEqual({ purity: 1, nmi: 1, adjustedRand: 1 });
    expect(() => clusterQuality([1], [])).toThrow('found 1 and 0');
  });
});
