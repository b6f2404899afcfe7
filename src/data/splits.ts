import type { Annotations } from './annotations.ts';
import { DataError } from './formats/dataError.ts';

/**
 * Reads a split list: one video name a line, surrounding white space and empty lines ignored.
 * @param where the file's name, for messages
 * @throws DataError naming the file, both lines and the name if a name is there twice; or if the list is empty
 */
export function parseSplit(text: string, where: string): string[] {
  const lines = new Map<string, number>();
  text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\r|\n/)
    .forEach((raw, i) => {
      const name = raw.trim();
      if (name === '') return;
      const before = lines.get(name);
      if (before !== undefined)
        throw new DataError(where, `${JSON.stringify(name)} is on line ${before} and again on line ${i + 1}`);
      lines.set(name, i + 1);
    });
  if (lines.size === 0) throw new DataError(where, 'expected one video name a line, found none');
  return [...lines.keys()];
}

/** Names that data sets give the part to train on, and the part to test on, most telling first. */
const trainSubsets: readonly string[] = ['training', 'train', 'validation'];
const testSubsets: readonly string[] = ['test', 'val', 'validation', 'testing'];

/**
 * Which subset of the annotations trains and which tests.
 *
 * The training subset is the first of `training`, `train`, `validation` that occurs; the test subset the first of `test`, `val`,
 * `validation`, `testing` that occurs and is not the training subset. So THUMOS14 trains on `validation` and tests on `test`,
 * ActivityNet trains on `training` and tests on `validation`. Undefined where nothing fits.
 */
export function guessSubsets(annotations: Annotations): { readonly train?: string; readonly test?: string } {
  const present = new Set<string | undefined>();
  for (const { subset } of annotations.videos.values()) present.add(subset);
  const train = trainSubsets.find(name => present.has(name));
  const test = testSubsets.find(name => present.has(name) && name !== train);
  return { train, test };
}
