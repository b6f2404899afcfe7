import { showShape, sizeOf } from '../ndarray.ts';
import { apply1, type Op, rule, sameShape, scalar } from '../op.ts';
import type { Tensor } from '../tensor.ts';
import { broadcastTo, sum } from './broadcast.ts';
import { lowerConvFloat64 } from './convFloat64.ts';
import { mul } from './elementwise.ts';
import { matmul } from './linear.ts';
import { reshape, transpose } from './shape.ts';
import { slice, stack } from './slice.ts';
import {
  combinations,
  interleave,
  type Padding,
  type PerAxis,
  paddingOf,
  padOrCrop,
  perAxis,
  reversed,
  shifted,
  spread,
  strided,
  type Window,
  windowExtents,
} from './window.ts';

/** PyTorch's options, each for all spatial axes or one by one. Padding is explicit and of zeros. */
export interface ConvOptions {
  /** Default 1. */
  readonly stride?: PerAxis;
  /** Default 0. */
  readonly padding?: Padding;
  /** Default 1. */
  readonly dilation?: PerAxis;
  /** Channels are split into this many groups that do not see each other. Default 1. */
  readonly groups?: number;
}

/** A convolution in full: {@link ConvOptions} of every axis, with the kernel's extents. */
export interface ConvAttrs extends Window {
  readonly groups: number;
}

/** y[b, o, i] = bias[o] + sum over c, k of w[o, c, k] x[b, c, stride i + dilation k - before], zero outside x. */
const convOp: Op<ConvAttrs> = {
  name: 'conv',
  infer: (attrs, x, w, bias) => {
    const { groups } = attrs;
    const [channels, perGroup, outChannels] = [x.shape[1], w.shape[1], w.shape[0]];
    rule(x.dtype === w.dtype && (!bias || bias.dtype === x.dtype), 'all element types must be equal');
    rule(x.dtype === 'float32' || x.dtype === 'float64', `needs a floating type, got ${x.dtype}`);
    rule(channels === perGroup * groups, `x has ${channels} channels, the weight expects ${perGroup} x ${groups} groups`);
    rule(outChannels % groups === 0, `${outChannels} output channels are not a multiple of ${groups} groups`);
    rule(!bias || (bias.shape.length === 1 && bias.shape[0] === outChannels), `the bias must be [${outChannels}]`);
    return [{ dtype: x.dtype, shape: [x.shape[0], outChannels, ...windowExtents(x.shape.slice(2), attrs)] }];
  },
  lower: (g, [x, w, ...bias], { attrs, inputs, outputs: [y] }) => {
    if (y.dtype === 'float64') {
      const product = lowerConvFloat64(g, [x, w], [inputs[0].shape, inputs[1].shape, y.shape], attrs, attrs.groups);
      if (bias.length === 0) return [product];
      return [g.node('Add', [product, g.reshape(bias[0], [y.shape[1], ...attrs.kernel.map(() => 1)])])];
    }
    const { kernel, stride, dilation, before, after, groups } = attrs;
    return [
      g.node('Conv', [x, w, ...bias], {
        kernel_shape: { ints: kernel },
        strides: { ints: stride },
        dilations: { ints: dilation },
        pads: { ints: [...before, ...after] },
        group: { int: groups },
      }),
    ];
  },
  vjp: ([ct], { attrs, inputs: [x, w, bias] }) => {
    if (!ct) return [undefined, undefined, undefined];
    const db = bias && sum(ct, [0, ...attrs.kernel.map((_, i) => i + 2)]);
    const [bare, gain] = withoutChannelFactor(ct);
    if (!gain) return [inputGradient(ct, w, attrs, x.shape), weightGradient(ct, x, attrs, w.shape), db];
    const rows = reshape(gain, [w.shape[0], ...w.shape.slice(1).map(() => 1)]);
    return [inputGradient(bare, mul(w, rows), attrs, x.shape), mul(weightGradient(bare, x, attrs, w.shape), rows), db];
  },
};

/**
 * A cotangent g u with a factor g for each channel, as a batch norm gives it, as u and g `[C, 1, …]`: both gradients are linear in it, so that g meets
 * the weight instead of the whole of u.
 */
function withoutChannelFactor(ct: Tensor): readonly [bare: Tensor, gain?: Tensor] {
  const { op, inputs } = ct.node;
  if (op.name !== 'mul') return [ct];
  const [bare, gain] = inputs;
  const isFactor = gain.rank === ct.rank - 1 && gain.shape.every((extent, i) => extent === (i === 0 ? ct.shape[1] : 1));
  return isFactor && sameShape(bare.shape, ct.shape) ? [bare, gain] : [ct];
}

