/** Scores of known and unknown samples, wherever they come from. */

/** One value a row: an uncertainty (larger means more unknown), the true class, the predicted class and, where there is one, a confidence. */
export interface ScoredSamples {
  readonly uncertainty: Float64Array;
  readonly label: Int32Array;
  readonly prediction: Int32Array;
  readonly confidence?: Float64Array;
}

/** What is judged. */
export interface OpenSetScores {
  readonly known: ScoredSamples;
  readonly unknown: ScoredSamples;
  /** Scores of known training samples, for thresholds. */
  readonly training?: Pick<ScoredSamples, 'uncertainty' | 'confidence'>;
  /** Where the uncertainty came from, for people. */
  readonly score: string;
}

/** The rows for which `keep` is true. */
export function selectRows(samples: ScoredSamples, keep: (row: number) => boolean): ScoredSamples {
  const rows = Int32Array.from(samples.label.keys()).filter(keep);
  const of = <T extends Float64Array | Int32Array>(values: T): T =>
    rows.length === values.length ? values : (pick(values, rows) as T);
  return {
    uncertainty: of(samples.uncertainty),
    label: of(samples.label),
    prediction: of(samples.prediction),
    ...(samples.confidence ? { confidence: of(samples.confidence) } : {}),
  };
}

function pick(values: Float64Array | Int32Array, rows: Int32Array): Float64Array | Int32Array {
  const chosen = values instanceof Float64Array ? new Float64Array(rows.length) : new Int32Array(rows.length);
  for (let i = 0; i < rows.length; i++) chosen[i] = values[rows[i]];
  return chosen;
}
