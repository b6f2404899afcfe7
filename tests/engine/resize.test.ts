import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as e from '../../src/engine/index.ts';
import { at, between, build } from './arrays.ts';
import { holds, withAxis } from './checks.ts';

const put = (p: readonly number[], axis: number, value: number): number[] => p.map((v, i) => (i === axis ? value : v));
const sizes = fc.record({ where: withAxis(), size: fc.integer({ min: 1, max: 7 }), alignCorners: fc.boolean() });

/** Value of a line at a real position, by blending its neighbours. */
function sourceOf(i: number, n: number, size: number, alignCorners: boolean): number {
  if (alignCorners) return size === 1 ? 0 : (i * (n - 1)) / (size - 1);
  return Math.max(0, ((i + 0.5) * n) / size - 0.5);
}

describe('resizeLinear', () => {
  it('along any axis, with cells or corners aligned', async () => {
    await holds(
      sizes,
      ({ where: { shape, axis, position }, size, alignCorners }, seed) => {
        const x = between(seed, shape);
        const n = shape[position];
        const expected = build(put(shape, position, size), p => {
          const s = sourceOf(p[position], n, size, alignCorners);
          const low = Math.min(n - 1, Math.floor(s));
          const read = (i: number) => at(x, put(p, position, Math.min(n - 1, i)));
          return read(low) * (1 - (s - low)) + read(low + 1) * (s - low);
        });
        return { inputs: [x], fn: t => e.resizeLinear(t, axis, size, { alignCorners }), expected };
      },
      16,
    );
  });

  it('of a long axis, which blends two reads instead', async () => {
    await holds(
      fc.constantFrom(200, 300, 301),
      (size, seed) => {
        const x = between(seed, [2, 300]);
        const expected = build([2, size], ([b, i]) => {
          const s = sourceOf(i, 300, size, false);
          const low = Math.min(299, Math.floor(s));
          return at(x, [b, low]) * (1 - (s - low)) + at(x, [b, Math.min(299, low + 1)]) * (s - low);
        });
        return { inputs: [x], fn: t => e.resizeLinear(t, 1, size), expected };
      },
      3,
    );
  });

  it("agrees with PyTorch's interpolate([1, 3, 2], 5) in both conventions", async () => {
    const f = e.compile((t: e.Tensor) => [false, true].map(alignCorners => e.resizeLinear(t, 0, 5, { alignCorners })));
    const [cells, corners] = (await f(e.fromNumbers([1, 3, 2], [3], 'float64') as never)) as unknown as e.NDArray[];
    expect([...corners.data]).toEqual([1, 2, 3, 2.5, 2]);
    for (const [i, want] of [1, 1.8, 3, 2.4, 2].entries()) expect(Number(cells.data[i])).toBeCloseTo(want, 12);
    await f.dispose();
  });
});

describe('resizeNearest', () => {
  it('reads floor(i n / size)', async () => {
    await holds(sizes, ({ where: { shape, axis, position }, size }, seed) => {
      const x = between(seed, shape);
      const n = shape[position];
      const expected = build(put(shape, position, size), p => at(x, put(p, position, Math.floor((p[position] * n) / size))));
      return { inputs: [x], fn: t => e.resizeNearest(t, axis, size), expected };
    });
  });
});
