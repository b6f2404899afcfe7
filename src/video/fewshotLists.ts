/** The split lists of the published few-shot data sets. Pure: texts in, items out. */
import { DataError } from '../data/formats/dataError.ts';

/** The parts of a few-shot data set; their classes differ. */
export const fewshotParts = ['train', 'val', 'test'] as const;
export type FewshotPart = (typeof fewshotParts)[number];

/** A video of a list. */
export interface FewshotVideo {
  /** Relative to the videos' folder, with its ending. */
  readonly path: string;
  /** Class number, counted within the list's own part. */
  readonly label: number;
  /** Line of the list, from 1. */
  readonly line: number;
}

/**
 * A list of lines `<part><class>//<path>` (Kinetics-100, UCF101, HMDB51, Epic-Kitchens) or `<part><class>/<number>` (Something-Something V2, whose videos are
 * `<number>.mp4`), such as `train0//videos/jump/a.avi` and `test18/195025`.
 * @param part what its classes begin with
 * @throws DataError naming the list and line: another form, another part, a video that is there twice
 */
export function parseFewshotList(text: string, part: FewshotPart, where: string): FewshotVideo[] {
  const lines = new Map<string, number>();
  const videos: FewshotVideo[] = [];
  for (const [i, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\r|\n/)
    .entries()) {
    const trimmed = raw.trim();
    if (trimmed === '') continue;
    const line = i + 1;
    const found = /^(train|val|test)(\d{1,9})\/(.*)$/s.exec(trimmed);
    const rest = found?.[3] ?? '';
    const name = rest.startsWith('/') ? rest.slice(1) : rest;
    const folders = name.split('/');
    if (!found || folders.includes('') || (rest === name && folders.length > 1))
      throw new DataError(
        `${where}, line ${line}`,
        `expected "${part}<class>//<path>" or "${part}<class>/<number>", found ${JSON.stringify(trimmed.slice(0, 80))}`,
      );
    if (found[1] !== part)
      throw new DataError(`${where}, line ${line}`, `expected a video of the part ${part}, found ${found[1]}${found[2]}`);
    const path = rest === name ? `${name}.mp4` : name;
    const before = lines.get(path);
    if (before !== undefined)
      throw new DataError(`${where}, line ${line}`, `${JSON.stringify(path)} is on line ${before} already`);
    lines.set(path, line);
    videos.push({ path, label: Number(found[2]), line });
  }
  if (videos.length === 0) throw new DataError(where, `expected lines "${part}<class>//<path>", found none`);
  const labels = new Set(videos.map(({ label }) => label));
  const classes = Math.max(...labels) + 1;
  if (labels.size < classes) {
    const gap = Array.from({ length: labels.size }, (_, label) => label).find(label => !labels.has(label));
    throw new DataError(where, `expected classes 0 to ${classes - 1} without gaps, found none numbered ${gap}`);
  }
  return videos;
}

/**
 * Names of a list's classes: the folders of their videos, if each class has one of its own; else the part and the number, as in the list (`test18`).
 */
export function fewshotClassNames(videos: readonly FewshotVideo[], part: FewshotPart): string[] {
  const folders: (string | undefined)[] = [];
  let agree = true;
  for (const { path, label } of videos) {
    const folder = path.split('/').at(-2);
    agree &&= folder !== undefined && (folders[label] ?? folder) === folder;
    folders[label] ??= folder;
  }
  const count = videos.reduce((most, { label }) => Math.max(most, label + 1), 0);
  const names = Array.from({ length: count }, (_, label) => folders[label] ?? '');
  return agree && new Set(names).size === count ? names : names.map((_, label) => `${part}${label}`);
}