/** Convolution in which negative padding crops. */
function convolve(x: Tensor, w: Tensor, { stride, dilation, before, after, groups }: Omit<ConvAttrs, 'kernel'>): Tensor {
  let cropped = x;
  for (const i of before.keys()) cropped = padOrCrop(cropped, i + 2, Math.min(0, before[i]), Math.min(0, after[i]));
  const inside = (amounts: readonly number[]) => amounts.map(amount => Math.max(0, amount));
  return apply1(convOp, [cropped, w], {
    kernel: w.shape.slice(2),
    stride,
    dilation,
    before: inside(before),
    after: inside(after),
    groups,
  });
}

/** Whether every output sees one position alone. */
function isPointwise({ kernel, before, after }: ConvAttrs): boolean {
  return kernel.every((k, i) => k === 1 && before[i] === 0 && after[i] === 0);
}

/** [O, C/g, …] -> [C, O/g, …] with every spatial axis reversed. */
function flipped(w: Tensor, groups: number): Tensor {
  const [outChannels, perGroup, ...kernel] = w.shape;
  // To reverse the axes one by one is to reverse them as one.
  const flat = reversed(reshape(w, [groups, outChannels / groups, perGroup, sizeOf(kernel)]));
  return reshape(transpose(flat, [0, 2, 1, 3]), [groups * perGroup, outChannels / groups, ...kernel]);
}

/** Which taps of a kernel reach the positions `stride i + phase` of the input, and the convolution of ct that they make. */
function phaseOf(phase: number, axis: number, rows: number, outExtent: number, { kernel, stride, dilation, before }: ConvAttrs) {
  const [s, d, p] = [stride[axis], dilation[axis], before[axis]];
  // Position u of x meets tap k at output (u + p - d k) / s, which must be whole.
  const meets = (k: number) => (((phase + p - d * k) % s) + s) % s === 0;
  const taps = Array.from({ length: kernel[axis] }, (_, k) => k).filter(meets);
  if (taps.length === 0) return undefined;
  const step = taps.length > 1 ? taps[1] - taps[0] : 1;
  const spread = taps.length > 1 ? (d * step) / s : 1;
  const first = (phase + p - d * taps[0]) / s;
  const reach = (taps.length - 1) * spread;
  return { first: taps[0], count: taps.length, step, dilation: spread, before: reach - first, after: rows - outExtent + first };
}

/**
 * dx of a convolution. With stride 1 it is one convolution of ct with the flipped, transposed weight. With a stride, the
 * positions of x that are equal modulo the stride see disjoint sets of taps: each such phase is a convolution of its own with
 * stride 1, and the phases are laid one into the other. Together they cost about what the forward pass costs. ONNX's `ConvTranspose` is
 * 2x to 10x slower for depthwise, 3-D and long, wide 1-D layers and level for wide 2-D ones; it is faster for small layers with a stride
 * (1.6x) and for few channels (2x to 6x), mostly the layer that reads the image, whose gradient nobody asks for (bench/conv.ts).
 */
export function inputGradient(ct: Tensor, w: Tensor, attrs: ConvAttrs, xShape: readonly number[]): Tensor {
  const { stride, groups } = attrs;
  if (groups === 1 && isPointwise(attrs)) {
    // One product a sample; the transpose of the weight is fused into it.
    const columns = reshape(ct, [ct.shape[0], ct.shape[1], -1]);
    const product = matmul(reshape(w, w.shape.slice(0, 2)), columns, { transposeA: true });
    let dx = reshape(product, [...xShape.slice(0, 2), ...ct.shape.slice(2)]);
    // Positions between the strides are read by nobody.
    for (let i = stride.length - 1; i >= 0; i--) dx = spread(dx, i + 2, stride[i], xShape[i + 2]);
    return dx;
  }
  const spatial = xShape.slice(2);
  const out = ct.shape.slice(2);
  const rows = spatial.map((extent, i) => Math.ceil(extent / stride[i]));
  const shape = [xShape[0], xShape[1], ...rows];
  let phases = combinations(stride).map(combination => {
    const along = combination.map((phase, axis) => phaseOf(phase, axis, rows[axis], out[axis], attrs));
    if (!along.every(a => a !== undefined)) return broadcastTo(scalar(0, ct.dtype), shape);
    let taps = w;
    for (const [axis, a] of along.entries()) taps = strided(taps, axis + 2, a.first, a.count, a.step);
    return convolve(ct, flipped(taps, groups), {
      stride: stride.map(() => 1),
      dilation: along.map(a => a.dilation),
      before: along.map(a => a.before),
      after: along.map(a => a.after),
      groups,
    });
  });
  for (let axis = stride.length - 1; axis >= 0; axis--) {
    const s = stride[axis];
    phases = Array.from({ length: phases.length / s }, (_, i) => {
      const together = interleave(phases.slice(i * s, (i + 1) * s), axis + 2);
      return slice(together, axis + 2, 0, spatial[axis]);
    });
  }
  return phases[0];
}

