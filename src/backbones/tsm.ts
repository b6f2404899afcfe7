import { concat, mean, pad, reshape, type Shape, slice, split, type Tensor, transpose } from '../engine/index.ts';
import { rule } from '../engine/op.ts';
import type { Key } from '../engine/random.ts';
import type { Params, SymbolicParams } from '../nn/index.ts';
import {
  type ConvUnit,
  convUnits,
  type FirstConvOf,
  foldNorms,
  initResNet,
  type NormMode,
  type ResNetOptions,
  type ResNetOutput,
  resnet,
  resnetPresets,
} from './resnet.ts';

/** A temporal shift module network. */
export interface TsmOptions {
  readonly network: ResNetOptions;
  /** Frames of a clip. */
  readonly segments: number;
  /** One `1/shiftDivisor` of the channels is shifted each way. */
  readonly shiftDivisor: number;
  /** Off, no block sees another frame than its own; the parameters keep their names. Default on. */
  readonly shift?: boolean;
}

/** TSM-ResNet50 over 8 frames, as published. Source: J. Lin et al., "TSM", ICCV 2019. */
export const tsmPreset: TsmOptions = { network: resnetPresets.resnet50, segments: 8, shiftDivisor: 8 };

/** In front of the names of a TSM's parameters in the checkpoints of PSL. */
export const tsmPrefix = 'backbone.base_model.';

/**
 * Moves channels between the frames of a clip: x `[clips * segments, C, …]`, with fold = floor(C / divisor),
 *   channels [0, fold) of frame t come from frame t + 1, channels [fold, 2 fold) from frame t - 1, the others stay; zeros beyond the ends.
 * Source: J. Lin et al., "TSM: Temporal shift module for efficient video understanding", ICCV 2019, section 3.
 * @throws ShapeError if the frames are no whole number of clips
 */
export function temporalShift(x: Tensor, segments: number, divisor = 8): Tensor {
  const [frames, channels, ...spatial] = x.shape;
  rule(Number.isInteger(segments) && segments > 0, `temporalShift: segments must be a positive integer, got ${segments}`);
  rule(frames % segments === 0, `temporalShift: ${frames} frames are not clips of ${segments}`);
  const width = Math.floor(channels / divisor);
  if (width === 0) return x;
  const clips = reshape(x, [frames / segments, segments, channels, ...spatial]);
  const rest = channels - 2 * width;
  const [next, last, still] = split(clips, rest > 0 ? [width, width, rest] : [width, width], 2);
  const moved = [pad(slice(next, 1, 1), 1, 0, 1), pad(slice(last, 1, 0, segments - 1), 1, 1, 0)];
  return reshape(concat(rest > 0 ? [...moved, still] : moved, 2), x.shape);
}

/** Every block's first convolution reads the shifted input; every second one's where the third stage has 23 blocks or more. */
export function shiftedConvs({ network, segments, shiftDivisor, shift = true }: TsmOptions): FirstConvOf {
  const every = (network.blocks[2] ?? 0) >= 23 ? 2 : 1;
  const input = shift ? (x: Tensor) => temporalShift(x, segments, shiftDivisor) : (x: Tensor) => x;
  return (_, index) => (index % every === 0 ? { name: 'conv1.net', input } : undefined);
}

/** The convolutions with their batch norms, in the published order. */
export function tsmUnits(options: TsmOptions): ConvUnit[] {
  return convUnits(options.network, shiftedConvs(options));
}

/** Names and shapes of the parameters and buffers, in the published order. */
export function tsmShapes(options: TsmOptions, prefix = tsmPrefix): Record<string, Shape> {
  return Object.fromEntries(
    tsmUnits(options).flatMap(({ conv, norm, shape }): [string, Shape][] => [
      [`${prefix}${conv}.weight`, shape],
      ...['weight', 'bias', 'running_mean', 'running_var'].map((part): [string, Shape] => [
        `${prefix}${norm}.${part}`,
        [shape[0]],
      ]),
      [`${prefix}${norm}.num_batches_tracked`, []],
    ]),
  );
}

/** First parameters and buffers, see {@link initResNet}. */
export function initTsm(options: TsmOptions, key: Key, prefix = tsmPrefix): Params {
  return initResNet(options.network, key, prefix, shiftedConvs(options));
}

/** Parameters for inference, with every batch norm folded into its convolution, see {@link foldNorms}. */
export function foldTsm(params: Readonly<Params>, options: TsmOptions, prefix = tsmPrefix): Params {
  return foldNorms(params, tsmUnits(options), prefix);
}

export interface TsmOutput {
  /** The consensus: the mean over a clip's frames of the pooled features, `[clips, featureWidth]`. */
  readonly features: Tensor;
  /** The network's outputs for each frame, the frames of one clip after each other. */
  readonly frames: ResNetOutput;
  /** Buffers that this pass moved, by name. */
  readonly buffers: Record<string, Tensor>;
}

/** Clips `[N, channels, segments, H, W]` as frames `[N * segments, channels, H, W]`, the frames of one clip after each other. */
export function framesOf(clips: Tensor): Tensor {
  rule(clips.rank === 5, `framesOf: clips must be [N, channels, segments, H, W], got [${clips.shape}]`);
  const [n, channels, segments, height, width] = clips.shape;
  return reshape(transpose(clips, [0, 2, 1, 3, 4]), [n * segments, channels, height, width]);
}

/**
 * TSM: a 2-D network over the frames of clips, whose blocks shift channels between neighbouring frames.
 * @param clips `[N, channels, segments, H, W]`
 * @throws ShapeError if the clips do not fit, Error naming a missing parameter
 */
export function tsm(
  params: SymbolicParams,
  clips: Tensor,
  options: TsmOptions,
  { norm, prefix = tsmPrefix }: { readonly norm: NormMode; readonly prefix?: string },
): TsmOutput {
  const { segments, network } = options;
  rule(
    clips.rank === 5 && clips.shape[2] === segments,
    `tsm: clips must be [N, ${network.channels}, ${segments}, H, W], got [${clips.shape}]`,
  );
  const frames = resnet(params, framesOf(clips), network, { norm, prefix, firstConv: shiftedConvs(options) });
  const features = mean(reshape(frames.features, [clips.shape[0], segments, -1]), 1);
  return { features, frames, buffers: frames.buffers };
}
