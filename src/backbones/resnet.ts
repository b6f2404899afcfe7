import {
  add,
  conv2d,
  globalAveragePool,
  maxPool2d,
  type NDArray,
  relu,
  type Shape,
  sizeOf,
  type Tensor,
} from '../engine/index.ts';
import { rule } from '../engine/op.ts';
import type { Key } from '../engine/random.ts';
import { fold } from '../engine/random.ts';
import { batchNorm, batchNormParams, initParams, normalInit, type Params, parameter, type SymbolicParams } from '../nn/index.ts';

/** What a residual network is made of. */
export interface ResNetOptions {
  /** Two 3x3 convolutions a block (ResNet-18, -34), or 1x1, 3x3 and 1x1 with four times the channels (ResNet-50 and deeper). */
  readonly block: 'basic' | 'bottleneck';
  /** Blocks of each stage; every stage but the first halves the resolution. */
  readonly blocks: readonly number[];
  /** Channels of the stem and of the first stage's 3x3 convolutions; each stage has twice the last one's. */
  readonly width: number;
  /** Channels of a frame. */
  readonly channels: number;
}

/** The published networks. Source: K. He et al., "Deep residual learning for image recognition", CVPR 2016, table 1. */
export const resnetPresets = {
  resnet18: { block: 'basic', blocks: [2, 2, 2, 2], width: 64, channels: 3 },
  resnet34: { block: 'basic', blocks: [3, 4, 6, 3], width: 64, channels: 3 },
  resnet50: { block: 'bottleneck', blocks: [3, 4, 6, 3], width: 64, channels: 3 },
} as const satisfies Record<string, ResNetOptions>;

/** A convolution of a network: its weight's name and shape `[out, in, k, k]`, and its batch normalisation's name. */
export interface ConvUnit {
  readonly conv: string;
  readonly norm: string;
  readonly shape: Shape;
  readonly stride: number;
}

/** A residual block: y = relu(branch(x) + shortcut(x)), the identity where there is no shortcut. */
export interface ResidualBlock {
  /** In order; ReLU after all but the last. */
  readonly branch: readonly ConvUnit[];
  readonly shortcut?: ConvUnit;
  /** Counted from 0. */
  readonly stage: number;
  readonly index: number;
}

/** How a block's first convolution differs from a plain one: what it reads, and its name. */
export interface FirstConv {
  /** Name within the block; default `conv1`. */
  readonly name: string;
  readonly input: (x: Tensor) => Tensor;
}

/** Chooses the blocks whose first convolution differs. */
export type FirstConvOf = (stage: number, index: number) => FirstConv | undefined;

/** Which statistics each batch normalisation uses: the batch's (which move the running ones), the running ones, or the batch's in the stem alone. */
export type NormMode = 'batch' | 'running' | 'stemOnly';

/** Channels of the pooled feature. */
export function featureWidth({ block, blocks, width }: ResNetOptions): number {
  return width * 2 ** (blocks.length - 1) * expansionOf(block);
}

const expansionOf = (block: ResNetOptions['block']): number => (block === 'bottleneck' ? 4 : 1);

/** The stem's convolution, 7x7 with stride 2. */
export function stemUnit({ width, channels }: ResNetOptions): ConvUnit {
  return { conv: 'conv1', norm: 'bn1', shape: [width, channels, 7, 7], stride: 2 };
}

/**
 * The blocks in order, with the names of torchvision's models (`layer1.0.conv1`, `layer1.0.downsample.0`, …). A bottleneck has its stride in the 3x3
 * convolution (the layout called v1.5), a basic block in the first.
 */
export function residualBlocks(options: ResNetOptions, firstConv?: FirstConvOf): ResidualBlock[] {
  const expansion = expansionOf(options.block);
  let inputs = options.width;
  return options.blocks.flatMap((count, stage) =>
    Array.from({ length: count }, (_, index): ResidualBlock => {
      const name = `layer${stage + 1}.${index}`;
      const width = options.width * 2 ** stage;
      const outputs = width * expansion;
      const stride = stage > 0 && index === 0 ? 2 : 1;
      const first = `${name}.${firstConv?.(stage, index)?.name ?? 'conv1'}`;
      const unit = (i: number, shape: Shape, by: number): ConvUnit => ({
        conv: i === 1 ? first : `${name}.conv${i}`,
        norm: `${name}.bn${i}`,
        shape,
        stride: by,
      });
      const branch =
        options.block === 'basic'
          ? [unit(1, [width, inputs, 3, 3], stride), unit(2, [width, width, 3, 3], 1)]
          : [unit(1, [width, inputs, 1, 1], 1), unit(2, [width, width, 3, 3], stride), unit(3, [outputs, width, 1, 1], 1)];
      const changes = stride !== 1 || inputs !== outputs;
      const shortcut = { conv: `${name}.downsample.0`, norm: `${name}.downsample.1`, shape: [outputs, inputs, 1, 1], stride };
      inputs = outputs;
      return { branch, ...(changes && { shortcut }), stage, index };
    }),
  );
}

/** Every convolution with its batch normalisation, in the published order. */
export function convUnits(options: ResNetOptions, firstConv?: FirstConvOf): ConvUnit[] {
  const blocks = residualBlocks(options, firstConv);
  return [stemUnit(options), ...blocks.flatMap(({ branch, shortcut }) => (shortcut ? [...branch, shortcut] : branch))];
}

