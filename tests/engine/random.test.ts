import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bernoulliMask,
  choiceWithoutReplacement,
  fold,
  integers,
  type Key,
  key,
  normal,
  permutation,
  split,
  uniform,
} from '../../src/engine/random.ts';
import { fillThreefry, threefry2x32 } from '../../src/engine/threefry.ts';

const mean = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0) / values.length;
const variance = (values: ArrayLike<number>) => {
  const m = mean(values);
  return mean(Array.from(values, v => (v - m) ** 2));
};
const correlation = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  const [ma, mb] = [mean(a), mean(b)];
  return mean(Array.from(a, (v, i) => (v - ma) * (b[i] - mb))) / Math.sqrt(variance(a) * variance(b));
};
const keys = fc.tuple(fc.nat(0xffffffff), fc.nat(0xffffffff)) as fc.Arbitrary<Key>;

describe('threefry2x32', () => {
  it('gives the known answers of the published 20-round cipher', () => {
    expect(threefry2x32([0, 0], [0, 0])).toEqual([0x6b200159, 0x99ba4efe]);
    expect(threefry2x32([0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff])).toEqual([0x1cb996fc, 0xbb002be7]);
    expect(threefry2x32([0x13198a2e, 0x03707344], [0x243f6a88, 0x85a308d3])).toEqual([0xc4923a9c, 0x483df7a0]);
  });

  it('fills a buffer with consecutive counters, past 2^31 too', () => {
    fc.assert(
      fc.property(keys, fc.nat(0xffffff00), fc.nat(0xffffffff), fc.integer({ min: 1, max: 20 }), (k, first, high, blocks) => {
        const out = new Uint32Array(2 * blocks);
        fillThreefry(k, first, high, out);
        const one = Array.from({ length: blocks }, (_, i) => threefry2x32(k, [first + i, high])).flat();
        expect([...out]).toEqual(one);
      }),
    );
  });
});

describe('keys', () => {
  it('holds the high and the low word of the seed', () => {
    expect(key(0)).toEqual([0, 0]);
    expect(key(7)).toEqual([0, 7]);
    expect(key(2 ** 32 + 5)).toEqual([1, 5]);
    expect(key(2 ** 53 - 1)).toEqual([0x1fffff, 0xffffffff]);
  });

  it.each([-1, 0.5, Number.NaN, 2 ** 53])('rejects the seed %s', seed => {
    expect(() => key(seed)).toThrow(`key: expected an integer from 0 to 2^53 - 1, found ${seed}`);
    expect(() => fold(key(0), seed)).toThrow(/^fold: expected an integer/);
  });

  it('folds different numbers and names into different keys, each time the same', () => {
    const k = key(3);
    const folded = [0, 1, 2, 2 ** 32, 2 ** 32 + 1, '', 'a', 'b', 'ab', 'ba', 'a\u0000', '0', '1'].map(data =>
      fold(k, data).join(),
    );
    expect(new Set(folded).size).toBe(folded.length);
    expect(fold(k, 'ab')).toEqual(fold(key(3), 'ab'));
    expect(fold(fold(k, 'a'), 'b')).not.toEqual(fold(k, 'ab'));
  });

  it('splits into the folds of the positions', () => {
    expect(split(key(9), 3)).toEqual([fold(key(9), 0), fold(key(9), 1), fold(key(9), 2)]);
    expect(split(key(9), 0)).toEqual([]);
  });

  it('makes 100,000 different keys', () => {
    expect(new Set(split(key(1), 100_000).map(k => k.join())).size).toBe(100_000);
  });

  it('never folds to the words that it draws', () => {
    const k = key(4);
    const drawn = new Set(Array.from(uniform(k, [2000]).data));
    const hits = split(k, 1000).filter(([a, b]) => drawn.has((a >>> 8) * 2 ** -24) && drawn.has((b >>> 8) * 2 ** -24));
    expect(hits).toEqual([]);
  });

  it('draws independently from split, folded and consecutive keys', () => {
    const n = 50_000;
    const [a, b] = split(key(5), 2).map(k => uniform(k, [n]).data);
    const others = [b, uniform(key(5), [n]).data, uniform(key(6), [n]).data, uniform(fold(key(5), 'a'), [n]).data];
    for (const other of others) expect(Math.abs(correlation(a, other))).toBeLessThan(4 / Math.sqrt(n));
  });
});

