import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as e from '../../src/engine/index.ts';
import { type Array64, at, between, build, positions } from './arrays.ts';
import { checkFloat32, expectClose, holds } from './checks.ts';

interface Layer {
  batch: number;
  groups: number;
  perGroup: number;
  outPerGroup: number;
  bias: boolean;
  axes: { extent: number; kernel: number; stride: number; dilation: number; before: number; after: number }[];
}

const convolutions = { 1: e.conv1d, 2: e.conv2d, 3: e.conv3d } as const;

function layers(rank: 1 | 2 | 3): fc.Arbitrary<Layer> {
  const axis = fc
    .record({
      room: fc.nat(rank === 3 ? 2 : 4),
      kernel: fc.integer({ min: 1, max: rank === 3 ? 2 : 3 }),
      stride: fc.integer({ min: 1, max: 3 }),
      dilation: fc.integer({ min: 1, max: rank === 3 ? 1 : 3 }),
      before: fc.nat(2),
      after: fc.nat(2),
    })
    .map(({ room, ...a }) => {
      // The smallest extent that the window fits into, and some room.
      const reach = a.dilation * (a.kernel - 1) + 1;
      return { ...a, extent: Math.max(1, reach - a.before - a.after) + room };
    });
  const few = fc.integer({ min: 1, max: 2 });
  return fc.record({
    batch: few,
    groups: fc.integer({ min: 1, max: 3 }),
    perGroup: few,
    outPerGroup: few,
    bias: fc.boolean(),
    axes: fc.array(axis, { minLength: rank, maxLength: rank }),
  });
}

function arraysOf({ batch, groups, perGroup, outPerGroup, axes, bias }: Layer, seed: number): Array64[] {
  const x = between(seed, [batch, groups * perGroup, ...axes.map(a => a.extent)]);
  const w = between(seed + 1, [groups * outPerGroup, perGroup, ...axes.map(a => a.kernel)]);
  return bias ? [x, w, between(seed + 2, [groups * outPerGroup])] : [x, w];
}

function functionOf({ groups, axes }: Layer) {
  const options = {
    groups,
    stride: axes.map(a => a.stride),
    dilation: axes.map(a => a.dilation),
    padding: axes.map(a => [a.before, a.after] as const),
  };
  return (x: e.Tensor, w: e.Tensor, b?: e.Tensor) => convolutions[axes.length as 1 | 2 | 3](x, w, b, options);
}

/** The sum that defines a convolution, term by term. */
function reference({ groups, perGroup, outPerGroup, axes }: Layer, [x, w, bias]: Array64[]): Array64 {
  const out = axes.map(a => Math.floor((a.extent + a.before + a.after - a.dilation * (a.kernel - 1) - 1) / a.stride) + 1);
  const taps = positions(axes.map(a => a.kernel));
  return build([x.shape[0], groups * outPerGroup, ...out], ([b, o, ...at0]) => {
    let total = bias ? at(bias, [o]) : 0;
    for (const tap of taps) {
      const from = axes.map((a, i) => at0[i] * a.stride + tap[i] * a.dilation - a.before);
      if (from.some((p, i) => p < 0 || p >= axes[i].extent)) continue;
      for (let c = 0; c < perGroup; c++) {
        total += at(x, [b, Math.floor(o / outPerGroup) * perGroup + c, ...from]) * at(w, [o, c, ...tap]);
      }
    }
    return total;
  });
}

describe.each([1, 2, 3] as const)('conv%id', rank => {
  it('float64: values, and gradients with respect to input, weight and bias', async () => {
    await holds(
      layers(rank),
      (layer, seed) => {
        const inputs = arraysOf(layer, seed);
        return { inputs, fn: functionOf(layer) as never, expected: reference(layer, inputs) };
      },
      rank === 3 ? 10 : 24,
    );
  });

  it('float32: the same, by its own lowering and its own weight gradient', async () => {
    const property = fc.asyncProperty(layers(rank), fc.nat(1e6), async (layer, seed) => {
      const inputs = arraysOf(layer, seed);
      const expected = reference(layer, inputs);
      await checkFloat32(functionOf(layer) as never, inputs, expected.shape, 2e-5);
      const forward = e.compile(functionOf(layer));
      const y = (await forward(
        ...(inputs.map(x => e.astype(x, 'float32')) as never[] as [never, never, never]),
      )) as unknown as e.NDArray;
      await forward.dispose();
      expectClose(y, expected, 2e-5);
    });
    await fc.assert(property, { numRuns: rank === 3 ? 8 : 20, seed: 20222 });
  });
});

