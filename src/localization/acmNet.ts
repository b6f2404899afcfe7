import {
  add,
  cast,
  concat,
  gatherRows,
  matmul,
  mean,
  mul,
  type NDArray,
  oneHot,
  pick,
  relu,
  remat,
  reshape,
  type Shape,
  slice,
  softmax,
  sort,
  split,
  stack,
  sum,
  type Tensor,
  topK,
} from '../engine/index.ts';
import { bernoulliMask, fold, type Key } from '../engine/random.ts';
import {
  convParams,
  dropout,
  linear,
  linearParams,
  type Params,
  parameter,
  type SymbolicParams,
  temporalConv,
} from '../nn/index.ts';

export type { SymbolicParams } from '../nn/index.ts';

/** The three attentions of a snippet, in the order of the attention's channels. */
export const branches = ['instance', 'context', 'background'] as const;
export type Branch = (typeof branches)[number];

/** Shape of an ACM-Net. Defaults of the two data sets: {@link acmNetPresets}. */
export interface AcmNetOptions {
  /** Width F of a snippet's feature vector. */
  readonly featureDim: number;
  /** Number C of action classes; the background class is the last column, C. */
  readonly classes: number;
  /** Probability of dropping, at every dropout site. */
  readonly dropout: number;
  /** Dropout on the input and before the attention too, as for ActivityNet; then the embedding is `feature_embedding.1`. */
  readonly inputDropout: boolean;
  /** s_b: each branch averages over its max(floor(T / s_b), 1) best snippets. */
  readonly topKDivisors: Readonly<Record<Branch, number>>;
  /** Snippets of the LCS candidates. */
  readonly lcsLength: number;
  /** Snippets of each FSD candidate block. */
  readonly fsdLength: number;
  /** Width D of the FSD projection. */
  readonly projectionDim: number;
  /**
   * What the FSD "background" block is: the published code takes the next-most action-like snippets (ranks L..2L-1 of the
   * instance attention); `background-attention` takes the L snippets of highest background attention.
   */
  readonly fsdBackground?: 'published' | 'background-attention';
}

/** The published settings. */
export const acmNetPresets = {
  thumos14: {
    featureDim: 2048,
    classes: 20,
    dropout: 0.7,
    inputDropout: false,
    topKDivisors: { instance: 8, context: 3, background: 3 },
    lcsLength: 30,
    fsdLength: 5,
    projectionDim: 1024,
  },
  activitynet: {
    featureDim: 2048,
    classes: 200,
    dropout: 0.7,
    inputDropout: true,
    topKDivisors: { instance: 2, context: 10, background: 10 },
    lcsLength: 30,
    fsdLength: 5,
    projectionDim: 1024,
  },
} as const satisfies Record<string, AcmNetOptions>;

/** Dropout masks as 0/1 (kept); a site without a mask drops nothing. Made by {@link acmNetMasks}. */
export interface AcmNetMasks<T = Tensor> {
  /** Whole snippets, `[batch, time, 1]`. */
  readonly snippet?: T;
  /** The classifier's input, `[batch, time, F]`. */
  readonly classInput?: T;
  /** The network's input, `[batch, time, F]` (ActivityNet). */
  readonly embedInput?: T;
  /** The attention's input, `[batch, time, F]` (ActivityNet). */
  readonly attentionInput?: T;
}

export interface AcmNetOutput {
  /** Video-level class distributions `[batch, C + 1]`. */
  readonly classProbabilities: Readonly<Record<Branch, Tensor>>;
  /** Mean embedding of each branch's best snippets `[batch, F]`. */
  readonly features: Readonly<Record<Branch, Tensor>>;
  /** `[batch, time, 3]`, the channels of {@link branches}; sums to 1. */
  readonly attention: Tensor;
  /** Class activation sequences `[batch, time, C + 1]`: of each branch, and without attention. */
  readonly cas: Readonly<Record<Branch | 'all', Tensor>>;
  /** LCS candidates `[batch, lcsLength, F]`. */
  readonly lcsCandidates: Tensor;
  /** FSD candidates `[batch, fsdLength, D]`. */
  readonly fsdAction: Tensor;
  readonly fsdBackground: Tensor;
  /** Embedding E `[batch, time, F]`, attention logits `[batch, time, 3]` and class logits Z `[batch, time, C + 1]`. */
  readonly embedding: Tensor;
  readonly attentionLogits: Tensor;
  readonly classLogits: Tensor;
}

/** Name of the temporal convolution: its place in the published module depends on the dropout in front of it. */
const embeddingName = (options: AcmNetOptions): string => `feature_embedding.${options.inputDropout ? 1 : 0}`;

/** Names and shapes of the parameters, in the published order. */
export function acmNetShapes(options: AcmNetOptions): Record<string, Shape> {
  const { featureDim: f, classes, projectionDim } = options;
  return {
    [`${embeddingName(options)}.weight`]: [f, f, 3],
    [`${embeddingName(options)}.bias`]: [f],
    'att_branch.weight': [3, f, 1],
    'att_branch.bias': [3],
    'snippet_cls.weight': [classes + 1, f],
    'snippet_cls.bias': [classes + 1],
    'feature_trans.weight': [projectionDim, f],
    'feature_trans.bias': [projectionDim],
  };
}

/** Fresh parameters with PyTorch's default initialisation. */
export function initAcmNet(options: AcmNetOptions, key: Key): Params {
  const { featureDim: f, classes, projectionDim } = options;
  return {
    ...convParams(embeddingName(options), [f, f, 3], fold(key, 0)),
    ...convParams('att_branch', [3, f, 1], fold(key, 1)),
    ...linearParams('snippet_cls', f, classes + 1, fold(key, 2)),
    ...linearParams('feature_trans', f, projectionDim, fold(key, 3)),
  };
}

