/** Few-shot data sets of videos by their published split lists (Node only). */
import { isAbsolute, join } from 'node:path';
import { DataError } from '../data/formats/dataError.ts';
import { type FewshotPart, type FewshotVideo, fewshotClassNames, fewshotParts, parseFewshotList } from './fewshotLists.ts';
import { findListed, firstOf } from './findListed.ts';
import { firstFolderWith, readList } from './listedDataset.ts';

/** Where lists and videos are. */
export interface FewshotVideoSource {
  /** The data folder: videos, and the lists in it or in `annotations` or `splits`. */
  readonly dir: string;
  /** The list files, relative to `dir`, in place of `train_few_shot.txt`, `val_few_shot.txt` and `test_few_shot.txt`. */
  readonly lists?: Readonly<Partial<Record<FewshotPart, string>>>;
  /** Only these parts; default all that there are lists of. */
  readonly parts?: readonly FewshotPart[];
}

/** A video of one class. */
export interface FewshotItem {
  /** Its file, relative to the data folder, with slashes; a video elsewhere by its whole path. */
  readonly name: string;
  /** The path to open. */
  readonly path: string;
  /** Place of its class among those of its part. */
  readonly label: number;
}

/** One part of a few-shot data set. */
export interface FewshotPartVideos {
  readonly part: FewshotPart;
  readonly classes: readonly string[];
  /** In the order of the list. */
  readonly items: readonly FewshotItem[];
}

/** A few-shot data set of videos. */
export interface FewshotVideos {
  /** In the order train, val, test; only those with a list. */
  readonly parts: readonly FewshotPartVideos[];
  /** The list files. */
  readonly files: readonly string[];
  readonly warnings: readonly string[];
}

/** Where lists are looked for, relative to the data folder. */
const listFolders = ['.', 'annotations', 'splits', 'few_shot'];

/** Where videos are looked for, relative to the data folder. */
const videoFolders = ['.', 'videos', 'clips', '20bn-something-something-v2', 'something-something-v2'];

const listName = (part: FewshotPart): string => `${part}_few_shot.txt`;

/** What is looked for, for messages. */
export const fewshotListFiles = 'train_few_shot.txt, test_few_shot.txt';

/**
 * Opens a few-shot data set by its lists (Kinetics-100, SSv2-Full, SSv2-Small, UCF101, HMDB51, Epic-Kitchens as published); undefined if the folder has none. No
 * video is opened. Videos that are not there are one warning; one may have another ending than listed.
 * @throws DataError naming the list and line that is wrong, a video that two parts share, or a list of which no video is there
 */
export async function openFewshotVideos({
  dir,
  lists,
  parts = fewshotParts,
}: FewshotVideoSource): Promise<FewshotVideos | undefined> {
  const found = await firstFolderWith(dir, listFolders, name => fewshotParts.some(part => name === listName(part)));
  if (!found && !lists) return undefined;
  const opened: FewshotPartVideos[] = [];
  const files: string[] = [];
  const warnings: string[] = [];
  const owners = new Map<string, FewshotPart>();
  for (const part of fewshotParts.filter(each => parts.includes(each))) {
    const named = lists?.[part];
    const inFolder = !lists && found?.names.includes(listName(part)) ? join(found.folder, listName(part)) : undefined;
    const path = named === undefined ? inFolder : isAbsolute(named) ? named : join(dir, named);
    if (path === undefined) continue;
    const videos = parseFewshotList((await readList(path)).text, part, path);
    requireOwn(videos, part, owners, path);
    const { items, warnings: more } = await findListed(dir, [{ list: path, videos: videos.map(wanted), roots: videoFolders }]);
    files.push(path);
    warnings.push(...more);
    opened.push({ part, classes: fewshotClassNames(videos, part), items });
  }
  const missing = parts.filter(part => part !== 'val' && !opened.some(each => each.part === part));
  if (missing.length > 0)
    throw new DataError(
      found?.folder ?? dir,
      `expected ${missing.map(listName).join(', ')}, found ${firstOf(found?.names ?? []) || 'none'}`,
    );
  return { parts: opened, files, warnings };
}

/** Its path as listed, then within the folders that the published archives have and people leave out, then the file alone. */
function wanted({ path, label }: FewshotVideo) {
  const folders = path.split('/');
  return { name: path, label, places: folders.map((_, i) => folders.slice(i).join('/')) };
}

function requireOwn(videos: readonly FewshotVideo[], part: FewshotPart, owners: Map<string, FewshotPart>, where: string): void {
  for (const { path, line } of videos) {
    const owner = owners.get(path);
    if (owner !== undefined)
      throw new DataError(`${where}, line ${line}`, `${JSON.stringify(path)} is in the part ${owner} already`);
    owners.set(path, part);
  }
}
