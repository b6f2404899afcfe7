/**
 * TRX: ordered tuples of frames of a query attend over those of a class's supports. Source: T. Perrett et al., "Temporal-relational CrossTransformers for
 * few-shot action recognition", CVPR 2021.
 */
import {
  add,
  addBias,
  concat,
  linear,
  matmul,
  mean,
  mul,
  type NDArray,
  neg,
  pick,
  random,
  reshape,
  type Shape,
  softmax,
  split,
  square,
  stack,
  sub,
  sum,
  type Tensor,
  take,
} from '../../engine/index.ts';
import { fold, type Key } from '../../engine/random.ts';
import { constantInit, layerNorm, type ParamSpec, parameter, pytorchDefault, type SymbolicParams } from '../../nn/index.ts';
import { drop } from '../blocks/attention.ts';
import { addPositions, fixed, sinusoidTable } from '../blocks/positions.ts';
import { ofClasses } from '../classMeans.ts';
import { type EpisodeSizes, type Episodes, type HeadNoise, type HeadOutput, headPrefix } from './head.ts';

export interface TrxOptions {
  /** D. */
  readonly featureDim: number;
  /** T, on which the table of positions depends. */
  readonly frames: number;
  /** Of keys and values; published: 1152. */
  readonly width: number;
  /** Frames of a tuple, one branch each; published: 2 and 3. */
  readonly tupleSizes: readonly number[];
  /** After the positions; published: 0.1. */
  readonly dropout: number;
}

export const trxPreset = { width: 1152, tupleSizes: [2, 3], dropout: 0.1 } as const satisfies Partial<TrxOptions>;

const branchName = (branch: number): string => `${headPrefix}transformers.${branch}`;

/** All choices of `size` of the frames 0 … frames - 1, in their order. */
export function frameTuples(frames: number, size: number): number[][] {
  const extend = (chosen: number[]): number[][] =>
    chosen.length === size
      ? [chosen]
      : Array.from({ length: frames }, (_, t) => t)
          .filter(t => chosen.length === 0 || t > chosen[chosen.length - 1])
          .flatMap(t => extend([...chosen, t]));
  return extend([]);
}

const tableLength = (frames: number): number => Math.floor(1.5 * frames);

/** `transformers.{i}.{pe.pe,k_linear,v_linear,norm_k,norm_v}`, with PyTorch's defaults; `norm_v` exists and is not used, as published. */
export function trxSpecs({ featureDim, frames, width, tupleSizes }: TrxOptions): Record<string, ParamSpec> {
  const specs: Record<string, ParamSpec> = {};
  for (const [branch, size] of tupleSizes.entries()) {
    const name = branchName(branch);
    const table = sinusoidTable(featureDim, tableLength(frames));
    specs[`${name}.pe.pe`] = {
      shape: [1, ...table.shape],
      init: (_key, shape: Shape) => ({ dtype: 'float32', shape, data: Float32Array.from(table.data) }),
    };
    for (const part of ['k_linear', 'v_linear']) {
      const init = pytorchDefault(size * featureDim);
      specs[`${name}.${part}.weight`] = { shape: [width, size * featureDim], init };
      specs[`${name}.${part}.bias`] = { shape: [width], init };
    }
    for (const part of ['norm_k', 'norm_v']) {
      specs[`${name}.${part}.weight`] = { shape: [width], init: constantInit(1) };
      specs[`${name}.${part}.bias`] = { shape: [width], init: constantInit(0) };
    }
  }
  return specs;
}

/** Masks `positions.{branch}` of every video's frames. */
export function trxNoise(
  { dropout, tupleSizes, featureDim }: TrxOptions,
  sizes: EpisodeSizes,
  key: Key,
): HeadNoise<NDArray> | undefined {
  if (dropout === 0) return undefined;
  const videos = sizes.shots.reduce((sum, shot) => sum + shot, 0) + sizes.queries;
  const shape = [sizes.episodes, videos, sizes.frames, featureDim];
  return Object.fromEntries(
    tupleSizes.map((_, branch) => {
      const name = `positions.${branch}`;
      return [name, random.bernoulliMask(fold(key, name), 1 - dropout, shape)];
    }),
  );
}

/** The mean of the branches' logits, -|v - prototype|^2 / tuples. */
export function trx(params: SymbolicParams, { support, query, shots, noise }: Episodes, options: TrxOptions): HeadOutput {
  const videos = concat([support, query], 1);
  const branches = options.tupleSizes.map((size, branch) => {
    const name = branchName(branch);
    const mask = noise?.[`positions.${branch}`];
    const table = params[`${name}.pe.pe`] ?? fixed(sinusoidTable(options.featureDim, tableLength(options.frames)), videos);
    const x = drop(addPositions(videos, table), mask && { mask, keep: 1 - options.dropout });
    const k = layerNorm(params, `${name}.norm_k`, tupleLinear(params, `${name}.k_linear`, x, size));
    const v = tupleLinear(params, `${name}.v_linear`, x, size);
    const parts = [support.shape[1], query.shape[1]];
    return matchTuples(split(k, parts, 1), split(v, parts, 1), shots);
  });
  return {
    logits: mul(
      branches.reduce((a, b) => add(a, b)),
      1 / branches.length,
    ),
  };
}

/**
 * The linear layer over the concatenated frames of every tuple: x `[E, V, T, D]` -> `[E, V, tuples, width]`. Each frame is multiplied once for each place in
 * a tuple, and the products are added up: 2 T in the place of T (T - 1) for pairs.
 */
function tupleLinear(params: SymbolicParams, name: string, x: Tensor, size: number): Tensor {
  const weight = parameter(params, `${name}.weight`);
  const [episodes, videos, frames, width] = x.shape;
  const outputs = weight.shape[0];
  // Row o * size + place of the reshaped weight: no copy.
  const all = reshape(linear(x, reshape(weight, [outputs * size, width])), [episodes, videos, frames, outputs, size]);
  const tuples = frameTuples(frames, size);
  const places = Array.from({ length: size }, (_, place) =>
    take(
      pick(all, 4, place),
      tuples.map(tuple => tuple[place]),
      2,
    ),
  );
  return addBias(
    places.reduce((a, b) => add(a, b)),
    parameter(params, `${name}.bias`),
  );
}

/** Keys and values of supports and queries `[E, V, tuples, width]` -> `[E, Q, N]`. */
function matchTuples(
  [supportKeys, queryKeys]: Tensor[],
  [supportValues, queryValues]: Tensor[],
  shots: readonly number[],
): Tensor {
  const [episodes, q, tuples, width] = queryKeys.shape;
  const flat = (x: Tensor) => reshape(x, [episodes, -1, width]);
  const asked = mul(flat(queryKeys), 1 / Math.sqrt(width));
  const values = ofClasses(supportValues, shots, 1).map(flat);
  const classes = ofClasses(supportKeys, shots, 1).map((keys, n) => {
    const weights = softmax(matmul(asked, flat(keys), { transposeB: true }));
    const distance = sum(square(sub(flat(queryValues), matmul(weights, values[n]))), -1);
    return neg(mean(reshape(distance, [episodes, q, tuples]), -1));
  });
  return stack(classes, 2);
}
