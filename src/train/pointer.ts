/** The small files that say which files make a checkpoint, and what must be in them (Node). */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import {
  DataError,
  encodeSafetensors,
  parseSafetensors,
  readBytes,
  readJson,
  type Safetensors,
  writeFileAtomic,
} from '../data/index.ts';
import type { NDArray } from '../engine/index.ts';
import { sha256, sha256Schema } from './sha256.ts';

/** Which checkpoint: the newest, the one before it, or the best one of an evaluation. */
export type PointerName = 'last' | 'previous' | 'best';

const contentSchema = z.object({ bytes: z.number().int().nonnegative(), sha256: sha256Schema });
/** What a file holds: its size, and the SHA-256 of its bytes in hexadecimal. */
export type Content = z.infer<typeof contentSchema>;

/** The name of a file in the same folder: runs are handed on, and must not make anyone read files elsewhere. */
const besideName = z.string().regex(/^(?!\.{1,2}$)[^/\\\0]+$/);

/** A pointer is written after the files that it names, so what it names is whole. */
const pointerSchema = z.object({
  epoch: z.number().int().nonnegative(),
  weights: besideName,
  optimizer: besideName.optional(),
  metric: z.string().optional(),
  value: z.number().optional(),
  /** By file name. Pointers of older versions have none: their files are taken as they are. */
  files: z.record(z.string(), contentSchema).optional(),
});
export type Pointer = z.infer<typeof pointerSchema>;

/** The folder of a run's checkpoints. */
export const checkpointFolder = (run: string): string => join(run, 'checkpoints');

/** The file of a pointer. */
export const pointerPath = (run: string, name: PointerName): string => join(checkpointFolder(run), `${name}.json`);

/** Whether there is a file, readable or not: one that cannot be read is an error, not an absence. */
export async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (thrown: NodeJS.ErrnoException) => thrown.code !== 'ENOENT' && thrown.code !== 'ENOTDIR',
  );
}

/** The pointer of a checkpoint; undefined if the run has none. @throws DataError naming the file if it is damaged. */
export async function readPointer(run: string, name: PointerName): Promise<Pointer | undefined> {
  const path = pointerPath(run, name);
  if (!(await isThere(path))) return undefined;
  return parsePointer(await readJson(path), path);
}

/** A pointer from its JSON. @throws DataError naming `where` if it is none, names files outside its folder, or was changed */
export function parsePointer(json: unknown, where: string): Pointer {
  const parsed = pointerSchema.safeParse(json);
  if (!parsed.success)
    throw new DataError(where, 'expected {epoch, weights} with names of files beside it, found something else');
  // One flipped bit can make another epoch of one: the pointer vouches for itself as well.
  const { check, ...stated } = json as { check?: unknown };
  const expected = sha256(JSON.stringify(stated));
  if (parsed.data.files !== undefined && check !== expected)
    throw new DataError(where, `expected the check ${shorten(expected)} of its contents, found ${shorten(String(check))}`);
  return parsed.data;
}

/** Lets `name` point at files, all of which are there. */
export async function writePointer(run: string, name: PointerName, pointer: Pointer): Promise<void> {
  const check = sha256(JSON.stringify(pointer));
  await writeFileAtomic(pointerPath(run, name), `${JSON.stringify({ ...pointer, check })}\n`);
}

/** Writes a file of tensors; gives what a pointer has to say of it. */
export async function writeTensors(
  path: string,
  tensors: Readonly<Record<string, NDArray>>,
  metadata: Readonly<Record<string, string>>,
): Promise<Content> {
  const digest = createHash('sha256');
  let bytes = 0;
  await writeFileAtomic(path, encodeSafetensors(tensors, metadata), piece => {
    digest.update(piece);
    bytes += piece.byteLength;
  });
  return { bytes, sha256: digest.digest('hex') };
}

/**
 * A file of tensors that a pointer names.
 * @throws DataError naming the file if it is missing, or is not what the pointer says
 */
export async function readTensors(run: string, pointer: Pointer, file: string): Promise<Safetensors> {
  const path = join(checkpointFolder(run), file);
  const expected = pointer.files?.[file];
  if (expected === undefined) return parseSafetensors(await readBytes(path), path);
  const digest = createHash('sha256');
  const bytes = await readBytes(path, piece => digest.update(piece));
  if (bytes.length !== expected.bytes)
    throw new DataError(
      path,
      `expected ${expected.bytes} bytes, found ${bytes.length}${bytes.length < expected.bytes ? ' (truncated)' : ''}`,
    );
  const found = digest.digest('hex');
  if (found !== expected.sha256)
    throw new DataError(path, `expected SHA-256 ${shorten(expected.sha256)}, found ${shorten(found)} (damaged)`);
  return parseSafetensors(bytes, path);
}

const shorten = (hexadecimal: string): string => `${hexadecimal.slice(0, 12)}…`;
