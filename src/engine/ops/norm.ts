import { type DType, ndarray, showShape, sizeOf } from '../ndarray.ts';
import type { GraphBuilder } from '../onnx.ts';
import { apply, apply1, type Op, rule, sameShape, scalar } from '../op.ts';
import type { Aval, Tensor } from '../tensor.ts';
import { broadcastTo, sum } from './broadcast.ts';
import { add, div, mul, neg, reciprocal, sqrt, square, sub } from './elementwise.ts';
import { reshape } from './shape.ts';

/** PyTorch's default of every normalisation. */
const defaultEpsilon = 1e-5;

const isFloat = (dtype: DType): boolean => dtype === 'float32' || dtype === 'float64';

/** Adds two cotangents of which either may be missing. */
const plus = (a: Tensor | undefined, b: Tensor | undefined): Tensor | undefined => (a && b ? add(a, b) : (a ?? b));

/** Normalisation over `axes` in float64, where ONNX Runtime's own ops are missing or round. Statistics keep their axes. */
function lowerNormFloat64(
  g: GraphBuilder,
  x: string,
  weight: string | undefined,
  bias: string | undefined,
  axes: readonly number[],
  epsilon: number,
) {
  const average = g.node('ReduceMean', [x, g.ints(axes)]);
  const centred = g.node('Sub', [x, average]);
  const variance = g.node('ReduceMean', [g.node('Mul', [centred, centred]), g.ints(axes)]);
  const inverse = g.node('Reciprocal', [g.node('Sqrt', [g.node('Add', [variance, g.scalar(epsilon, 'float64')])])]);
  let y = g.node('Mul', [centred, inverse]);
  if (weight) y = g.node('Mul', [y, weight]);
  if (bias) y = g.node('Add', [y, bias]);
  return { y, average, variance, inverse };
}

// ----------------------------------------------------------------------------------------- layer norm

interface LayerNormAttrs {
  /** Number of trailing axes that are normalised together. */
  readonly normalizedRank: number;
  readonly epsilon: number;
}

/** Outputs y = (x - mean) inverse weight + bias, and mean and inverse = 1 / sqrt(var + epsilon) with the normalised axes as 1. */
const layerNormOp: Op<LayerNormAttrs> = {
  name: 'layerNorm',
  infer: ({ normalizedRank }, x, ...affine) => {
    rule(isFloat(x.dtype), `needs a floating type, got ${x.dtype}`);
    rule(normalizedRank >= 1 && normalizedRank <= x.shape.length, `cannot normalise ${normalizedRank} of ${x.shape.length} axes`);
    const normalized = x.shape.slice(-normalizedRank);
    for (const p of affine) {
      rule(sameShape(p.shape, normalized) && p.dtype === x.dtype, `weight and bias must be ${x.dtype}${showShape(normalized)}`);
    }
    const statistic = { dtype: x.dtype, shape: x.shape.map((e, i) => (i < x.shape.length - normalizedRank ? e : 1)) };
    return [x, statistic, statistic];
  },
  lower: (g, [x, weight, bias], { attrs, inputs: [{ shape, dtype }] }) => {
    const normalized = shape.slice(-attrs.normalizedRank);
    if (dtype === 'float64') {
      const { y, average, inverse } = lowerNormFloat64(
        g,
        x,
        weight,
        bias,
        normalized.map((_, i) => i - attrs.normalizedRank),
        attrs.epsilon,
      );
      return [y, average, inverse];
    }
    const scale = weight ?? g.node('Expand', [g.scalar(1, dtype), g.ints(normalized)]);
    const axis = shape.length - attrs.normalizedRank;
    return g.nodeWith(3, 'LayerNormalization', bias ? [x, scale, bias] : [x, scale], {
      axis: { int: axis },
      epsilon: { float: attrs.epsilon },
    });
  },
  // With n elements normalised together, z = (x - mean) inverse and u = ct weight:
  //   dx = inverse (u - mean(u) - z mean(u z)),  dweight = sum ct z,  dbias = sum ct
  // and for the statistics: d mean / dx = 1/n,  d inverse / dx = -inverse^2 z / n
  vjp: ([ct, ctMean, ctInverse], { attrs: { normalizedRank }, inputs: [x, weight, bias], outputs: [, average, inverse] }) => {
    const axes = Array.from({ length: normalizedRank }, (_, i) => x.rank - normalizedRank + i);
    const lead = Array.from({ length: x.rank - normalizedRank }, (_, i) => i);
    const n = sizeOf(x.shape.slice(-normalizedRank));
    const z = mul(sub(x, average), inverse);
    let [slope, shift]: (Tensor | undefined)[] = [ctInverse && neg(mul(ctInverse, square(inverse))), ctMean];
    let dx: Tensor | undefined;
    if (ct) {
      const u = weight ? mul(ct, weight) : ct;
      slope = plus(slope, neg(mul(inverse, sum(mul(u, z), axes, true))));
      shift = plus(shift, neg(mul(inverse, sum(u, axes, true))));
      dx = mul(u, inverse);
    }
    if (slope) dx = plus(dx, mul(z, mul(slope, 1 / n)));
    if (shift) dx = plus(dx, mul(shift, 1 / n));
    return [dx && broadcastTo(dx, x.shape), weight && ct && sum(mul(ct, z), lead), bias && ct && sum(ct, lead)];
  },
};

