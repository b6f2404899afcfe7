/** Finding videos: files, folders and lists (Node only). */
import { readdir, stat } from 'node:fs/promises';
import { dirname, extname, relative, resolve, sep } from 'node:path';
import { readText } from '../data/files.ts';
import { DataError } from '../data/formats/dataError.ts';
import { parseVideoList } from './lists.ts';

/** Endings of video files, in small letters. Any other file can be named, but is not looked for in folders. */
export const videoEndings: ReadonlySet<string> = new Set(
  '.mp4 .avi .mkv .webm .mov .m4v .mpg .mpeg .ts .m2ts .flv .wmv .ogv .3gp .gif .vob .mts'.split(' '),
);

/** A video to work on. */
export interface VideoFile {
  readonly path: string;
  /** Unique, with slashes, without the ending unless two would be the same; relative to the folder, or to the list's root. */
  readonly name: string;
  /** From a list, or the subfolder it is in. */
  readonly label?: string | number;
}

/**
 * The videos that a path means: a video; a folder with all that is in it (a subfolder's name is the label of its videos); or a list, a
 * text file of lines `path` or `path label` with paths relative to `root`.
 * @param root default: the folder of the list
 * @throws DataError if there is no such file, or no video in it
 */
export async function findVideos(path: string, root?: string): Promise<VideoFile[]> {
  const status = await stat(path).catch(() => undefined);
  if (!status) throw new DataError(path, 'no such file or folder');
  if (status.isDirectory()) return named(await videosIn(path), path);
  if (extname(path).toLowerCase() !== '.txt') return named([{ path }], dirname(path));
  const folder = root ?? dirname(path);
  const listed = parseVideoList(await readText(path), path);
  return named(
    listed.map(({ path: file, label }) => ({ path: resolve(folder, file), label })),
    resolve(folder),
  );
}

async function videosIn(folder: string): Promise<Omit<VideoFile, 'name'>[]> {
  const entries = await readdir(folder, { recursive: true });
  const files = entries.filter(name => videoEndings.has(extname(name).toLowerCase())).sort();
  if (files.length === 0) throw new DataError(folder, 'expected videos, found none');
  return files.map(file => {
    const place = dirname(file).split(sep);
    return { path: resolve(folder, file), ...(place[0] === '.' ? {} : { label: place[0] }) };
  });
}

function named(files: readonly Omit<VideoFile, 'name'>[], root: string): VideoFile[] {
  const names = files.map(({ path }) => {
    const inside = relative(root, path);
    // A list may lead anywhere; features stay in their folder.
    return inside
      .split(sep)
      .filter(part => part !== '..' && part !== '')
      .join('/');
  });
  const short = names.map(name => name.slice(0, name.length - extname(name).length));
  const counts = new Map<string, number>();
  for (const name of short) counts.set(name, (counts.get(name) ?? 0) + 1);
  const unique = names.map((name, i) => (counts.get(short[i]) === 1 ? short[i] : name));
  const seen = new Set<string>();
  return files.map((file, i) => {
    if (seen.has(unique[i])) throw new DataError(file.path, `a second video of the name ${JSON.stringify(unique[i])}`);
    seen.add(unique[i]);
    return { ...file, name: unique[i] };
  });
}
