/** Temporal proposals: runs above a threshold, scored by outer-inner contrast. */

import type { ScoredSegment } from './segments.ts';
import { steppedThresholds } from './thresholds.ts';

/** How proposals are found and scored. */
export interface ProposalOptions {
  /** Thresholds on the class activation sequence (CAS). */
  readonly casThresholds: readonly number[];
  /** Thresholds on the instance attention. */
  readonly attentionThresholds: readonly number[];
  /** Weights of CAS and attention in the sequence that scores a proposal. */
  readonly casWeight: number;
  readonly attentionWeight: number;
  /** λ: the outer region reaches λ times the proposal's length to either side. */
  readonly outerMargin: number;
  /** γ: weight of the video-level class score, added to the score of proposals found on the CAS, on the attention. */
  readonly casClassScoreWeight: number;
  readonly attentionClassScoreWeight: number;
}

/** THUMOS14: CAS at {0.15, 0.20}, attention at {0.15, 0.20, ..., 0.95}; attention and the video's score never enter a score. */
export const THUMOS14_PROPOSALS: ProposalOptions = {
  casThresholds: steppedThresholds(0.15, 0.2, 0.05),
  attentionThresholds: steppedThresholds(0.15, 0.95, 0.05),
  casWeight: 1,
  attentionWeight: 0,
  outerMargin: 0.2,
  casClassScoreWeight: 0,
  attentionClassScoreWeight: 0,
};

/** ActivityNet, as in ACM-Net's evaluation. */
export const ACTIVITYNET_PROPOSALS: ProposalOptions = {
  casThresholds: [0.005, 0.01, 0.015, 0.02],
  attentionThresholds: [0.005, 0.01, 0.015, 0.02],
  casWeight: 0.7,
  attentionWeight: 0.3,
  outerMargin: 0.15,
  casClassScoreWeight: 0,
  attentionClassScoreWeight: 0.25,
};

/** A run of consecutive time steps, both ends included. */
export interface Run {
  readonly first: number;
  readonly last: number;
}

/** Positions (ascending) whose value is at least `threshold`. */
export function indicesAtLeast(values: ArrayLike<number>, threshold: number): number[] {
  const indices: number[] = [];
  for (let i = 0; i < values.length; i++) if (values[i] >= threshold) indices.push(i);
  return indices;
}

/** Splits ascending positions into runs of consecutive ones: 0 1 2 5 6 9 -> 0-2, 5-6, 9-9. */
export function consecutiveRuns(indices: ArrayLike<number>): Run[] {
  const runs: Run[] = [];
  for (let i = 0, begin = 0; i < indices.length; i++) {
    if (i + 1 < indices.length && indices[i + 1] === indices[i] + 1) continue;
    runs.push({ first: indices[begin], last: indices[i] });
    begin = i + 1;
  }
  return runs;
}

/**
 * Outer-inner contrast of a run of length ℓ: the mean of `scores` inside it minus their mean over up to λℓ steps on either side
 * (the ends truncated to integers and to the sequence; an empty outside counts as 0).
 */
export function outerInnerContrast(scores: ArrayLike<number>, { first, last }: Run, outerMargin: number): number {
  const length = last - first + 1;
  const outerFirst = Math.max(0, Math.trunc(first - outerMargin * length));
  const outerLast = Math.min(scores.length - 1, Math.trunc(last + outerMargin * length));
  let inner = 0;
  let outer = 0;
  for (let i = first; i <= last; i++) inner += scores[i];
  for (let i = outerFirst; i < first; i++) outer += scores[i];
  for (let i = last + 1; i <= outerLast; i++) outer += scores[i];
  const outside = first - outerFirst + (outerLast - last);
  return inner / length - (outside > 0 ? outer / outside : 0);
}

/** What {@link contrastProposals} scores. */
export interface ContrastInput {
  /** Positions above a threshold, ascending. */
  readonly indices: ArrayLike<number>;
  /** The sequence that scores a run, [N]. */
  readonly scores: ArrayLike<number>;
  /** Duration of one step, seconds. */
  readonly secondsPerStep: number;
  /** λ, see {@link ProposalOptions}. */
  readonly outerMargin: number;
  /** Added to every score: γ times the video's class score. */
  readonly bonus?: number;
}

/**
 * One proposal per run of at least two positions: segment [first·f, (last + 1)·f] with f seconds a step, not clipped to the
 * video's duration; score = {@link outerInnerContrast} + bonus.
 */
export function contrastProposals({ indices, scores, secondsPerStep, outerMargin, bonus = 0 }: ContrastInput): ScoredSegment[] {
  return consecutiveRuns(indices)
    .filter(run => run.last > run.first)
    .map(run => ({
      score: outerInnerContrast(scores, run, outerMargin) + bonus,
      start: run.first * secondsPerStep,
      end: (run.last + 1) * secondsPerStep,
    }));
}

/** The up-sampled sequences of one class of one video. */
export interface ClassSequences {
  /** Class activation sequence of the class, [N]. */
  readonly cas: Float64Array;
  /** Instance attention, [N]. */
  readonly attention: Float64Array;
  /** The class's video-level score. */
  readonly classScore: number;
  /** Duration of one up-sampled step, seconds. */
  readonly secondsPerStep: number;
}

/**
 * All proposals of one class, over every CAS threshold, then every attention threshold, each in temporal order.
 *
 * The score is taken on `casWeight · CAS + attentionWeight · attention`, where the thresholded of the two sequences is zeroed
 * below its threshold and the other is not: so the outside of a CAS proposal sees mostly zeros, the outside of an attention
 * proposal the CAS as it is (published behaviour).
 */
export function classProposals(sequences: ClassSequences, options: ProposalOptions): ScoredSegment[] {
  const { cas, attention, classScore, secondsPerStep } = sequences;
  const { casWeight, attentionWeight, outerMargin } = options;
  const proposals: ScoredSegment[] = [];
  const scores = new Float64Array(cas.length);
  const collect = (thresholded: Float64Array, threshold: number, bonus: number) => {
    const indices = indicesAtLeast(thresholded, threshold);
    for (let i = 0; i < scores.length; i++) {
      const casPart = thresholded === cas && cas[i] < threshold ? 0 : cas[i];
      const attentionPart = thresholded === attention && attention[i] < threshold ? 0 : attention[i];
      scores[i] = casWeight * casPart + attentionWeight * attentionPart;
    }
    proposals.push(...contrastProposals({ indices, scores, secondsPerStep, outerMargin, bonus }));
  };
  for (const threshold of options.casThresholds) collect(cas, threshold, options.casClassScoreWeight * classScore);
  for (const threshold of options.attentionThresholds) {
    collect(attention, threshold, options.attentionClassScoreWeight * classScore);
  }
  return proposals;
}
