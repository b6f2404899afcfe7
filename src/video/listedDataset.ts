/** What the readers of list files have in common (Node only). */
import { isAbsolute, join, posix } from 'node:path';
import { readText } from '../data/files.ts';
import { DataError } from '../data/formats/dataError.ts';
import type { VideoPart, WantedPart } from './findListed.ts';
import { readFolder } from './folderContent.ts';

/** Which lists to read. */
export interface ListSource {
  readonly dir: string;
  readonly split: 1 | 2 | 3;
  /** Only this part; default both, where there are lists of both. */
  readonly part?: VideoPart;
  /** The list files, relative to `dir`; default: found by their names. */
  readonly lists?: { readonly train?: string; readonly test?: string };
}

/** What list files say of a data set. */
export interface ListedDataset {
  readonly classes: readonly string[];
  readonly parts: readonly WantedPart[];
  /** The files behind the labels. */
  readonly files: readonly string[];
  readonly warnings: readonly string[];
}

/** Reads a data set's lists; undefined if there are none. */
export type ListReader = (source: ListSource) => Promise<ListedDataset | undefined>;

/** The parts that are asked for. */
export function wantedParts({ part }: ListSource): readonly VideoPart[] {
  return part ? [part] : ['train', 'test'];
}

/** A text file of a data set. */
export interface ListFile {
  readonly path: string;
  readonly text: string;
}

/** A list that the source names; undefined if it names none of this part. @throws DataError naming it if it is not there */
export async function namedList({ dir, lists }: ListSource, part: VideoPart): Promise<ListFile | undefined> {
  const name = lists?.[part];
  if (name === undefined) return undefined;
  return readList(isAbsolute(name) ? name : join(dir, name));
}

/** A list file. @throws DataError naming it if it cannot be read */
export async function readList(path: string): Promise<ListFile> {
  return { path, text: await readText(path) };
}

/** The first of some folders of a data set that holds files of a kind, and their names in alphabetical order. */
export async function firstFolderWith(
  dir: string,
  folders: readonly string[],
  isOne: (file: string) => boolean,
): Promise<{ readonly folder: string; readonly names: readonly string[] } | undefined> {
  for (const name of folders) {
    const folder = join(dir, name);
    const names = (await readFolder(folder))?.files.filter(isOne) ?? [];
    if (names.length > 0) return { folder, names };
  }
  return undefined;
}

/**
 * Names of files of which there should be one.
 * @throws DataError naming the folder and what was found if there are several
 */
export function theOnly(names: readonly string[], folder: string, what: string): string | undefined {
  if (names.length > 1) throw new DataError(folder, `expected one ${what}, found ${names.join(', ')}; say which by lists`);
  return names[0];
}

/** Folders in which videos of a part are kept, beside the lists or apart, as the usual tools leave them. */
export function partRoots(part: VideoPart, own: readonly string[] = []): string[] {
  const names = part === 'train' ? ['train', 'training'] : ['val', 'validate', 'validation', 'test'];
  return [
    ...names.map(name => posix.join('videos', name)),
    ...names.map(name => `videos_${name}`),
    ...names,
    ...own,
    'videos',
    '.',
  ];
}
