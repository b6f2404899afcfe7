import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as e from '../../src/engine/index.ts';
import { ndarray, type Tensor } from '../../src/engine/index.ts';
import { apart, at, between, build, together } from './arrays.ts';
import { broadcastable, check, checkFloat32, holds, shapes } from './checks.ts';

/** erf from its everywhere convergent series, erf x = 2/sqrt(pi) e^(-x^2) sum of 2^n x^(2n+1) / (2n+1)!!. */
function erfReference(x: number): number {
  let [term, total] = [x, x];
  for (let n = 1; n < 300; n++) total += term *= (2 * x * x) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total;
}

describe('unary ops', () => {
  const anywhere: [string, (x: Tensor) => Tensor, (x: number) => number][] = [
    ['neg', e.neg, x => -x],
    ['exp', e.exp, Math.exp],
    ['abs', e.abs, Math.abs],
    ['sin', e.sin, Math.sin],
    ['cos', e.cos, Math.cos],
    ['relu', e.relu, x => Math.max(x, 0)],
    ['sigmoid', e.sigmoid, x => 1 / (1 + Math.exp(-x))],
    ['tanh', e.tanh, Math.tanh],
    ['erf', e.erf, erfReference],
    ['softplus', e.softplus, x => Math.log1p(Math.exp(x))],
    ['square', e.square, x => x * x],
    ['gelu', x => e.gelu(x), x => 0.5 * x * (1 + erfReference(x / Math.SQRT2))],
    ['gelu, tanh form', x => e.gelu(x, 'tanh'), x => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))],
    ['pow 3', x => e.pow(x, 3), x => x ** 3],
    ['pow 2', x => e.pow(x, 2), x => x ** 2],
    ['pow 1', x => e.pow(x, 1), x => x],
    ['clamp', x => e.clamp(x, -0.1, 0.2), x => Math.min(Math.max(x, -0.1), 0.2)],
    ['clamp from below', x => e.clamp(x, 0, Number.POSITIVE_INFINITY), x => Math.max(x, 0)],
    ['sign', e.sign, Math.sign],
    ['floor', e.floor, Math.floor],
    ['ceil', e.ceil, Math.ceil],
  ];
  it.each(anywhere)('%s', async (_, fn, reference) => {
    await holds(shapes(0, 3, 0), (shape, seed) => {
      const x = apart(seed, shape);
      return { inputs: [x], fn, expected: build(shape, p => reference(at(x, p))) };
    });
  });

  const positive: [string, (x: Tensor) => Tensor, (x: number) => number][] = [
    ['log', e.log, Math.log],
    ['sqrt', e.sqrt, Math.sqrt],
    ['reciprocal', e.reciprocal, x => 1 / x],
    ['pow 0.5', x => e.pow(x, 0.5), Math.sqrt],
    ['pow -1', x => e.pow(x, -1), x => 1 / x],
    ['pow 2.7', x => e.pow(x, 2.7), x => x ** 2.7],
    ['number to a power', x => e.pow(2, x), x => 2 ** x],
  ];
  it.each(positive)('%s of positive numbers', async (_, fn, reference) => {
    await holds(shapes(0, 3), (shape, seed) => {
      const x = between(seed, shape, 0.3, 2);
      return { inputs: [x], fn, expected: build(shape, p => reference(at(x, p))) };
    });
  });

  it('relu in float32: its derivative is 1 from 3e-39 on and never above, 0 at and below 0', async () => {
    const x = ndarray('float32', [7], Float32Array.of(-2, -1e-30, 0, 1.2e-38, 1e-3, 3e38, Number.POSITIVE_INFINITY));
    const slope = e.compile((v: Tensor) => e.grad((t: Tensor) => e.sum(e.mul(e.relu(t), 5)))(v));
    const { data } = (await slope(x as never)) as e.NDArray;
    expect([...data]).toEqual([0, 0, 0, 5, 5, 5, 5]);
  });

  it('derivatives at kinks: 0 for relu and abs at 0, 1 for clamp on its bounds', async () => {
    const x = ndarray('float64', [3], Float64Array.of(0, -1, 1));
    const slopes = e.compile((v: Tensor) =>
      [e.relu, e.abs, (t: Tensor) => e.clamp(t, -1, 1)].map(f => e.grad((t: Tensor) => e.sum(f(t)))(v)),
    );
    const [relu, abs, clamp] = (await slopes(x as never)) as e.NDArray[];
    expect([...relu.data]).toEqual([0, 0, 1]);
    expect([...abs.data].map(v => Number(v) + 0)).toEqual([0, -1, 1]);
    expect([...clamp.data]).toEqual([1, 1, 1]);
    await slopes.dispose();
  });

  it('large arguments neither overflow nor lose the tail', async () => {
    const x = ndarray('float64', [4], Float64Array.of(-800, -40, 40, 800));
    await check({
      inputs: [x],
      fn: t => [e.softplus(t), e.sigmoid(t), e.erf(t)],
      expected: [
        ndarray('float64', [4], Float64Array.of(0, 0, 40, 800)),
        ndarray('float64', [4], Float64Array.of(0, 0, 1, 1)),
        ndarray('float64', [4], Float64Array.of(-1, -1, 1, 1)),
      ],
    });
  });

  it('erf in float64 is exact to 1e-14 over its whole range', async () => {
    const x = build([241], ([i]) => (i - 120) / 20);
    const f = e.compile((t: Tensor) => e.erf(t));
    const y = (await f(x as never)) as unknown as e.NDArray;
    for (const [i, v] of x.data.entries()) expect(Math.abs(Number(y.data[i]) - erfReference(v))).toBeLessThan(1e-14);
    await f.dispose();
  });

  it('float32 agrees with float64', async () => {
    const x = apart(5, [3, 7]);
    await checkFloat32(t => e.add(e.mul(e.gelu(t), e.softplus(t)), e.tanh(e.erf(t))), [x], [3, 7], 1e-5);
  });
});

