import { zipSync } from 'fflate';
import type { NDArray } from '../../engine/ndarray.ts';
import { DataError } from './dataError.ts';
import { encodeNpy, parseNpy } from './npy.ts';
import { readZip } from './zip.ts';

/**
 * Reads every array of a `.npz` file (stored or deflated), by name without the `.npy` ending. Types as in {@link parseNpy}.
 * @param where the file's name, for messages
 * @throws DataError naming the file and the array if a size or checksum the archive states is not true, or an array is damaged
 */
export function parseNpz(bytes: Uint8Array, where: string): Record<string, NDArray> {
  const arrays = new Map<string, NDArray>();
  for (const entry of readZip(bytes, where)) {
    if (!entry.name.endsWith('.npy'))
      throw new DataError(where, `expected only .npy arrays inside, found ${JSON.stringify(entry.name)}`);
    arrays.set(entry.name.slice(0, -'.npy'.length), parseNpy(entry.read(), `${where}: ${entry.name}`));
  }
  return Object.fromEntries(arrays);
}

/**
 * Arrays as a `.npz` file, the same bytes for the same arrays.
 * @param options.compress deflate the arrays (as NumPy's `savez_compressed`); default false
 */
export function encodeNpz(arrays: Readonly<Record<string, NDArray>>, options: { readonly compress?: boolean } = {}): Uint8Array {
  const files = Object.fromEntries(Object.entries(arrays).map(([name, array]) => [`${name}.npy`, encodeNpy(array)]));
  // A fixed date: a file's bytes depend on its arrays only. 1980 is the earliest a zip archive can hold.
  return zipSync(files, { level: options.compress ? 6 : 0, mtime: new Date(1980, 0, 1, 12) });
}
