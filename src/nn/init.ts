import { type NDArray, type Shape, showShape, sizeOf, zeros } from '../engine/ndarray.ts';
import { fold, type Key, normal, uniform } from '../engine/random.ts';
import type { Params } from './params.ts';

/** First values of a parameter of a shape. */
export type Initializer = (key: Key, shape: Shape) => NDArray<'float32'>;

/** A parameter before it has values. */
export interface ParamSpec {
  readonly shape: Shape;
  readonly init: Initializer;
}

/**
 * Parameters from their specifications. Each draws from a key folded from its own name, so that adding, removing or reordering others
 * changes nothing.
 */
export function initParams(specs: Readonly<Record<string, ParamSpec>>, key: Key): Params {
  return Object.fromEntries(Object.entries(specs).map(([name, { shape, init }]) => [name, init(fold(key, name), shape)]));
}

/** Number of inputs (fan-in) and outputs (fan-out) of one unit, of a weight `[out, in / groups, ...kernel]`. */
export function fans(shape: Shape): { fanIn: number; fanOut: number } {
  if (shape.length < 2) throw new RangeError(`fans: expected a weight of at least two axes, found shape ${showShape(shape)}`);
  const kernel = sizeOf(shape.slice(2));
  return { fanIn: shape[1] * kernel, fanOut: shape[0] * kernel };
}

/** Every value `value`. */
export function constantInit(value: number): Initializer {
  return (_key, shape) => filled(shape, value);
}

function filled(shape: Shape, value: number): NDArray<'float32'> {
  const array = zeros(shape);
  array.data.fill(value);
  return array;
}

/** In place: scale * x + shift. */
function affine(array: NDArray<'float32'>, scale: number, shift: number): NDArray<'float32'> {
  const { data } = array;
  for (let i = 0; i < data.length; i++) data[i] = data[i] * scale + shift;
  return array;
}

/** U(low, high). */
export function uniformInit(low: number, high: number): Initializer {
  return (key, shape) => affine(uniform(key, shape), high - low, low);
}

/** N(mean, std^2). */
export function normalInit(std: number, mean = 0): Initializer {
  return (key, shape) => affine(normal(key, shape), std, mean);
}

/** Rounds of drawing again that {@link truncatedNormalInit} allows; a bound that cuts more than half away needs about 60. */
const maxRounds = 1000;

/**
 * N(mean, std^2) cut off outside [low, high]; the bounds are values, not multiples of `std` (as in PyTorch's `trunc_normal_`, whose
 * defaults these are). Values outside are drawn again.
 * @throws RangeError if so little of the distribution lies inside that drawing again does not end
 */
export function truncatedNormalInit(std: number, { mean = 0, low = -2, high = 2 } = {}): Initializer {
  return (key, shape) => {
    const result = affine(normal(fold(key, 0), shape), std, mean);
    const { data } = result;
    let outside = [...data.keys()].filter(i => data[i] < low || data[i] > high);
    for (let round = 1; outside.length > 0; round++) {
      if (round > maxRounds)
        throw new RangeError(`truncatedNormalInit: N(${mean}, ${std}^2) has almost nothing inside [${low}, ${high}]`);
      const again = affine(normal(fold(key, round), [outside.length]), std, mean).data;
      for (const [j, i] of outside.entries()) data[i] = again[j];
      outside = outside.filter(i => data[i] < low || data[i] > high);
    }
    return result;
  };
}

/** Options of the Kaiming initialisers. */
export interface KaimingOptions {
  /** Which sums keep their variance: those of the forward pass (`fanIn`, the default) or of the backward pass. */
  readonly mode?: 'fanIn' | 'fanOut';
  /** Slope of the leaky ReLU for negative values; 0, the default, is ReLU. */
  readonly slope?: number;
}

/** std = sqrt(2 / (1 + slope^2)) / sqrt(fan). Source: K. He et al., "Delving deep into rectifiers", ICCV 2015, eq. 10 and 14. */
function kaimingStd(shape: Shape, { mode = 'fanIn', slope = 0 }: KaimingOptions): number {
  return Math.sqrt(2 / (1 + slope ** 2) / fans(shape)[mode]);
}

/** Uniform with the Kaiming standard deviation, that is within sqrt(3) of it. */
export function kaimingUniform(options: KaimingOptions = {}): Initializer {
  return (key, shape) => symmetric(Math.sqrt(3) * kaimingStd(shape, options))(key, shape);
}

/** Normal with the Kaiming standard deviation. */
export function kaimingNormal(options: KaimingOptions = {}): Initializer {
  return (key, shape) => normalInit(kaimingStd(shape, options))(key, shape);
}

/** std = gain * sqrt(2 / (fanIn + fanOut)). Source: X. Glorot, Y. Bengio, AISTATS 2010, eq. 16. */
function xavierStd(shape: Shape, gain: number): number {
  const { fanIn, fanOut } = fans(shape);
  return gain * Math.sqrt(2 / (fanIn + fanOut));
}

/** Uniform with the Xavier standard deviation, that is within sqrt(3) of it. */
export function xavierUniform(gain = 1): Initializer {
  return (key, shape) => symmetric(Math.sqrt(3) * xavierStd(shape, gain))(key, shape);
}

/** Normal with the Xavier standard deviation. */
export function xavierNormal(gain = 1): Initializer {
  return (key, shape) => normalInit(xavierStd(shape, gain))(key, shape);
}

function symmetric(bound: number): Initializer {
  return uniformInit(-bound, bound);
}

/** PyTorch's default for the weights and biases of linear and convolution layers: U(-b, b), b = 1 / sqrt(fanIn of the weight). */
export function pytorchDefault(fanIn: number): Initializer {
  return symmetric(1 / Math.sqrt(fanIn));
}

/** `${name}.weight` `[outFeatures, inFeatures]` and `${name}.bias` `[outFeatures]` of a linear layer, with PyTorch's defaults. */
export function linearParams(
  name: string,
  inFeatures: number,
  outFeatures: number,
  key: Key,
  options: { bias?: boolean } = {},
): Params {
  return convParams(name, [outFeatures, inFeatures], key, options);
}

/**
 * `${name}.weight` of shape `[out, in / groups, ...kernel]` and `${name}.bias` `[out]` of a convolution of any number of axes, with
 * PyTorch's defaults.
 */
export function convParams(name: string, weightShape: Shape, key: Key, { bias = true }: { bias?: boolean } = {}): Params {
  const init = pytorchDefault(fans(weightShape).fanIn);
  const weight = { [`${name}.weight`]: { shape: weightShape, init } };
  return initParams(bias ? { ...weight, [`${name}.bias`]: { shape: [weightShape[0]], init } } : weight, key);
}

/** `${name}.weight` of ones and `${name}.bias` of zeros, of `shape`: layer norm over those axes, or group norm over `[channels]`. */
export function normParams(name: string, shape: Shape): Params {
  return { [`${name}.weight`]: filled(shape, 1), [`${name}.bias`]: filled(shape, 0) };
}

/** Batch norm over `channels`: as {@link normParams}, and the running mean (0), running variance (1) and count of batches (int64 0). */
export function batchNormParams(name: string, channels: number): Params {
  return {
    ...normParams(name, [channels]),
    [`${name}.running_mean`]: filled([channels], 0),
    [`${name}.running_var`]: filled([channels], 1),
    [`${name}.num_batches_tracked`]: zeros([], 'int64'),
  };
}
