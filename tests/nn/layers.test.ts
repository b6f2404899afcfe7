import { describe, expect, it } from 'vitest';
import {
  add,
  compile,
  type DType,
  fromNumbers,
  grad,
  layerNorm as layerNormOp,
  mul,
  type NDArray,
  random,
  type Shape,
  sum,
  type Tensor,
} from '../../src/engine/index.ts';
import {
  batchNorm,
  batchNormParams,
  conv1d,
  conv2d,
  conv3d,
  convParams,
  dropout,
  groupNorm,
  layerNorm,
  linear,
  linearParams,
  normParams,
  type Params,
  parameter,
  type SymbolicParams,
  temporalConv,
} from '../../src/nn/index.ts';
import { at, build } from '../engine/arrays.ts';
import { expectClose } from '../engine/checks.ts';
import { numbers, once } from '../localization/tensors.ts';

const array = (values: readonly number[], shape: Shape, dtype: DType = 'float32') => fromNumbers(values, shape, dtype);
/** 1, 2, 3, … */
const counting = (shape: Shape, from = 1) =>
  array(
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i + from),
    shape,
  );
const key = random.key(3);
const run = (layer: (p: SymbolicParams, x: Tensor) => Tensor, params: Params, x: NDArray) => once(layer, params, x);

describe('layers read their parameters by name', () => {
  it('linear', async () => {
    const params = { 'fc.weight': counting([2, 3]), 'fc.bias': array([10, 20], [2]), 'other.weight': counting([9]) };
    const x = array([1, 0, -1], [1, 3]);
    expect(numbers(await run((p, t) => linear(p, 'fc', t), params, x))).toEqual([8, 18]);
    expect(numbers(await run((p, t) => linear(p, 'fc', t, { bias: false }), params, x))).toEqual([-2, -2]);
  });

  it('conv1d, with options and bias', async () => {
    const params = { 'c.weight': array([1, 10], [1, 1, 2]), 'c.bias': array([0.5], [1]) };
    const y = await run((p, t) => conv1d(p, 'c', t, { stride: 2 }), params, counting([1, 1, 5]));
    expect([y.shape, numbers(y)]).toEqual([
      [1, 1, 2],
      [21.5, 43.5],
    ]);
  });

  it('conv2d and conv3d', async () => {
    const two = { 'c.weight': array([1, 0, 0, 1], [1, 1, 2, 2]), 'c.bias': array([1], [1]) };
    expect(numbers(await run((p, t) => conv2d(p, 'c', t), two, counting([1, 1, 2, 3])))).toEqual([7, 9]);
    const three = { 'c.weight': array([1, 1], [1, 1, 2, 1, 1]) };
    expect(numbers(await run((p, t) => conv3d(p, 'c', t, { bias: false }), three, counting([1, 1, 2, 1, 2])))).toEqual([4, 6]);
  });

  it('temporalConv keeps the length, and is linear for width 1', async () => {
    const params = { 'c.weight': array([1, 2, 4], [1, 1, 3]), 'c.bias': array([100], [1]) };
    expect(numbers(await run((p, t) => temporalConv(p, 'c', t), params, counting([1, 3, 1])))).toEqual([110, 117, 108]);
    const dilated = await run((p, t) => temporalConv(p, 'c', t, { dilation: 2, bias: false }), params, counting([1, 3, 1]));
    expect(numbers(dilated)).toEqual([2 + 12, 4, 6 + 1]);
    const pointwise = { 'c.weight': counting([2, 2, 1]), 'c.bias': array([0, 1], [2]) };
    expect(numbers(await run((p, t) => temporalConv(p, 'c', t), pointwise, array([1, -1, 2, 0], [1, 2, 2])))).toEqual([
      -1, 0, 2, 7,
    ]);
  });

  it('layerNorm over the axes that the weight has', async () => {
    const params = { 'n.weight': array([1, 2], [2]), 'n.bias': array([0, 5], [2]) };
    const y = await run((p, t) => layerNorm(p, 'n', t, { epsilon: 0 }), params, array([3, 5, 4, -4], [2, 2]));
    expectClose(y, array([-1, 7, 1, 3], [2, 2]), 1e-6);
    const x = counting([2, 2, 3]);
    const both = await once(
      (p: SymbolicParams, t: Tensor) => [layerNorm(p, 'n', t), layerNormOp(t, undefined, undefined, { normalizedRank: 2 })],
      normParams('n', [2, 3]),
      x,
    );
    expectClose(both[0], both[1], 1e-6);
  });

  it('groupNorm', async () => {
    const params = { 'n.weight': array([1, 2, 3, 4], [4]), 'n.bias': array([0, 0, 1, 0], [4]) };
    const y = await run((p, t) => groupNorm(p, 'n', t, 2, { epsilon: 0 }), params, array([1, 3, 10, -10], [1, 4]));
    expectClose(y, array([-1, 2, 4, -4], [1, 4]), 1e-6);
  });

  it('fit the initialisers', async () => {
    const params = {
      ...linearParams('fc', 3, 2, key),
      ...convParams('conv', [4, 3, 3], key),
      ...normParams('norm', [4]),
      ...batchNormParams('bn', 4),
    };
    const shapes = await once(
      (p: SymbolicParams, x: Tensor) => {
        const [y, buffers] = batchNorm(p, 'bn', conv1d(p, 'conv', x, { padding: 1 }), { training: true });
        return { fc: linear(p, 'fc', sum(x, 2)), y: groupNorm(p, 'norm', y, 2), buffers };
      },
      params,
      counting([2, 3, 5]),
    );
    expect([shapes.fc.shape, shapes.y.shape]).toEqual([
      [2, 2],
      [2, 4, 5],
    ]);
    expect(Object.keys(shapes.buffers)).toEqual(['bn.running_mean', 'bn.running_var', 'bn.num_batches_tracked']);
  });
});

