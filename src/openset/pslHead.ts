import { relu, type Tensor } from '../engine/index.ts';
import { fold, type Key } from '../engine/random.ts';
import {
  batchNorm,
  batchNormParams,
  initParams,
  linear,
  linearParams,
  normalInit,
  type Params,
  type SymbolicParams,
} from '../nn/index.ts';
import { unitRows } from './unitRows.ts';

/** Widths of a PSL head. */
export interface PslHeadOptions {
  /** Features come in with; published: 2048. */
  readonly featureDim: number;
  /** Published: 1024. */
  readonly hiddenDim: number;
  /** Embeddings go out with; published: 128. */
  readonly embeddingDim: number;
}

/** Where the published model has its head. */
export const pslHeadName = 'head.mlp';

/** The head's parameters and buffers under their published names: `linear_a`, `linear_a_bn`, `logits_out_b`. */
export function pslHeadParams({ featureDim, hiddenDim, embeddingDim }: PslHeadOptions, key: Key, name = pslHeadName): Params {
  return {
    ...linearParams(`${name}.linear_a`, featureDim, hiddenDim, key),
    ...batchNormParams(`${name}.linear_a_bn`, hiddenDim),
    ...linearParams(`${name}.logits_out_b`, hiddenDim, embeddingDim, key),
  };
}

/** One prototype a class, `prototypes` `[K, embeddingDim]`, from N(0.005, 0.005^2): all begin at cosines about 0.5 of each other. */
export function prototypeParams(classes: number, embeddingDim: number, key: Key): Params {
  return initParams({ prototypes: { shape: [classes, embeddingDim], init: normalInit(0.005, 0.005) } }, fold(key, 'prototypes'));
}

/**
 * Embeddings of unit length: linear, batch norm, ReLU, linear, L2 normalisation; features `[rows, F]` -> `[rows, D]`, and the batch norm's
 * buffers after this batch (none at evaluation). Source: as {@link pslLoss}, section 3.1.
 * @throws ShapeError in training for a batch of one row, which has no variance
 */
export function pslHead(
  params: SymbolicParams,
  features: Tensor,
  { training, name = pslHeadName }: { readonly training: boolean; readonly name?: string },
): [embeddings: Tensor, buffers: Record<string, Tensor>] {
  const [normed, buffers] = batchNorm(params, `${name}.linear_a_bn`, linear(params, `${name}.linear_a`, features), { training });
  return [unitRows(linear(params, `${name}.logits_out_b`, relu(normed))), buffers];
}
