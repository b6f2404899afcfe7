/** Labelled clips of a feature folder as sequences of equally many frames, in memory (Node). */
import { type ClipDataset, type ClipItem, DataError, messageOf } from '../data/index.ts';
import type { EpisodeClass } from '../fewshot/episodes.ts';
import type { Frames } from '../fewshot/matching/sequenceDistances.ts';
import { nearestRows } from '../fewshot/nearestRows.ts';

/** A clip with its frames. */
export interface ClipSequence {
  /** Its file, relative to the folder. */
  readonly name: string;
  readonly sequence: Frames;
  /** Rows of its features before they were brought to equally many. */
  readonly rows: number;
}

/** The classes of a data set, each with its clips; of `only` those in that order. @throws DataError naming a class that the data set lacks */
export function clipClasses(
  { classes, items }: ClipDataset,
  dir: string,
  only: readonly string[] = classes,
): EpisodeClass<ClipItem>[] {
  return only.map(name => {
    const label = classes.indexOf(name);
    if (label < 0) throw new DataError(dir, `no class ${JSON.stringify(name)} (its classes: ${classes.join(', ')})`);
    return { name, items: items.filter(item => item.label === label) };
  });
}

/**
 * Reads the features of all clips and takes `frames` rows of each by nearest place.
 * @throws DataError naming the file: damaged, without rows, or of another width than the first
 */
export async function readClipSequences(
  classes: readonly EpisodeClass<ClipItem>[],
  frames: number,
): Promise<EpisodeClass<ClipSequence>[]> {
  let first: { readonly name: string; readonly width: number } | undefined;
  const read: EpisodeClass<ClipSequence>[] = [];
  for (const { name, items } of classes) {
    const sequences: ClipSequence[] = [];
    for (const item of items) {
      const features = await item.load();
      const [rows, width] = features.shape;
      first ??= { name: item.name, width };
      if (width !== first.width)
        throw new DataError(item.name, `expected features of width ${first.width} as in ${first.name}, found ${width}`);
      try {
        sequences.push({ name: item.name, sequence: nearestRows(features, frames), rows });
      } catch (thrown) {
        throw new DataError(item.name, messageOf(thrown), { cause: thrown });
      }
    }
    read.push({ name, items: sequences });
  }
  return read;
}
