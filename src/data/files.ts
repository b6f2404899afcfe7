/** Arrays and text on disk (Node only). */
import { constants } from 'node:fs';
import { access, type FileHandle, mkdir, open, realpath, rename, rm, stat } from 'node:fs/promises';
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

/** Files are read and written in pieces of this size: large enough to cost nothing, small enough to overlap with a digest. */
const pieceBytes = 8 * 2 ** 20;

/** The largest file that is read, and the most of a pipe, which does not say where it ends: what one array of bytes holds. */
const mostBytes = 4 * 2 ** 30;

/**
 * The bytes of a file.
 * @param onPiece called with the file's pieces in their order, each while the next one is being read (for a digest)
 * @throws DataError naming the file if it is missing, cannot be read or is too large, or if it is a device
 */
export async function readBytes(path: string, onPiece?: (piece: Uint8Array) => void): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await withFile(path, 'r', async file => {
      const found = await file.stat();
      // A device may have no end (/dev/zero).
      if (found.isCharacterDevice() || found.isBlockDevice()) throw new DataError(path, 'expected a file, found a device');
      if (found.size > mostBytes) throw new DataError(path, tooLarge(`${found.size} bytes`));
      if (found.size > pieceBytes) return await readPieces(file, found.size, onPiece);
      const bytes = found.isFile() ? await file.readFile() : await readStream(file, path);
      onPiece?.(bytes);
      return bytes;
    });
  } catch (thrown) {
    if (thrown instanceof DataError) throw thrown;
    throw new DataError(path, readProblem(thrown), { cause: thrown });
  }
}

const tooLarge = (found: string): string => `expected at most ${mostBytes} bytes, found ${found}`;

