/**
 * The boundary-matching network: which places of a video begin or end an action, and how good each proposal of a start and a duration is.
 * Source: T. Lin et al., "BMN: Boundary-matching network for temporal action proposal generation", ICCV 2019; names and branches as in the published code
 * of HyRSM++'s code base, which adds verbs and nouns (EPIC-Kitchens).
 */
import { add, matmul, relu, reshape, ShapeError, showShape, sigmoid, squeeze, type Tensor, transpose } from '../engine/index.ts';
import type { Key } from '../engine/random.ts';
import { conv1d, conv2d, convParams, type Params, parameter, type SymbolicParams } from '../nn/index.ts';

/** Sizes of the network. */
export interface BmnOptions {
  /** C: channels of the features. */
  readonly channels: number;
  /** Channels of the one-dimensional convolutions. Published: 256. */
  readonly width1d: number;
  /** Channels of a proposal after its points are joined. Published: 512. */
  readonly width3d: number;
  /** Channels of the two-dimensional convolutions. Published: 128. */
  readonly width2d: number;
  /** N, as in the mask. */
  readonly samples: number;
  /** Groups of the first convolution over starts and ends; default 4, as published. */
  readonly groups?: number;
  /** Classes of verbs and nouns; default: no such branches, nor that of the regression. */
  readonly classes?: { readonly verbs: number; readonly nouns: number };
}

/** What the network says. D durations, T starts. */
export interface BmnOutput<T = Tensor> {
  /** Probabilities of places, `[batch, T]`. */
  readonly start: T;
  readonly end: T;
  /** Of proposals `[batch, 2, D, T]`: the IoU as a regression, and the probability of a good one. */
  readonly confidence: T;
  /** With classes: `[batch, 2, D, T]`, and logits `[batch, classes, D, T]`. */
  readonly regression?: T;
  readonly verbs?: T;
  readonly nouns?: T;
}

const branches = ({ classes }: Pick<BmnOptions, 'classes'>) =>
  [
    ['x_2d_p', 2],
    ...(classes
      ? ([['x_2d_r', 2] as const, ['x_2d_verb', classes.verbs] as const, ['x_2d_noun', classes.nouns] as const] as const)
      : []),
  ] as readonly (readonly [name: string, channels: number])[];

/** First parameters, under the published names, with PyTorch's defaults. */
export function initBmn(options: BmnOptions, key: Key): Params {
  const { channels, width1d, width2d, width3d, samples, groups = 4 } = options;
  const conv = (name: string, ...shape: readonly number[]): Params => convParams(name, shape, key);
  const ends = ['x_1d_s', 'x_1d_e'].map(name => ({
    ...conv(`${name}.0`, width1d, channels / groups, 3),
    ...conv(`${name}.2`, 1, width1d, 1),
  }));
  const maps = branches(options).map(([name, outputs]) => ({
    ...conv(`${name}.0`, width2d, width3d, 1, 1),
    ...conv(`${name}.2`, width2d, width2d, 3, 3),
    ...conv(`${name}.4`, width2d, width2d, 3, 3),
    ...conv(`${name}.6`, outputs, width2d, 1, 1),
  }));
  const proposals = { ...conv('x_1d_p.0', width1d, channels, 3), ...conv('x_3d_p.0', width3d, width1d, samples, 1, 1) };
  return Object.assign({}, ...ends, proposals, ...maps);
}

/**
 * @param x features `[batch, C, T]`
 * @param mask `bmnMask` of the same T, `[T, N, D, T]`
 * @throws ShapeError if features and mask differ in T, Error naming a missing parameter
 */
export function bmn(
  params: SymbolicParams,
  x: Tensor,
  mask: Tensor,
  { groups = 4, classes }: Pick<BmnOptions, 'groups' | 'classes'> = {},
): BmnOutput {
  if (x.rank !== 3 || mask.rank !== 4 || x.shape[2] !== mask.shape[0])
    throw new ShapeError(
      `bmn: expected features [batch, C, T] and a mask [T, N, D, T], got ${showShape(x.shape)} and ${showShape(mask.shape)}`,
    );
  const ends = (name: string): Tensor => {
    const h = relu(conv1d(params, `${name}.0`, x, { padding: 1, groups }));
    return squeeze(sigmoid(conv1d(params, `${name}.2`, h)), 1);
  };
  const proposals = proposalFeatures(params, relu(conv1d(params, 'x_1d_p.0', x, { padding: 1 })), mask);
  const map = (name: string): Tensor => {
    const h = relu(conv2d(params, `${name}.0`, proposals));
    const wide = relu(conv2d(params, `${name}.2`, h, { padding: 1 }));
    return conv2d(params, `${name}.6`, relu(conv2d(params, `${name}.4`, wide, { padding: 1 })));
  };
  return {
    start: ends('x_1d_s'),
    end: ends('x_1d_e'),
    confidence: sigmoid(map('x_2d_p')),
    ...(classes && { regression: map('x_2d_r'), verbs: map('x_2d_verb'), nouns: map('x_2d_noun') }),
  };
}

/**
 * Features `[batch, C, T]` sampled at the N points of every proposal and joined by one convolution over them, `[batch, O, D, T]`. The weight
 * `[O, C, N, 1, 1]` meets the places first: sum over points and places of (sum over channels of w p) mask, which never holds the C x N x D x T samples.
 */
function proposalFeatures(params: SymbolicParams, p: Tensor, mask: Tensor): Tensor {
  const weight = parameter(params, 'x_3d_p.0.weight');
  const [batch, , places] = p.shape;
  const [outputs, inputs, samples] = weight.shape;
  const [, , durations, starts] = mask.shape;
  const joined = reshape(transpose(reshape(weight, [outputs, inputs, samples]), [0, 2, 1]), [outputs * samples, inputs]);
  const points = reshape(matmul(joined, p), [batch, outputs, samples * places]);
  const rows = reshape(transpose(mask, [1, 0, 2, 3]), [samples * places, durations * starts]);
  const bias = reshape(parameter(params, 'x_3d_p.0.bias'), [outputs, 1]);
  return reshape(relu(add(matmul(points, rows), bias)), [batch, outputs, durations, starts]);
}
