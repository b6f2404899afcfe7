/** The feature files that command-line inputs mean. */

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Files as they are, folders as the `.npy` and `.npz` files in them, sorted by name.
 * @throws Error naming an input that does not exist, or a folder without feature files
 */
export async function featureInputs(inputs: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const input of inputs) {
    const found = await stat(input).catch(() => undefined);
    if (!found) throw new Error(`${input}: no such file or folder`);
    if (!found.isDirectory()) {
      files.push(input);
      continue;
    }
    const names = (await readdir(input)).filter(name => /\.np[yz]$/i.test(name)).sort();
    if (names.length === 0) throw new Error(`${input}: expected feature files (.npy, .npz), found none`);
    files.push(...names.map(name => join(input, name)));
  }
  return files;
}