/**
 * Layer normalisation over the last `normalizedRank` axes (default 1), whose shape `weight` and `bias` have:
 * y = (x - mean) / sqrt(var + epsilon) weight + bias, with the variance divided by n. Epsilon defaults to 1e-5.
 * Source: Ba, Kiros, Hinton, "Layer Normalization", 2016; PyTorch's definition. @throws ShapeError
 */
export function layerNorm(
  x: Tensor,
  weight?: Tensor,
  bias?: Tensor,
  { normalizedRank = 1, epsilon = defaultEpsilon } = {},
): Tensor {
  const scale = weight ?? (bias && broadcastTo(scalar(1, x.dtype), bias.shape));
  return apply(layerNormOp, scale ? (bias ? [x, scale, bias] : [x, scale]) : [x], { normalizedRank, epsilon })[0];
}

// --------------------------------------------------------------------------------- group, instance norm

/** A per-channel `[C]` vector as `[C, 1, …]`, to meet `[B, C, …]`. */
function perChannel(name: string, v: Tensor, x: Tensor): Tensor {
  rule(
    v.rank === 1 && v.shape[0] === x.shape[1],
    `${name} must be [${x.shape[1]}], one number for each channel, got ${showShape(v.shape)}`,
  );
  return reshape(v, [x.shape[1], ...x.shape.slice(2).map(() => 1)]);
}

/**
 * Group normalisation: the channels of `[B, C, …]` in `groups` consecutive groups, each normalised over its channels and all
 * positions, then scaled and shifted per channel. Source: Wu, He, "Group Normalization", ECCV 2018; PyTorch's definition.
 * @throws ShapeError if the channels do not split evenly.
 */
export function groupNorm(x: Tensor, groups: number, weight?: Tensor, bias?: Tensor, { epsilon = defaultEpsilon } = {}): Tensor {
  rule(x.rank >= 2 && x.shape[1] % groups === 0, `groupNorm: ${x.shape[1]} channels do not split into ${groups} groups`);
  let y = reshape(
    layerNorm(reshape(x, [x.shape[0], groups, sizeOf(x.shape.slice(1)) / groups]), undefined, undefined, { epsilon }),
    x.shape,
  );
  if (weight) y = mul(y, perChannel('groupNorm: weight', weight, x));
  if (bias) y = add(y, perChannel('groupNorm: bias', bias, x));
  return y;
}

/** Instance normalisation: every channel of every sample of `[B, C, …]` over its positions. PyTorch's definition. @throws ShapeError */
export function instanceNorm(x: Tensor, weight?: Tensor, bias?: Tensor, { epsilon = defaultEpsilon } = {}): Tensor {
  rule(x.rank >= 3, `instanceNorm: x needs axes [batch, channels, …], got ${x.rank}`);
  return groupNorm(x, x.shape[1], weight, bias, { epsilon });
}

// ------------------------------------------------------------------------------------ channel affine

/** How scale x + shift is said: as a batch normalisation, or as a convolution that sees one value of one channel. */
type AffineForm = 'norm' | 'conv';

/** From this many positions a channel on, the convolution is the faster form. */
const wideChannel = 128;

