/** Data sets of trimmed clips as features on disk, one class a clip (Node only). */
import { readdir } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { readFeatureIndex } from './featureIndex.ts';
import { type FeatureCache, type Features, readFeatures } from './features.ts';
import { exists } from './files.ts';
import { DataError, messageOf } from './formats/dataError.ts';

/** A clip of one class. */
export interface ClipItem {
  /** Its file, relative to the data folder, with `/` between folders. */
  readonly name: string;
  /** Place of its class among {@link ClipDataset.classes}. */
  readonly label: number;
  /** Part of the data set, such as `train`, if the index states it. */
  readonly subset?: string;
  /** The features `[n, F]`; do not write to them. */
  load(): Promise<Features>;
}

/** A folder of labelled clips. */
export interface ClipDataset {
  readonly classes: readonly string[];
  readonly items: readonly ClipItem[];
  /** The files behind the labels. */
  readonly files: readonly string[];
}

/** Where the clips are. */
export interface ClipDatasetOptions {
  readonly dir: string;
  /** Width F the features must have. */
  readonly featureWidth?: number;
  readonly cache?: FeatureCache;
}

/**
 * Opens a folder of clips: labels from `index.json` or `features.json` ({@link readFeatureIndex}), else from a folder for each
 * class with `.npy` files in it. Classes are in the order of `classes`, else of the alphabet. Features are read when `load` is called.
 * @throws DataError naming the file: no labels, a label that is no class, an item without a label or outside the folder
 */
export async function openClipDataset(options: ClipDatasetOptions): Promise<ClipDataset> {
  const { dir, featureWidth, cache } = options;
  if (!(await exists(dir))) throw new DataError(dir, 'no such folder');
  const { classes, items: labelled, files } = (await indexed(dir)) ?? (await folders(dir));
  const places = new Map(classes.map((name, i) => [name, i]));
  const items = labelled.map(({ file, label, subset }) => ({
    name: file,
    label: places.get(label)!,
    ...(subset !== undefined && { subset }),
    load: () => readFeatures([join(dir, file)], { width: featureWidth, cache }),
  }));
  return { classes, items, files };
}

interface Labelled {
  readonly classes: readonly string[];
  /** Files relative to the folder; labels are among the classes. */
  readonly items: readonly { readonly file: string; readonly label: string; readonly subset?: string }[];
  readonly files: readonly string[];
}

/** Labels from an index file; undefined if there is none. */
async function indexed(dir: string): Promise<Labelled | undefined> {
  const index = await readFeatureIndex(dir);
  return index && { classes: index.classes, items: index.items, files: [index.path] };
}

/** A class for each folder that has features in it. */
async function folders(dir: string): Promise<Labelled> {
  const labelled: { file: string; label: string }[] = [];
  for (const entry of (await listed(dir)).filter(each => each.isDirectory()).sort(byName)) {
    const clips = (await listed(join(dir, entry.name))).filter(each => /\.np[yz]$/i.test(each.name)).sort(byName);
    labelled.push(...clips.map(clip => ({ file: posix.join(entry.name, clip.name), label: entry.name })));
  }
  if (labelled.length === 0)
    throw new DataError(
      dir,
      'expected index.json, features.json with labels, or a folder of .npy files for each class, found none',
    );
  return { classes: [...new Set(labelled.map(({ label }) => label))], items: labelled, files: [] };
}

async function listed(dir: string) {
  try {
    return await readdir(dir, { withFileTypes: true });
  } catch (thrown) {
    throw new DataError(dir, `cannot be listed (${messageOf(thrown)})`, { cause: thrown });
  }
}

const byName = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : 1);