describe('weight gradients by one convolution (float32, more than twice as many taps as channels in a group)', () => {
  it.each([
    ['first layer of an image network', { batch: 2, groups: 1, perGroup: 3, outPerGroup: 4 }, 7, 2],
    ['depthwise', { batch: 2, groups: 4, perGroup: 1, outPerGroup: 1 }, 3, 2],
    ['depthwise with multiplier', { batch: 3, groups: 3, perGroup: 1, outPerGroup: 2 }, 3, 1],
  ])('%s', async (_, sizes, kernel, stride) => {
    const axis = { extent: 11, kernel, stride, dilation: 1, before: (kernel - 1) / 2, after: (kernel - 1) / 2 };
    const layer = { ...sizes, bias: true, axes: [axis, { ...axis, extent: 12 }] };
    const inputs = arraysOf(layer, 9);
    await checkFloat32(functionOf(layer) as never, inputs, reference(layer, inputs).shape);
  });
});

describe('weight gradients by shifts of both sides (stride 1)', () => {
  it.each([
    ['few channels: a product a sample', { perGroup: 6, outPerGroup: 5 }, 9, 1],
    ['many channels: the batch joins the positions', { perGroup: 20, outPerGroup: 24 }, 4, 1],
    ['dilated', { perGroup: 6, outPerGroup: 5 }, 9, 2],
  ])('%s', async (_, channels, extent, dilation) => {
    const axis = { extent, kernel: 3, stride: 1, dilation, before: dilation, after: dilation };
    const layer = { batch: 2, groups: 1, ...channels, bias: false, axes: [axis, { ...axis, extent: extent + 1 }] };
    const inputs = arraysOf(layer, 6);
    const expected = reference(layer, inputs);
    await holds(fc.constant(0), () => ({ inputs, fn: functionOf(layer) as never, expected }), 1);
    await checkFloat32(functionOf(layer) as never, inputs, expected.shape);
  });
});

describe('pointwise convolutions with a stride', () => {
  it.each([
    [7, 2],
    [8, 2],
    [8, 3],
    [1, 2],
  ])('of %i positions, stride %i', async (extent, stride) => {
    const axis = { extent, kernel: 1, stride, dilation: 1, before: 0, after: 0 };
    // Wide enough for the batch to join the positions in the weight's gradient, and narrow enough not to.
    for (const perGroup of [2, 40]) {
      const layer = { batch: 2, groups: 1, perGroup, outPerGroup: perGroup, bias: false, axes: [axis, { ...axis, extent: 5 }] };
      const inputs = arraysOf(layer, 4);
      const expected = reference(layer, inputs);
      await holds(fc.constant(0), () => ({ inputs, fn: functionOf(layer) as never, expected }), 1);
      await checkFloat32(functionOf(layer) as never, inputs, expected.shape);
    }
  });
});