/** x padded or cropped so that every tap reads ct's extent and nothing is left over. */
function reached(x: Tensor, ct: Tensor, { kernel, stride, dilation, before }: ConvAttrs): Tensor {
  let fitted = x;
  for (const [i, k] of kernel.entries()) {
    const needed = stride[i] * (ct.shape[i + 2] - 1) + dilation[i] * (k - 1) + 1;
    fitted = padOrCrop(fitted, i + 2, before[i], needed - before[i] - x.shape[i + 2]);
  }
  return fitted;
}

/**
 * dw of a convolution: a matrix product for each tap, unless the products are too thin ({@link isThin}), where one convolution is up to
 * 3x faster (not for depthwise layers of stride 1, the one case that the rule gets wrong, by up to 2x). Elsewhere the products are
 * 1.2x to 4x faster (bench/conv.ts). In float64, which is for checks, always products.
 */
function weightGradient(ct: Tensor, x: Tensor, attrs: ConvAttrs, wShape: readonly number[]): Tensor {
  return isThin(attrs.kernel, wShape[1]) && x.dtype === 'float32'
    ? weightGradientBySwap(ct, x, attrs)
    : weightGradientByTaps(ct, x, attrs, wShape);
}

/** Whether a kernel has more than twice as many taps as a group has channels: the first layer of an image network, depthwise layers. */
export function isThin(kernel: readonly number[], channelsPerGroup: number): boolean {
  return sizeOf(kernel) > 2 * Math.max(channelsPerGroup, 4);
}

/** dw as a convolution over the batch: batch and channels change places, ct is the kernel, stride and dilation change roles. */
export function weightGradientBySwap(ct: Tensor, x: Tensor, attrs: ConvAttrs): Tensor {
  const { groups, stride, dilation, kernel } = attrs;
  const fitted = reached(x, ct, attrs);
  const [batch, channels, ...spatial] = fitted.shape;
  const axes = spatial.map((_, i) => i + 3);
  const grouped = transpose(reshape(fitted, [batch, groups, channels / groups, ...spatial]), [2, 1, 0, ...axes]);
  const none = kernel.map(() => 0);
  const dw = convolve(
    reshape(grouped, [channels / groups, groups * batch, ...spatial]),
    transpose(ct, [1, 0, ...axes.map(a => a - 1)]),
    {
      stride: dilation,
      dilation: stride,
      before: none,
      after: none,
      groups,
    },
  );
  return transpose(dw, [1, 0, ...axes.map(a => a - 1)]);
}

/** Whether every tap's product may run over x's rows, see {@link pairsByShifts}: stride 1, and not many more rows than ct has. */
function sharesRows({ stride }: ConvAttrs, ctExtents: readonly number[], xExtents: readonly number[]): boolean {
  return stride.every(s => s === 1) && sizeOf(xExtents.slice(0, -1)) <= 1.25 * sizeOf(ctExtents.slice(0, -1));
}

/**
 * For each tap, what is multiplied and summed over all positions: with stride 1 a tap's place in the last axis shifts x, its place in the others shifts
 * ct the other way, so that k x k taps need k copies of each instead of k x k of x.
 */
function pairsByShifts(ct: Tensor, x: Tensor, { kernel, dilation, before }: ConvAttrs): (readonly [Tensor, Tensor])[] {
  const last = kernel.length - 1;
  const places = (axis: number) => Array.from({ length: kernel[axis] }, (_, k) => k * dilation[axis] - before[axis]);
  let cotangents = [ct];
  for (let axis = 0; axis < last; axis++) {
    const back = places(axis).map(place => 0 - place);
    cotangents = cotangents.flatMap(t => shifted(t, axis + 2, back, x.shape[axis + 2]));
  }
  const seen = shifted(x, last + 2, places(last), ct.shape[last + 2]);
  return cotangents.flatMap(t => seen.map(s => [t, s] as const));
}

