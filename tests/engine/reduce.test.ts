import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as e from '../../src/engine/index.ts';
import { apart, at, between, build, reduced } from './arrays.ts';
import { check, holds, withAxes, withAxis } from './checks.ts';

const sumOf = (v: number[]) => v.reduce((a, b) => a + b, 0);
const meanOf = (v: number[]) => sumOf(v) / v.length;

describe('reductions over any axes', () => {
  type Reduction = (x: e.Tensor, axes: number[], keepDims: boolean) => e.Tensor;
  const reductions: [string, Reduction, (values: number[]) => number][] = [
    ['sum', e.sum, sumOf],
    ['mean', e.mean, meanOf],
    ['max', e.max, v => Math.max(...v)],
    ['min', e.min, v => Math.min(...v)],
    ['variance', (x, axes, keepDims) => e.variance(x, axes, { keepDims }), v => meanOf(v.map(a => (a - meanOf(v)) ** 2))],
    ['logSumExp', e.logSumExp, v => Math.log(sumOf(v.map(Math.exp)))],
    ['L2 norm', (x, axes, keepDims) => e.norm(x, axes, { keepDims }), v => Math.hypot(...v)],
    ['L1 norm', (x, axes, keepDims) => e.norm(x, axes, { keepDims, order: 1 }), v => sumOf(v.map(Math.abs))],
    [
      'norm with epsilon',
      (x, axes, keepDims) => e.norm(x, axes, { keepDims, epsilon: 0.1 }),
      v => Math.sqrt(sumOf(v.map(a => a * a)) + 0.1),
    ],
  ];
  it.each(reductions)('%s', async (_, fn, reference) => {
    await holds(withAxes(), ({ shape, axes, keepDims }, seed) => {
      const x = apart(seed, shape);
      return { inputs: [x], fn: t => fn(t, axes, keepDims), expected: reduced(x, axes, keepDims, reference) };
    });
  });

  it('unbiased variance', async () => {
    const x = between(1, [2, 5]);
    await check({
      inputs: [x],
      fn: t => e.variance(t, 1, { correction: 1 }),
      expected: reduced(x, [1], false, v => sumOf(v.map(a => (a - meanOf(v)) ** 2)) / (v.length - 1)),
    });
  });

  it('without axes reduces all, with none changes nothing', async () => {
    const x = between(2, [2, 3]);
    await check({
      inputs: [x],
      fn: t => [e.sum(t), e.max(t), e.sum(t, []), e.max(t, [])],
      expected: [build([], () => sumOf([...x.data])), build([], () => Math.max(...x.data)), x, x],
    });
  });

  it('max and min share the gradient evenly on ties', async () => {
    const x = e.ndarray('float64', [4], Float64Array.of(3, 1, 3, 1));
    const f = e.compile((t: e.Tensor) => [e.max, e.min].map(r => e.grad((u: e.Tensor) => r(u))(t)));
    const [max, min] = (await f(x as never)) as unknown as e.NDArray[];
    expect([[...max.data], [...min.data]]).toEqual([
      [0.5, 0, 0.5, 0],
      [0, 0.5, 0, 0.5],
    ]);
    await f.dispose();
  });

  it('logSumExp of large numbers does not overflow', async () => {
    const x = e.ndarray('float64', [2, 2], Float64Array.of(1000, 1000, -1000, -1001));
    await check({
      inputs: [x],
      fn: t => e.logSumExp(t, 1),
      expected: e.ndarray('float64', [2], Float64Array.of(1000 + Math.log(2), -1000 + Math.log1p(Math.exp(-1)))),
    });
  });
});

describe('logSumExp at infinities', () => {
  const inf = Number.POSITIVE_INFINITY;
  const rows = [
    { x: [-inf, -inf], y: -inf, slope: [0, 0] },
    { x: [inf, 0], y: inf, slope: [1, 0] },
    { x: [inf, inf], y: inf, slope: [0.5, 0.5] },
    { x: [-inf, 3], y: 3, slope: [0, 1] },
    { x: [-inf, -1000], y: -1000, slope: [0, 1] },
    { x: [inf, -inf], y: inf, slope: [1, 0] },
  ];
  it.each(['float32', 'float64'] as const)('%s: value and gradient', async dtype => {
    const x = e.fromNumbers(
      rows.flatMap(r => r.x),
      [rows.length, 2],
      dtype,
    );
    const f = e.compile((t: e.Tensor) => [
      e.logSumExp(t, 1),
      e.vjp([e.logSumExp(t, 1)], [e.full([rows.length], 1, dtype)], [t])[0],
    ]);
    const [y, slope] = (await f(x as never)) as unknown as e.NDArray[];
    expect([...y.data]).toEqual(rows.map(r => r.y));
    expect([...slope.data]).toEqual(rows.flatMap(r => r.slope));
    await f.dispose();
  });

  it('NaN stays NaN, in the gradient too', async () => {
    const f = e.compile((t: e.Tensor) => [e.logSumExp(t), e.grad((u: e.Tensor) => e.logSumExp(u))(t)]);
    const [y, slope] = (await f(e.fromNumbers([1, Number.NaN], [2]) as never)) as unknown as e.NDArray[];
    expect([...y.data, ...slope.data]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    await f.dispose();
  });
});

describe('means need a floating type', () => {
  it.each([
    ['mean', (x: e.Tensor) => e.mean(x), /mean: needs a floating type, got int32/],
    ['variance', (x: e.Tensor) => e.variance(x), /variance: needs a floating type, got int32/],
    ['logSumExp', (x: e.Tensor) => e.logSumExp(x), /logSumExp\(int32\[2\]\): needs a floating type, got int32/],
  ])('%s', async (_, fn, message) => {
    const f = e.compile((x: e.Tensor) => fn(x));
    await expect(f(e.fromNumbers([1, 2], [2], 'int32') as never)).rejects.toThrow(message);
    await f.dispose();
  });
});

describe('softmax and logSoftmax along any axis', () => {
  it.each([
    ['softmax', e.softmax, (v: number[], i: number) => Math.exp(v[i]) / sumOf(v.map(Math.exp))],
    ['logSoftmax', e.logSoftmax, (v: number[], i: number) => v[i] - Math.log(sumOf(v.map(Math.exp)))],
  ] as const)('%s', async (_, fn, reference) => {
    await holds(
      fc.record({ where: withAxis(), scale: fc.constantFrom(1, 30) }),
      ({ where: { shape, axis, position }, scale }, seed) => {
        const x = between(seed, shape, -scale, scale);
        const line = (p: number[]) =>
          Array.from({ length: shape[position] }, (_, i) =>
            at(
              x,
              p.map((v, a) => (a === position ? i : v)),
            ),
          );
        return { inputs: [x], fn: t => fn(t, axis), expected: build(shape, p => reference(line(p), p[position])) };
      },
    );
  });
});
