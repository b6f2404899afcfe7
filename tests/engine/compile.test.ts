import { describe, expect, it } from 'vitest';
import * as e from '../../src/engine/index.ts';
import { compile, type NDArray, ShapeError, type Tensor } from '../../src/engine/index.ts';

const floats = (values: number[], shape: number[] = [values.length]) => e.fromNumbers(values, shape) as never;
const numbers = (array: unknown): number[] => Array.from((array as NDArray).data as ArrayLike<number>);

describe('cache', () => {
  it('keeps one program for each signature: shapes, types, structure and static values', async () => {
    let traces = 0;
    const f = compile((p: { x: Tensor }, factor: number) => {
      traces++;
      return e.mul(p.x, factor);
    });
    expect(numbers(await f({ x: floats([1, 2]) }, 3))).toEqual([3, 6]);
    expect(numbers(await f({ x: floats([5, 7]) }, 3))).toEqual([15, 21]);
    expect(traces).toBe(1);
    expect(numbers(await f({ x: floats([1, 2]) }, 4))).toEqual([4, 8]);
    expect(numbers(await f({ x: floats([1, 2, 3]) }, 3))).toEqual([3, 6, 9]);
    expect(numbers(await f({ x: e.fromNumbers([1, 2], [2], 'float64') as never }, 3))).toEqual([3, 6]);
    expect(traces).toBe(4);
    const { programs } = await f.stats();
    expect(programs.map(p => p.signature)).toEqual([
      '({"x":float32[2]},3)',
      '({"x":float32[2]},4)',
      '({"x":float32[3]},3)',
      '({"x":float64[2]},3)',
    ]);
    await f.dispose();
  });

  it('is bounded, and what was used least recently goes first', async () => {
    let traces = 0;
    const f = compile(
      (x: Tensor) => {
        traces++;
        return e.neg(x);
      },
      { cacheSize: 2 },
    );
    const call = (n: number) => f(e.zeros([n]) as never);
    await call(1);
    await call(2);
    await call(1);
    await call(3); // drops 2
    const shapes = async () => (await f.stats()).programs.map(p => p.signature);
    expect(await shapes()).toEqual(['(float32[1])', '(float32[3])']);
    await call(1);
    expect(traces).toBe(3);
    await call(2);
    expect(traces).toBe(4);
    await f.dispose();
    expect(await shapes()).toEqual([]);
    await call(1);
    expect(traces).toBe(5);
    await f.dispose();
  });

  it('lets calls finish whose program is dropped meanwhile', async () => {
    const f = compile((x: Tensor) => e.sum(x), { cacheSize: 1 });
    const results = await Promise.all([1, 2, 3, 1, 2].map(n => f(floats(Array.from({ length: n }, () => 1)))));
    expect(results.map(r => numbers(r)[0])).toEqual([1, 2, 3, 1, 2]);
    expect((await f.stats()).programs.length).toBe(1);
    await f.dispose();
  });

  it('does not keep a trace that failed', async () => {
    let fail = true;
    const f = compile((x: Tensor) => {
      if (fail) throw new Error('not yet');
      return e.neg(x);
    });
    await expect(f(floats([1]))).rejects.toThrow('not yet');
    fail = false;
    expect(numbers(await f(floats([1])))).toEqual([-1]);
    await f.dispose();
  });
});

