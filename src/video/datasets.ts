/** Data sets of labelled videos on disk (Node only). */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../data/formats/dataError.ts';
import { classFolderFiles, readClassFolders } from './classFolders.ts';
import { findListed, type VideoPart } from './findListed.ts';
import { isVideoName, readFolder } from './folderContent.ts';
import type { ListedDataset, ListReader } from './listedDataset.ts';
import { plainListFiles, readPlainLists } from './plainLists.ts';
import { publishedFiles, readHmdb51, readKinetics, readMomentsInTime, readUcf101 } from './publishedLists.ts';
import type { VideoFormat } from './videoFormats.ts';

/** Where videos and labels are. */
export interface VideoSource {
  readonly dir: string;
  /** `auto` (default) is the first of the others whose files are there. */
  readonly format?: VideoFormat;
  /** Which of the three published divisions, where there are three; default 1. */
  readonly split?: 1 | 2 | 3;
  /** The list files, relative to `dir`, in place of those found by their names; `auto` is `lists` then. */
  readonly lists?: { readonly train?: string; readonly test?: string };
  /** Only the videos of this part; lists of the other one need not be there, nor their videos. */
  readonly part?: VideoPart;
}

/** A video of one class. */
export interface VideoItem {
  /** Its file, relative to the data folder, with slashes; a video elsewhere by its whole path. */
  readonly name: string;
  /** The path to open. */
  readonly path: string;
  /** Place of its class among {@link VideoDataset.classes}. */
  readonly label: number;
  /** Undefined where nothing divides the videos. */
  readonly part?: VideoPart;
}

/** A folder of labelled videos. */
export interface VideoDataset {
  /** Which format it is. */
  readonly format: Exclude<VideoFormat, 'auto'>;
  readonly classes: readonly string[];
  /** In the order of their lists, training first; of folders, in that of the alphabet. */
  readonly items: readonly VideoItem[];
  /** The list files behind the labels. */
  readonly files: readonly string[];
  /** What is strange but can be worked with, such as listed videos that are not there. */
  readonly warnings: readonly string[];
}

/** Formats with lists, in the order in which they are looked for: what only one of them can be comes first. */
const readers: readonly (readonly [Exclude<VideoFormat, 'auto' | 'folders'>, ListReader, string])[] = [
  ['ucf101', readUcf101, publishedFiles.ucf101],
  ['hmdb51', readHmdb51, publishedFiles.hmdb51],
  ['moments-in-time', readMomentsInTime, publishedFiles['moments-in-time']],
  ['kinetics', readKinetics, publishedFiles.kinetics],
  ['lists', readPlainLists, plainListFiles],
];

/**
 * Opens a data set of videos: finds its lists, reads the labels and finds the videos. No video is opened.
 * @throws DataError in one line: what was looked for if there is no data set; the file and line that is wrong; a list of which no video is there
 */
export async function openVideoDataset(source: VideoSource): Promise<VideoDataset> {
  const { dir, part } = source;
  await requireFolder(dir);
  const lists = hasLists(source) ? source.lists : undefined;
  const format = lists && (source.format ?? 'auto') === 'auto' ? 'lists' : (source.format ?? 'auto');
  if (lists && format === 'folders') throw new DataError(dir, 'expected no lists with the format folders, found some');
  const listSource = { dir, split: source.split ?? 1, part, lists };
  for (const [name, read] of readers) {
    if (format !== name && format !== 'auto') continue;
    const listed = await read(listSource);
    if (listed) return { format: name, ...(await found(dir, listed)) };
  }
  if (format === 'auto' || format === 'folders') {
    const inFolders = await readClassFolders(dir, part);
    if (inFolders) return { format: 'folders', ...inFolders };
  }
  throw new DataError(dir, await nothingFound(dir, format));
}

function hasLists({ lists }: VideoSource): boolean {
  return lists?.train !== undefined || lists?.test !== undefined;
}

async function requireFolder(dir: string): Promise<void> {
  const status = await stat(dir).catch(() => undefined);
  if (!status) throw new DataError(dir, 'no such folder');
  if (!status.isDirectory()) throw new DataError(dir, 'expected the folder of a data set, found a file');
}

async function found(dir: string, { classes, parts, files, warnings }: ListedDataset): Promise<Omit<VideoDataset, 'format'>> {
  const { items, warnings: more } = await findListed(dir, parts);
  return { classes, items, files, warnings: [...warnings, ...more] };
}

/** What was looked for, and what is there instead. */
async function nothingFound(dir: string, format: VideoFormat): Promise<string> {
  const all = [...readers.map(([name, , files]) => [name, files] as const), ['folders', classFolderFiles] as const];
  const expected = all.filter(([name]) => format === 'auto' || format === name).map(([name, files]) => `${files} (${name})`);
  const content = await readFolder(dir);
  const videos = content?.files.filter(isVideoName).length ?? 0;
  const folders = content?.folders.length ?? 0;
  const there = [
    videos > 0 && `${videos} ${videos === 1 ? 'video' : 'videos'} in the folder itself`,
    folders > 0 && `${folders} ${folders === 1 ? 'folder' : 'folders'}, such as ${join(dir, content!.folders[0])}`,
  ].filter(text => text !== false);
  return `expected ${expected.join('; or ')}; found ${there.join(' and ') || 'neither folders nor videos'}`;
}
