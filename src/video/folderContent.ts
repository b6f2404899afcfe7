/** What is in folders of videos (Node only). */
import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { DataError, messageOf } from '../data/formats/dataError.ts';
import { videoEndings } from './videoFiles.ts';

/** The files and folders in a folder, each in alphabetical order. Links count as what they lead to. */
export interface FolderContent {
  readonly files: readonly string[];
  readonly folders: readonly string[];
}

/**
 * What is in a folder; undefined if there is none of this name.
 * @throws DataError naming the folder if it cannot be listed
 */
export async function readFolder(path: string): Promise<FolderContent | undefined> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    const files: string[] = [];
    const folders: string[] = [];
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const isFolder = entry.isSymbolicLink() ? await isFolderAt(join(path, entry.name)) : entry.isDirectory();
      (isFolder ? folders : files).push(entry.name);
    }
    return { files, folders };
  } catch (thrown) {
    const { code } = thrown as { code?: string };
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new DataError(path, `cannot be listed (${messageOf(thrown)})`, { cause: thrown });
  }
}

async function isFolderAt(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() === true;
}

/** Whether a file's ending is one of videos. */
export function isVideoName(name: string): boolean {
  return videoEndings.has(extname(name).toLowerCase());
}

/** Folders within folders that are gone into: more are no data set, but a link that leads back. */
const deepest = 8;

/** All videos in a folder and in its folders, as paths relative to it with slashes, in alphabetical order of each folder. */
export async function videosUnder(folder: string, depth = deepest): Promise<string[]> {
  const content = await readFolder(folder);
  if (!content) return [];
  const found = content.files.filter(isVideoName);
  if (depth === 0) return found;
  for (const name of content.folders) {
    const inside = await videosUnder(join(folder, name), depth - 1);
    found.push(...inside.map(video => `${name}/${video}`));
  }
  return found;
}