/**
 * First parameters and buffers, in the published order, each name after `prefix`: convolutions from N(0, 2 / (out k k)), batch norms 1 and 0 (no
 * block starts at zero).
 */
export function initResNet(options: ResNetOptions, key: Key, prefix = '', firstConv?: FirstConvOf): Params {
  const params: Params = {};
  for (const { conv, norm, shape } of convUnits(options, firstConv)) {
    const name = `${prefix}${conv}.weight`;
    const fanOut = shape[0] * sizeOf(shape.slice(2));
    Object.assign(params, initParams({ [name]: { shape, init: normalInit(Math.sqrt(2 / fanOut)) } }, fold(key, 'resnet')));
    Object.assign(params, batchNormParams(`${prefix}${norm}`, shape[0]));
  }
  return params;
}

/** How a forward pass goes. */
export interface ResNetPass {
  readonly norm: NormMode;
  /** In front of every parameter's name. */
  readonly prefix?: string;
  readonly firstConv?: FirstConvOf;
}

export interface ResNetOutput {
  /** Means over all positions, `[batch, featureWidth]`. */
  readonly features: Tensor;
  /** After the stem's pooling, `[batch, width, H/4, W/4]`. */
  readonly stem: Tensor;
  /** After each stage, `[batch, channels, H', W']`. */
  readonly stages: readonly Tensor[];
  /** Buffers that this pass moved, by name. */
  readonly buffers: Record<string, Tensor>;
}

/**
 * A residual network without its classifier: frames `[batch, channels, H, W]` of any size.
 * Batch norms: epsilon 1e-5, momentum 0.1. Folded parameters ({@link foldNorms}) run with `norm: 'running'`.
 * Source: K. He et al., CVPR 2016; the stride as in torchvision's models.
 * @throws ShapeError if the frames do not fit, Error naming a missing parameter
 */
export function resnet(params: SymbolicParams, frames: Tensor, options: ResNetOptions, pass: ResNetPass): ResNetOutput {
  rule(
    frames.rank === 4 && frames.shape[1] === options.channels,
    `resnet: frames must be [batch, ${options.channels}, H, W], got [${frames.shape}]`,
  );
  const { norm: mode, prefix = '', firstConv } = pass;
  const buffers: Record<string, Tensor> = {};
  const unit = (x: Tensor, { conv, norm, shape, stride }: ConvUnit, isStem = false): Tensor => {
    const weight = parameter(params, `${prefix}${conv}.weight`);
    const window = { stride, padding: (shape[2] - 1) / 2 };
    const folded = params[`${prefix}${conv}.bias`];
    if (folded) return conv2d(x, weight, folded, window);
    const training = mode === 'batch' || (mode === 'stemOnly' && isStem);
    const [y, moved] = batchNorm(params, `${prefix}${norm}`, conv2d(x, weight, undefined, window), { training });
    Object.assign(buffers, moved);
    return y;
  };
  const stem = maxPool2d(relu(unit(frames, stemUnit(options), true)), 3, { stride: 2, padding: 1 });
  const stages: Tensor[] = [];
  let x = stem;
  for (const { branch, shortcut, stage, index } of residualBlocks(options, firstConv)) {
    const read = firstConv?.(stage, index)?.input;
    let y = read ? read(x) : x;
    for (const [i, one] of branch.entries()) {
      y = unit(y, one);
      if (i < branch.length - 1) y = relu(y);
    }
    x = relu(add(y, shortcut ? unit(x, shortcut) : x));
    stages[stage] = x;
  }
  return { features: globalAveragePool(x), stem, stages, buffers };
}

/**
 * Parameters for inference: each batch norm with its running statistics becomes part of the convolution before it,
 * w' = w g, b' = bias - mean g with g = weight / sqrt(var + 1e-5), computed in float64. All other parameters are kept.
 * @throws Error naming a missing parameter
 */
export function foldNorms(params: Readonly<Params>, units: readonly ConvUnit[], prefix = '', epsilon = 1e-5): Params {
  const folded: Params = { ...params };
  for (const { conv, norm } of units) {
    const take = (name: string): NDArray => {
      const found = params[`${prefix}${name}`];
      if (!found) throw new Error(`parameter ${prefix}${name} is missing`);
      return found;
    };
    const weight = take(`${conv}.weight`);
    const [gain, shift, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map(part => take(`${norm}.${part}`));
    for (const part of ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked'])
      delete folded[`${prefix}${norm}.${part}`];
    const scaled = weight.data.slice() as Float32Array;
    const bias = shift.data.slice() as Float32Array;
    const each = scaled.length / weight.shape[0];
    for (let o = 0; o < weight.shape[0]; o++) {
      const g = Number(gain.data[o]) / Math.sqrt(Number(variance.data[o]) + epsilon);
      bias[o] = Number(shift.data[o]) - Number(mean.data[o]) * g;
      for (let i = o * each; i < (o + 1) * each; i++) scaled[i] *= g;
    }
    folded[`${prefix}${conv}.weight`] = { ...weight, data: scaled };
    folded[`${prefix}${conv}.bias`] = { ...shift, data: bias };
  }
  return folded;
}
