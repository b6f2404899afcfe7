import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as e from '../../src/engine/index.ts';
import { type Array64, apart, at, between, build, positions, reduced } from './arrays.ts';
import { checkFloat32, holds } from './checks.ts';

interface Axis {
  extent: number;
  kernel: number;
  stride: number;
  before: number;
  after: number;
}

const axisOf = fc
  .record({
    kernel: fc.integer({ min: 1, max: 4 }),
    stride: fc.integer({ min: 1, max: 4 }),
    room: fc.nat(4),
    pads: fc.tuple(fc.nat(2), fc.nat(2)),
  })
  .map(({ kernel, stride, room, pads }) => {
    const [before, after] = pads.map(p => Math.min(p, Math.floor(kernel / 2)));
    return { kernel, stride, before, after, extent: Math.max(1, kernel - before - after) + room };
  });
const windows = (rank: number) =>
  fc.record({ lead: fc.constantFrom([1, 1], [2, 3]), axes: fc.array(axisOf, { minLength: rank, maxLength: rank }) });

const optionsOf = (axes: Axis[]) => ({ stride: axes.map(a => a.stride), padding: axes.map(a => [a.before, a.after] as const) });

/** `f` of the elements of each window; `undefined` stands for padding. */
function pooled(x: Array64, axes: Axis[], f: (values: (number | undefined)[]) => number): Array64 {
  const out = axes.map(a => Math.floor((a.extent + a.before + a.after - a.kernel) / a.stride) + 1);
  const taps = positions(axes.map(a => a.kernel));
  return build([...x.shape.slice(0, 2), ...out], ([b, c, ...p]) =>
    f(
      taps.map(tap => {
        const from = axes.map((a, i) => p[i] * a.stride + tap[i] - a.before);
        return from.some((q, i) => q < 0 || q >= axes[i].extent) ? undefined : at(x, [b, c, ...from]);
      }),
    ),
  );
}

const real = (values: (number | undefined)[]): number[] => values.filter(v => v !== undefined);
const sumOf = (values: number[]) => values.reduce((a, b) => a + b, 0);
const average = (values: (number | undefined)[]) => sumOf(real(values)) / values.length;
const averageWithoutPad = (values: (number | undefined)[]) => sumOf(real(values)) / real(values).length;

describe.each([1, 2] as const)('%i-D pooling', rank => {
  const [maxPool, averagePool] = rank === 1 ? [e.maxPool1d, e.averagePool1d] : [e.maxPool2d, e.averagePool2d];
  it('maxPool', async () => {
    await holds(
      windows(rank),
      ({ lead, axes }, seed) => {
        const x = apart(seed, [...lead, ...axes.map(a => a.extent)]);
        const kernel = axes.map(a => a.kernel);
        return {
          inputs: [x],
          fn: t => maxPool(t, kernel, optionsOf(axes)),
          expected: pooled(x, axes, v => Math.max(...real(v))),
        };
      },
      40,
    );
  });

  it.each([true, false])('averagePool, countIncludePad %s', async countIncludePad => {
    await holds(
      windows(rank),
      ({ lead, axes }, seed) => {
        const x = between(seed, [...lead, ...axes.map(a => a.extent)]);
        const kernel = axes.map(a => a.kernel);
        // A window that holds padding alone has no average.
        const expected = pooled(x, axes, v => (countIncludePad ? average(v) : real(v).length > 0 ? averageWithoutPad(v) : 0));
        return { inputs: [x], fn: t => averagePool(t, kernel, { ...optionsOf(axes), countIncludePad }), expected };
      },
      40,
    );
  });

  it('float32 agrees with float64, values and gradients', async () => {
    const shape = [2, 3, 7, 8].slice(0, 2 + rank);
    const x = apart(8, shape);
    for (const pool of [maxPool, averagePool]) {
      const y = await e.compile((t: e.Tensor) => pool(t, 3, { stride: 2, padding: 1 }))(x as never);
      await checkFloat32(t => pool(t, 3, { stride: 2, padding: 1 }), [x], (y as unknown as e.NDArray).shape, 1e-5);
    }
  });
});

describe('pooling', () => {
  it('strides by the kernel by default', async () => {
    const f = e.compile((t: e.Tensor) => e.maxPool1d(t, 2));
    const y = (await f(e.fromNumbers([1, 4, 3, 2, 9], [1, 1, 5]) as never)) as unknown as e.NDArray;
    expect([...y.data]).toEqual([4, 3]);
    await f.dispose();
  });

  it('gives the gradient of tied maxima to the first, row by row', async () => {
    const f = e.compile((t: e.Tensor) => e.grad((u: e.Tensor) => e.sum(e.maxPool2d(u, 2, { stride: 1 })))(t));
    const g = (await f(e.fromNumbers([1, 1, 0, 0, 1, 1, 5, 0, 0], [1, 1, 3, 3]) as never)) as unknown as e.NDArray;
    // Windows [1 1 / 0 1], [1 0 / 1 1], [0 1 / 5 0], [1 1 / 0 0]: firsts at 0, 1, 6, 4.
    expect([...g.data]).toEqual([1, 1, 0, 0, 1, 0, 1, 0, 0]);
    await f.dispose();
  });

  it('sends the cotangent of a window of NaN somewhere in x instead of failing', async () => {
    const f = e.compile((t: e.Tensor) => e.grad((u: e.Tensor) => e.sum(e.maxPool2d(u, 2)))(t));
    const nan = Number.NaN;
    const g = (await f(e.fromNumbers([nan, nan, nan, nan, 1, 2, 4, 3], [1, 2, 2, 2]) as never)) as unknown as e.NDArray;
    expect([...g.data].reduce((a: number, b) => a + Number(b), 0)).toBe(2);
    expect([...g.data].slice(4)).toEqual([0, 0, 1, 0]);
    await f.dispose();
  });

  it('averages over windows that tile x, with padding and without', async () => {
    for (const [extent, before, after] of [
      [8, 0, 0],
      [4, 1, 2],
      [5, 2, 1],
    ]) {
      const axes = [{ extent, kernel: 4, stride: 4, before, after }];
      const x = between(3, [2, 2, extent]);
      await holds(
        fc.constant(0),
        () => ({ inputs: [x], fn: t => e.averagePool1d(t, 4, optionsOf(axes)), expected: pooled(x, axes, average) }),
        1,
      );
    }
  });

  it('globalAveragePool', async () => {
    await holds(fc.constantFrom([2, 3, 4], [1, 2, 3, 2]), (shape, seed) => {
      const x = between(seed, shape);
      const axes = [...shape.keys()].slice(2);
      return { inputs: [x], fn: t => e.globalAveragePool(t), expected: reduced(x, axes, false, v => sumOf(v) / v.length) };
    });
  });

  it('refuses padding of more than half a window', () => {
    const f = e.compile((t: e.Tensor) => e.maxPool1d(t, 3, { padding: 2 }));
    expect(() => f.print(e.zeros([1, 1, 5]) as never)).toThrow(/maxPool1d: padding must be at most half the kernel \[3\]/);
  });
});
