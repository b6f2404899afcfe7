import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as e from '../../src/engine/index.ts';
import { type Array64, apart, at, between, build, positions } from './arrays.ts';
import { checkFloat32, holds, shapes } from './checks.ts';

const epsilon = 1e-5;
const affine = fc.constantFrom('none', 'weight', 'both');
type Affine = 'none' | 'weight' | 'both';

/** Values no two of which are close, so that no variance is near zero, where finite differences see curvature instead of slope. */
function scattered(seed: number, shape: number[]): Array64 {
  const x = apart(seed, shape);
  return build(shape, p => 5 * at(x, p));
}

/** Mean and variance (divided by n) of the elements whose positions satisfy `with0`. */
function statistics(x: Array64, together: (q: number[]) => boolean): { mean: number; variance: number; n: number } {
  const values = positions(x.shape).flatMap(q => (together(q) ? [at(x, q)] : []));
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return { mean, variance: values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length, n: values.length };
}

/** Normalises each element by the statistics of those that `together` groups with it, then scales and shifts by `parameter`'s position. */
function normalised(
  x: Array64,
  together: (p: number[], q: number[]) => boolean,
  of: (p: number[]) => number[],
  [w, b]: (Array64 | undefined)[],
) {
  return build(x.shape, p => {
    const { mean, variance } = statistics(x, q => together(p, q));
    const z = (at(x, p) - mean) / Math.sqrt(variance + epsilon);
    return z * (w ? at(w, of(p)) : 1) + (b ? at(b, of(p)) : 0);
  });
}

const parameters = (kind: Affine, shape: number[], seed: number) => [
  kind === 'none' ? undefined : between(seed + 1, shape, 0.5, 1.5),
  kind === 'both' ? between(seed + 2, shape) : undefined,
];
const present = (arrays: (Array64 | undefined)[]) => arrays.filter(a => a !== undefined);

describe('layerNorm', () => {
  it('over one or more trailing axes', async () => {
    await holds(
      fc.record({ lead: shapes(0, 2), normalized: shapes(1, 2, 2), affine }),
      ({ lead, normalized, affine }, seed) => {
        const x = scattered(seed, [...lead, ...normalized]);
        const affines = parameters(affine, normalized, seed);
        const rank = normalized.length;
        const expected = normalised(
          x,
          (p, q) => lead.every((_, i) => p[i] === q[i]),
          p => p.slice(-rank),
          affines,
        );
        return { inputs: [x, ...present(affines)], fn: (t, w, b) => e.layerNorm(t, w, b, { normalizedRank: rank }), expected };
      },
      16,
    );
  });

  it('bias without weight', async () => {
    await holds(
      fc.constant(0),
      (_, seed) => {
        const [x, b] = [between(seed, [3, 4]), between(seed + 1, [4])];
        return {
          inputs: [x, b],
          fn: (t, u) => e.layerNorm(t, undefined, u),
          expected: normalised(
            x,
            (p, q) => p[0] === q[0],
            p => [p[1]],
            [undefined, b],
          ),
        };
      },
      2,
    );
  });

  it('float32 agrees with float64, values and gradients', async () => {
    const [x, w, b] = [between(1, [5, 16], 3, 9), between(2, [16]), between(3, [16])];
    await checkFloat32((t, u, v) => e.layerNorm(t, u, v), [x, w, b], [5, 16]);
    await checkFloat32(t => e.layerNorm(t), [x], [5, 16]);
  });

  it('second derivatives agree with finite differences', async () => {
    const [x, w] = [between(1, [2, 4]), between(2, [4])];
    const loss = (t: e.Tensor, u: e.Tensor) => e.sum(e.pow(e.layerNorm(t, u), 3));
    const first = e.compile((t: e.Tensor, u: e.Tensor) => e.grad(loss)(t, u));
    const expected = (await first(x as never, w as never)) as unknown as Array64;
    await first.dispose();
    await holds(fc.constant(0), () => ({ inputs: [x, w], fn: (t, u) => e.grad(loss)(t, u), expected }), 2);
  });
});

