/** Folders of feature files that need no labels (Node only). */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { indexFiles, type ListedFeatures, parseFeatureList } from './featureIndex.ts';
import { exists, readJson } from './files.ts';
import { DataError, messageOf } from './formats/dataError.ts';

/** The feature files of a folder. */
export interface UnlabelledClips {
  /** Relative to the folder, with `/` between folders. */
  readonly items: readonly ListedFeatures[];
  /** The index that lists them, if there is one. */
  readonly index?: string;
}

/**
 * Lists the clips of a folder: those of its `index.json` or `features.json`, with labels where it has some, or else every `.npy` and `.npz` file in it; then a
 * file in a folder below has the name of that folder for its label.
 * @throws DataError naming the folder if there are none, or what is wrong in the index
 */
export async function listUnlabelledClips(dir: string): Promise<UnlabelledClips> {
  if (!(await exists(dir))) throw new DataError(dir, 'no such folder');
  for (const name of indexFiles) {
    const path = join(dir, name);
    if (await exists(path)) return { items: parseFeatureList(await readJson(path), path).items, index: path };
  }
  const files = (await filesBelow(dir)).filter(file => /\.np[yz]$/i.test(file)).sort();
  if (files.length === 0)
    throw new DataError(dir, 'expected .npy files, or an index.json or features.json that lists them, found none');
  return {
    items: files.map(file => {
      const folders = file.split('/').slice(0, -1);
      return folders.length > 0 ? { file, label: folders[0] } : { file };
    }),
  };
}

async function filesBelow(dir: string): Promise<string[]> {
  try {
    return (await readdir(dir, { recursive: true })).map(path => path.replaceAll('\\', '/'));
  } catch (thrown) {
    throw new DataError(dir, `cannot be listed (${messageOf(thrown)})`, { cause: thrown });
  }
}
