/** Feature files on disk (Node only). */
import { readdir } from 'node:fs/promises';
import { isAbsolute, join, posix } from 'node:path';
import { astype, type NDArray, ndarray, showShape } from '../engine/ndarray.ts';
import { readBytes } from './files.ts';
import { DataError, messageOf } from './formats/dataError.ts';
import { parseNpy } from './formats/npy.ts';
import { parseNpz } from './formats/npz.ts';

/** Features of a video: `[n, F]`, one row a snippet. */
export type Features = NDArray<'float32'>;

/** Keeps recently read feature files in memory, so that an epoch does not read them from disk again. */
export interface FeatureCache {
  /** As {@link readFeatureFile}; do not write to the result. */
  read(path: string): Promise<Features>;
  /** Bytes held at the moment. */
  readonly bytes: () => number;
}

/** A checked feature file, in whichever form is smaller: as read, or as the bytes of the file (half of it for float16). */
interface HeldFile {
  readonly bytes: number;
  readonly features: () => Features;
}

/**
 * One feature file: a `.npy` of `[n, F]` numbers, or a `.npz` holding exactly one such array.
 * @throws DataError naming the file if it is missing, damaged, not 2-D, has no rows (an empty video) or columns, or holds NaN or
 *   infinity (naming the row and column, from 0)
 */
export async function readFeatureFile(path: string): Promise<Features> {
  return (await openFeatureFile(path)).features();
}

async function openFeatureFile(path: string, onRead?: FileListener): Promise<HeldFile> {
  const bytes = await readBytes(path);
  const decode = (): Features => {
    const array = isNpz(path) ? onlyArray(parseNpz(bytes, path), path) : parseNpy(bytes, path);
    return astype(array, 'float32');
  };
  const features = decode();
  checkFeatures(features, path);
  onRead?.(path, bytes);
  const decodedBytes = features.data.byteLength;
  const compact = !isNpz(path) && bytes.length < decodedBytes;
  return compact ? { bytes: bytes.length, features: decode } : { bytes: decodedBytes, features: () => features };
}

const isNpz = (path: string): boolean => path.toLowerCase().endsWith('.npz');

function onlyArray(arrays: Record<string, NDArray>, path: string): NDArray {
  const names = Object.keys(arrays);
  if (names.length !== 1) throw new DataError(path, `expected one array, found ${names.length} (${names.join(', ')})`);
  return arrays[names[0]];
}

function checkFeatures({ shape, data }: Features, path: string): void {
  if (shape.length !== 2) throw new DataError(path, `expected features [snippets, width], found shape ${showShape(shape)}`);
  const [rows, width] = shape;
  if (rows === 0) throw new DataError(path, 'the video is empty: its features have no rows');
  if (width === 0) throw new DataError(path, `expected features [snippets, width], found width 0`);
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i])) {
      throw new DataError(path, `the features hold ${data[i]} in row ${Math.floor(i / width)}, column ${i % width}`);
    }
  }
}

/** Is told of a file that was read from disk, with its content. */
export type FileListener = (path: string, bytes: Uint8Array) => void;

export interface FeatureCacheOptions {
  readonly maxBytes: number;
  /** Called for every file that is read and right; again when it is read again. */
  readonly onRead?: FileListener;
}

/**
 * A cache of feature files that holds at most `maxBytes`; the file used longest ago goes first. A file larger than that is read anew
 * every time.
 */
export function featureCache({ maxBytes, onRead }: FeatureCacheOptions): FeatureCache {
  // A Map iterates in order of insertion, so re-inserting on use keeps it sorted by last use.
  const held = new Map<string, HeldFile>();
  const opening = new Map<string, Promise<HeldFile>>();
  let bytes = 0;

  const hold = (path: string, file: HeldFile): void => {
    if (file.bytes > maxBytes) return;
    held.set(path, file);
    bytes += file.bytes;
    for (const [oldest, { bytes: freed }] of held) {
      if (bytes <= maxBytes) break;
      held.delete(oldest);
      bytes -= freed;
    }
  };
  const open = async (path: string): Promise<HeldFile> => {
    try {
      const file = await openFeatureFile(path, onRead);
      hold(path, file);
      return file;
    } finally {
      opening.delete(path);
    }
  };

  return {
    bytes: () => bytes,
    read: async path => {
      const file = held.get(path);
      if (file) {
        held.delete(path);
        held.set(path, file);
        return file.features();
      }
      const started = opening.get(path) ?? open(path);
      opening.set(path, started);
      return (await started).features();
    },
  };
}

