/** Macro-F1 with "unknown" as one more class, over growing numbers of unknown classes (the openness curve). */

import { float32Deviation, float32Mean } from './float32Statistics.ts';
import type { LegacyGenerator } from './mt19937.ts';

/** Labels, predicted classes and uncertainties of samples. */
export interface Judged {
  readonly label: ArrayLike<number>;
  readonly prediction: ArrayLike<number>;
  readonly uncertainty: ArrayLike<number>;
}

export interface OpenMacroF1Options {
  /** K, the number of known classes; predictions and known labels are below it. */
  readonly knownClasses: number;
  /** A sample is unknown when its uncertainty is greater. */
  readonly threshold: number;
  /** Draws of classes for each number of them. */
  readonly draws: number;
  /** Draws the classes; it goes on from where it is. */
  readonly generator: LegacyGenerator;
  /**
   * Values of draws are rounded to float32 and averaged in it, as the published tool does, instead of in float64; the results differ in the
   * eighth digit.
   */
  readonly float32: boolean;
}

/** The openness curve, one point for each number of unknown classes from 0; fractions. */
export interface OpenMacroF1 {
  /** 1 - sqrt(2 K / (2 K + n)) for n unknown classes. */
  readonly openness: readonly number[];
  /** Mean over the draws. */
  readonly macroF1: readonly number[];
  /** Standard deviation over the draws (divisor: their number). */
  readonly deviation: readonly number[];
  /** Values of the draws, [n - 1][draw]; there is no draw at n = 0. */
  readonly perDraw: readonly (readonly number[])[];
  /** Mean of macroF1 weighted by openness. */
  readonly openMacroF1: number;
  /** Mean of the deviations weighted by openness. */
  readonly openDeviation: number;
}

/** Openness of a test with K known classes in training and n more in the test: 1 - sqrt(2 K / (2 K + n)). */
export function opennessOf(knownClasses: number, unknownClasses: number): number {
  return 1 - Math.sqrt((2 * knownClasses) / (2 * knownClasses + unknownClasses));
}

/**
 * Macro-F1 over openness: for n = 0 .. N, n of the N unknown classes are drawn without replacement, and their samples added to the known
 * ones. Samples of unknown classes have the true class K; any sample above the threshold is predicted as K. F1 is averaged over the classes
 * that appear in truth or prediction.
 * Source: Bao et al., "Evidential Deep Learning for Open Set Action Recognition", ICCV 2021, section 4.1.
 */
export function openMacroF1(known: Judged, unknown: Judged, options: OpenMacroF1Options): OpenMacroF1 {
  const { knownClasses: K, draws, generator, float32 } = options;
  const predicted = (samples: Judged, i: number) => (samples.uncertainty[i] > options.threshold ? K : samples.prediction[i]);
  const base = new Confusions(K + 1);
  for (let i = 0; i < known.label.length; i++) base.add(known.label[i], predicted(known, i));

  // Predictions of each unknown class, counted once: a draw then only adds up its classes.
  const classes = [...new Set(Array.from(unknown.label))].sort((a, b) => a - b);
  const place = new Map(classes.map((label, i) => [label, i]));
  const counts = classes.map(() => new Float64Array(K + 1));
  for (let i = 0; i < unknown.label.length; i++) counts[place.get(unknown.label[i])!][predicted(unknown, i)]++;

  const perDraw = classes.map((_, before) =>
    Array.from({ length: draws }, () => {
      const drawn = generator.permutation(classes.length).subarray(0, before + 1);
      const all = base.copy();
      for (const c of drawn) all.addAll(K, counts[c]);
      const value = all.macroF1();
      return float32 ? Math.fround(value) : value;
    }),
  );
  const means = perDraw.map(float32 ? float32Mean : mean);
  const deviations = perDraw.map(float32 ? float32Deviation : deviationOf);
  const openness = Array.from({ length: classes.length + 1 }, (_, n) => opennessOf(K, n));
  const macroF1 = [base.macroF1(), ...means];
  const deviation = [0, ...deviations];
  return {
    openness,
    macroF1,
    deviation,
    perDraw,
    openMacroF1: weighted(macroF1, openness),
    openDeviation: weighted(deviation, openness),
  };
}

/** Counts of true positives, truths and predictions of each class. */
class Confusions {
  readonly #hits: Float64Array;
  readonly #truths: Float64Array;
  readonly #predictions: Float64Array;

  constructor(classes: number, from?: Confusions) {
    this.#hits = from ? from.#hits.slice() : new Float64Array(classes);
    this.#truths = from ? from.#truths.slice() : new Float64Array(classes);
    this.#predictions = from ? from.#predictions.slice() : new Float64Array(classes);
  }

  copy(): Confusions {
    return new Confusions(this.#hits.length, this);
  }

  add(truth: number, prediction: number): void {
    this.#truths[truth]++;
    this.#predictions[prediction]++;
    if (truth === prediction) this.#hits[truth]++;
  }

  /** Samples of one class, by their prediction. */
  addAll(truth: number, predictions: Float64Array): void {
    for (let c = 0; c < predictions.length; c++) {
      this.#truths[truth] += predictions[c];
      this.#predictions[c] += predictions[c];
    }
    this.#hits[truth] += predictions[truth];
  }

  macroF1(): number {
    let sum = 0;
    let present = 0;
    for (let c = 0; c < this.#hits.length; c++) {
      const both = this.#truths[c] + this.#predictions[c];
      if (both === 0) continue;
      present++;
      sum += (2 * this.#hits[c]) / both;
    }
    return sum / present;
  }
}

function weighted(values: readonly number[], weights: readonly number[]): number {
  let [sum, total] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    sum += weights[i] * values[i];
    total += weights[i];
  }
  return sum / total;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function deviationOf(values: readonly number[]): number {
  const center = mean(values);
  return Math.sqrt(mean(values.map(value => (value - center) ** 2)));
}