/**
 * scale x + shift for each channel, in one pass. ONNX Runtime's BatchNormalization works on one thread; its convolution works on all of them and takes
 * a sum and a ReLU that follow into the same pass.
 */
function lowerChannelAffine(
  g: GraphBuilder,
  [x, scale, shift]: readonly string[],
  { shape, dtype }: Aval,
  form: AffineForm,
): string {
  const [channels, spatial] = [shape[1], shape.slice(2)];
  if (dtype === 'float64') {
    const wide = (v: string) => g.reshape(v, [channels, ...spatial.map(() => 1)]);
    return g.node('Add', [g.node('Mul', [x, wide(scale)]), wide(shift)]);
  }
  if (form === 'conv' && spatial.length > 0 && sizeOf(spatial) >= wideChannel) {
    const weight = g.reshape(scale, [channels, 1, ...spatial.map(() => 1)]);
    return g.node('Conv', [x, weight, shift], { kernel_shape: { ints: spatial.map(() => 1) }, group: { int: channels } });
  }
  const every = (value: number) => g.constant(ndarray('float32', [channels], new Float32Array(channels).fill(value)));
  return g.node('BatchNormalization', [x, scale, shift, every(0), every(1)], { epsilon: { float: 0 } });
}

/**
 * y = scale x + shift with a scale and a shift `[C]` for each channel of x `[B, C, …]`. The form `norm` is what other programs recognise and
 * fold into the layer in front.
 */
const channelAffineOp: Op<{ readonly form: AffineForm }> = {
  name: 'channelAffine',
  infer: (_, x, scale, shift) => {
    rule(isFloat(x.dtype), `needs a floating type, got ${x.dtype}`);
    for (const p of [scale, shift]) {
      rule(
        sameShape(p.shape, [x.shape[1]]) && p.dtype === x.dtype,
        `scale and shift must be ${x.dtype}${showShape([x.shape[1]])}, one number for each channel`,
      );
    }
    return [x];
  },
  lower: (g, inputs, { attrs: { form }, inputs: [x] }) => [lowerChannelAffine(g, inputs, x, form)],
  // dx = scale ct,  dscale = sum ct x,  dshift = sum ct
  vjp: ([ct], { inputs: [x, scale] }) => {
    if (!ct) return [undefined, undefined, undefined];
    const over = [...x.shape.keys()].filter(axis => axis !== 1);
    return [mul(ct, perChannel('channelAffine: scale', scale, x)), sum(mul(ct, x), over), sum(ct, over)];
  },
};

// ----------------------------------------------------------------------------------------- batch norm