/** The files that hold the features of one video: one, or RGB and flow to be put side by side. */
export type FeatureFiles = readonly [string] | readonly [rgb: string, flow: string];

/** Finds the feature files of videos in a folder, listing each folder once. */
export type FeatureLocator = (name: string) => Promise<FeatureFiles>;

/** What is in a folder; nothing if there is no such folder. */
async function namesIn(folder: string): Promise<ReadonlySet<string>> {
  try {
    return new Set(await readdir(folder));
  } catch (thrown) {
    const code = (thrown as { code?: string }).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return new Set();
    throw new DataError(folder, `cannot be listed (${messageOf(thrown)})`, { cause: thrown });
  }
}

/**
 * Locates features in a folder: `<name>.npy`, `<name>.npz`, or `rgb/<name>.npy` with `flow/<name>.npy`.
 * The locator throws a DataError naming the video if there is none of them, one stream without the other, or more than one form.
 */
export function featureLocator(dir: string): FeatureLocator {
  const listings = new Map<string, Promise<ReadonlySet<string>>>();
  const has = async (file: string): Promise<boolean> => {
    const folder = posix.dirname(file);
    let listing = listings.get(folder);
    if (!listing) {
      listing = namesIn(join(dir, folder));
      listings.set(folder, listing);
    }
    return (await listing).has(posix.basename(file));
  };

  return async name => {
    const place = `features of ${JSON.stringify(name)} in ${dir}`;
    if (isAbsolute(name) || name.split(/[\\/]/).includes('..'))
      throw new DataError(place, 'a video name cannot leave the folder');
    const candidates = [`${name}.npy`, `${name}.npz`, `rgb/${name}.npy`, `flow/${name}.npy`];
    const [npy, npz, rgb, flow] = await Promise.all(candidates.map(has));
    const paths = candidates.map(file => join(dir, file));
    if (rgb !== flow)
      throw new DataError(place, `expected ${candidates[2]} and ${candidates[3]}, found only ${candidates[rgb ? 2 : 3]}`);
    if (Number(npy) + Number(npz) + Number(rgb) > 1) {
      throw new DataError(place, `ambiguous: found ${candidates.filter((_, i) => [npy, npz, rgb, flow][i]).join(', ')}`);
    }
    if (npy) return [paths[0]];
    if (npz) return [paths[1]];
    if (rgb) return [paths[2], paths[3]];
    throw new DataError(
      place,
      `no such file: looked for ${candidates[0]}, ${candidates[1]}, and ${candidates[2]} with ${candidates[3]}`,
    );
  };
}

/** How to read features. */
export interface ReadOptions {
  /** The width F that is needed, e.g. 2048; checked if given. */
  readonly width?: number;
  readonly cache?: FeatureCache;
}

/**
 * Reads located features `[n, F]`; RGB comes before flow where they are two files.
 * @throws DataError as {@link readFeatureFile}, and for a width other than `width` or streams of different lengths
 */
export async function readFeatures(files: FeatureFiles, { width, cache }: ReadOptions = {}): Promise<Features> {
  const read = cache ? cache.read : readFeatureFile;
  const streams = await Promise.all(files.map(read));
  const features = streams.length === 1 ? streams[0] : sideBySide(streams[0], streams[1], files);
  const found = features.shape[1];
  if (width !== undefined && found !== width) {
    const parts = streams.length === 1 ? '' : ` (${streams.map(stream => stream.shape[1]).join(' + ')})`;
    throw new DataError(files.join(' + '), `expected features of width ${width}, found ${found}${parts}`);
  }
  return features;
}

function sideBySide(rgb: Features, flow: Features, files: FeatureFiles): Features {
  const [rows, left] = rgb.shape;
  const [flowRows, right] = flow.shape;
  if (rows !== flowRows) throw new DataError(files.join(' + '), `expected as many rows in both, found ${rows} and ${flowRows}`);
  const out = new Float32Array(rows * (left + right));
  for (let row = 0; row < rows; row++) {
    out.set(rgb.data.subarray(row * left, (row + 1) * left), row * (left + right));
    out.set(flow.data.subarray(row * right, (row + 1) * right), row * (left + right) + left);
  }
  return ndarray('float32', [rows, left + right], out);
}

/**
 * The features `[n, F]` of one video of a folder: {@link featureLocator}, then {@link readFeatures}.
 * @throws DataError as those two
 */
export async function openFeatures(dir: string, name: string, width?: number, cache?: FeatureCache): Promise<Features> {
  return readFeatures(await featureLocator(dir)(name), { width, cache });
}