describe('groupNorm and instanceNorm', () => {
  it('groupNorm', async () => {
    const sizes = fc.record({
      batch: fc.integer({ min: 1, max: 2 }),
      groups: fc.integer({ min: 1, max: 3 }),
      perGroup: fc.integer({ min: 1, max: 2 }),
      spatial: shapes(1, 2, 2),
      affine,
    });
    await holds(sizes, ({ batch, groups, perGroup, spatial, affine }, seed) => {
      const channels = groups * perGroup;
      const x = scattered(seed, [batch, channels, ...spatial]);
      const affines = parameters(affine, [channels], seed);
      const group = (p: number[]) => Math.floor(p[1] / perGroup);
      const expected = normalised(
        x,
        (p, q) => p[0] === q[0] && group(p) === group(q),
        p => [p[1]],
        affines,
      );
      return { inputs: [x, ...present(affines)], fn: (t, w, b) => e.groupNorm(t, groups, w, b), expected };
    });
  });

  it('instanceNorm', async () => {
    await holds(fc.record({ spatial: shapes(1, 2, 2), affine }), ({ spatial, affine }, seed) => {
      const x = scattered(seed, [2, 3, ...spatial]);
      const affines = parameters(affine, [3], seed);
      const expected = normalised(
        x,
        (p, q) => p[0] === q[0] && p[1] === q[1],
        p => [p[1]],
        affines,
      );
      return { inputs: [x, ...present(affines)], fn: (t, w, b) => e.instanceNorm(t, w, b), expected };
    });
  });
});

describe('batchNorm', () => {
  const sizes = fc.record({
    batch: fc.integer({ min: 2, max: 3 }),
    channels: fc.integer({ min: 1, max: 3 }),
    spatial: shapes(0, 2),
    affine,
  });

  it('training: normalises by the batch and returns its mean and unbiased variance, all differentiable', async () => {
    await holds(
      sizes,
      ({ batch, channels, spatial, affine }, seed) => {
        const x = scattered(seed, [batch, channels, ...spatial]);
        const affines = parameters(affine, [channels], seed);
        const y = normalised(
          x,
          (p, q) => p[1] === q[1],
          p => [p[1]],
          affines,
        );
        const of = (c: number) => statistics(x, q => q[1] === c);
        const mean = build([channels], ([c]) => of(c).mean);
        const variance = build([channels], ([c]) => (of(c).variance * of(c).n) / (of(c).n - 1));
        return { inputs: [x, ...present(affines)], fn: (t, w, b) => e.batchNorm(t, w, b), expected: [y, mean, variance] };
      },
      12,
    );
  });

  it('training: float32 agrees with float64, values and gradients', async () => {
    const [x, w, b] = [between(1, [4, 3, 5, 5], 3, 9), between(2, [3]), between(3, [3])];
    await checkFloat32((t, u, v) => e.batchNorm(t, u, v)[0], [x, w, b], [4, 3, 5, 5]);
    await checkFloat32((t, u, v) => e.add(e.batchNorm(t, u, v)[1], e.batchNorm(t, u, v)[2]), [x, w, b], [3]);
  });

  it('training: float32 agrees with float64 where the mean is 50 times the spread', async () => {
    const near = between(4, [8, 3, 14, 14], 29, 31);
    // Numbers that float32 holds exactly: what is compared is the arithmetic.
    const x = build(near.shape, p => Math.fround(at(near, p)));
    await checkFloat32((t, u, v) => e.batchNorm(t, u, v)[0], [x, between(5, [3]), between(6, [3])], near.shape);
  });

  it.each([
    ['few positions', [2, 3, 5, 5]],
    ['many positions', [2, 3, 12, 13]],
    ['many positions along one axis', [2, 3, 150]],
    ['many positions along three axes', [2, 3, 4, 6, 7]],
  ])('training: float32 agrees with float64 with a sum and a ReLU behind, %s', async (_, shape) => {
    const [x, z, w, b] = [between(7, shape), between(8, shape), between(9, [3], 0.5, 2), between(10, [3])];
    await checkFloat32((t, s, u, v) => e.relu(e.add(e.batchNorm(t, u, v)[0], s)), [x, z, w, b], shape);
  });

  it('inference: by given statistics', async () => {
    await holds(sizes, ({ batch, channels, spatial, affine }, seed) => {
      const x = scattered(seed, [batch, channels, ...spatial]);
      const [mean, variance] = [between(seed + 3, [channels]), between(seed + 4, [channels], 0.5, 2)];
      const [w, b] = parameters(affine, [channels], seed);
      const expected = build(x.shape, p => {
        const c = [p[1]];
        const z = (at(x, p) - at(mean, c)) / Math.sqrt(at(variance, c) + epsilon);
        return z * (w ? at(w, c) : 1) + (b ? at(b, c) : 0);
      });
      return {
        inputs: [x, mean, variance, ...present([w, b])],
        fn: (t, m, v, u, s) => e.batchNormInference(t, m, v, u, s),
        expected,
      };
    });
  });

  it('refuses a batch of one value a channel', () => {
    const f = e.compile((t: e.Tensor) => e.batchNorm(t)[0]);
    expect(() => f.print(e.zeros([1, 4]) as never)).toThrow(/batchNorm: \[1, 4\] has one value a channel/);
  });
});
