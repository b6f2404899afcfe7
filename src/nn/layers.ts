/**
 * Layers as pure functions of parameters by name: a layer `name` reads `${name}.weight`, `${name}.bias` and so on, the names of
 * published PyTorch checkpoints. Every layer throws an Error that names the parameter if one is missing, and a ShapeError if shapes do
 * not fit. The matching initial values are made by `linearParams`, `convParams`, `normParams` and `batchNormParams`.
 */
import * as ops from '../engine/index.ts';
import { add, cast, mul, stopGradient, type Tensor } from '../engine/index.ts';

/** Symbolic parameters and buffers, by their published names. */
export type SymbolicParams = Readonly<Record<string, Tensor>>;

/** The parameter `name`. @throws Error that names it, and what there is, if it is missing */
export function parameter(params: SymbolicParams, name: string): Tensor {
  const found = params[name];
  if (found !== undefined) return found;
  const names = Object.keys(params);
  const others = names.length > 8 ? `${names.slice(0, 8).join(', ')}, … ${names.length} in all` : names.join(', ') || 'none';
  throw new Error(`parameter ${name} is missing (there are: ${others})`);
}

/** Options of every layer with a weight. */
export interface BiasOption {
  /** Whether the layer has a bias; default true. */
  readonly bias?: boolean;
}

/** Weight and bias of a layer. */
function affine(params: SymbolicParams, name: string, bias = true): [weight: Tensor, bias: Tensor | undefined] {
  return [parameter(params, `${name}.weight`), bias ? parameter(params, `${name}.bias`) : undefined];
}

/** y = x W^T + b: x `[…, in]`, weight `[out, in]`, bias `[out]` -> `[…, out]`. */
export function linear(params: SymbolicParams, name: string, x: Tensor, { bias }: BiasOption = {}): Tensor {
  return ops.linear(x, ...affine(params, name, bias));
}

/** Convolution of channels-first sequences: x `[B, C, T]`, weight `[O, C/groups, k]`, bias `[O]` -> `[B, O, T']`. */
export function conv1d(
  params: SymbolicParams,
  name: string,
  x: Tensor,
  { bias, ...options }: ops.ConvOptions & BiasOption = {},
): Tensor {
  return ops.conv1d(x, ...affine(params, name, bias), options);
}

/** Convolution of images: x `[B, C, H, W]`, weight `[O, C/groups, kh, kw]`, bias `[O]` -> `[B, O, H', W']`. */
export function conv2d(
  params: SymbolicParams,
  name: string,
  x: Tensor,
  { bias, ...options }: ops.ConvOptions & BiasOption = {},
): Tensor {
  return ops.conv2d(x, ...affine(params, name, bias), options);
}

/** Convolution of clips: x `[B, C, D, H, W]`, weight `[O, C/groups, kd, kh, kw]`, bias `[O]` -> `[B, O, D', H', W']`. */
export function conv3d(
  params: SymbolicParams,
  name: string,
  x: Tensor,
  { bias, ...options }: ops.ConvOptions & BiasOption = {},
): Tensor {
  return ops.conv3d(x, ...affine(params, name, bias), options);
}

/**
 * Convolution over time of channels-last sequences, padded to keep the length: x `[batch, time, in]`, weight `[out, in, k]` with k odd,
 * bias `[out]` -> `[batch, time, out]`. With k = 1 it is a linear layer over the channels.
 */
export function temporalConv(
  params: SymbolicParams,
  name: string,
  x: Tensor,
  { bias, dilation = 1 }: BiasOption & { readonly dilation?: number } = {},
): Tensor {
  return ops.temporalConv(x, ...affine(params, name, bias), { dilation });
}

/** Options of normalisations. */
export interface NormOptions {
  /** Added to the variance; default 1e-5. */
  readonly epsilon?: number;
}

/** Layer normalisation over the last axes of x, those that weight and bias have: e.g. x `[…, F]`, weight and bias `[F]`. */
export function layerNorm(params: SymbolicParams, name: string, x: Tensor, options: NormOptions & BiasOption = {}): Tensor {
  const [weight, bias] = affine(params, name, options.bias);
  return ops.layerNorm(x, weight, bias, { epsilon: options.epsilon, normalizedRank: weight.rank });
}

/** Group normalisation of x `[B, C, …]` in `groups` groups of consecutive channels; weight and bias `[C]`. */
export function groupNorm(params: SymbolicParams, name: string, x: Tensor, groups: number, options: NormOptions = {}): Tensor {
  return ops.groupNorm(x, groups, ...affine(params, name), options);
}

/** Options of {@link batchNorm}. */
export interface BatchNormOptions extends NormOptions {
  /** In training the batch's own statistics normalise; otherwise the running ones do. */
  readonly training: boolean;
  /** Share of the new batch in the running statistics; default 0.1, as in PyTorch. */
  readonly momentum?: number;
}

/**
 * Batch normalisation of x `[B, C, …]` with weight, bias, running_mean and running_var `[C]`. Returns y, and the buffers after this
 * batch under their full names (nothing at evaluation): running = (1 - momentum) running + momentum batch, with the batch's mean and its
 * variance divided by n - 1, and num_batches_tracked + 1 where the layer has one. No gradient flows through them.
 * Source: Ioffe, Szegedy, "Batch Normalization", ICML 2015; PyTorch's definition.
 */
export function batchNorm(
  params: SymbolicParams,
  name: string,
  x: Tensor,
  { training, momentum = 0.1, epsilon }: BatchNormOptions,
): [y: Tensor, buffers: Record<string, Tensor>] {
  const [weight, bias] = affine(params, name);
  const [meanName, varianceName, countName] = ['running_mean', 'running_var', 'num_batches_tracked'].map(b => `${name}.${b}`);
  const runningMean = parameter(params, meanName);
  const runningVariance = parameter(params, varianceName);
  if (!training) return [ops.batchNormInference(x, runningMean, runningVariance, weight, bias, { epsilon }), {}];
  const [y, mean, variance] = ops.batchNorm(x, weight, bias, { epsilon });
  const moved = (running: Tensor, batch: Tensor) => stopGradient(add(mul(running, 1 - momentum), mul(batch, momentum)));
  const count = params[countName];
  return [
    y,
    {
      [meanName]: moved(runningMean, mean),
      [varianceName]: moved(runningVariance, variance),
      ...(count && { [countName]: add(count, 1) }),
    },
  ];
}

/**
 * Inverted dropout by a given mask: x mask / keep, of x's shape. Without a mask it is the identity, as at evaluation.
 * @param mask 0/1 (kept) of any type, of x's shape or broadcasting to it, such as `random.bernoulliMask` makes
 * @param keep probability of keeping that the mask was drawn with, in (0, 1]
 * @throws ShapeError if `keep` is outside (0, 1] or the mask does not broadcast to x
 */
export function dropout(x: Tensor, mask: Tensor | undefined, keep: number): Tensor {
  if (!(keep > 0 && keep <= 1)) throw new ops.ShapeError(`dropout: keep must be in (0, 1], got ${keep}`);
  if (mask === undefined) return x;
  const y = mul(mul(x, cast(mask, x.dtype)), 1 / keep);
  if (y.shape.length !== x.shape.length || y.shape.some((extent, i) => extent !== x.shape[i]))
    throw new ops.ShapeError(
      `dropout: a mask ${ops.showShape(mask.shape)} does not broadcast to x ${ops.showShape(x.shape)}; the mask must not be larger`,
    );
  return y;
}