describe('results', () => {
  it('keep their structure, and an input, a constant or a repeated value is an array of its own', async () => {
    const table = e.fromNumbers([5, 6], [2]);
    const f = compile((x: Tensor) => {
      const y = e.neg(x);
      return { input: x, fixed: e.constant(table), twice: [y, e.neg(x)], note: 'kept', missing: null };
    });
    const x = e.fromNumbers([1, 2], [2]);
    const r = (await f(x as never)) as unknown as {
      input: NDArray;
      fixed: NDArray;
      twice: NDArray[];
      note: string;
      missing: null;
    };
    expect([r.input, r.fixed, ...r.twice].map(numbers)).toEqual([
      [1, 2],
      [5, 6],
      [-1, -2],
      [-1, -2],
    ]);
    expect([r.note, r.missing]).toEqual(['kept', null]);
    for (const array of [r.input, r.fixed, ...r.twice]) array.data[0] = 99;
    expect([numbers(x), numbers(table), numbers(r.twice[1])]).toEqual([
      [1, 2],
      [5, 6],
      [99, -2],
    ]);
    r.twice[0].data[1] = 77;
    expect(numbers(r.twice[1])[1]).toBe(-2);
    const again = (await f(x as never)) as unknown as { fixed: NDArray };
    expect(numbers(again.fixed)).toEqual([5, 6]);
    await f.dispose();
  });

  it('of a function without tensors are what it returns', async () => {
    const f = compile((n: number) => ({ n: n + 1 }));
    expect(await f(1)).toEqual({ n: 2 });
    await f.dispose();
  });
});

describe('gradients', () => {
  it('of gradients: the third derivative of x^4 is 24 x', async () => {
    const first = e.grad((x: Tensor) => e.sum(e.mul(e.square(x), e.square(x))));
    const second = e.grad((x: Tensor) => e.sum(first(x)));
    const third = e.grad((x: Tensor) => e.sum(second(x)));
    const f = compile((x: Tensor) => [first(x), second(x), third(x)]);
    const [a, b, c] = await f(floats([2, -1]));
    expect([a, b, c].map(numbers)).toEqual([
      [32, -4],
      [48, 12],
      [48, -24],
    ]);
    await f.dispose();
  });

  it('stop at stopGradient, and are zero for what the loss does not use', async () => {
    const f = compile((x: Tensor, unused: Tensor) =>
      e.grad((p: { x: Tensor; unused: Tensor }) => e.sum(e.mul(p.x, e.stopGradient(e.square(p.x)))))({ x, unused }),
    );
    const g = await f(floats([3]), floats([1, 1]));
    expect([numbers(g.x), numbers(g.unused)]).toEqual([[9], [0, 0]]);
    await f.dispose();
  });

  it('do not reach values closed over', async () => {
    // d/dx sum(x y) = y, although y is x seen from outside.
    const f = compile((y: Tensor) => e.grad((x: Tensor) => e.sum(e.mul(x, y)))(y));
    expect(numbers(await f(floats([3, 4])))).toEqual([3, 4]);
    await f.dispose();
  });

  it('valueAndGrad and valueAuxAndGrad return value, aux and gradient', async () => {
    const f = compile((x: Tensor) => [
      e.valueAndGrad((p: Tensor) => e.sum(e.square(p)))(x),
      e.valueAuxAndGrad((p: Tensor): [Tensor, { half: Tensor }] => [e.sum(e.square(p)), { half: e.mul(p, 0.5) }])(x),
    ]);
    const [[value, gradient], [value2, aux, gradient2]] = (await f(floats([1, 2]))) as never as [
      NDArray[],
      [NDArray, { half: NDArray }, NDArray],
    ];
    expect([value, gradient, value2, aux.half, gradient2].map(numbers)).toEqual([[5], [2, 4], [5], [0.5, 1], [2, 4]]);
    await f.dispose();
  });

  it('of a tensor used twice in a tree are taken for each use', async () => {
    const f = compile((x: Tensor) => e.grad((p: { a: Tensor; b: Tensor }) => e.sum(e.mul(p.a, e.mul(p.b, 2))))({ a: x, b: x }));
    const g = await f(floats([3]));
    expect([numbers(g.a), numbers(g.b)]).toEqual([[6], [6]]);
    await f.dispose();
  });

  it('ask for one number and floating points', () => {
    const f = compile((x: Tensor) => e.grad((p: Tensor) => p)(x));
    expect(() => f.print(floats([1, 2]))).toThrow(/grad: the loss must be one number, got shape \[2\]/);
    const g = compile((p: { k: Tensor }) => e.grad((q: { k: Tensor }) => e.sum(e.cast(q.k, 'float32')))(p));
    expect(() => g.print({ k: e.fromNumbers([1], [1], 'int64') as never })).toThrow(
      /grad: k is int64; only floating types have gradients/,
    );
  });
});

