import { describe, expect, it } from 'vitest';
import { astype, fromNumbers, ndarray } from '../../src/engine/index.ts';

describe('fromNumbers', () => {
  it.each([
    ['int32', [1, 0.5], /fromNumbers: int32 cannot hold 0\.5 \(element 1\)/],
    ['int64', [1.5, 2], /fromNumbers: int64 cannot hold 1\.5 \(element 0\)/],
    ['uint8', [1, 300], /fromNumbers: uint8 cannot hold 300 \(element 1\)/],
    ['bool', [2, 0], /fromNumbers: bool cannot hold 2 \(element 0\)/],
    ['int32', [Number.NaN, 0], /fromNumbers: int32 cannot hold NaN/],
  ] as const)('%s refuses %j', (dtype, values, message) => {
    expect(() => fromNumbers(values, [2], dtype)).toThrow(message);
  });
});

describe('astype', () => {
  const x = ndarray('float64', [4], Float64Array.of(-1.7, 0, 0.5, 2.5));

  it('rounds towards zero, as the op cast', () => {
    expect([...astype(x, 'int32').data].map(v => v + 0)).toEqual([-1, 0, 0, 2]);
    expect([...astype(x, 'int64').data]).toEqual([-1n, 0n, 0n, 2n]);
    expect([...astype(x, 'bool').data]).toEqual([1, 0, 1, 1]);
  });

  it('refuses what the type cannot hold', () => {
    expect(() => astype(x, 'uint8')).toThrow(/astype: uint8 cannot hold -1\.7 \(element 0\)/);
    expect(() => astype(ndarray('float64', [2], Float64Array.of(0, Number.NaN)), 'int32')).toThrow(
      /astype: int32 cannot hold NaN \(element 1\)/,
    );
    expect(() => astype(ndarray('int64', [1], BigInt64Array.of(2n ** 40n)), 'int32')).toThrow(/int32 cannot hold 1099511627776/);
  });
});
