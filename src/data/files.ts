/** Arrays and text on disk (Node only). */
import { constants } from 'node:fs';
import { access, open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import type { NDArray } from '../engine/ndarray.ts';
import { DataError, messageOf } from './formats/dataError.ts';
import { decodeText, parseJson } from './formats/json.ts';
import { parseNpy } from './formats/npy.ts';
import { parseNpz } from './formats/npz.ts';
import { parseSafetensors } from './formats/safetensors.ts';
import type { StoredTensor } from './formats/storedTensor.ts';
import { parseTorchCheckpoint } from './formats/torchCheckpoint.ts';
import { findStateDict } from './stateDict.ts';

/**
 * The bytes of a file.
 * @throws DataError naming the file if it is missing or cannot be read
 */
export async function readBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await readFile(path);
  } catch (thrown) {
    throw new DataError(path, readProblem(thrown), { cause: thrown });
  }
}

function readProblem(thrown: unknown): string {
  const code = (thrown as { code?: string }).code;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'no such file';
  if (code === 'EISDIR') return 'expected a file, found a folder';
  if (code === 'EACCES' || code === 'EPERM') return 'no permission to read it';
  return `cannot be read (${messageOf(thrown)})`;
}

/**
 * A text file (UTF-8, a byte-order mark is dropped).
 * @throws DataError naming the file if it is missing, cannot be read or is not UTF-8
 */
export async function readText(path: string): Promise<string> {
  return decodeText(await readBytes(path), path);
}

/**
 * A JSON file.
 * @throws DataError naming the file if it is missing, or as {@link parseJson}
 */
export async function readJson(path: string): Promise<unknown> {
  return parseJson(await readBytes(path), path);
}

/** True if there is a readable file or folder of this name. */
export async function exists(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}

/**
 * The array of a `.npy` file.
 * @throws DataError naming the file if it is missing or damaged
 */
export async function readArray(path: string): Promise<NDArray> {
  return parseNpy(await readBytes(path), path);
}

/** Endings of PyTorch's checkpoints; which of its formats a file has, its content says. */
const torchEndings = ['.pth', '.pt', '.pyth', '.pkl'];

/**
 * The arrays of a `.npz` or `.safetensors` file, or the weights of a PyTorch checkpoint (`.pth`, `.pt`, `.pyth`, `.pkl`; see
 * {@link findStateDict}), by name.
 * @throws DataError naming the file if it is missing, damaged, or has another ending
 */
export async function readArrays(path: string): Promise<Record<string, NDArray>> {
  const ending = extname(path).toLowerCase();
  if (ending === '.npz') return parseNpz(await readBytes(path), path);
  if (ending === '.safetensors') return parseSafetensors(await readBytes(path), path).tensors;
  if (torchEndings.includes(ending)) return readWeights(await readBytes(path), path);
  throw new DataError(
    path,
    `expected a .npz, .safetensors or PyTorch (${torchEndings.join(', ')}) file, found ${ending ? `the ending ${ending}` : 'no file ending'}`,
  );
}

/** The weights of a PyTorch checkpoint. A tensor under several names is one array under all of them. */
function readWeights(bytes: Uint8Array, path: string): Record<string, NDArray> {
  const { tensors } = findStateDict(parseTorchCheckpoint(bytes, path), path);
  const arrays = new Map<StoredTensor, NDArray>();
  const read = (tensor: StoredTensor): NDArray => {
    const array = arrays.get(tensor) ?? tensor.read();
    arrays.set(tensor, array);
    return array;
  };
  return Object.fromEntries([...tensors].map(([name, tensor]) => [name, read(tensor)]));
}

let temporaryFiles = 0;

/**
 * Writes a file so that it is, after a crash or `kill -9` at any moment, either the old one or the whole new one: the pieces go to
 * a temporary file in the same folder, which is synced and renamed.
 * @throws DataError naming the file if it cannot be written; nothing is left behind then
 */
export async function writeFileAtomic(path: string, chunks: readonly Uint8Array[] | Uint8Array | string): Promise<void> {
  const pieces =
    typeof chunks === 'string' ? [new TextEncoder().encode(chunks)] : chunks instanceof Uint8Array ? [chunks] : chunks;
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${process.pid}.${++temporaryFiles}.tmp`); // as isTemporaryFile knows it
  try {
    const file = await open(temporary, 'w');
    try {
      for (const piece of pieces) await file.writeFile(piece);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(folder);
  } catch (thrown) {
    // Where nothing can be written there may be nothing to remove either.
    await rm(temporary, { force: true }).catch(() => {});
    throw new DataError(path, `cannot be written (${messageOf(thrown)})`, { cause: thrown });
  }
}

/** Whether a file of this name is what a process killed in {@link writeFileAtomic} leaves behind. */
export function isTemporaryFile(name: string): boolean {
  return /^\..+\.\d+\.\d+\.tmp$/.test(name);
}

/** Makes a rename durable. Windows cannot open folders; its file systems keep the order of such operations themselves. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