/** As {@link pairsByShifts} for any stride: all of ct, and what of x each tap meets there. */
function pairsByCuts(ct: Tensor, x: Tensor, attrs: ConvAttrs): (readonly [Tensor, Tensor])[] {
  const { kernel, stride, dilation } = attrs;
  const extents = ct.shape.slice(2);
  // Padded, never cropped: a tap reads no further than it must.
  let padded = x;
  for (const [i, k] of kernel.entries()) {
    const needed = stride[i] * (extents[i] - 1) + dilation[i] * (k - 1) + 1;
    padded = padOrCrop(padded, i + 2, attrs.before[i], Math.max(0, needed - attrs.before[i] - x.shape[i + 2]));
  }
  // The last axis first: it is cut once for all taps of the others, which then are copies of long runs. A single tap's is cut last, where
  // least is left.
  const axes = [...kernel.keys()];
  const order = sizeOf(kernel) === 1 ? axes : axes.reverse();
  return combinations(kernel).map(tap => {
    let seen = padded;
    for (const i of order) seen = strided(seen, i + 2, tap[i] * dilation[i], extents[i], stride[i]);
    return [ct, seen];
  });
}

/** dw as one matrix product for each tap, ct x^T, summed over the batch. */
export function weightGradientByTaps(ct: Tensor, x: Tensor, attrs: ConvAttrs, wShape: readonly number[]): Tensor {
  const { groups, kernel } = attrs;
  const [outChannels, perGroup] = wShape;
  const [batch, positions] = [ct.shape[0], sizeOf(ct.shape.slice(2))];
  // Either the batch joins the positions, at the price of two transposes, or each sample has a product of its own and these are
  // summed: whichever writes less. The transposes serve all taps.
  const joined = sizeOf(kernel) * outChannels * perGroup > positions * (outChannels + perGroup * groups);
  const swap = [1, 0, ...kernel.map((_, i) => i + 2)];
  const arrange = (t: Tensor) => (joined ? transpose(t, swap) : t);
  const lead = joined ? [groups] : [batch, groups];
  // A single tap is cut out before x is transposed, where less is left to transpose.
  const isSingle = sizeOf(kernel) === 1;
  const [first, later] = isSingle ? [(t: Tensor) => t, arrange] : [arrange, (t: Tensor) => t];
  const pairs = sharesRows(attrs, ct.shape.slice(2), x.shape.slice(2)) ? pairsByShifts : pairsByCuts;
  const taps = pairs(first(ct), first(x), attrs).map(([cts, seen]) => {
    const rows = (t: Tensor, channels: number) => reshape(later(t), [...lead, channels, -1]);
    const product = matmul(rows(cts, outChannels / groups), rows(seen, perGroup), { transposeB: true });
    return reshape(joined ? product : sum(product, 0), [outChannels, perGroup]);
  });
  return reshape(taps.length === 1 ? taps[0] : stack(taps, 2), wShape);
}

function conv(name: string, rank: number, x: Tensor, w: Tensor, bias: Tensor | undefined, options: ConvOptions): Tensor {
  const { stride = 1, padding = 0, dilation = 1, groups = 1 } = options;
  const shapes = `x ${showShape(x.shape)}, weight ${showShape(w.shape)}`;
  rule(x.rank === rank + 2 && w.rank === rank + 2, `${name}: x and weight need ${rank + 2} axes each, got ${shapes}`);
  rule(Number.isInteger(groups) && groups > 0, `${name}: groups must be a positive integer, got ${groups}`);
  return apply1(convOp, bias ? [x, w, bias] : [x, w], {
    kernel: w.shape.slice(2),
    stride: perAxis(`${name}: stride`, stride, rank, 1),
    dilation: perAxis(`${name}: dilation`, dilation, rank, 1),
    ...paddingOf(padding, rank),
    groups,
  });
}

/** 1-D convolution in PyTorch's layout: x `[B, C, T]`, weight `[O, C/groups, k]`, bias `[O]` -> `[B, O, T']`. @throws ShapeError */
export function conv1d(x: Tensor, weight: Tensor, bias?: Tensor, options: ConvOptions = {}): Tensor {
  return conv('conv1d', 1, x, weight, bias, options);
}

/** 2-D convolution: x `[B, C, H, W]`, weight `[O, C/groups, kh, kw]`, bias `[O]` -> `[B, O, H', W']`. @throws ShapeError */
export function conv2d(x: Tensor, weight: Tensor, bias?: Tensor, options: ConvOptions = {}): Tensor {
  return conv('conv2d', 2, x, weight, bias, options);
}

/** 3-D convolution: x `[B, C, D, H, W]`, weight `[O, C/groups, kd, kh, kw]`, bias `[O]` -> `[B, O, D', H', W']`. @throws ShapeError */
export function conv3d(x: Tensor, weight: Tensor, bias?: Tensor, options: ConvOptions = {}): Tensor {
  return conv('conv3d', 3, x, weight, bias, options);
}
