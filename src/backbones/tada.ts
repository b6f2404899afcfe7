/**
 * Temporally adaptive convolution (TAdaConv): a 2-D convolution over frames whose weight is calibrated for every frame by what comes before and after it.
 * Source: Z. Huang et al., "TAda! Temporally-adaptive convolutions for video understanding", ICLR 2022, eq. 2 to 5.
 */
import {
  add,
  type ConvOptions,
  conv2d,
  mean,
  mul,
  relu,
  reshape,
  ShapeError,
  showShape,
  type Tensor,
  transpose,
} from '../engine/index.ts';
import { rule } from '../engine/op.ts';
import { fold, type Key } from '../engine/random.ts';
import {
  batchNorm,
  batchNormParams,
  constantInit,
  conv3d,
  convParams,
  initParams,
  type Params,
  parameter,
  type SymbolicParams,
} from '../nn/index.ts';

/** Sizes of a layer. */
export interface TadaOptions {
  readonly inputs: number;
  readonly outputs: number;
  /** Side of the spatial kernel. */
  readonly kernel: number;
  /** The route's inner channels are the inputs divided by this. Published: 4. */
  readonly ratio?: number;
  /** Frames that each of the route's two convolutions sees; odd. Published: 3 and 3. */
  readonly routeKernels?: readonly [number, number];
}

/**
 * First parameters: `${name}.weight` `[1, 1, out, in, k, k]` and the route's, `${route}.g`, `.a`, `.bn`, `.b`. The last starts at zero, so that a new layer is the
 * plain convolution.
 */
export function initTada(name: string, route: string, options: TadaOptions, key: Key): Params {
  const { inputs, outputs, kernel, ratio = 4, routeKernels = [3, 3] } = options;
  const inner = inputs / ratio;
  const plain = convParams(name, [outputs, inputs, kernel, kernel], key, { bias: false })[`${name}.weight`];
  const last = { shape: [inputs, inner, routeKernels[1], 1, 1], init: constantInit(0) };
  return {
    [`${name}.weight`]: { ...plain, shape: [1, 1, ...plain.shape] },
    ...convParams(`${route}.g`, [inputs, inputs, 1, 1, 1], key),
    ...convParams(`${route}.a`, [inner, inputs, routeKernels[0], 1, 1], key),
    ...batchNormParams(`${route}.bn`, inner),
    ...initParams({ [`${route}.b.weight`]: last }, fold(key, route)),
  };
}

/** How a forward pass goes. */
export interface TadaPass {
  /** Batch statistics in the route's batch norm. */
  readonly training: boolean;
}

/**
 * The calibration of every input channel and frame, alpha = 1 + b(ReLU(BN(a(s + g(m))))) with s the mean of each frame and m that of the clip.
 * @param x `[batch, channels, T, H, W]`
 * @returns `[batch, channels, T, 1, 1]`, and the buffers that the batch norm moved
 */
export function tadaRoute(
  params: SymbolicParams,
  route: string,
  x: Tensor,
  { training }: TadaPass,
): [alpha: Tensor, buffers: Record<string, Tensor>] {
  rule(x.rank === 5, `tadaRoute: x must be [batch, channels, T, H, W], got [${x.shape}]`);
  const frames = mean(x, [3, 4], true);
  const clip = mean(frames, 2, true);
  const along = (name: string): number => {
    const kernel = parameter(params, `${route}.${name}.weight`).shape[2];
    if (kernel % 2 === 0) throw new ShapeError(`tadaRoute: ${route}.${name} must see an odd number of frames, found ${kernel}`);
    return (kernel - 1) / 2;
  };
  const mixed = add(frames, conv3d(params, `${route}.g`, clip));
  const inner = conv3d(params, `${route}.a`, mixed, { padding: [along('a'), 0, 0] });
  const [normed, buffers] = batchNorm(params, `${route}.bn`, inner, { training });
  return [add(conv3d(params, `${route}.b`, relu(normed), { padding: [along('b'), 0, 0], bias: false }), 1), buffers];
}

/**
 * The calibrated convolution. A weight whose input channels are scaled is a convolution of scaled inputs, so that one convolution serves all frames.
 * @param x `[batch, in, T, H, W]`
 * @param alpha of {@link tadaRoute}
 * @returns `[batch, out, T, H', W']`
 * @throws ShapeError if weight, x and alpha do not fit
 */
export function tadaConv(params: SymbolicParams, name: string, x: Tensor, alpha: Tensor, options: ConvOptions = {}): Tensor {
  const weight = parameter(params, `${name}.weight`);
  rule(
    weight.rank === 6 && x.rank === 5 && weight.shape[3] === x.shape[1],
    `tadaConv: expected a weight [1, 1, out, ${x.shape[1]}, k, k], got ${showShape(weight.shape)}`,
  );
  const [batch, inputs, frames, height, width] = x.shape;
  const scaled = transpose(mul(x, alpha), [0, 2, 1, 3, 4]);
  const y = conv2d(
    reshape(scaled, [batch * frames, inputs, height, width]),
    reshape(weight, weight.shape.slice(2)),
    undefined,
    options,
  );
  const [, outputs, outHeight, outWidth] = y.shape;
  return transpose(reshape(y, [batch, frames, outputs, outHeight, outWidth]), [0, 2, 1, 3, 4]);
}
