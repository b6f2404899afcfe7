/**
 * HyRSM and HyRSM++: features of frames are enriched within each video (intra-relation) and by the other videos of the episode (cross-relation), and
 * videos compared as sets of frames. HyRSM++ also regularises the features over time.
 * Source: X. Wang et al., "Hybrid relation guided set matching for few-shot action recognition", CVPR 2022; "HyRSM++", 2023.
 */
import {
  add,
  concat,
  type NDArray,
  neg,
  random,
  relu,
  reshape,
  type Shape,
  slice,
  split,
  type Tensor,
} from '../../engine/index.ts';
import { fold, type Key } from '../../engine/random.ts';
import {
  constantInit,
  linear,
  normalInit,
  type ParamSpec,
  pytorchDefault,
  type SymbolicParams,
  xavierNormal,
} from '../../nn/index.ts';
import { drop, intraRelation, type Kept } from '../blocks/attention.ts';
import { taskRelation } from '../blocks/crossRelation.ts';
import { fusion } from '../blocks/fusion.ts';
import { encodePositions, maxPositions, type PositionOptions, positionPreset, positionTable } from '../blocks/positions.ts';
import { classMeans } from '../classMeans.ts';
import type { CoherenceOptions } from '../coherence.ts';
import { meanFrame } from '../cosine.ts';
import { biMhm } from '../matching/hausdorff.ts';
import { type EpisodeSizes, type Episodes, type HeadNoise, type HeadOutput, headPrefix } from './head.ts';
import { type Related, relatedDistances, taskSupportOf } from './relatedDistances.ts';

/** Rates of dropout. */
export interface HyrsmDropout {
  /** After the positions. */
  readonly positions: number;
  /** After the intra-relation's projection. */
  readonly intra: number;
  /** Of the cross-relation's attention weights. */
  readonly attention: number;
  /** After the cross-relation's projection. */
  readonly cross: number;
}

export interface HyrsmOptions {
  /** D. */
  readonly featureDim: number;
  /** Attention heads of both relations; D must be a multiple. Published: 8. */
  readonly attentionHeads: number;
  /** null: no positions at all. */
  readonly positions: PositionOptions | null;
  /** C of the auxiliary classifier of frames; 0: none. */
  readonly classes: number;
  /**
   * What queries are compared to: every support by itself, a class's distances averaged (the published 1-shot heads), or the classes' prototypes, means
   * over their supports frame by frame (the published 5-shot heads). With one support a class both are the same.
   */
  readonly references: 'supports' | 'prototypes';
  /** null: HyRSM. */
  readonly coherence: CoherenceOptions | null;
  readonly dropout: HyrsmDropout;
}

/** HyRSM++ as published for Kinetics-100, without D and classes. */
export const hyrsmPreset = {
  attentionHeads: 8,
  positions: positionPreset,
  references: 'prototypes',
  coherence: { window: 3, balance: 23, farWeight: 10 },
  dropout: { positions: 0.1, intra: 0.2, attention: 0.1, cross: 0.05 },
} as const satisfies Partial<HyrsmOptions>;

const names = {
  positions: `${headPrefix}pe.pe`,
  intra: `${headPrefix}temporal_atte_before`,
  cross: `${headPrefix}temporal_atte`,
  fusion: `${headPrefix}layer2.0`,
  classifier: `${headPrefix}classification_layer`,
} as const;

/** Parameters with their published first values: PyTorch's defaults, but N(0, 2 / (D + D / heads)) in `w_*` and Xavier's normal in `fc`. */
export function hyrsmSpecs({ featureDim, attentionHeads, positions, classes }: HyrsmOptions): Record<string, ParamSpec> {
  const d = featureDim;
  const specs: Record<string, ParamSpec> = {};
  if (positions) {
    const table = positionTable(d);
    specs[names.positions] = {
      shape: [1, maxPositions, d],
      init: (_key, shape) => ({ dtype: 'float32', shape, data: Float32Array.from(table.data) }),
    };
  }
  const affine = (name: string, weight: Shape) => {
    const init = pytorchDefault(weight[1]);
    specs[`${name}.weight`] = { shape: weight, init };
    specs[`${name}.bias`] = { shape: [weight[0]], init };
  };
  const norm = (name: string) => {
    specs[`${name}.weight`] = { shape: [d], init: constantInit(1) };
    specs[`${name}.bias`] = { shape: [d], init: constantInit(0) };
  };
  norm(`${names.intra}.norm`);
  specs[`${names.intra}.fn.to_qkv.weight`] = { shape: [3 * d, d], init: pytorchDefault(d) };
  if (attentionHeads > 1) affine(`${names.intra}.fn.to_out.0`, [d, d]);
  const projection = normalInit(Math.sqrt(2 / (d + d / attentionHeads)));
  for (const part of ['w_qs', 'w_ks', 'w_vs']) specs[`${names.cross}.${part}.weight`] = { shape: [d, d], init: projection };
  norm(`${names.cross}.layer_norm`);
  specs[`${names.cross}.fc.weight`] = { shape: [d, d], init: xavierNormal() };
  specs[`${names.cross}.fc.bias`] = { shape: [d], init: pytorchDefault(d) };
  affine(names.fusion, [d, 2 * d, 1]);
  if (classes > 0) affine(names.classifier, [classes, d]);
  return specs;
}