/** Fresh dropout masks for one step. */
export function acmNetMasks(options: AcmNetOptions, batch: number, time: number, key: Key): AcmNetMasks<NDArray> {
  const { featureDim: f, dropout, inputDropout } = options;
  if (dropout === 0) return {};
  const keep = 1 - dropout;
  const full = (site: number) => bernoulliMask(fold(key, site), keep, [batch, time, f]);
  const masks = { snippet: bernoulliMask(fold(key, 0), keep, [batch, time, 1]), classInput: full(1) };
  return inputDropout ? { ...masks, embedInput: full(2), attentionInput: full(3) } : masks;
}

/** max(floor(T / s), 1): how many snippets a branch averages over. */
export function topKCount(time: number, divisor: number): number {
  return Math.max(Math.floor(time / divisor), 1);
}

/**
 * ACM-Net over snippet features `[batch, time, F]`. Without masks it is the evaluation pass.
 * Source: ACM-Net (2021) sections 3.2-3.3; the candidates are FTCL's (CVPR 2022).
 */
export function acmNet(params: SymbolicParams, features: Tensor, options: AcmNetOptions, masks: AcmNetMasks = {}): AcmNetOutput {
  const keep = 1 - options.dropout;
  const embedding = relu(temporalConv(params, embeddingName(options), dropout(features, masks.embedInput, keep)));

  const attentionLogits = temporalConv(params, 'att_branch', dropout(embedding, masks.attentionInput, keep));
  const attention = softmax(attentionLogits, -1);
  const attentions = split(attention, [1, 1, 1], -1);

  const classLogits = classify(embedding, params, masks, keep);
  const weighted = attentions.map(a => mul(classLogits, a));

  const time = features.shape[1];
  const counts = branches.map(branch => topKCount(time, options.topKDivisors[branch]));
  const probabilities = weighted.map((logits, b) => softmax(mean(topK(logits, counts[b], { axis: 1 })[0], 1), -1));
  const means = branchFeatures(embedding, attentions, counts);
  const byBranch = (tensors: readonly Tensor[]) => ({ instance: tensors[0], context: tensors[1], background: tensors[2] });

  return {
    classProbabilities: byBranch(probabilities),
    features: byBranch(means),
    attention,
    cas: { ...byBranch(weighted.map(logits => softmax(logits, -1))), all: softmax(classLogits, -1) },
    ...candidates(embedding, attentions, params, options),
    embedding,
    attentionLogits,
    classLogits,
  };
}

/**
 * Z = ((E . M) . D) W^T + b with M dropping whole snippets and D entries. A snippet's factor commutes with the linear map,
 * so it is applied to C + 1 columns instead of F.
 */
function classify(embedding: Tensor, params: SymbolicParams, { snippet, classInput }: AcmNetMasks, keep: number): Tensor {
  const dtype = embedding.dtype;
  // The masked embedding is as large as the embedding and cheap to make again: it is not kept for the backward pass.
  const project = remat((e: Tensor, w: Tensor, mask: Tensor) => matmul(mul(e, cast(mask, dtype)), w, { transposeB: true }));
  const layer = 'snippet_cls';
  let logits = classInput
    ? project(embedding, parameter(params, `${layer}.weight`), classInput)
    : linear(params, layer, embedding, { bias: false });
  if (snippet) logits = mul(logits, mul(cast(snippet, dtype), 1 / keep));
  if (classInput) logits = mul(logits, 1 / keep);
  return add(logits, parameter(params, `${layer}.bias`));
}

/**
 * feat_b: mean of E over the k_b snippets of highest attention a_b. Written as one product with the 0/1 selection of all three
 * branches, whose gradient is one product too.
 */
function branchFeatures(embedding: Tensor, attentions: readonly Tensor[], counts: readonly number[]): Tensor[] {
  const time = embedding.shape[1];
  const selections = attentions.map((a, b) => {
    const [, chosen] = topK(reshape(a, a.shape.slice(0, 2)), counts[b]);
    return mul(sum(oneHot(chosen, time, embedding.dtype), 1), 1 / counts[b]);
  });
  const means = matmul(stack(selections, 1), embedding);
  return branches.map((_, b) => pick(means, 1, b));
}

/** Sub-sequences of the most action-like snippets, in temporal order. Short videos have shorter (even empty) ones. */
function candidates(embedding: Tensor, attentions: readonly Tensor[], params: SymbolicParams, options: AcmNetOptions) {
  const [batch, time] = embedding.shape;
  const { lcsLength, fsdLength } = options;
  const ranked = (branch: number) =>
    topK(reshape(attentions[branch], [batch, time]), Math.min(time, Math.max(lcsLength, 2 * fsdLength)))[1];
  const instance = ranked(0);
  const background =
    options.fsdBackground === 'background-attention'
      ? slice(ranked(2), 1, 0, fsdLength)
      : slice(instance, 1, fsdLength, 2 * fsdLength);
  const ranks = [slice(instance, 1, 0, lcsLength), slice(instance, 1, 0, fsdLength), background];
  const inOrder = ranks.map(chosen => sort(chosen)[0]);
  // One gather for all three: its gradient is as large as the embedding.
  const sizes = ranks.map(chosen => chosen.shape[1]);
  const [lcs, ...blocks] = split(gatherRows(embedding, concat(inOrder, 1)), sizes, 1);
  const [fsdAction, fsdBackground] = blocks.map(rows => linear(params, 'feature_trans', rows));
  return { lcsCandidates: lcs, fsdAction, fsdBackground };
}
