import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as e from '../../src/engine/index.ts';
import { apart, at, between, build, integers } from './arrays.ts';
import { check, holds, shapes, withAxes, withAxis } from './checks.ts';

/** A position with one entry replaced. */
const put = (p: readonly number[], axis: number, value: number): number[] => p.map((v, i) => (i === axis ? value : v));

describe('shape', () => {
  it('reshape keeps C order, -1 takes what is left', async () => {
    await holds(shapes(1, 4), (shape, seed) => {
      const x = between(seed, shape);
      const flat = e.ndarray('float64', [x.data.length], x.data);
      return {
        inputs: [x],
        fn: t => [e.reshape(t, [-1]), e.reshape(t, [...shape, 1]), e.reshape(t, shape)],
        expected: [flat, e.ndarray('float64', [...shape, 1], x.data), x],
      };
    });
  });

  it.each([
    [[0, 3], [0, -1], /reshape: \[0, 3\] to \[0, -1\]: -1 could be any number beside an extent of 0/],
    [[4, 3], [-1, 2, -1], /reshape: \[4, 3\] to \[-1, 2, -1\]: only one extent may be -1/],
    [[4, 3], [-1, 5], /reshape: \[4, 3\] to \[-1, 5\]: 12 elements are not a multiple of 5/],
    [[4, 3], [5, 2], /12 elements do not fill \[5, 2\]/],
  ])('reshape %j to %j is an error', async (from, to, message) => {
    const f = e.compile((t: e.Tensor) => e.reshape(t, to));
    await expect(f(e.zeros(from) as never)).rejects.toThrow(message);
    await f.dispose();
  });

  it('reshape of an empty tensor: -1 is 0 where nothing else is', async () => {
    const f = e.compile((t: e.Tensor) => e.reshape(t, [3, -1]));
    expect(((await f(e.zeros([0, 2]) as never)) as unknown as e.NDArray).shape).toEqual([3, 0]);
    await f.dispose();
  });

  it('transpose by any permutation, and of the last two axes by default', async () => {
    const permuted = shapes(2, 4, 0).chain(shape =>
      fc.record({ shape: fc.constant(shape), permutation: fc.shuffledSubarray([...shape.keys()], { minLength: shape.length }) }),
    );
    await holds(permuted, ({ shape, permutation }, seed) => {
      const x = between(seed, shape);
      const swapped = [...shape.keys()];
      swapped.push(...swapped.splice(-2).reverse());
      const reference = (axes: number[]) =>
        build(
          axes.map(a => shape[a]),
          p => {
            const from: number[] = [];
            for (const [to, axis] of axes.entries()) from[axis] = p[to];
            return at(x, from);
          },
        );
      return {
        inputs: [x],
        fn: t => [e.transpose(t, permutation), e.transpose(t)],
        expected: [reference(permutation), reference(swapped)],
      };
    });
  });

  it('expandDims and squeeze', async () => {
    await holds(withAxis(), ({ shape, axis }, seed) => {
      const x = between(seed, shape);
      const at0 = axis < 0 ? axis + shape.length + 1 : axis;
      const wide = e.ndarray('float64', [...shape.slice(0, at0), 1, ...shape.slice(at0)], x.data);
      return { inputs: [x], fn: t => [e.expandDims(t, axis), e.squeeze(e.expandDims(t, axis), axis)], expected: [wide, x] };
    });
  });

  it('cast rounds towards zero, and gradient passes between floating types', async () => {
    const x = e.ndarray('float64', [4], Float64Array.of(-1.7, 0, 0.5, 2.5));
    await check({
      inputs: [x],
      fn: t => e.cast(t, 'int32'),
      expected: e.ndarray('int32', [4], Int32Array.of(-1, 0, 0, 2)),
      differentiable: false,
    });
    await check({
      inputs: [x],
      fn: t => e.cast(t, 'bool'),
      expected: e.ndarray('bool', [4], Uint8Array.of(1, 0, 1, 1)),
      differentiable: false,
    });
    const through = e.compile((t: e.Tensor) =>
      e.grad((u: e.Tensor) => e.cast(e.sum(e.mul(e.cast(u, 'float32'), 3)), 'float64'))(t),
    );
    expect((await through(x as never)) as unknown).toEqual(e.ndarray('float64', [4], Float64Array.of(3, 3, 3, 3)));
    await through.dispose();
  });
});

