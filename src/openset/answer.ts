/** From a network's outputs to what a user is told: classes, uncertainty, known or unknown. */

import type { NDArray } from '../engine/ndarray.ts';
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