describe('host calls', () => {
  const cubes = (x: Tensor, seen: string[] = []): Tensor =>
    e.hostCall(
      {
        name: 'cubes',
        outputs: [{ dtype: x.dtype, shape: x.shape }],
        forward: ([a]) => {
          seen.push('forward');
          return [
            e.ndarray(
              'float32',
              a.shape,
              (a.data as Float32Array).map(v => v ** 3),
            ),
          ];
        },
        backward: ([ct], [a]) => {
          seen.push('backward');
          return [
            e.ndarray(
              'float32',
              a.shape,
              (ct.data as Float32Array).map((c, i) => 3 * c * Number(a.data[i]) ** 2),
            ),
          ];
        },
      },
      [x],
    )[0];

  it('run between two graphs, and gradient passes through them', async () => {
    const seen: string[] = [];
    const f = compile((x: Tensor) => e.valueAndGrad((p: Tensor) => e.sum(e.mul(cubes(e.add(p, 1), seen), 2)))(x));
    const [value, gradient] = await f(floats([0, 1]));
    expect([numbers(value), numbers(gradient)]).toEqual([[18], [6, 24]]);
    expect(seen).toEqual(['forward', 'backward']);
    expect((await f.stats()).programs[0].graphs).toBeGreaterThanOrEqual(2);
    await f.dispose();
  });

  it('may follow each other, and start or end a function', async () => {
    const f = compile((x: Tensor) => [cubes(cubes(x)), e.add(cubes(x), cubes(cubes(x)))]);
    const [a, b] = await f(floats([2]));
    expect([numbers(a), numbers(b)]).toEqual([[512], [520]]);
    await f.dispose();
  });

  it('without a backward let no gradient through', async () => {
    const count = (x: Tensor) =>
      e.hostCall({ name: 'count', outputs: [{ dtype: 'float32', shape: [] }], forward: () => [e.fromNumbers([7], [])] }, [x])[0];
    const f = compile((x: Tensor) => e.valueAndGrad((p: Tensor) => e.sum(e.mul(p, count(p))))(x));
    const [value, gradient] = await f(floats([1, 2]));
    expect([numbers(value), numbers(gradient)]).toEqual([[21], [7, 7]]);
    await f.dispose();
  });

  it('have no second derivative, and say so', async () => {
    const f = compile((x: Tensor) => e.grad((q: Tensor) => e.sum(e.grad((p: Tensor) => e.sum(cubes(p)))(q)))(x));
    await expect(f(floats([1]))).rejects.toThrow('host call cubes has no second derivative');
    await f.dispose();
  });

  it('must return what they announced', async () => {
    const wrong = (x: Tensor) =>
      e.hostCall({ name: 'wrong', outputs: [{ dtype: 'float32', shape: [2] }], forward: () => [e.zeros([3])] }, [x])[0];
    const f = compile((x: Tensor) => wrong(x));
    await expect(f(floats([1]))).rejects.toThrow('host call wrong: output 0 should be float32[2], got float32[3]');
    await f.dispose();
  });
});