describe('a factor for each channel behind a convolution', () => {
  const axis = { extent: 5, kernel: 3, stride: 2, dilation: 1, before: 1, after: 1 };
  const layer = { batch: 2, groups: 2, perGroup: 2, outPerGroup: 3, bias: true, axes: [axis, axis] };
  const [x, w, b] = arraysOf(layer, 6);
  const y = reference(layer, [x, w, b]);

  it('meets the weight in the gradients', async () => {
    const gain = between(9, [6, 1, 1]);
    const expected = build(y.shape, p => at(y, p) * at(gain, [p[1], 0, 0]));
    const fn = (t: e.Tensor, u: e.Tensor, v: e.Tensor, g: e.Tensor) => e.mul(functionOf(layer)(t, u, v), g);
    await holds(fc.constant(0), () => ({ inputs: [x, w, b, gain], fn: fn as never, expected }), 1);
    // The cotangent itself is nowhere scaled but for the factor's own gradient and the bias.
    const graph = e.compile((t: e.Tensor, u: e.Tensor) =>
      e.grad((at0: e.Tensor) => e.sum(e.mul(functionOf({ ...layer, bias: false })(t, at0), e.constant(gain))))(u),
    );
    const scaled = graph
      .print(x as never, w as never)
      .split('\n')
      .filter(line => / = mul\(/.test(line));
    expect(scaled.map(line => /float64(\[[^\]]*\])/.exec(line)?.[1])).toEqual(['[6, 2, 3, 3]']);
  });

  it('along another axis does not', async () => {
    const gain = between(9, [3, 1]);
    const expected = build(y.shape, p => at(y, p) * at(gain, [p[2], 0]));
    const fn = (t: e.Tensor, u: e.Tensor, v: e.Tensor, g: e.Tensor) => e.mul(functionOf(layer)(t, u, v), g);
    await holds(fc.constant(0), () => ({ inputs: [x, w, b, gain], fn: fn as never, expected }), 1);
  });
});

describe('second derivatives', () => {
  it('of a squared convolution agree with finite differences', async () => {
    // The gradient of f is itself a case: its vjp is the second derivative.
    const layer: Layer = {
      batch: 2,
      groups: 1,
      perGroup: 2,
      outPerGroup: 2,
      bias: false,
      axes: [{ extent: 5, kernel: 3, stride: 2, dilation: 1, before: 1, after: 1 }],
    };
    const [x, w] = arraysOf(layer, 3);
    const square = (v: e.Tensor, u: e.Tensor) => e.sum(e.square(functionOf(layer)(v, u)));
    const first = e.compile((v: e.Tensor, u: e.Tensor) => e.grad(square)(v, u));
    const expected = (await first(x as never, w as never)) as unknown as Array64;
    await first.dispose();
    await holds(fc.constant(0), () => ({ inputs: [x, w], fn: (v, u) => e.grad(square)(v, u), expected }), 2);
  });
});

describe('errors', () => {
  const trace = (fn: (x: e.Tensor) => e.Tensor, shape: number[]) => () =>
    e.compile(fn, { name: 'net' }).print(e.zeros(shape) as never);
  const weight = (shape: number[]) => e.constant(e.zeros(shape));
  it('name the op, the shapes and the rule', () => {
    expect(trace(x => e.conv2d(x, weight([4, 2, 3, 3])), [1, 3, 5, 5])).toThrow(
      /net: conv\(float32\[1, 3, 5, 5\], float32\[4, 2, 3, 3\]\): x has 3 channels, the weight expects 2 x 1 groups \(in conv < conv2d/,
    );
    expect(trace(x => e.conv1d(x, weight([4, 2, 3])), [1, 2, 2])).toThrow(
      /a window of reach 3 does not fit into spatial axis 0 of 2 elements/,
    );
    expect(trace(x => e.conv1d(x, weight([3, 1, 1]), undefined, { groups: 2 }), [1, 2, 2])).toThrow(
      /3 output channels are not a multiple of 2 groups/,
    );
    expect(trace(x => e.conv2d(x, weight([4, 2, 3])), [1, 2, 5, 5])).toThrow(
      /conv2d: x and weight need 4 axes each, got x \[1, 2, 5, 5\], weight \[4, 2, 3\]/,
    );
    expect(trace(x => e.conv2d(x, weight([4, 2, 1, 1]), undefined, { stride: [1] }), [1, 2, 5, 5])).toThrow(
      /conv2d: stride needs one number for each of 2 spatial axes, got \[1\]/,
    );
    expect(trace(x => e.conv1d(x, weight([4, 2, 1]), weight([3])), [1, 2, 5])).toThrow(/the bias must be \[4\]/);
  });
});
