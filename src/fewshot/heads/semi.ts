/**
 * HyRSM++ with clips without labels in the episode: those whose class is clear join the supports of that class. Source: HyRSM++ (X. Wang et al., 2023),
 * semi-supervised few-shot action recognition.
 */
import {
  add,
  cast,
  concat,
  constant,
  div,
  expandDims,
  fromNumbers,
  greaterEqual,
  matmul,
  mul,
  neg,
  oneHot,
  reshape,
  slice,
  softmax,
  split,
  squeeze,
  stopGradient,
  sum,
  type Tensor,
  topK,
} from '../../engine/index.ts';
import type { SymbolicParams } from '../../nn/index.ts';
import { classMeans } from '../classMeans.ts';
import { biMhm } from '../matching/hausdorff.ts';
import type { Episodes, HeadOutput, PseudoLabels } from './head.ts';
import { enrich, type HyrsmOptions, hyrsm, hyrsmPreset, judge, relate } from './hyrsm.ts';
import { relatedDistances } from './relatedDistances.ts';

export interface SemiOptions extends HyrsmOptions {
  /** tau: a clip's class probabilities are softmax(-distance / tau). Distances are sums over frames. */
  readonly temperature: number;
  /** theta: a clip joins the supports if its largest probability is at least this. */
  readonly threshold: number;
  /** `all` that pass the threshold; `published`: but nothing if the first clip is the only one. */
  readonly selection: 'all' | 'published';
}

export const semiPreset = {
  ...hyrsmPreset,
  temperature: 1,
  threshold: 0.8,
  selection: 'all',
} as const satisfies Partial<SemiOptions>;

/**
 * As {@link hyrsm} with prototypes over the supports and the chosen clips; without clips it is the same. Pseudo-labels are made without gradient and
 * without dropout of the cross-relation; through the features of chosen clips gradients flow. The auxiliary classifier sees labelled clips only.
 */
export function semiHyrsm(params: SymbolicParams, episodes: Episodes, options: SemiOptions): HeadOutput {
  const { support, query, unlabelled, shots, noise } = episodes;
  const prototypical: HyrsmOptions = { ...options, references: 'prototypes' };
  if (!unlabelled) return hyrsm(params, episodes, prototypical);
  const counts = [support.shape[1], query.shape[1], unlabelled.shape[1]];
  const x = enrich(params, concat([support, query, unlabelled], 1), prototypical, noise);
  const [s, q, u] = split(x, counts, 1);
  const prototypes = classMeans(s, shots, 1);
  const pseudo = pseudoLabels(params, prototypes, u, options);
  const joined = joinPrototypes(prototypes, u, pseudo, shots);
  const labelled = slice(x, 1, 0, counts[0] + counts[1]);
  return { ...judge(params, labelled, relate(params, joined, q, prototypical, noise), episodes, prototypical), pseudo };
}

/** Each clip as a query of the labelled prototypes. */
function pseudoLabels(params: SymbolicParams, prototypes: Tensor, clips: Tensor, options: SemiOptions): PseudoLabels {
  const { distances } = relatedDistances(relate(params, prototypes, clips, options), null);
  const probabilities = stopGradient(softmax(mul(neg(biMhm(distances)), 1 / options.temperature)));
  const [largest, places] = topK(probabilities, 1);
  const passes = cast(greaterEqual(squeeze(largest, -1), options.threshold), probabilities.dtype);
  return { probabilities, labels: squeeze(places, -1), chosen: options.selection === 'all' ? passes : asPublished(passes) };
}

/** The published code asks whether any chosen index is true, and index 0 is not. */
function asPublished(passes: Tensor): Tensor {
  const others = sum(slice(passes, 1, 1), 1, true);
  return mul(passes, cast(greaterEqual(others, 1), passes.dtype));
}

/** Means over the supports and chosen clips of each class: prototypes `[E, N, T, D]` of `shots` supports, clips `[E, M, T, D]`. */
function joinPrototypes(prototypes: Tensor, clips: Tensor, { labels, chosen }: PseudoLabels, shots: readonly number[]): Tensor {
  const [episodes, n, t, d] = prototypes.shape;
  const m = clips.shape[1];
  const members = mul(oneHot(labels, n, clips.dtype), expandDims(chosen, -1));
  const added = reshape(matmul(members, reshape(clips, [episodes, m, t * d]), { transposeA: true }), [episodes, n, t, d]);
  const own = constant(fromNumbers(shots, [1, n, 1, 1], clips.dtype));
  const count = add(own, reshape(sum(members, 1), [episodes, n, 1, 1]));
  return div(add(mul(prototypes, own), added), count);
}