/** Masks of a step: `positions`, `intra` of every video's frames, `attention`, `cross` of every query's task. */
export function hyrsmNoise(options: HyrsmOptions, sizes: EpisodeSizes, key: Key): HeadNoise<NDArray> | undefined {
  const { dropout, attentionHeads, featureDim, references } = options;
  const supports = sizes.shots.reduce((sum, shot) => sum + shot, 0);
  const videos = supports + sizes.queries + (sizes.unlabelled ?? 0);
  const tokens = (references === 'supports' ? supports : sizes.shots.length) + 1;
  const frames = [sizes.episodes, videos, sizes.frames, featureDim];
  const task = [sizes.episodes, sizes.queries];
  const shapes: Record<keyof HyrsmDropout, Shape> = {
    positions: frames,
    intra: frames,
    attention: [sizes.episodes, attentionHeads, sizes.queries, tokens, tokens],
    cross: [...task, tokens, featureDim],
  };
  const drawn = Object.entries(shapes).flatMap(([name, shape]): [string, NDArray][] => {
    const rate = dropout[name as keyof HyrsmDropout];
    const exists = rate > 0 && !(name === 'positions' && !options.positions) && !(name === 'intra' && attentionHeads === 1);
    return exists ? [[name, random.bernoulliMask(fold(key, name), 1 - rate, shape)]] : [];
  });
  return drawn.length > 0 ? Object.fromEntries(drawn) : undefined;
}

/** Videos `[E, V, T, D]` with their positions and intra-relation, after ReLU. */
export function enrich(params: SymbolicParams, videos: Tensor, options: HyrsmOptions, noise: HeadNoise = {}): Tensor {
  const { positions, attentionHeads } = options;
  const kept = keptOf(options, noise);
  const placed = positions ? drop(encodePositions(videos, params[names.positions], positions), kept('positions')) : videos;
  return relu(intraRelation(params, names.intra, placed, attentionHeads, kept('intra')));
}

/** Cross-relation and fusion: enriched references `[E, R, T, D]` and queries `[E, Q, T, D]`. */
export function relate(
  params: SymbolicParams,
  references: Tensor,
  queries: Tensor,
  options: HyrsmOptions,
  noise: HeadNoise = {},
): Related {
  const kept = keptOf(options, noise);
  const [episodes, r, frames, width] = references.shape;
  const q = queries.shape[1];
  const related = relu(
    taskRelation(params, names.cross, meanFrame(references), meanFrame(queries), options.attentionHeads, {
      attention: kept('attention'),
      output: kept('cross'),
    }),
  );
  const fused = fusion(params, names.fusion);
  const moved = fused.relation(related);
  const placed = fused.frames(concat([references, queries], 1));
  return {
    reference: slice(placed, 1, 0, r),
    shift: slice(moved, 2, 0, r),
    query: add(reshape(slice(placed, 1, r), [episodes, q, frames, width]), reshape(slice(moved, 2, r), [episodes, q, 1, width])),
  };
}

/** Logits of each query, `[E, Q, N]`, of references in the order of classes. */
export function matchLogits(distances: Tensor, { shots }: Episodes, options: HyrsmOptions): Tensor {
  const matched = biMhm(distances);
  return neg(options.references === 'supports' ? classMeans(matched, shots, 2) : matched);
}

/** HyRSM (without `coherence`) and HyRSM++. */
export function hyrsm(params: SymbolicParams, episodes: Episodes, options: HyrsmOptions): HeadOutput {
  const { support, query, shots, noise } = episodes;
  const x = enrich(params, concat([support, query], 1), options, noise);
  const [s, q] = split(x, [support.shape[1], query.shape[1]], 1);
  const references = options.references === 'prototypes' ? classMeans(s, shots, 1) : s;
  return judge(params, x, relate(params, references, q, options, noise), episodes, options);
}

/** What follows the relations: matching, the auxiliary classifier of `videos` and the regulariser. */
export function judge(
  params: SymbolicParams,
  videos: Tensor,
  related: Related,
  episodes: Episodes,
  options: HyrsmOptions,
): HeadOutput {
  const { distances, regulariser } = relatedDistances(related, options.coherence);
  return {
    logits: matchLogits(distances, episodes, options),
    ...(options.classes > 0 && { frameLogits: linear(params, names.classifier, videos) }),
    ...(regulariser && { regulariser }),
    taskSupport: taskSupportOf(related),
    taskQuery: related.query,
  };
}

function keptOf({ dropout }: HyrsmOptions, noise: HeadNoise): (name: keyof HyrsmDropout) => Kept | undefined {
  return name => (noise[name] ? { mask: noise[name], keep: 1 - dropout[name] } : undefined);
}