describe('uniform', () => {
  it('is stable: these values are part of the format of a seed', () => {
    const [a, b] = threefry2x32([0, 42], [0, 0]);
    expect([...uniform(key(42), [2]).data]).toEqual([(a >>> 8) / 2 ** 24, (b >>> 8) / 2 ** 24]);
  });

  it('takes pair i of the numbers from counter i, across buffers', () => {
    const { data } = uniform(key(42), [20_000]);
    for (const i of [0, 1, 2047, 2048, 2049, 4096, 9999]) {
      expect([data[2 * i], data[2 * i + 1]]).toEqual(threefry2x32([0, 42], [i, 0]).map(word => (word >>> 8) / 2 ** 24));
    }
  });

  it('does not depend on how many numbers are drawn with it', () => {
    const long = uniform(key(8), [10_001]).data;
    for (const n of [0, 1, 2, 3, 4095, 4096, 4097, 8193]) expect(uniform(key(8), [n]).data).toEqual(long.slice(0, n));
  });

  it('fills [0, 1) evenly', () => {
    const n = 200_000;
    const { data, shape } = uniform(key(0), [n / 2, 2]);
    expect(shape).toEqual([n / 2, 2]);
    const counts = new Array<number>(20).fill(0);
    for (const v of data) counts[Math.floor(v * 20)]++;
    const chiSquare = counts.reduce((sum, c) => sum + (c - n / 20) ** 2 / (n / 20), 0);
    expect(chiSquare).toBeLessThan(43.8); // 19 degrees of freedom, p = 0.001
    expect(Math.min(...data.slice(0, 10_000))).toBeGreaterThanOrEqual(0);
    expect(mean(data)).toBeCloseTo(0.5, 2);
    expect(variance(data)).toBeCloseTo(1 / 12, 3);
    expect(Math.abs(correlation(data.slice(0, -1), data.slice(1)))).toBeLessThan(4 / Math.sqrt(n));
  });

  it('rejects what is no shape', () => {
    expect(() => uniform(key(0), [-1, -1])).toThrow(/uniform: expected a shape .* found \[-1, -1\]/);
    expect(() => uniform(key(0), [1e6, 1e6])).toThrow(/fewer than 2\^32 elements/);
  });
});

describe('normal', () => {
  it('has the moments and tails of N(0, 1)', () => {
    const n = 200_001;
    const { data } = normal(key(0), [n]);
    expect(Math.abs(mean(data))).toBeLessThan(4 / Math.sqrt(n));
    expect(Math.abs(variance(data) - 1)).toBeLessThan(4 * Math.sqrt(2 / n));
    expect(mean(Array.from(data, v => v ** 4))).toBeCloseTo(3, 1);
    const within = mean(Array.from(data, v => (Math.abs(v) < 1.959964 ? 1 : 0)));
    expect(Math.abs(within - 0.95)).toBeLessThan(4 * Math.sqrt((0.95 * 0.05) / n));
    expect(data.every(Number.isFinite)).toBe(true);
  });
});

describe('integers', () => {
  it('stays in its range and reaches every number of it', () => {
    fc.assert(
      fc.property(keys, fc.integer({ min: -1000, max: 1000 }), fc.integer({ min: 1, max: 20 }), (k, low, range) => {
        const drawn = new Set(integers(k, low, low + range, 1000));
        expect([...drawn].sort((a, b) => a - b)).toEqual(Array.from({ length: range }, (_, i) => low + i));
      }),
    );
  });

  it('is not biased where the range does not divide 2^32', () => {
    // Without rejection, the numbers below 2^30 of a range of 3 * 2^30 would come up with probability 1/2 instead of 1/3.
    const drawn = integers(key(1), -(2 ** 31), 2 ** 30, 30_000);
    const low = drawn.filter(v => v < -(2 ** 30)).length;
    expect(Math.abs(low / 30_000 - 1 / 3)).toBeLessThan(4 * Math.sqrt(2 / 9 / 30_000));
  });

  it('covers all 32 bits', () => {
    const drawn = integers(key(2), -(2 ** 31), 2 ** 31, 1000);
    expect(Math.min(...drawn)).toBeLessThan(-(2 ** 30));
    expect(Math.max(...drawn)).toBeGreaterThan(2 ** 30);
  });

  it('rejects empty ranges and ones beyond 32 bits', () => {
    expect(() => integers(key(0), 3, 3, 1)).toThrow('integers: expected low < highExclusive within 32 bits, found 3 and 3');
    expect(() => integers(key(0), 0, 2 ** 32, 1)).toThrow(/within 32 bits/);
    expect(() => integers(key(0), 0, 1, -1)).toThrow('integers: expected a count, found -1');
  });
});

