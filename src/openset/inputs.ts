/** Where a network's inputs come from: rows of features kept in memory, or clips made from videos as they are needed. */
import type { Features } from '../data/features.ts';
import { batches } from '../data/loader.ts';
import { type NDArray, ndarray } from '../engine/index.ts';
import type { Key } from '../engine/random.ts';
import { meanRow } from './meanRow.ts';

/** Something of a class. */
export interface Labelled {
  readonly label: number;
}

/** A training batch as the network takes it. */
export interface TrainingInputs {
  /** `[rows, …]`; one row a sample, or two for a sample with two clips. */
  readonly inputs: NDArray;
  /** `[rows]`, -1 for a shuffled clip. */
  readonly labels: NDArray<'int32'>;
  /** What could not be read, and what stands for it. */
  readonly warnings: readonly string[];
}

/** Some samples of a test. */
export interface TestInputs {
  /** Places of the samples; one that cannot be read is left out. */
  readonly samples: readonly number[];
  /** Their inputs: features `[samples, F]`, or clips `[samples, clips, 3, frames, size, size]`. */
  readonly inputs: NDArray;
  /** One line for each sample that was left out. */
  readonly problems: readonly string[];
}

/** Makes inputs of samples. */
export interface Inputs<S extends Labelled> {
  /** A training batch. All that is random in it follows from the key. */
  training(samples: readonly S[], key: Key): Promise<TrainingInputs>;
  /** Every sample once, in order. */
  testing(samples: readonly S[]): AsyncIterable<TestInputs>;
  close(): Promise<void>;
}

/** A clip whose features can be read. */
export interface FeatureClip extends Labelled {
  load(): Promise<Features>;
}

/** The rows that a test passes through a head at a time. */
const testRows = 256;

/** Inputs of clips `[n, F]` on disk: the mean of their rows; every clip is kept once it is read. */
export function featureInputs(featureDim: number): Inputs<FeatureClip> {
  const kept = new Map<FeatureClip, Promise<Float32Array>>();
  const read = (clip: FeatureClip): Promise<Float32Array> => {
    const found = kept.get(clip) ?? clip.load().then(meanRow);
    kept.set(clip, found);
    return found;
  };
  const rowsOf = async (clips: readonly FeatureClip[]): Promise<NDArray<'float32'>> => {
    const data = new Float32Array(clips.length * featureDim);
    for (const [i, row] of (await Promise.all(clips.map(read))).entries()) data.set(row, i * featureDim);
    return ndarray('float32', [clips.length, featureDim], data);
  };
  return {
    training: async clips => ({ inputs: await rowsOf(clips), labels: labelArray(clips.map(({ label }) => label)), warnings: [] }),
    async *testing(clips) {
      for (const samples of batches(clips.length, testRows, [0, 0]))
        yield { samples, inputs: await rowsOf(samples.map(i => clips[i])), problems: [] };
    },
    close: async () => {},
  };
}

/** Labels as the network takes them. */
export function labelArray(labels: ArrayLike<number>): NDArray<'int32'> {
  return ndarray('int32', [labels.length], Int32Array.from(labels));
}