describe('binary ops, with broadcasting', () => {
  const smooth: [string, (x: Tensor, y: Tensor) => Tensor, (x: number, y: number) => number][] = [
    ['add', e.add, (x, y) => x + y],
    ['sub', e.sub, (x, y) => x - y],
    ['mul', e.mul, (x, y) => x * y],
  ];
  it.each(smooth)('%s', async (_, fn, reference) => {
    await holds(broadcastable(0), ([a, b], seed) => {
      const [x, y] = [between(seed, a), between(seed + 1, b)];
      return { inputs: [x, y], fn: (s, t) => fn(s, t), expected: build(together(a, b), p => reference(at(x, p), at(y, p))) };
    });
  });

  const positive: [string, (x: Tensor, y: Tensor) => Tensor, (x: number, y: number) => number][] = [
    ['div', e.div, (x, y) => x / y],
    ['pow', e.pow, (x, y) => x ** y],
  ];
  it.each(positive)('%s of positive numbers', async (_, fn, reference) => {
    await holds(broadcastable(), ([a, b], seed) => {
      const [x, y] = [between(seed, a, 0.4, 2), between(seed + 1, b, 0.4, 2)];
      return { inputs: [x, y], fn: (s, t) => fn(s, t), expected: build(together(a, b), p => reference(at(x, p), at(y, p))) };
    });
  });

  it('pow 0 is 1 with the gradient 0, at 0 too, whether the exponent is a number or a tensor', async () => {
    const x = ndarray('float64', [3], Float64Array.of(0, -2, 3));
    const zero = ndarray('float64', [3], new Float64Array(3));
    const f = e.compile((t: Tensor, n: Tensor) =>
      [(u: Tensor) => e.pow(u, 0), (u: Tensor) => e.pow(u, n)].map(p => [p(t), e.grad((u: Tensor) => e.sum(p(u)))(t)]),
    );
    for (const [value, slope] of (await f(x as never, zero as never)) as unknown as e.NDArray[][]) {
      expect([...value.data]).toEqual([1, 1, 1]);
      expect([...slope.data].map(v => Number(v) + 0)).toEqual([0, 0, 0]);
    }
    await f.dispose();
  });

  it('pow with exponents around 0 in one tensor', async () => {
    const [x, n] = [
      ndarray('float64', [4], Float64Array.of(0.5, 2, 3, 1.5)),
      ndarray('float64', [4], Float64Array.of(0, 1, -1, 2.5)),
    ];
    await check({ inputs: [x, n], fn: (s, t) => e.pow(s, t), expected: build([4], ([i]) => x.data[i] ** n.data[i]) });
  });

  const choosing: [string, (x: Tensor, y: Tensor) => Tensor, (x: number, y: number) => number][] = [
    ['maximum', e.maximum, Math.max],
    ['minimum', e.minimum, Math.min],
  ];
  it.each(choosing)('%s', async (_, fn, reference) => {
    await holds(broadcastable(), ([a, b], seed) => {
      const x = apart(seed, a);
      // Shifted by a third of the spacing, so that no element of y equals one of x.
      const y = build(b, p => at(apart(seed + 1, b), p) + 0.02);
      return { inputs: [x, y], fn: (s, t) => fn(s, t), expected: build(together(a, b), p => reference(at(x, p), at(y, p))) };
    });
  });

  it('maximum and minimum halve the gradient on a tie', async () => {
    const x = ndarray('float64', [1], Float64Array.of(2));
    const f = e.compile((a: Tensor, b: Tensor) =>
      [e.maximum, e.minimum].map(op => e.grad((p: { a: Tensor; b: Tensor }) => e.sum(op(p.a, p.b)))({ a, b })),
    );
    const halves = (await f(x as never, x as never)) as unknown as { a: e.NDArray; b: e.NDArray }[];
    for (const { a, b } of halves) expect([a.data[0], b.data[0]]).toEqual([0.5, 0.5]);
    await f.dispose();
  });

  it('numbers take the type of the tensor, on either side', async () => {
    await holds(shapes(0, 2), (shape, seed) => {
      const x = between(seed, shape, 0.5, 2);
      return {
        inputs: [x],
        fn: t => [e.sub(3, t), e.div(2, t), e.add(t, 0), e.mul(1.5, t)],
        expected: [3, 2, 0, 1.5].map((c, i) => build(shape, p => [c - at(x, p), c / at(x, p), at(x, p), c * at(x, p)][i])),
      };
    });
  });
});