describe('simplification, as print shows it', () => {
  it('computes equal expressions once and drops what nothing needs', () => {
    const f = compile((x: Tensor) => {
      e.exp(x);
      return e.add(e.mul(e.relu(x), 2), e.mul(e.relu(x), 2));
    });
    expect(f.print(floats([1, 2])).split('\n')).toEqual([
      '0 float32[2] = input',
      '%1 float32[2] = relu(0)',
      '%2 float32[] = constant 2',
      '%3 float32[2] = mul(%1, %2)',
      '%4 float32[2] = add(%3, %3)',
      'return %4',
    ]);
  });

  it('names inputs by their path and shows attributes', () => {
    const f = compile((p: { weights: Tensor[] }) => e.matmul(p.weights[0], p.weights[1], { transposeB: true }));
    const text = f.print({ weights: [e.zeros([2, 3]) as never, e.zeros([4, 3]) as never] });
    expect(text).toContain('0.weights.0 float32[2, 3] = input');
    expect(text).toContain('float32[2, 4] = matmul(0.weights.0, 0.weights.1) {"transposeA":false,"transposeB":true}');
  });

  it('keeps apart what differs in attributes or in the sign of zero', () => {
    const f = compile((x: Tensor) => [e.slice(x, 0, 0, 1), e.slice(x, 0, 1, 2), e.mul(x, 0), e.mul(x, -0)]);
    const lines = f.print(floats([1, 2])).split('\n');
    expect(lines.filter(l => l.includes('= slice(')).length).toBe(2);
    expect(lines.filter(l => l.includes('= mul(')).length).toBe(2);
  });

  it('does not copy broadcasts that an op makes by itself', () => {
    const f = compile((x: Tensor, y: Tensor) => e.mul(e.broadcastTo(x, [3, 2]), y));
    expect(f.print(floats([1, 2]), e.zeros([3, 2]) as never)).not.toContain('broadcastTo');
  });
});

describe('errors', () => {
  function attention(x: Tensor): Tensor {
    return e.matmul(x, x);
  }
  function network(x: Tensor): Tensor {
    return attention(e.relu(x));
  }

  it('name the function, the op, the shapes, the rule and the path of calls', async () => {
    const f = compile(network, { name: 'step' });
    const message =
      /^step: matmul\(float32\[2, 3\], float32\[2, 3\]\): inner extents 3 and 2 differ \(in matmul < attention < network/;
    await expect(f(floats([1, 2, 3, 4, 5, 6], [2, 3]))).rejects.toThrow(message);
    await expect(f(floats([1, 2, 3, 4, 5, 6], [2, 3]))).rejects.toBeInstanceOf(ShapeError);
  });

  it('give the path for rules broken before an op is applied, too', () => {
    function pooled(x: Tensor): Tensor {
      return e.sum(x, 2);
    }
    const f = compile((x: Tensor) => pooled(x), { name: 'step' });
    expect(() => f.print(floats([1, 2]))).toThrow(/^step: axis 2 is outside a tensor of 1 axes \(in axesOf < sum < pooled/);
  });

  it('name mixed element types and shapes that do not broadcast', () => {
    const f = compile((x: Tensor, y: Tensor) => e.add(x, y));
    expect(() => f.print(floats([1]), e.zeros([1], 'float64') as never)).toThrow(
      /add\(float32\[1\], float64\[1\]\): element types float32 and float64 differ/,
    );
    expect(() => f.print(floats([1, 2]), floats([1, 2, 3]))).toThrow(
      /add\(float32\[2\], float32\[3\]\): shapes \[2\] and \[3\] do not broadcast/,
    );
  });

  it('refuse async functions', async () => {
    const f = compile(async (x: Tensor) => x, { name: 'later' });
    await expect(f(floats([1]))).rejects.toThrow('later: a traced function must not be async');
  });

  it('refuse tensors of another trace', async () => {
    let leaked: Tensor | undefined;
    const first = compile((x: Tensor) => {
      leaked = x;
      return e.neg(x);
    });
    await first(floats([1]));
    const second = compile((x: Tensor) => e.add(x, leaked as Tensor), { name: 'second' });
    await expect(second(floats([1]))).rejects.toThrow(
      'second: uses a tensor of another trace (float32[1]); pass it as an argument',
    );
    await first.dispose();
  });

  it('say that a device is missing, and how to get it', async () => {
    // One that this machine has computes.
    for (const device of ['cuda', 'webgpu'] as const) {
      const f = compile((x: Tensor) => e.neg(x), { device });
      const outcome = await f(floats([1])).then(numbers, (error: Error) => error.message);
      if (typeof outcome !== 'string') expect(outcome).toEqual([-1]);
      else
        expect(outcome).toMatch(
          device === 'cuda'
            ? /^device cuda is not available here; CUDA libraries come with/
            : /^device webgpu is not available here/,
        );
      await f.dispose();
    }
  });
});