/** All of a pipe, whose size is not known. */
async function readStream(file: FileHandle, path: string): Promise<Buffer<ArrayBuffer>> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of file.createReadStream({ autoClose: false, highWaterMark: pieceBytes }) as AsyncIterable<Uint8Array>) {
    bytes += piece.byteLength;
    if (bytes > mostBytes) throw new DataError(path, tooLarge('a stream that goes on'));
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

async function readPieces(file: FileHandle, size: number, onPiece?: (piece: Uint8Array) => void): Promise<Buffer<ArrayBuffer>> {
  const bytes = Buffer.allocUnsafeSlow(size);
  const readAt = (at: number) => file.read(bytes, at, Math.min(pieceBytes, size - at), at);
  let reached = 0;
  for (let next = readAt(0); ; ) {
    const { bytesRead } = await next;
    const piece = bytes.subarray(reached, reached + bytesRead);
    reached += bytesRead;
    const isLast = reached === size || bytesRead === 0;
    if (!isLast) next = readAt(reached);
    onPiece?.(piece);
    if (isLast) return bytes.subarray(0, reached);
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
const torchEndings = ['.pth', '.pt', '.pyth', '.pkl', '.ckpt', '.pth.tar'];

/**
 * The arrays of a `.npz` or `.safetensors` file, or the weights of a PyTorch checkpoint (`.pth`, `.pt`, `.pyth`, `.pkl`, `.ckpt`, `.pth.tar`; see
 * {@link findStateDict}), by name.
 * @throws DataError naming the file if it is missing, damaged, or has another ending
 */
export async function readArrays(path: string): Promise<Record<string, NDArray>> {
  const ending = extname(path).toLowerCase();
  if (ending === '.npz') return parseNpz(await readBytes(path), path);
  if (ending === '.safetensors') return parseSafetensors(await readBytes(path), path).tensors;
  if (torchEndings.some(of => path.toLowerCase().endsWith(of))) return readWeights(await readBytes(path), path);
  throw new DataError(
    path,
    `expected a .npz, .safetensors or PyTorch (${torchEndings.join(', ')}) file, found ${ending ? `the ending ${ending}` : 'no file ending'}`,
  );
}

/** The weights of a PyTorch checkpoint. A tensor under several names is one array under all of them. */
function readWeights(bytes: Uint8Array, path: string): Record<string, NDArray> {
  const { tensors } = findStateDict(parseTorchCheckpoint(bytes, path), path);
  const arrays = new Map<StoredTensor, NDArray>();
  for (const [name, tensor] of tensors) {
    try {
      if (!arrays.has(tensor)) arrays.set(tensor, tensor.read());
    } catch (thrown) {
      throw new DataError(`${path}: ${JSON.stringify(name)}`, messageOf(thrown).replace(`${path}: `, ''), { cause: thrown });
    }
  }
  return Object.fromEntries([...tensors].map(([name, tensor]) => [name, arrays.get(tensor)!]));
}

let temporaryFiles = 0;

/**
 * Writes a file so that it is, after a crash or `kill -9` at any moment, either the old one or the whole new one: the pieces go to
 * a temporary file in the same folder, which is synced and renamed. A device or pipe (`/dev/null`) is written to, never replaced.
 * @param onPiece called with the pieces in their order, each while it is being written (for a digest)
 * @throws DataError naming the file if it cannot be written; nothing is left behind then, and the old file is as it was
 */
export async function writeFileAtomic(
  path: string,
  chunks: readonly Uint8Array[] | Uint8Array | string,
  onPiece?: (piece: Uint8Array) => void,
): Promise<void> {
  const pieces =
    typeof chunks === 'string' ? [new TextEncoder().encode(chunks)] : chunks instanceof Uint8Array ? [chunks] : chunks;
  const bytes = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
  const folder = dirname(path);
  try {
    // Where a link leads to is replaced, not the link.
    const place = await realpath(path).catch(() => path);
    if (await isStream(place)) await withFile(place, 'w', file => writePieces(file, pieces, onPiece));
    else await replaceFile(place, pieces, onPiece);
  } catch (thrown) {
    throw new DataError(path, writeProblem(thrown, folder, bytes), { cause: thrown });
  }
}

async function replaceFile(path: string, pieces: readonly Uint8Array[], onPiece?: (piece: Uint8Array) => void): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${process.pid}.${++temporaryFiles}.tmp`); // as isTemporaryFile knows it
  try {
    await withFile(temporary, 'w', async file => {
      await writePieces(file, pieces, onPiece);
      await file.sync();
    });
    await rename(temporary, path);
    await syncFolder(folder);
  } catch (thrown) {
    // Where nothing can be written there may be nothing to remove either.
    await rm(temporary, { force: true }).catch(() => {});
    throw thrown;
  }
}

/** Whether a path is there and is neither a file nor a folder. */
async function isStream(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && !found.isFile() && !found.isDirectory();
}

async function withFile<T>(path: string, flags: string, work: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, flags);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

async function writePieces(
  file: FileHandle,
  pieces: readonly Uint8Array[],
  onPiece?: (piece: Uint8Array) => void,
): Promise<void> {
  for (const whole of pieces) {
    for (let at = 0; at < whole.byteLength; at += pieceBytes) {
      const piece = whole.subarray(at, at + pieceBytes);
      const written = writeAll(file, piece);
      onPiece?.(piece);
      await written;
    }
  }
}

/** A write may stop early, for example where the disk becomes full; the next one then says why. */
async function writeAll(file: FileHandle, piece: Uint8Array): Promise<void> {
  for (let at = 0; at < piece.byteLength; ) at += (await file.write(piece, at)).bytesWritten;
}

/** Why nothing more fits, by the system's code. */
const spaceProblems: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left on device',
  EDQUOT: 'disk quota exceeded',
  EFBIG: 'larger than files may be here',
};

/** What went wrong in writing, for a {@link DataError}; `folder` is where to, `bytes` how much (if known). */
export function writeProblem(thrown: unknown, folder: string, bytes?: number): string {
  const code = (thrown as { code?: string }).code ?? '';
  if (Object.hasOwn(spaceProblems, code))
    return `${spaceProblems[code]} (needed ${bytes === undefined ? 'a little' : `${bytes} bytes`} in ${folder})`;
  if (code === 'ENOENT') return `there is no folder ${folder} to write it to`;
  if (code === 'EROFS') return 'cannot be written: the file system is read-only';
  if (code === 'EACCES' || code === 'EPERM') return `cannot be written: no permission in ${folder}`;
  return `cannot be written (${messageOf(thrown)})`;
}

/** Whether something failed because there was no room for it: a full disk, a quota, a limit. */
export function isOutOfSpace(thrown: unknown): boolean {
  for (let error = thrown; error instanceof Error; error = error.cause)
    if (Object.hasOwn(spaceProblems, (error as { code?: string }).code ?? '')) return true;
  return false;
}

/** Makes a folder, and those above it, unless it is there. @throws DataError naming it if that cannot be done */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (thrown) {
    const code = (thrown as { code?: string }).code;
    if (code === 'EEXIST' || code === 'ENOTDIR') throw new DataError(path, 'expected a folder, found a file', { cause: thrown });
    throw new DataError(path, writeProblem(thrown, dirname(path)), { cause: thrown });
  }
}

/**
 * Finds out before long work that its outcome could not be kept.
 * @param path a folder, or a device; of one that is not there yet, the nearest above it counts
 * @param advice what to do about it, for the message
 * @throws DataError naming the folder if nothing can be written in it
 */
export async function requireWritable(path: string, advice?: string): Promise<void> {
  try {
    const isFolder = (await stat(path)).isDirectory();
    await access(path, constants.W_OK | (isFolder ? constants.X_OK : 0));
  } catch (thrown) {
    const { code } = thrown as { code?: string };
    const above = dirname(path);
    if (code === 'ENOENT' && above !== path) return requireWritable(above, advice);
    const problem = writeProblem(thrown, path);
    throw new DataError(path, advice === undefined ? problem : `${problem}; ${advice}`, { cause: thrown });
  }
}

/**
 * {@link requireWritable} for a file, which may be there or not.
 * @throws DataError naming the file or its folder if it could not be written, if it is a folder, or if there is no folder for it
 */
export async function requireWritableFile(path: string, advice?: string): Promise<void> {
  const folder = dirname(path);
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) throw new DataError(path, 'expected a file, found a folder');
  if (!(await exists(folder))) throw new DataError(path, `there is no folder ${folder} to write it to`);
  await requireWritable((await isStream(path)) ? path : folder, advice);
}

/**
 * {@link requireWritableFile} for a file that must not be there yet, unless it is to be replaced; a device or pipe, of which nothing can be
 * read back, is never written to.
 * @throws DataError naming the file
 */
export async function requireNewFile(path: string, replace = false): Promise<void> {
  if (await isStream(path)) throw new DataError(path, 'expected a file to write, found a device or pipe');
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() && !replace) throw new DataError(path, 'the file exists; choose another one, or replace it by --force');
  await requireWritableFile(path);
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