describe('batchNorm', () => {
  const params = (): Params => ({
    'bn.weight': array([2, 1], [2]),
    'bn.bias': array([0, 10], [2]),
    'bn.running_mean': array([1, 2], [2]),
    'bn.running_var': array([4, 16], [2]),
    'bn.num_batches_tracked': array([6], [], 'int64'),
  });
  const x = array([0, 2, 4, 10], [2, 2]);
  // Channel 0 holds 0, 4 and channel 1 holds 2, 10: means 2, 6; variances 4, 16 of the sample, 8, 32 unbiased.

  it('in training normalises by the batch and moves the running statistics', async () => {
    const [y, buffers] = await once(
      (p: SymbolicParams, t: Tensor) => batchNorm(p, 'bn', t, { training: true, momentum: 0.25, epsilon: 0 }),
      params(),
      x,
    );
    expectClose(y, array([-2, 9, 2, 11], [2, 2]), 1e-6);
    expectClose(buffers['bn.running_mean'], array([1.25, 3], [2]), 1e-6);
    expectClose(buffers['bn.running_var'], array([5, 20], [2]), 1e-6);
    expect(buffers['bn.num_batches_tracked']).toEqual(array([7], [], 'int64'));
  });

  it('at evaluation normalises by the running statistics and returns no buffers', async () => {
    const [y, buffers] = await once(
      (p: SymbolicParams, t: Tensor) => batchNorm(p, 'bn', t, { training: false, epsilon: 0 }),
      params(),
      x,
    );
    expectClose(y, array([-1, 10, 3, 12], [2, 2]), 1e-6);
    expect(buffers).toEqual({});
  });

  it('sends no gradient through the running statistics', async () => {
    const slope = await once(
      (p: SymbolicParams, t: Tensor) =>
        grad((u: Tensor) => {
          const [y, buffers] = batchNorm(p, 'bn', u, { training: true });
          return add(sum(mul(y, 0)), sum(add(buffers['bn.running_mean'], buffers['bn.running_var'])));
        })(t),
      params(),
      x,
    );
    expect(numbers(slope).map(v => v + 0)).toEqual([0, 0, 0, 0]);
  });
});

describe('dropout', () => {
  it('scales what is kept, broadcasts the mask, and is the identity without one', async () => {
    const x = counting([1, 2, 2]);
    const y = await once(
      (t: Tensor, mask: Tensor) => [dropout(t, mask, 0.25), dropout(t, undefined, 0.25)],
      x,
      array([1, 0], [1, 2, 1], 'uint8'),
    );
    expect(numbers(y[0])).toEqual([4, 8, 0, 0]);
    expect(numbers(y[1])).toEqual([1, 2, 3, 4]);
  });

  it('keeps the mean, with masks drawn from a key', async () => {
    const x = build([1, 20000], () => 1);
    const y = await once((t: Tensor, mask: Tensor) => dropout(t, mask, 0.3), x, random.bernoulliMask(key, 0.3, [1, 20000]));
    expect(numbers(y).reduce((a, b) => a + b) / 20000).toBeCloseTo(1, 1);
    expect(at(y, [0, 0]) === 0 || at(y, [0, 0]) === 1 / 0.3).toBe(true);
  });

  it.each([0, -1, 1.5, Number.NaN])('refuses to keep with probability %s', async keep => {
    await expect(once((t: Tensor) => dropout(t, undefined, keep), counting([2]))).rejects.toThrow(
      /dropout: keep must be in \(0, 1\]/,
    );
  });

  it('refuses a mask larger than x', async () => {
    const larger = once((t: Tensor, mask: Tensor) => dropout(t, mask, 0.5), counting([1, 2]), counting([3, 2]));
    await expect(larger).rejects.toThrow(/dropout: a mask \[3, 2\] does not broadcast to x \[1, 2\]/);
  });
});

describe('a missing parameter', () => {
  const params = { 'fc.weight': counting([2, 3]) };
  it.each([
    ['linear', (p: SymbolicParams, x: Tensor) => linear(p, 'fc', x), /parameter fc\.bias is missing \(there are: fc\.weight\)/],
    ['conv1d', (p: SymbolicParams, x: Tensor) => conv1d(p, 'embed.0', x), /parameter embed\.0\.weight is missing/],
    ['layerNorm', (p: SymbolicParams, x: Tensor) => layerNorm(p, 'norm', x), /parameter norm\.weight is missing/],
    [
      'batchNorm',
      (p: SymbolicParams, x: Tensor) => batchNorm(p, 'fc', x, { training: true })[0],
      /parameter fc\.bias is missing/,
    ],
  ])('%s names it', async (_, layer, message) => {
    await expect(run(layer, params, counting([1, 3]))).rejects.toThrow(message);
  });

  it('the list of what there is stays short', () => {
    const many = compile((p: SymbolicParams) => parameter(p, 'x'));
    const all = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`p${i}`, counting([1])]));
    return expect(many(all as never)).rejects.toThrow(
      /parameter x is missing \(there are: p0, p1, p2, p3, p4, p5, p6, p7, … 12 in all\)/,
    );
  });
});
