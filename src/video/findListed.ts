/** Where the videos of a list are on disk (Node only). */
import { basename, extname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { DataError } from '../data/formats/dataError.ts';
import { isVideoName, readFolder } from './folderContent.ts';

/** Which videos a model is trained on, or tested on. */
export type VideoPart = 'train' | 'test';

/** A video that a list names. */
export interface WantedVideo {
  /** As the list has it, for messages. */
  readonly name: string;
  /** Where it may be: paths with slashes, relative to any of the roots. The first that is there counts. */
  readonly places: readonly string[];
  readonly label: number;
}

/** The videos of one list, or of the lists of one part. */
export interface WantedPart {
  /** Undefined where the list does not divide the videos. */
  readonly part?: VideoPart;
  /** The list's name, for messages. */
  readonly list: string;
  readonly videos: readonly WantedVideo[];
  /** Folders that the places may be relative to, relative to the data folder; the first that has one counts. */
  readonly roots: readonly string[];
}

/** A video on disk. */
export interface FoundVideo {
  /** Relative to the data folder, with slashes; a video elsewhere by its whole path. */
  readonly name: string;
  readonly path: string;
  readonly label: number;
  readonly part?: VideoPart;
}

/** Names of a folder's files, and of its videos by their names without endings. */
interface Listing {
  readonly files: ReadonlySet<string>;
  readonly byStem: ReadonlyMap<string, string>;
}

/** Names in messages, before the rest is only counted. */
const namesShown = 5;

/**
 * Finds listed videos. A video may have another ending than listed (`.mp4` for `.avi`): one warning then. Videos that are not there are left out,
 * with one warning for all lists. Folders are listed once each, instead of looking for each video.
 * @throws DataError if none of a list's videos is there, or a file is two videos
 */
export async function findListed(
  dir: string,
  parts: readonly WantedPart[],
): Promise<{ readonly items: FoundVideo[]; readonly warnings: string[] }> {
  const listings = new Map<string, Promise<Listing | undefined>>();
  const listing = (folder: string): Promise<Listing | undefined> => {
    const known = listings.get(folder) ?? listFolder(folder);
    listings.set(folder, known);
    return known;
  };
  const items: FoundVideo[] = [];
  const missing: { readonly names: string[]; readonly all: number; readonly of: string }[] = [];
  const renamed: string[] = [];
  const owners = new Map<string, string>();
  for (const { part, list, videos, roots } of parts) {
    const absent: string[] = [];
    const of = part ? `${part} videos` : 'videos';
    const there: string[] = [];
    for (const root of roots) if (await listing(join(dir, root))) there.push(root);
    for (const { name, places, label } of videos) {
      const found = await findVideo(dir, there, places, listing);
      if (!found) {
        absent.push(name);
        continue;
      }
      if (extname(found) !== extname(places[0])) renamed.push(`${basename(found)} for ${name}`);
      const owner = owners.get(found);
      if (owner !== undefined) throw new DataError(list, `${name} is the same file as ${owner}: ${found}`);
      owners.set(found, `${name}${part ? ` (${part})` : ''}`);
      items.push({ name: nameOf(dir, found), path: found, label, ...(part ? { part } : {}) });
    }
    if (absent.length === videos.length)
      throw new DataError(
        list,
        `expected its ${videos.length} videos in ${dir}, found none of them (looked for ${lookedFor(videos[0], roots)})`,
      );
    if (absent.length > 0) missing.push({ names: absent, all: videos.length, of });
  }
  const warnings: string[] = [];
  if (missing.length > 0) {
    const counts = missing.map(({ names, all, of }) => `${names.length} of ${all} ${of}`);
    warnings.push(`${dir}: listed but not there: ${counts.join(', ')}: ${firstOf(missing.flatMap(({ names }) => names))}`);
  }
  if (renamed.length > 0)
    warnings.push(
      `${dir}: ${renamed.length === 1 ? '1 video has' : `${renamed.length} videos have`} another ending than listed: ${firstOf(renamed, 1)}`,
    );
  return { items, warnings };
}

/** The first names of a list, and how many more there are. */
export function firstOf(names: readonly string[], most = namesShown): string {
  const more = names.length - most;
  return names.slice(0, most).join(', ') + (more > 0 ? `, and ${more} more` : '');
}

function lookedFor({ places }: WantedVideo, roots: readonly string[]): string {
  return isAbsolute(places[0]) ? places[0] : `${places[0]} in ${roots.join(', ')}`;
}

async function listFolder(folder: string): Promise<Listing | undefined> {
  const content = await readFolder(folder);
  if (!content) return undefined;
  const byStem = new Map<string, string>();
  for (const name of content.files.filter(isVideoName)) {
    const stem = name.slice(0, -extname(name).length);
    if (!byStem.has(stem)) byStem.set(stem, name);
  }
  return { files: new Set(content.files), byStem };
}

/** The path of the first place at which there is the file, or one with another ending of videos. */
async function findVideo(
  dir: string,
  roots: readonly string[],
  places: readonly string[],
  listing: (folder: string) => Promise<Listing | undefined>,
): Promise<string | undefined> {
  for (const root of roots) {
    for (const place of places) {
      const path = isAbsolute(place) ? place : join(dir, root, place);
      const name = basename(path);
      const folder = path.slice(0, -name.length - 1) || sep;
      const content = await listing(folder);
      if (content?.files.has(name)) return path;
      const ending = extname(name);
      const other = content?.byStem.get(isVideoName(name) ? name.slice(0, -ending.length) : name);
      if (other !== undefined) return join(folder, other);
    }
  }
  return undefined;
}

function nameOf(dir: string, path: string): string {
  const inside = relative(resolve(dir), resolve(path));
  const name = inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside) ? resolve(path) : inside;
  return name.split(sep).join('/');
}