/** Outputs y = (x - mean) / sqrt(var + epsilon) weight + bias, and mean and var (divided by n) of each channel. */
const batchNormOp: Op<{ epsilon: number }> = {
  name: 'batchNorm',
  infer: (_, x, weight, bias) => {
    rule(isFloat(x.dtype), `needs a floating type, got ${x.dtype}`);
    rule(x.shape.length >= 2, `x needs axes [batch, channels, …]`);
    const channels = { dtype: x.dtype, shape: [x.shape[1]] };
    for (const p of [weight, bias]) {
      rule(
        sameShape(p.shape, channels.shape) && p.dtype === x.dtype,
        `weight and bias must be ${x.dtype}${showShape(channels.shape)}`,
      );
    }
    return [x, channels, channels];
  },
  // BatchNormalization's training mode is no faster than reductions and the inference mode, and ONNX Runtime 1.30 may write its
  // running statistics over the inputs they start from.
  lower: (g, [x, weight, bias], { attrs, inputs: [{ shape, dtype }] }) => {
    const flat = (v: string) => g.reshape(v, [shape[1]]);
    const axes = [...shape.keys()].filter(axis => axis !== 1);
    if (dtype === 'float64') {
      const column = [shape[1], ...shape.slice(2).map(() => 1)];
      const { y, average, variance } = lowerNormFloat64(
        g,
        x,
        g.reshape(weight, column),
        g.reshape(bias, column),
        axes,
        attrs.epsilon,
      );
      return [y, flat(average), flat(variance)];
    }
    const average = g.node('ReduceMean', [x, g.ints(axes)]);
    const squares = g.node('ReduceSumSquare', [g.node('Sub', [x, average]), g.ints(axes)], { keepdims: { int: 0 } });
    const variance = g.node('Mul', [squares, g.scalar(shape[1] / sizeOf(shape), dtype)]);
    const mean = flat(average);
    const root = g.node('Sqrt', [g.node('Add', [variance, g.scalar(attrs.epsilon, dtype)])]);
    const scale = g.node('Div', [weight, root]);
    const shift = g.node('Sub', [bias, g.node('Mul', [mean, scale])]);
    return [lowerChannelAffine(g, [x, scale, shift], { shape, dtype }, 'conv'), mean, variance];
  },
  // With c = x - mean, r = 1 / sqrt(var + epsilon), n elements a channel:
  //   dweight = r sum(ct c),  dbias = sum ct,  dx = weight r (ct - dbias / n - c r^2 sum(ct c) / n) + dmean / n + 2 c dvar / n
  // gathered per channel as dx = gain (ct + slope x + shift), so that x is passed over as rarely as possible and the gain stands alone: a
  // convolution in front takes it into its weight instead of passing over the cotangent (conv.ts).
  vjp: ([ct, ctMean, ctVariance], { attrs: { epsilon }, inputs: [x, weight], outputs: [, average, variance] }) => {
    const over = [...x.shape.keys()].filter(axis => axis !== 1);
    const n = sizeOf(x.shape) / x.shape[1];
    const inverse = reciprocal(sqrt(add(variance, epsilon)));
    // Of the statistics' cotangents: dx = slope c + shift.
    let dx: Tensor | undefined;
    const slope = ctVariance && mul(ctVariance, 2 / n);
    const shift = ctMean && mul(ctMean, 1 / n);
    if (slope || shift) {
      const scale = slope ?? mul(average, 0);
      const centred = neg(mul(scale, average));
      dx = apply1(channelAffineOp, [x, scale, shift ? add(centred, shift) : centred], { form: 'conv' });
    }
    if (!ct) return [dx, undefined, undefined];
    const dBias = sum(ct, over);
    // sum(ct c), without an array for c
    const along = sub(sum(mul(ct, x), over), mul(average, dBias));
    const scale = mul(mul(along, square(inverse)), -1 / n);
    const behind = apply1(channelAffineOp, [x, scale, sub(mul(dBias, -1 / n), mul(scale, average))], { form: 'conv' });
    const own = mul(add(ct, behind), perChannel('batchNorm: weight', mul(weight, inverse), x));
    return [dx ? add(own, dx) : own, mul(along, inverse), dBias];
  },
};

/**
 * Batch normalisation in training: each channel of `[B, C, …]` by the mean and variance of this batch.
 * Returns y, and the batch's mean `[C]` and unbiased variance `[C]` (divided by n - 1), which is what PyTorch's running statistics
 * take in; the caller updates those. Source: Ioffe, Szegedy, "Batch Normalization", ICML 2015; PyTorch's definition.
 * @throws ShapeError, also for a single value a channel, which has no variance.
 */
export function batchNorm(
  x: Tensor,
  weight?: Tensor,
  bias?: Tensor,
  { epsilon = defaultEpsilon } = {},
): [y: Tensor, mean: Tensor, variance: Tensor] {
  rule(x.rank >= 2, `batchNorm: x needs axes [batch, channels, …], got ${x.rank}`);
  const n = sizeOf(x.shape) / x.shape[1];
  rule(n > 1, `batchNorm: ${showShape(x.shape)} has one value a channel; its variance needs two`);
  const every = (value: number) => broadcastTo(scalar(value, x.dtype), [x.shape[1]]);
  const [y, average, variance] = apply(batchNormOp, [x, weight ?? every(1), bias ?? every(0)], { epsilon });
  return [y, average, mul(variance, n / (n - 1))];
}

/** Batch normalisation at inference: each channel of `[B, C, …]` by given statistics `[C]`. @throws ShapeError */
export function batchNormInference(
  x: Tensor,
  mean: Tensor,
  variance: Tensor,
  weight?: Tensor,
  bias?: Tensor,
  { epsilon = defaultEpsilon } = {},
): Tensor {
  const root = sqrt(add(variance, epsilon));
  const gain = weight ? div(weight, root) : reciprocal(root);
  const shift = neg(mul(mean, gain));
  return apply1(channelAffineOp, [x, gain, bias ? add(bias, shift) : shift], { form: 'norm' });
}
