/** From a network's outputs to what a user is told: classes, uncertainty, known or unknown. */

import { type NDArray, ndarray } from '../engine/ndarray.ts';
import { type CalibratedThreshold, type Calibration, uncertaintyOf } from './calibration.ts';
import type { Recognition } from './methods.ts';

/** What a model says of one clip. */
export interface Answer {
  /** The most probable classes, the most probable first. */
  readonly classes: readonly { readonly label: string; readonly probability: number }[];
  /** Larger is more unknown. */
  readonly uncertainty: number;
  /** Whether the uncertainty is above the threshold; undefined where there is none. */
  readonly isUnknown: boolean | undefined;
}

/** What turns outputs into answers. */
export interface AnswerOptions {
  /** Class names in the order of the columns. */
  readonly classes: readonly string[];
  /** How many classes an answer has at most. */
  readonly top: number;
  readonly calibration: Calibration | undefined;
  readonly threshold: CalibratedThreshold;
}

/**
 * Several views of each clip as one: means of probabilities, embeddings and uncertainties over `views` rows in a row, `[n views, …]` -> `[n, …]`.
 * A distance is then that of the mean embedding, not the mean of the views' distances.
 * @throws RangeError if the rows are no whole number of clips
 */
export function averageViews(outputs: Recognition<NDArray>, views: number): Recognition<NDArray> {
  const mean = (array: NDArray): NDArray => {
    const [rows, ...rest] = array.shape;
    if (rows % views !== 0) throw new RangeError(`expected ${views} views of each clip, found ${rows} rows`);
    const size = rest.reduce((a, b) => a * b, 1);
    const data = new Float64Array((rows / views) * size);
    for (let i = 0; i < rows * size; i++)
      data[Math.floor(i / (views * size)) * size + (i % size)] += Number(array.data[i]) / views;
    return ndarray('float32', [rows / views, ...rest], Float32Array.from(data));
  };
  if (views === 1) return outputs;
  const { probabilities, embeddings, uncertainty } = outputs;
  return { probabilities: mean(probabilities), embeddings: mean(embeddings), uncertainty: mean(uncertainty) };
}

/** The answers to the rows of outputs. */
export function answers(outputs: Recognition<NDArray>, { classes, top, calibration, threshold }: AnswerOptions): Answer[] {
  const { data } = outputs.probabilities;
  return Array.from(uncertaintyOf(calibration, outputs), (uncertainty, row) => {
    const ranked = classes
      .map((label, c) => ({ label, probability: Number(data[row * classes.length + c]) }))
      .sort((a, b) => b.probability - a.probability);
    const isUnknown = threshold.value === undefined ? undefined : uncertainty > threshold.value;
    return { classes: ranked.slice(0, top), uncertainty, isUnknown };
  });
}
