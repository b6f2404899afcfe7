import type { Key } from '../engine/random.ts';
import type { DetectionMetrics } from '../localization/evaluate.ts';
import type { Gradients, Params } from '../nn/index.ts';

/** What one training step reports. */
export interface StepReport {
  /** Pieces of the loss; `total` is what is minimised. */
  readonly pieces: Readonly<Record<string, number>>;
  /** By parameter name; a parameter without one is left alone. */
  readonly gradients: Gradients;
  /** What the step makes of buffers, such as the statistics of batch norms, by name; kept if the step is. */
  readonly buffers?: Readonly<Params>;
  /** Correctly classified samples, and samples, of the batch. */
  readonly correct: number;
  readonly samples: number;
  /** What was wrong with samples of the batch, a line each. */
  readonly warnings?: readonly string[];
}

/** The steps of one epoch: batches are prepared ahead of the steps that take them. */
export interface Epoch<B = unknown> {
  readonly count: number;
  prepare(index: number): Promise<B>;
  step(params: Params, batch: B): Promise<StepReport>;
}

/** The outcome of a test. */
export interface Evaluation {
  /** Numbers by name, in fractions. */
  readonly metrics: Readonly<Record<string, number>>;
  /** The metric that a best checkpoint is selected by; larger is better. */
  readonly primary: string;
  /** Files for the run folder, by name; the first is the one that `test` names. */
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  readonly warnings: readonly string[];
  /** Detection metrics in full, of a task that has them. */
  readonly detection?: DetectionMetrics;
}

/** Shows how far a long computation is. */
export type Progress = (done: number, total: number) => void;

/** Something that can be trained and tested: all that the training loop knows of a method. */
export interface Task {
  readonly classes: readonly string[];
  /** Whether there is something to test on. */
  readonly canTest: boolean;
  init(key: Key): Params;
  /** The epoch's batches and steps; everything random in them follows from the key. */
  epoch(index: number, key: Key): Epoch;
  evaluate(params: Params, progress: Progress, signal?: AbortSignal): Promise<Evaluation>;
  /** The test of a trained model, where it is another than those between epochs. */
  test?(params: Params, progress: Progress, signal?: AbortSignal): Promise<Evaluation>;
  dispose(): Promise<void>;
}
