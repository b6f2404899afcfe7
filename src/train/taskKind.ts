/** What runs need of a task, whichever it is: the differences between tasks are here and nowhere else in training and testing. */
import type { Shape } from '../engine/index.ts';
import type { Key } from '../engine/random.ts';
import type { Optimizer, Params, Schedule } from '../nn/index.ts';
import type { DataCollector } from './dataFingerprint.ts';
import type { Task } from './task.ts';

/** What a run reads: every item once before it starts, and files with labels for the fingerprint. */
export interface OpenedData {
  readonly classes: readonly string[];
  readonly train: readonly { load(): Promise<unknown> }[];
  readonly test: readonly { load(): Promise<unknown> }[];
  readonly warnings: readonly string[];
  /** The files behind the labels. */
  readonly files: readonly string[];
}

/** The keys that the configurations of all tasks have. */
export interface CommonConfig {
  readonly task: string;
  readonly method: string;
  readonly data: { readonly dir: string };
  readonly train: {
    readonly epochs: number;
    readonly seed: number;
    readonly threads: number | null;
    readonly device: 'cpu' | 'cuda' | 'webgpu';
    readonly checkpointEvery: number;
  };
  readonly evaluation: { readonly start: number; readonly every: number; readonly select: 'last' | 'best-on-test' };
}

/** How a task is trained and tested from a configuration. */
export interface TaskKind<C extends CommonConfig, D extends OpenedData = OpenedData> {
  /** What its samples are called, such as `videos`. */
  samples(config: C): string;
  /** What a test writes, and the file of it in a run folder. */
  readonly results: string;
  readonly resultFile: string;
  /** What a test needs, in words. */
  readonly testNeeds: string;
  /** Keys of the configuration that decide the first layer. */
  readonly inputKeys: string;
  /** What the names of a backbone's parameters begin with, which know no classes; undefined where there is none. */
  readonly backbonePrefix?: string;
  /** Keys, or beginnings of keys, of the configuration that decide about tests alone: those a test may set anew. */
  readonly testKeys: readonly string[];
  /** Fixes the classes of a configuration, for a run that has its own already. */
  withClasses(config: C, classes: readonly string[]): C;
  /** The classes that a configuration names, if it does, and the key where. */
  classNames(config: C): readonly string[] | undefined;
  readonly classesKey: string;
  /** Opens the data. @throws DataError naming what is wrong */
  openData(config: C, collector?: DataCollector): Promise<D>;
  /** The files behind labels and ground truth. */
  labelFiles(config: C, data: D): readonly string[];
  /** Makes the task, with warnings of what it cannot do. @throws DataError for data that could not be tested on */
  openTask(config: C, data: D): Promise<{ readonly task: Task; readonly warnings: readonly string[] }>;
  /** A warning where starting from random weights is not what the method is made for. */
  freshStart(config: C): string | undefined;
  optimizer(config: C): Optimizer;
  learningRate(config: C): Schedule;
  /** Shapes of the parameters that a model must have. */
  shapes(config: C, classes: number): Readonly<Record<string, Shape>>;
  /** Fresh parameters of these shapes. */
  init(config: C, classes: number, key: Key): Params;
}
