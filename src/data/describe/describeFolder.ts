/** What a folder of features holds (Node). */

import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Shape, showShape } from '../../engine/ndarray.ts';
import { readBytes } from '../files.ts';
import { DataError } from '../formats/dataError.ts';
import { parseNpyHeader } from '../formats/npyHeader.ts';
import { describeFile, npyTypeName } from './describeFile.ts';
import type { Description, Entry } from './description.ts';

/** Long enough for the header of any `.npy` of plain numbers. */
const headBytes = 4096;

/** Where a data folder keeps features. */
const places = ['', 'rgb', 'flow', 'train', 'train/rgb', 'train/flow', 'test', 'test/rgb', 'test/flow'];

/** A feature file by its header. */
interface FeatureHead {
  readonly dtype: string;
  readonly shape: Shape;
}

/**
 * Describes the feature files (`.npy`, `.npz`) of a folder and of its `train`, `test`, `rgb` and `flow`: how many, their widths, rows and
 * element types. Of `.npy` files only the headers are read.
 * @throws DataError if there are none, or one is damaged
 */
export async function describeFeatureFolder(dir: string): Promise<Description> {
  const entries: Entry[] = [];
  let bytes = 0;
  for (const place of places) {
    const folder = join(dir, place);
    const names = (await readdir(folder).catch(() => [])).filter(name => /\.np[yz]$/i.test(name)).sort();
    if (names.length === 0) continue;
    const heads: FeatureHead[] = [];
    for (const name of names) {
      const { head, size } = await readHead(join(folder, name));
      heads.push(head);
      bytes += size;
    }
    entries.push({ kind: 'value', name: place === '' ? 'features' : place, text: headsText(heads) });
  }
  if (entries.length === 0)
    throw new DataError(dir, 'expected a run folder (with config.yaml) or feature files (.npy, .npz), found neither');
  return { format: 'folder of features', bytes, facts: {}, entries };
}

/** `12 files, width 2048, rows 31 to 902, float16`. */
function headsText(heads: readonly FeatureHead[]): string {
  const flat = heads.filter(({ shape }) => shape.length === 2);
  const other = heads.find(({ shape }) => shape.length !== 2);
  const rows = flat.map(({ shape }) => shape[0]);
  const widths = counted(flat.map(({ shape }) => String(shape[1])));
  return [
    `${heads.length} file${heads.length === 1 ? '' : 's'}`,
    ...(flat.length > 0 ? [`width ${widths}`, `rows ${Math.min(...rows)} to ${Math.max(...rows)}`] : []),
    counted(heads.map(({ dtype }) => dtype)),
    ...(other ? [`${heads.length - flat.length} not [rows, width] (${showShape(other.shape)})`] : []),
  ].join(', ');
}

/** The one value that all are, or each with how often it occurs. */
function counted(values: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  if (counts.size === 1) return values[0];
  return [...counts].map(([value, count]) => `${value} (${count})`).join(' and ');
}

async function readHead(path: string): Promise<{ head: FeatureHead; size: number }> {
  if (/\.npz$/i.test(path)) {
    const { bytes, entries } = describeFile(await readBytes(path), path);
    const [array, ...others] = entries;
    if (array?.kind !== 'tensor' || others.length > 0) throw new DataError(path, `expected one array, found ${entries.length}`);
    return { head: { dtype: array.dtype, shape: array.shape }, size: bytes };
  }
  const file = await open(path, 'r');
  try {
    const start = new Uint8Array(headBytes);
    const { bytesRead } = await file.read(start, 0, headBytes, 0);
    const { header } = parseNpyHeader(start.subarray(0, bytesRead), path);
    return { head: { dtype: npyTypeName(header.descr), shape: header.shape }, size: (await file.stat()).size };
  } finally {
    await file.close();
  }
}