describe('broadcastTo, sum', () => {
  it('broadcastTo repeats leading axes and axes of one element', async () => {
    const arbitrary = shapes(1, 4, 0).chain(shape =>
      fc.record({ shape: fc.constant(shape), ones: fc.subarray([...shape.keys()]), drop: fc.nat(shape.length) }),
    );
    await holds(arbitrary, ({ shape, ones, drop }, seed) => {
      const x = between(seed, shape.map((extent, axis) => (ones.includes(axis) ? 1 : extent)).slice(drop));
      return { inputs: [x], fn: t => e.broadcastTo(t, shape), expected: build(shape, p => at(x, p)) };
    });
  });

  it('sumTo is its transpose', async () => {
    const x = between(3, [2, 3, 4]);
    await check({
      inputs: [x],
      fn: t => [e.sumTo(t, [3, 1]), e.sumTo(t, [])],
      expected: [
        build([3, 1], ([i]) => [0, 1].reduce((s, b) => s + [0, 1, 2, 3].reduce((r, j) => r + at(x, [b, i, j]), 0), 0)),
        build([], () => x.data.reduce((a, b) => a + b)),
      ],
    });
  });

  it('sum, also over empty axes', async () => {
    await holds(withAxes(0), ({ shape, axes, keepDims }, seed) => {
      const x = between(seed, shape);
      const kept = shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
      const y = build(kept, () => 0);
      const total = build(shape, p => at(x, p));
      for (const [i, value] of total.data.entries()) {
        let [rest, offset, stride] = [i, 0, 1];
        for (let axis = shape.length - 1; axis >= 0; axis--) {
          const p = rest % shape[axis];
          rest = Math.floor(rest / shape[axis]);
          if (!axes.includes(axis)) offset += p * stride;
          stride *= kept[axis];
        }
        y.data[offset] += value;
      }
      const shapeOut = keepDims ? kept : kept.filter((_, axis) => !axes.includes(axis));
      return { inputs: [x], fn: t => e.sum(t, axes, keepDims), expected: e.ndarray('float64', shapeOut, y.data) };
    });
  });
});

describe('slices', () => {
  it('slice with steps and positions from the end', async () => {
    const arbitrary = fc.record({
      where: withAxis(1, 3, 0),
      start: fc.integer({ min: -4, max: 4 }),
      stop: fc.integer({ min: -4, max: 5 }),
      step: fc.integer({ min: 1, max: 3 }),
    });
    await holds(
      arbitrary,
      ({ where: { shape, axis, position }, start, stop, step }, seed) => {
        const x = between(seed, shape);
        const n = shape[position];
        const all = Array.from({ length: n }, (_, i) => i);
        const kept = all.slice(start, stop).filter((_, i) => i % step === 0);
        return {
          inputs: [x],
          fn: t => e.slice(t, axis, start, stop, step),
          expected: build(put(shape, position, kept.length), p => at(x, put(p, position, n === 1 ? 0 : kept[p[position]]))),
        };
      },
      16,
    );
  });

  it('flip', async () => {
    await holds(withAxis(1, 3, 0), ({ shape, axis, position }, seed) => {
      const x = between(seed, shape);
      return {
        inputs: [x],
        fn: t => e.flip(t, axis),
        expected: build(shape, p => at(x, put(p, position, shape[position] - 1 - p[position]))),
      };
    });
  });

  it('pick takes one position, from either end', async () => {
    await holds(withAxis(), ({ shape, axis, position }, seed) => {
      const x = between(seed, shape);
      const rest = shape.filter((_, i) => i !== position);
      const read = (index: number) => build(rest, p => at(x, [...p.slice(0, position), index, ...p.slice(position)]));
      return { inputs: [x], fn: t => [e.pick(t, axis, 0), e.pick(t, axis, -1)], expected: [read(0), read(shape[position] - 1)] };
    });
  });

  it('pad', async () => {
    await holds(
      fc.record({ where: withAxis(1, 3, 0), before: fc.nat(2), after: fc.nat(2) }),
      ({ where: { shape, axis, position }, before, after }, seed) => {
        const x = between(seed, shape);
        const n = shape[position];
        const expected = build(put(shape, position, n + before + after), p => {
          const i = p[position] - before;
          return i < 0 || i >= n ? 7 : at(x, put(p, position, i));
        });
        return { inputs: [x], fn: t => e.pad(t, axis, before, after, 7), expected };
      },
    );
  });

  it('concat and split undo each other, with empty pieces', async () => {
    const sizes = fc.array(fc.nat(2), { minLength: 1, maxLength: 3 });
    await holds(fc.record({ where: withAxis(), sizes }), ({ where: { shape, axis, position }, sizes }, seed) => {
      const xs = sizes.map((n, i) => between(seed + i, put(shape, position, n)));
      const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((a, b) => a + b, 0));
      const total = sizes.reduce((a, b) => a + b, 0);
      const joined = build(put(shape, position, total), p => {
        const i = starts.findLastIndex((start, j) => p[position] >= start && sizes[j] > 0);
        const local = p[position] - starts[i];
        return at(xs[i], put(p, position, sizes[i] === 1 ? 0 : local));
      });
      return {
        inputs: xs,
        fn: (...ts) => {
          const whole = e.concat(ts, axis);
          return [whole, ...e.split(whole, sizes, axis)];
        },
        expected: [joined, ...xs],
      };
    });
  });

  it('stack and unstack undo each other', async () => {
    await holds(
      fc.record({ where: withAxis(), n: fc.integer({ min: 1, max: 3 }) }),
      ({ where: { shape, position }, n }, seed) => {
        const xs = Array.from({ length: n }, (_, i) => between(seed + i, shape));
        const stacked = build([...shape.slice(0, position), n, ...shape.slice(position)], p =>
          at(
            xs[p[position]],
            p.filter((_, i) => i !== position),
          ),
        );
        return {
          inputs: xs,
          fn: (...ts) => [e.stack(ts, position), ...e.unstack(e.stack(ts, position), position)],
          expected: [stacked, ...xs],
        };
      },
    );
  });

  it('unstack when only some pieces are used', async () => {
    const x = between(4, [3, 2]);
    await check({ inputs: [x], fn: t => e.mul(e.unstack(t, 0)[1], 2), expected: build([2], ([i]) => 2 * at(x, [1, i])) });
  });
});