describe('numbers beside integer tensors', () => {
  type Case = [string, e.DType, (x: Tensor) => Tensor, RegExp];
  const cases: Case[] = [
    ['a fraction', 'int32', x => e.mul(x, 0.5), /mul\(int32\[2\], 0\.5\): int32 cannot hold 0\.5/],
    ['a fraction on the left', 'int64', x => e.sub(1.5, x), /sub\(1\.5, int64\[2\]\): int64 cannot hold 1\.5/],
    ['a number out of range', 'uint8', x => e.add(x, 300), /add\(uint8\[2\], 300\): uint8 cannot hold 300/],
    ['a negative number', 'uint8', x => e.add(x, -1), /uint8 cannot hold -1/],
    ['infinity', 'int32', x => e.less(x, Number.POSITIVE_INFINITY), /less\(int32\[2\], Infinity\): int32 cannot hold Infinity/],
    ['past int32', 'int32', x => e.add(x, 2 ** 31), /int32 cannot hold 2147483648/],
    ['past int64', 'int64', x => e.add(x, 2 ** 63), /int64 cannot hold 9223372036854776000/],
    ['where', 'int32', x => e.where(e.greater(x, 0), x, 0.5), /where: int32 cannot hold 0\.5/],
    ['pad', 'int32', x => e.pad(x, 0, 1, 0, 0.5), /pad: int32 cannot hold 0\.5/],
    ['full', 'int32', () => e.full([2], 0.5, 'int32'), /scalar: int32 cannot hold 0\.5/],
    ['clamp', 'int32', x => e.clamp(x, 0.5, 2), /less\(int32\[2\], 0\.5\): int32 cannot hold 0\.5/],
  ];
  it.each(cases)('%s is an error that names op, type and number', async (_, dtype, fn, message) => {
    const f = e.compile((x: Tensor) => fn(x));
    const failure = await f(e.fromNumbers([1, 2], [2], dtype) as never).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(e.ShapeError);
    expect((failure as Error).message).toMatch(message);
    await f.dispose();
  });

  it('whole numbers in range are taken exactly', async () => {
    const sums = async (dtype: e.DType, c: number) => {
      const f = e.compile((x: Tensor) => e.add(x, c));
      const { data } = (await f(e.fromNumbers([1, 2], [2], dtype) as never)) as unknown as e.NDArray;
      await f.dispose();
      return [...data];
    };
    expect(await sums('int32', -(2 ** 31))).toEqual([1 - 2 ** 31, 2 - 2 ** 31]);
    expect(await sums('int64', 2 ** 53)).toEqual([2n ** 53n + 1n, 2n ** 53n + 2n]);
    expect(await sums('uint8', 253)).toEqual([254, 255]);
  });
});

