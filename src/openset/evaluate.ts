/** Everything that is measured of scores of known and unknown samples. */

import { type BlockMetrics, mitBlocks } from './metrics/mitBlocks.ts';
import { type LegacyGenerator, mt19937 } from './metrics/mt19937.ts';
import { type OpenMacroF1, openMacroF1 } from './metrics/openMacroF1.ts';
import { accuracy, type RankingMetrics, rankingMetrics } from './metrics/rankingMetrics.ts';
import type { Protocol } from './protocols.ts';
import type { OpenSetScores, ScoredSamples } from './scoredSamples.ts';
import { type Repeated, selectSamples } from './selectSamples.ts';
import { rejected, resolveThreshold, type Threshold, type ThresholdRule } from './thresholdRule.ts';

/**
 * `sane`: every video once, all unknown videos at once. `published`: repeated rows stay, Moments in Time is cut into ten blocks, and the
 * openness curve takes every unknown class, overlapping or not.
 */
export type Convention = 'sane' | 'published';

export interface OpenSetOptions {
  readonly protocol: Protocol;
  readonly convention: Convention;
  /** By default `remove` in the sane convention and `keep` in the published one. */
  readonly repeated?: Repeated;
  /** Without one there is no thresholded part and no openness curve. */
  readonly threshold?: ThresholdRule;
  /** K, by default the protocol's, else one more than the largest known label or prediction. */
  readonly knownClasses?: number;
  /** Draws the classes of the openness curve; by default a new one with seed 123. */
  readonly generator?: LegacyGenerator;
  /** Draws for each number of unknown classes, by default 10. */
  readonly draws?: number;
}

/** Ranking metrics with the spread over blocks where the protocol has blocks. */
export interface Ranking extends RankingMetrics {
  readonly blocks?: { readonly count: number; readonly length: number; readonly deviation: RankingMetrics };
}

/** What a threshold decides; fractions. */
export interface Thresholded {
  readonly threshold: Threshold;
  /** Known samples called known. */
  readonly knownAccepted: number;
  /** Unknown samples called unknown. */
  readonly unknownRejected: number;
  /** Metrics of the ranking by the decision, 0 or 1: the published "specific threshold" tables. FPR@95 means little there. */
  readonly ranking: Ranking;
}

/** The openness curve and the area under the ROC curve of the decisions on the same samples. */
export interface Openness extends OpenMacroF1 {
  readonly knownClasses: number;
  readonly aurocAtThreshold: number;
}

/** The result of one convention; fractions. */
export interface OpenSetReport {
  readonly convention: Convention;
  readonly counts: { readonly known: number; readonly unknown: number };
  /** Closed-set accuracy over the known samples. */
  readonly accuracy: number;
  readonly ranking: Ranking;
  readonly thresholded?: Thresholded;
  readonly openness?: Openness;
}

/**
 * Judges scores by a protocol and a convention.
 * @throws RangeError naming what does not fit: no samples, rows without explanation, labels beyond the classes, a threshold without scores
 */
export function evaluateOpenSet(scores: OpenSetScores, options: OpenSetOptions): OpenSetReport {
  const { protocol, convention } = options;
  const repeated = options.repeated ?? (convention === 'published' ? 'keep' : 'remove');
  const counted = selectSamples(scores, protocol, { repeated, overlapping: true });
  const { known, unknown } = counted;
  const inBlocks = convention === 'published' && protocol.blocks;
  const rank = (of: (samples: ScoredSamples) => Float64Array): Ranking =>
    (inBlocks ? blocked : rankingMetrics)(of(known), of(unknown));
  const threshold = options.threshold && resolveThreshold(options.threshold, counted);
  return {
    convention,
    counts: { known: known.label.length, unknown: unknown.label.length },
    accuracy: accuracy(known.prediction, known.label),
    ranking: rank(samples => samples.uncertainty),
    ...(threshold && {
      thresholded: {
        threshold,
        knownAccepted: 1 - mean(rejected(known, threshold)),
        unknownRejected: mean(rejected(unknown, threshold)),
        ranking: rank(samples => rejected(samples, threshold)),
      },
      openness: opennessCurve(
        convention === 'published' ? selectSamples(scores, protocol, { repeated, overlapping: false }) : counted,
        threshold,
        options,
      ),
    }),
  };
}

function opennessCurve({ known, unknown }: OpenSetScores, threshold: Threshold, options: OpenSetOptions): Openness {
  const knownClasses = options.knownClasses ?? options.protocol.knownClasses ?? 1 + largest(known.label, known.prediction);
  const outside = largest(known.label, known.prediction, unknown.prediction);
  if (outside >= knownClasses) throw new RangeError(`expected known classes 0..${knownClasses - 1}, found class ${outside}`);
  const decided = (samples: ScoredSamples) => ({ ...samples, uncertainty: rejected(samples, threshold) });
  const curve = openMacroF1(decided(known), decided(unknown), {
    knownClasses,
    threshold: 0.5,
    draws: options.draws ?? 10,
    generator: options.generator ?? mt19937(123),
    float32: options.convention === 'published',
  });
  const { auroc } = rankingMetrics(decided(known).uncertainty, decided(unknown).uncertainty);
  return { ...curve, knownClasses, aurocAtThreshold: auroc };
}

function blocked(known: Float64Array, unknown: Float64Array): Ranking {
  const scores = new Float64Array(known.length + unknown.length);
  scores.set(known);
  scores.set(unknown, known.length);
  const labels = new Uint8Array(scores.length).fill(1, known.length);
  const { mean: means, deviation, blocks, blockLength }: BlockMetrics = mitBlocks(scores, labels);
  return { ...means, blocks: { count: blocks.length, length: blockLength, deviation } };
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function largest(...lists: readonly Int32Array[]): number {
  return lists.reduce((most, list) => list.reduce((a, b) => Math.max(a, b), most), -1);
}