describe('choices', () => {
  it('permutes', () => {
    fc.assert(
      fc.property(keys, fc.nat(200), (k, n) => {
        expect([...permutation(k, n)].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
      }),
    );
  });

  it('reaches the 24 orders of 4 evenly', () => {
    const counts = new Map<string, number>();
    for (const k of split(key(3), 24_000)) {
      const order = permutation(k, 4).join();
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    const chiSquare = [...counts.values()].reduce((sum, c) => sum + (c - 1000) ** 2 / 1000, 0);
    expect(chiSquare).toBeLessThan(49.7); // 23 degrees of freedom, p = 0.001
  });

  it('chooses different numbers, the beginning of the permutation', () => {
    fc.assert(
      fc.property(keys, fc.nat(100), fc.nat(100), (k, a, b) => {
        const [n, count] = [Math.max(a, b), Math.min(a, b)];
        const chosen = choiceWithoutReplacement(k, n, count);
        expect(new Set(chosen).size).toBe(count);
        expect([...chosen].every(i => i >= 0 && i < n)).toBe(true);
      }),
    );
    expect(() => choiceWithoutReplacement(key(0), 3, 4)).toThrow('choiceWithoutReplacement: cannot choose 4 of 3');
  });

  it('chooses every number with the same probability', () => {
    const counts = new Array<number>(10).fill(0);
    for (const k of split(key(4), 10_000)) for (const i of choiceWithoutReplacement(k, 10, 3)) counts[i]++;
    for (const c of counts) expect(Math.abs(c - 3000)).toBeLessThan(4 * Math.sqrt(10_000 * 0.3 * 0.7));
  });
});

describe('bernoulliMask', () => {
  it.each([0.3, 0.5, 0.9])('keeps %s of the values', keep => {
    const { data, dtype, shape } = bernoulliMask(key(0), keep, [16, 750, 11]);
    expect([dtype, shape]).toEqual(['uint8', [16, 750, 11]]);
    expect(new Set(data)).toEqual(new Set([0, 1]));
    expect(Math.abs(mean(data) - keep)).toBeLessThan(4 * Math.sqrt((keep * (1 - keep)) / data.length));
    expect(Math.abs(correlation(data.slice(0, -1), data.slice(1)))).toBeLessThan(4 / Math.sqrt(data.length));
  });

  it('compares the low, then the high half of each word with keep * 2^16', () => {
    const [a, b] = threefry2x32([0, 11], [0, 0]);
    const halves = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
    for (const keep of [0.1, 0.4, 0.7]) {
      expect([...bernoulliMask(key(11), keep, [4]).data]).toEqual(halves.map(h => (h < Math.round(keep * 65536) ? 1 : 0)));
    }
  });

  it('keeps all at 1, none at 0', () => {
    expect(mean(bernoulliMask(key(1), 1, [20_001]).data)).toBe(1);
    expect(mean(bernoulliMask(key(1), 0, [20_001]).data)).toBe(0);
  });

  it('does not depend on how many values are drawn with it', () => {
    const long = bernoulliMask(key(8), 0.5, [30_000]).data;
    for (const n of [0, 1, 2, 3, 4, 5, 8191, 8192, 8193, 8194, 16_385]) {
      expect(bernoulliMask(key(8), 0.5, [n]).data).toEqual(long.slice(0, n));
    }
  });

  it.each([-0.1, 1.1, Number.NaN])('rejects the probability %s', keep => {
    expect(() => bernoulliMask(key(0), keep, [1])).toThrow(`bernoulliMask: expected a probability, found ${keep}`);
  });
});
