/**
 * The debiasing head of DEAR, which helps the training of a backbone and takes no part in tests: of its three branches over
 * the last feature map one sees the frames in order, one in another order, and one each frame alone. Source: W. Bao et al.,
 * "Evidential deep learning for open set action recognition", ICCV 2021, section 3.3.
 */
import { add, mean, pick, relu, reshape, type Shape, type Tensor, take, transpose } from '../engine/index.ts';
import type { Key } from '../engine/random.ts';
import {
  batchNorm,
  batchNormParams,
  conv2d,
  conv3d,
  convParams,
  dropout,
  linear,
  linearParams,
  type Params,
  type SymbolicParams,
} from '../nn/index.ts';
import { type EvidentialOptions, evidentialLoss } from './evidential.ts';
import { debiasTerm } from './hsic.ts';

export interface DebiasOptions {
  /** Of the whole term in the loss; published: 0.1. */
  readonly weight: number;
  /** Dropout before the branches' classifiers; published: 0.5. */
  readonly dropout: number;
  /**
   * What the HSIC of the first branch's evidence and that of the others does: `increase` dependence, the sign as published,
   * which its authors note is not what they meant; `reduce` it; `none`: it is left out.
   */
  readonly hsic: 'none' | 'increase' | 'reduce';
  /** Channels of the branches' convolutions. */
  readonly channels: number;
  /** Frames of a clip. */
  readonly frames: number;
  /** C: channels of the feature map. */
  readonly inputs: number;
}

/** What is random in a step. */
export interface DebiasNoise<T = Tensor> {
  /** The frames in another order, integers `[frames]`. */
  readonly order: T;
  /** Kept channels, 0/1 `[3, rows, channels]`: of each branch. */
  readonly mask: T;
}

/** The branches, as their parameters are called after `head.debias.`. */
const branches = ['ordered', 'shuffled', 'single'] as const;
type Branch = (typeof branches)[number];

const nameOf = (branch: Branch): string => `head.debias.${branch}`;

const kernelOf = (branch: Branch, { channels, inputs }: DebiasOptions): Shape =>
  branch === 'single' ? [channels, inputs, 3, 3] : [channels, inputs, 3, 3, 3];

/** `head.debias.{ordered,shuffled,single}.{conv,bn,fc}.*`: convolutions without bias. */
export function debiasParams(options: DebiasOptions, classes: number, key: Key): Params {
  return Object.assign(
    {},
    ...branches.map((branch): Params => {
      const name = nameOf(branch);
      return {
        ...convParams(`${name}.conv`, kernelOf(branch, options), key, { bias: false }),
        ...batchNormParams(`${name}.bn`, options.channels),
        ...linearParams(`${name}.fc`, options.channels, classes, key),
      };
    }),
  );
}

/** Shapes of {@link debiasParams}. */
export function debiasShapes(options: DebiasOptions, classes: number): Record<string, Shape> {
  const { channels } = options;
  return Object.fromEntries(
    branches.flatMap((branch): [string, Shape][] => {
      const name = nameOf(branch);
      return [
        [`${name}.conv.weight`, kernelOf(branch, options)],
        ...['weight', 'bias', 'running_mean', 'running_var'].map((part): [string, Shape] => [`${name}.bn.${part}`, [channels]]),
        [`${name}.bn.num_batches_tracked`, []],
        [`${name}.fc.weight`, [classes, channels]],
        [`${name}.fc.bias`, [classes]],
      ];
    }),
  );
}

/** What a step's feature map and labels are to the head. */
export interface DebiasInput {
  /** `[rows, frames, C, h, w]` */
  readonly maps?: Tensor;
  /** `[rows]` */
  readonly labels: Tensor;
  readonly debias?: DebiasNoise;
}

/**
 * The sum of the branches' evidential class losses and, unless it is left out, the HSIC term; not yet weighted. Each branch:
 * convolution of width 3, batch norm, ReLU, mean over all positions and frames, dropout, linear.
 * @throws Error without feature maps or noise
 */
export function debiasLoss(
  params: SymbolicParams,
  { maps, labels, debias: noise }: DebiasInput,
  options: DebiasOptions,
  { evidence, classLoss }: Pick<EvidentialOptions, 'evidence' | 'classLoss'>,
): { readonly loss: Tensor; readonly buffers: Readonly<Record<string, Tensor>> } {
  if (!maps || !noise) throw new Error('debias: a training step needs feature maps of clips and the noise of the step');
  const [rows, frames, ...map] = maps.shape;
  const clip = transpose(maps, [0, 2, 1, 3, 4]);
  const buffers: Record<string, Tensor> = {};
  const found = branches.map((branch, i) => {
    const name = nameOf(branch);
    const y =
      branch === 'single'
        ? conv2d(params, `${name}.conv`, reshape(maps, [rows * frames, ...map]), { bias: false, padding: 1 })
        : conv3d(params, `${name}.conv`, branch === 'shuffled' ? take(clip, noise.order, 2) : clip, { bias: false, padding: 1 });
    const [normed, moved] = batchNorm(params, `${name}.bn`, y, { training: true });
    Object.assign(buffers, moved);
    // Of single frames [rows * frames, …, h, w], of clips [rows, …, frames, h, w].
    const perFrame = branch === 'single' ? mean(relu(normed), [2, 3]) : mean(relu(normed), [2, 3, 4]);
    const pooled = branch === 'single' ? mean(reshape(perFrame, [rows, frames, options.channels]), 1) : perFrame;
    const logits = linear(params, `${name}.fc`, dropout(pooled, pick(noise.mask, 0, i), 1 - options.dropout));
    return evidentialLoss(logits, labels, 1, { evidence, classLoss, kl: false, calibration: false });
  });
  const classes = found.map(({ loss }) => loss).reduce((a, b) => add(a, b));
  const [ordered, shuffled, single] = found.map(({ alpha }) => alpha);
  return { loss: options.hsic === 'none' ? classes : add(classes, debiasTerm(ordered, shuffled, single, options.hsic)), buffers };
}