describe('indices', () => {
  it('gather along an axis', async () => {
    await holds(
      fc.record({ where: withAxis(), k: fc.integer({ min: 1, max: 4 }) }),
      ({ where: { shape, axis, position }, k }, seed) => {
        const x = between(seed, shape);
        const indices = integers(seed + 1, put(shape, position, k), 0, shape[position]);
        return {
          inputs: [x, indices],
          fn: (t, i) => e.gather(t, i, axis),
          expected: build(indices.shape, p => at(x, put(p, position, at(indices, p)))),
        };
      },
    );
  });

  it('scatterAdd adds repeated indices up', async () => {
    await holds(
      fc.record({ where: withAxis(), k: fc.integer({ min: 1, max: 4 }) }),
      ({ where: { shape, axis, position }, k }, seed) => {
        const x = between(seed, shape);
        const indices = integers(seed + 1, put(shape, position, k), 0, shape[position]);
        const updates = between(seed + 2, indices.shape);
        const expected = build(shape, p => {
          let total = at(x, p);
          for (let j = 0; j < k; j++)
            if (at(indices, put(p, position, j)) === p[position]) total += at(updates, put(p, position, j));
          return total;
        });
        return { inputs: [x, indices, updates], fn: (t, i, u) => e.scatterAdd(t, i, u, axis), expected };
      },
    );
  });

  it('take with indices of any shape, tensor or list', async () => {
    await holds(fc.record({ where: withAxis(), index: shapes(0, 2) }), ({ where: { shape, axis, position }, index }, seed) => {
      const x = between(seed, shape);
      const indices = integers(seed + 1, index, 0, shape[position]);
      const list = [...indices.data].map(Number);
      const lead = position;
      const read = (shape2: number[], which: (p: number[]) => number) =>
        build([...shape.slice(0, lead), ...shape2, ...shape.slice(lead + 1)], p =>
          at(x, [...p.slice(0, lead), which(p.slice(lead, lead + shape2.length)), ...p.slice(lead + shape2.length)]),
        );
      return {
        inputs: [x, indices],
        fn: (t, i) => [e.take(t, i, axis), e.take(t, list, axis)],
        expected: [read(index, p => at(indices, p)), read([list.length], ([i]) => list[i])],
      };
    });
  });

  it('gatherRows chooses rows in each sample', async () => {
    const sizes = fc.record({
      batch: fc.integer({ min: 1, max: 3 }),
      n: fc.integer({ min: 1, max: 4 }),
      k: fc.integer({ min: 1, max: 3 }),
      rest: shapes(0, 2),
    });
    await holds(sizes, ({ batch, n, k, rest }, seed) => {
      const x = between(seed, [batch, n, ...rest]);
      const indices = integers(seed + 1, [batch, k], 0, n);
      return {
        inputs: [x, indices],
        fn: (t, i) => e.gatherRows(t, i),
        expected: build([batch, k, ...rest], ([b, j, ...p]) => at(x, [b, at(indices, [b, j]), ...p])),
      };
    });
  });

  it.each(['int32', 'int64'] as const)('negative %s indices count from the end, in value and gradient', async dtype => {
    const x = between(7, [2, 4, 3]);
    const rows = e.fromNumbers([-1, 0, 2, -4, -2, -1], [2, 3], dtype);
    const row = (b: number, j: number) => (at(rows, [b, j]) + 4) % 4;
    await check({
      inputs: [x, rows],
      fn: (t, i) => [e.gatherRows(t, i), e.take(t, i, 1), e.take(t, [-1, 1], 1)],
      expected: [
        build([2, 3, 3], ([b, j, c]) => at(x, [b, row(b, j), c])),
        build([2, 2, 3, 3], ([b, i, j, c]) => at(x, [b, row(i, j), c])),
        build([2, 2, 3], ([b, j, c]) => at(x, [b, [3, 1][j], c])),
      ],
    });
  });

  it('take refuses a listed index outside the axis', async () => {
    const f = e.compile((t: e.Tensor) => e.take(t, [0, 4], 1));
    await expect(f(e.zeros([2, 4]) as never)).rejects.toThrow(/take: index 4 is outside axis 1 of \[2, 4\]/);
    await f.dispose();
  });

  it('topK and sort in both directions', async () => {
    await holds(
      fc.record({ where: withAxis(), k: fc.nat(3), largest: fc.boolean() }),
      ({ where: { shape, axis, position }, k, largest }, seed) => {
        const x = apart(seed, shape);
        const count = Math.min(k, shape[position]);
        const ranked = (p: number[], down: boolean) =>
          Array.from({ length: shape[position] }, (_, i) => i).sort(
            (i, j) => (down ? -1 : 1) * (at(x, put(p, position, i)) - at(x, put(p, position, j))),
          );
        const order = (n: number, down: boolean) => build(put(shape, position, n), p => ranked(p, down)[p[position]]);
        const values = (n: number, down: boolean) =>
          build(put(shape, position, n), p => at(x, put(p, position, ranked(p, down)[p[position]])));
        const full = shape[position];
        return {
          inputs: [x],
          fn: t => [...e.topK(t, count, { axis, largest }), ...e.sort(t, { axis, descending: largest })],
          expected: [
            values(count, largest),
            e.astype(order(count, largest), 'int64'),
            values(full, largest),
            e.astype(order(full, largest), 'int64'),
          ],
        };
      },
    );
  });

  it('topK gives the first of equals first', async () => {
    const x = e.ndarray('float64', [5], Float64Array.of(1, 2, 2, 0, 2));
    await check({
      inputs: [x],
      fn: t => e.topK(t, 3)[1],
      expected: e.ndarray('int64', [3], BigInt64Array.of(1n, 2n, 4n)),
      differentiable: false,
    });
  });

  it('cumsum from either end', async () => {
    await holds(
      fc.record({ where: withAxis(), reverse: fc.boolean() }),
      ({ where: { shape, axis, position }, reverse }, seed) => {
        const x = between(seed, shape);
        const expected = build(shape, p => {
          let total = 0;
          for (let i = 0; i < shape[position]; i++)
            if (reverse ? i >= p[position] : i <= p[position]) total += at(x, put(p, position, i));
          return total;
        });
        return { inputs: [x], fn: t => e.cumsum(t, axis, { reverse }), expected };
      },
    );
  });

  it('oneHot, iota, full', async () => {
    // 5 and -1 are no classes: rows of zeros.
    const classes = e.ndarray('int32', [4], Int32Array.of(2, 0, 5, -1));
    await check({
      inputs: [classes],
      fn: t => [e.oneHot(t, 4, 'float64'), e.iota(3), e.full([2, 2], 1.5, 'float64')],
      expected: [
        build([4, 4], ([i, c]) => (Number(classes.data[i]) === c ? 1 : 0)),
        e.ndarray('int64', [3], BigInt64Array.of(0n, 1n, 2n)),
        build([2, 2], () => 1.5),
      ],
      differentiable: false,
    });
  });
});
