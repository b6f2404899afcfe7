/** How a threshold is chosen, and what it decides. */

import { uncertaintyThreshold } from './metrics/threshold.ts';
import type { OpenSetScores, ScoredSamples } from './scoredSamples.ts';

/**
 * - `uncertainty`: a number; unknown when the uncertainty is greater.
 * - `confidence`: a number; unknown when the confidence is less.
 * - `training`: accepts this fraction of the training samples.
 * - `known`: accepts this fraction of the known test samples, as the published tables do; optimistic.
 */
export type ThresholdRule =
  | { readonly from: 'uncertainty' | 'confidence'; readonly value: number }
  | { readonly from: 'training' | 'known'; readonly keep: number };

/** A rule applied: the value, which column it is compared with, and the rule in words. */
export interface Threshold {
  readonly on: 'uncertainty' | 'confidence';
  readonly value: number;
  readonly rule: string;
}

/**
 * A rule from text: `0.0045`, `confidence:0.999`, `training:0.95` or `known:0.85`.
 * @throws RangeError naming the text
 */
export function parseThresholdRule(text: string): ThresholdRule {
  const [, name = 'uncertainty', number] =
    /^\s*(?:(uncertainty|confidence|training|known):)?([-+]?[\d.]+(?:e[-+]?\d+)?)\s*$/i.exec(text) ?? [];
  const value = Number(number);
  const isRate = name === 'training' || name === 'known';
  if (number === undefined || !Number.isFinite(value) || (isRate && !(value > 0 && value < 1))) {
    throw new RangeError(
      `expected an uncertainty (0.0045), confidence:NUMBER, training:RATE or known:RATE with a rate between 0 and 1, found "${text}"`,
    );
  }
  if (isRate) return { from: name, keep: value };
  return { from: name === 'confidence' ? 'confidence' : 'uncertainty', value };
}

/**
 * The threshold that a rule gives for scores.
 * @throws RangeError if the scores have not what the rule needs
 */
export function resolveThreshold(rule: ThresholdRule, { known, training }: OpenSetScores): Threshold {
  switch (rule.from) {
    case 'uncertainty':
      return { on: 'uncertainty', value: rule.value, rule: 'given' };
    case 'confidence':
      return { on: 'confidence', value: rule.value, rule: 'given' };
    case 'training':
      if (!training) throw new RangeError('threshold training:RATE needs scores of training samples (train_unctt), found none');
      return {
        on: 'uncertainty',
        value: uncertaintyThreshold(training.uncertainty, rule.keep),
        rule: `accepts ${rule.keep} of the training samples`,
      };
    case 'known':
      return {
        on: 'uncertainty',
        value: uncertaintyThreshold(known.uncertainty, rule.keep),
        rule: `accepts ${rule.keep} of the known test samples, which is optimistic`,
      };
  }
}

/** 1 for the rows that a threshold calls unknown, else 0. @throws RangeError if it is one of confidence and there are none */
export function rejected({ uncertainty, confidence }: ScoredSamples, { on, value }: Threshold): Float64Array {
  if (on === 'uncertainty') return Float64Array.from(uncertainty, score => (score > value ? 1 : 0));
  if (!confidence) throw new RangeError('a threshold of confidence needs confidences (ind_conf, ood_conf), found none');
  return Float64Array.from(confidence, score => (score < value ? 1 : 0));
}
