import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromNumbers } from '../../src/engine/ndarray.ts';
import { allFinite, clipByGlobalNorm, clipByValue, globalNorm } from '../../src/nn/clip.ts';

const values = fc.array(fc.float({ min: -100, max: 100, noNaN: true }), { maxLength: 11 });
const vector = (numbers: number[], dtype: 'float32' | 'float64' = 'float32') => fromNumbers(numbers, [numbers.length], dtype);

describe('globalNorm', () => {
  it('is the norm of all gradients as one vector', () => {
    expect(globalNorm({ a: vector([3]), unused: undefined, b: vector([0, 4], 'float64') })).toBe(5);
    expect(globalNorm({})).toBe(0);
    fc.assert(
      fc.property(values, values, (a, b) => {
        expect(globalNorm({ a: vector(a), b: vector(b, 'float64') })).toBeCloseTo(Math.hypot(...a, ...b), 4);
      }),
    );
  });

  it('does not overflow where float32 would', () => {
    expect(globalNorm({ a: vector([3e38, 3e38]) }) / (Math.fround(3e38) * Math.SQRT2)).toBeCloseTo(1, 12);
  });

  it('refuses what is no gradient', () => {
    expect(() => globalNorm({ n: fromNumbers([1], [1], 'int32') })).toThrow(
      'gradient of n: expected a floating type, found int32',
    );
  });
});

describe('clipByGlobalNorm', () => {
  it('scales to the norm asked for, keeping the direction, and returns the norm before', () => {
    const gradients = { a: vector([3]), unused: undefined, b: vector([0, 4], 'float64') };
    expect(clipByGlobalNorm(gradients, 1)).toBe(5);
    expect(gradients.a.data[0]).toBeCloseTo(0.6, 6);
    expect(gradients.b.data[1]).toBeCloseTo(4 / (5 + 1e-6), 15);
  });

  it('leaves smaller gradients alone, to the bit', () => {
    const gradients = { a: vector([3, 0.1]) };
    expect(clipByGlobalNorm(gradients, 4)).toBeCloseTo(Math.hypot(3, 0.1), 6);
    expect(gradients.a).toEqual(vector([3, 0.1]));
  });

  it('reports a norm that is not finite and changes nothing', () => {
    const gradients = { a: vector([Number.POSITIVE_INFINITY, 1]) };
    expect(clipByGlobalNorm(gradients, 1)).toBe(Number.POSITIVE_INFINITY);
    expect(gradients.a).toEqual(vector([Number.POSITIVE_INFINITY, 1]));
    expect(clipByGlobalNorm({ a: vector([Number.NaN]) }, 1)).toBeNaN();
  });

  it('needs a norm above 0', () => {
    expect(() => clipByGlobalNorm({}, 0)).toThrow('clipByGlobalNorm: expected maxNorm above 0, found 0');
  });
});

describe('clipByValue', () => {
  it('moves every value into the range', () => {
    const gradients = { a: vector([-5, -1, 0.5, 2, Number.NaN, Number.POSITIVE_INFINITY]), unused: undefined };
    clipByValue(gradients, 1.5);
    expect(gradients.a).toEqual(vector([-1.5, -1, 0.5, 1.5, Number.NaN, 1.5]));
    expect(() => clipByValue(gradients, Number.NaN)).toThrow('clipByValue: expected limit above 0, found NaN');
  });
});

describe('allFinite', () => {
  it('is true of finite values, the largest too', () => {
    expect(
      allFinite({ a: vector([1, -3.4e38, 3.4e38, 0, -0]), b: vector([1e308, 1e308, -1e308], 'float64'), unused: undefined }),
    ).toBe(true);
    expect(allFinite({})).toBe(true);
  });

  it('finds a single other value at any position', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      for (let at = 0; at < 7; at++) {
        const numbers = [1, 2, 3, 4, 5, 6, 7];
        numbers[at] = bad;
        expect(allFinite({ ok: vector([1]), a: vector(numbers) })).toBe(false);
        expect(allFinite({ a: vector(numbers, 'float64') })).toBe(false);
      }
    }
    // Which would cancel in a plain sum of signs.
    expect(allFinite({ a: vector([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) })).toBe(false);
  });
});