describe('comparisons and choice', () => {
  const comparisons: [string, (x: Tensor, y: Tensor) => Tensor, (x: number, y: number) => boolean][] = [
    ['equal', e.equal, (x, y) => x === y],
    ['greater', e.greater, (x, y) => x > y],
    ['greaterEqual', e.greaterEqual, (x, y) => x >= y],
    ['less', e.less, (x, y) => x < y],
    ['lessEqual', e.lessEqual, (x, y) => x <= y],
  ];
  const steps = (shape: number[], seed: number) => build(shape, p => Math.round(3 * at(between(seed, shape), p)));
  it.each(comparisons)('%s', async (_, fn, reference) => {
    await holds(broadcastable(), ([a, b], seed) => {
      const [x, y] = [steps(a, seed), steps(b, seed + 1)];
      const truth = build(together(a, b), p => Number(reference(at(x, p), at(y, p))));
      return { inputs: [x, y], fn: (s, t) => fn(s, t), expected: e.astype(truth, 'bool'), differentiable: false };
    });
  });

  it('and, or, not', async () => {
    await holds(broadcastable(), ([a, b], seed) => {
      const [x, y] = [e.astype(steps(a, seed), 'bool'), e.astype(steps(b, seed + 1), 'bool')];
      const truth = (f: (s: number, t: number) => unknown) =>
        e.astype(
          build(together(a, b), p => Number(f(at(x, p), at(y, p)))),
          'bool',
        );
      return {
        inputs: [x, y],
        fn: (s, t) => [e.logicalAnd(s, t), e.logicalOr(s, t), e.logicalNot(e.logicalOr(s, t))],
        expected: [truth((s, t) => s && t), truth((s, t) => s || t), truth((s, t) => !(s || t))],
        differentiable: false,
      };
    });
  });

  it('where, all three broadcast', async () => {
    await holds(fc.tuple(broadcastable(), fc.boolean()), ([[a, b], swap], seed) => {
      const wide = together(a, b);
      const [c, x, y] = [e.astype(steps(swap ? a : wide, seed), 'bool'), between(seed + 1, swap ? b : a), between(seed + 2, b)];
      return {
        inputs: [c, x, y],
        fn: (s, t, u) => e.where(s, t, u),
        expected: build(together(c.shape, x.shape, y.shape), p => (at(c, p) ? at(x, p) : at(y, p))),
      };
    });
  });

  it('where keeps an infinity of the branch not taken out of the value', async () => {
    const x = ndarray('float64', [2], Float64Array.of(0, 4));
    await check({
      inputs: [x],
      fn: t => e.where(e.greater(t, 0), e.div(1, t), 7),
      expected: ndarray('float64', [2], Float64Array.of(7, 0.25)),
      differentiable: false,
    });
  });
});
