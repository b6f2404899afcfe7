import type { NDArray, Tensor } from '../../engine/index.ts';
import type { Key } from '../../engine/random.ts';
import type { ParamSpec, SymbolicParams } from '../../nn/index.ts';
import type { Shots } from '../classMeans.ts';

/** What a head calls its parameters: everything after this, as published checkpoints have it. */
export const headPrefix = 'head.';

/**
 * Episodes of one shape, as features of frames. One episode has no first axis, and then the output has none.
 * Supports are in the order of their classes ({@link byClass}); their numbers are part of the signature of a compiled step, labels are not.
 */
export interface Episodes<T = Tensor> {
  /** `[episodes, S, T, D]` */
  readonly support: T;
  /** Supports of each class. */
  readonly shots: Shots;
  /** `[episodes, Q, T, D]` */
  readonly query: T;
  /** Clips without labels, `[episodes, M, T, D]`, for heads that use them. */
  readonly unlabelled?: T;
  /** Masks of kept values that the head's `noise` made, always with the axis of episodes; none: nothing is dropped. */
  readonly noise?: HeadNoise<T>;
}

/** Masks of kept values by name. */
export type HeadNoise<T = Tensor> = Readonly<Record<string, T>>;

/** Pseudo-labels of the clips without labels. */
export interface PseudoLabels<T = Tensor> {
  /** `[episodes, M, N]` */
  readonly probabilities: T;
  /** Their most probable class, integers `[episodes, M]`. */
  readonly labels: T;
  /** Whether the probability reaches the threshold, 0 or 1, `[episodes, M]`. */
  readonly confident: T;
  /** Whether they joined the supports, 0 or 1, `[episodes, M]`: the confident ones, but for a published oddity. */
  readonly joined: T;
}

/** What a head says of episodes. */
export interface HeadOutput<T = Tensor> {
  /** Scores of the queries for each class, larger is likelier: `[episodes, Q, N]`. */
  readonly logits: T;
  /** Of the auxiliary classifier, for every frame of the supports and then of the queries: `[episodes, S + Q, T, C]`. */
  readonly frameLogits?: T;
  /** The temporal coherence regulariser, `[episodes]`. */
  readonly regulariser?: T;
  /** Features of the references as each query sees them, `[episodes, Q, R, T, D]`. */
  readonly taskSupport?: T;
  /** Features of the queries after all relations, `[episodes, Q, T, D]`. */
  readonly taskQuery?: T;
  readonly pseudo?: PseudoLabels<T>;
}

/** Extents of {@link Episodes}. */
export interface EpisodeSizes {
  readonly episodes: number;
  readonly shots: Shots;
  readonly queries: number;
  readonly unlabelled?: number;
  readonly frames: number;
}

/** A head as a record of pure functions. */
export interface FewshotHead<O> {
  /** One line for lists and help. */
  readonly meaning: string;
  /** Parameters and buffers with their first values, by published names. */
  readonly specs: (options: O) => Record<string, ParamSpec>;
  /** Episodes `[episodes, …]` -> output. */
  readonly apply: (params: SymbolicParams, episodes: Episodes, options: O) => HeadOutput;
  /** The masks of a training step, `[episodes, …]`; undefined if nothing is dropped. */
  readonly noise: (options: O, sizes: EpisodeSizes, key: Key) => HeadNoise<NDArray> | undefined;
}

/** Names of arrays that are no parameters: tables of positions. */
export function isHeadBuffer(name: string): boolean {
  return /(^|\.)pe\.pe$/.test(name);
}
