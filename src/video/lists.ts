/** Lists of labelled videos, as the data sets publish them. Pure: texts in, items out. */
import { type CsvRow, parseCsv } from '../data/formats/csv.ts';
import { DataError } from '../data/formats/dataError.ts';

/** A video of a list. */
export interface ListedVideo {
  /** Relative to the data set's root, with slashes. */
  readonly path: string;
  /** Class number from 0, or name. Undefined where the list has none. */
  readonly label?: string | number;
  /** Line of the list, from 1. */
  readonly line: number;
}

interface Line {
  readonly line: string;
  readonly number: number;
}

/** The lines that hold something, without surrounding white space, with their numbers from 1. */
function linesOf(text: string): Line[] {
  return text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\r|\n/)
    .map((line, i) => ({ line: line.trim(), number: i + 1 }))
    .filter(({ line }) => line !== '');
}

/** What is before the last white space of a line, and what is after it; undefined without one. */
function lastWord(line: string): { readonly before: string; readonly last: string } | undefined {
  // A pattern would look at long runs of blanks again and again.
  let at = line.length - 1;
  while (at >= 0 && !/\s/.test(line[at])) at--;
  return at < 0 ? undefined : { before: line.slice(0, at).trimEnd(), last: line.slice(at + 1) };
}

const quoted = (value: unknown): string => JSON.stringify(value);

/** @throws DataError naming the list, both lines and the video if one is there twice */
function requireDistinct(videos: readonly ListedVideo[], where: string): void {
  const lines = new Map<string, number>();
  for (const { path, line } of videos) {
    const before = lines.get(path);
    if (before !== undefined) throw new DataError(`${where}, line ${line}`, `${quoted(path)} is on line ${before} already`);
    lines.set(path, line);
  }
}

/**
 * A list of lines `path label` or `path` (published as `ucf101_train_split_1_videos.txt`, `hmdb51_test_list.txt`, ...). The label is a whole
 * number after the last white space; paths may hold spaces.
 * @throws DataError naming the file if it is empty, and the line of a label too many or missing or too large, or of a video that is there twice
 */
export function parseVideoList(text: string, where: string): ListedVideo[] {
  const videos = linesOf(text).map(({ line, number }): ListedVideo => {
    const words = lastWord(line);
    if (!words || !/^\d+$/.test(words.last)) return { path: line, line: number };
    const label = Number(words.last);
    if (!Number.isSafeInteger(label))
      throw new DataError(`${where}, line ${number}`, `expected a class number, found ${words.last}`);
    return { path: words.before, label, line: number };
  });
  if (videos.length === 0) throw new DataError(where, 'expected lines "path label", found none');
  const bare = videos.find(({ label }) => label === undefined);
  if (bare && videos.some(({ label }) => label !== undefined))
    throw new DataError(
      `${where}, line ${bare.line}`,
      `expected a label as on other lines, found none after ${quoted(bare.path)}`,
    );
  requireDistinct(videos, where);
  return videos;
}

/**
 * Names of classes by their numbers: lines `number name` (`classInd.txt`; numbers from 0 or 1, in any order), or a name a line, in order.
 * @throws DataError naming the file if it is empty, and the line of a class or number that is there twice, or of a number with a gap before it
 */
export function parseClassNames(text: string, where: string): string[] {
  const lines = linesOf(text);
  if (lines.length === 0) throw new DataError(where, 'expected a class a line, found none');
  const found = lines.map(({ line }) => /^(\d+)\s+(\S.*)$/s.exec(line));
  const names = found.every(match => match !== null)
    ? inOrder(
        found.map(([, at, name], i) => ({ at: Number(at), name, number: lines[i].number })),
        where,
      )
    : lines.map(({ line, number }) => ({ name: line, number }));
  const seen = new Map<string, number>();
  for (const { name, number } of names) {
    const before = seen.get(name);
    if (before !== undefined)
      throw new DataError(`${where}, line ${Math.max(number, before)}`, `the class ${quoted(name)} is listed twice`);
    seen.set(name, number);
  }
  return names.map(({ name }) => name);
}

/** Numbered names in the order of their numbers, which are all that follow the first, 0 or 1. */
function inOrder<T extends { readonly at: number; readonly number: number }>(names: readonly T[], where: string): T[] {
  const sorted = [...names].sort((a, b) => a.at - b.at);
  const first = sorted[0].at === 0 ? 0 : 1;
  const wrong = sorted.findIndex(({ at }, i) => at !== first + i);
  if (wrong >= 0) {
    const { at, number } = sorted[wrong];
    throw new DataError(`${where}, line ${number}`, `expected the classes numbered ${first}, ${first + 1}, ...; found ${at}`);
  }
  return sorted;
}

/**
 * UCF-101's own `trainlist0N.txt` (`Class/v_x.avi 1`) and `testlist0N.txt` (`Class/v_x.avi`). Classes are numbered from 0. Case makes no difference: in
 * some of the lists that are around, the class of `HandstandPushups` is written as in the names of its videos, `HandStandPushups`.
 * @param classes from `classInd.txt` ({@link parseClassNames})
 * @throws DataError naming the list and line of a class that `classInd.txt` lacks, or numbers otherwise; or as {@link parseVideoList}
 */
export function parseUcf101(list: string, classes: readonly string[], where: string): ListedVideo[] {
  const numbers = new Map(classes.map((name, i) => [name.toLowerCase(), i]));
  return parseVideoList(list, where).map(({ path, label, line }) => {
    const name = path.split('/')[0];
    const number = numbers.get(name.toLowerCase());
    const place = `${where}, line ${line}`;
    if (number === undefined) throw new DataError(place, `${path}: classInd.txt has no class ${quoted(name)}`);
    if (label !== undefined && label !== number + 1)
      throw new DataError(place, `${path}: its class is ${label} here and ${number + 1} in classInd.txt`);
    return { path, label: number, line };
  });
}

/** Part of an HMDB-51 split, as numbered in its files. */
const hmdbParts = { train: '1', test: '2' } as const;

/** HMDB-51's videos of one part of a split, a list for each class. */
export interface Hmdb51Split {
  /** Names of classes, in alphabetical order. */
  readonly classes: readonly string[];
  readonly videos: readonly ListedVideo[];
}

/** The class that a file of HMDB-51's split is of; undefined if it is none. */
export function hmdb51Class(file: string, split: 1 | 2 | 3): string | undefined {
  const suffix = `_test_split${split}.txt`;
  return file.endsWith(suffix) ? file.slice(0, -suffix.length) : undefined;
}

/**
 * HMDB-51's own splits: `<class>_test_split<n>.txt`, a file for each class, with lines `x.avi 1` (training), `2` (test) or `0` (neither). Classes are
 * numbered alphabetically from 0 (`climb` before `climb_stairs`, whatever the order of the files); paths are `<class>/x.avi`.
 * @param files texts by file name; those of other splits are left out
 * @throws DataError if there is no file of the split, or naming the file and line that is another, or of a video that is there twice
 */
export function parseHmdb51(
  files: Readonly<Record<string, string>>,
  split: 1 | 2 | 3,
  part: keyof typeof hmdbParts,
  where: string,
): Hmdb51Split {
  const own = Object.keys(files)
    .flatMap(file => {
      const name = hmdb51Class(file, split);
      return name === undefined ? [] : [{ file, name }];
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (own.length === 0) throw new DataError(where, `expected files *_test_split${split}.txt, found none`);
  const videos = own.flatMap(({ file, name }, label) => {
    const list = `${where}/${file}`;
    const all = linesOf(files[file]).map(({ line, number }) => {
      const words = lastWord(line);
      if (!words || !/^[012]$/.test(words.last))
        throw new DataError(`${list}, line ${number}`, `expected "video.avi 0|1|2", found ${quoted(line)}`);
      return { path: `${name}/${words.before}`, label, line: number, use: words.last };
    });
    if (all.length === 0) throw new DataError(list, 'expected lines "video.avi 0|1|2", found none');
    requireDistinct(all, list);
    return all.filter(({ use }) => use === hmdbParts[part]).map(({ use: _, ...video }) => video);
  });
  return { classes: own.map(({ name }) => name), videos };
}

/**
 * The categories of Moments in Time by their numbers: `moments_categories.txt` with rows `class,number`, numbered from 0.
 * @throws DataError naming the file and the line that is another, of a class that is there twice, or of a number with a gap before it
 */
export function parseMomentsCategories(text: string, where: string): string[] {
  const rows = linesOf(text).map(({ line, number }) => {
    const comma = line.lastIndexOf(',');
    const [name, at] = [line.slice(0, comma), line.slice(comma + 1).trim()];
    if (comma < 1 || !/^\d+$/.test(at))
      throw new DataError(`${where}, line ${number}`, `expected "class,number", found ${quoted(line)}`);
    return { name, at: Number(at), number };
  });
  if (rows.length === 0) throw new DataError(where, 'expected lines "class,number", found none');
  const seen = new Set<string>();
  for (const { name, number } of rows) {
    if (seen.has(name)) throw new DataError(`${where}, line ${number}`, `the class ${quoted(name)} is listed twice`);
    seen.add(name);
  }
  return inOrder(rows, where).map(({ name }) => name);
}

/**
 * Moments in Time: `trainingSet.csv` or `validationSet.csv` with rows `class/video.mp4,class,...`.
 * @param classes from `moments_categories.txt` ({@link parseMomentsCategories})
 * @throws DataError naming the line of a class that the categories lack, or the file if it is empty
 */
export function parseMomentsInTime(csv: string, classes: readonly string[], where: string): ListedVideo[] {
  const numbers = new Map(classes.map((name, i) => [name, i]));
  const rows = parseCsv(csv, where);
  if (rows.length === 0) throw new DataError(where, 'expected rows "class/video.mp4,class,...", found none');
  return rows.map(({ fields: [path, name], line }) => {
    const label = numbers.get(name);
    if (label === undefined) throw new DataError(`${where}, line ${line}`, `the categories have no class ${quoted(name ?? '')}`);
    if (path === '') throw new DataError(`${where}, line ${line}`, 'expected a video, found none');
    return { path, label, line };
  });
}

/** A clip of Kinetics. */
export interface KineticsClip {
  /** Name of its class; undefined where the list holds none, as test lists do. */
  readonly label?: string;
  readonly id: string;
  /** The usual name of its file, without an ending: `<id>_<start>_<end>`, with seconds of six digits. */
  readonly name: string;
  /** Line of the list, from 1. */
  readonly line: number;
}

/** Whether a CSV of this first line is a list of Kinetics. */
export function isKineticsHeader(line: string): boolean {
  return /(^|,)"?youtube_id"?(,|$)/.test(line.trim());
}

/**
 * Kinetics: CSV with a header `label,youtube_id,time_start,time_end,split` (test lists may have no label; more columns are passed over).
 * @throws DataError naming the file and the column that it lacks, or the line of a field that is missing or no time
 */
export function parseKinetics(csv: string, where: string): KineticsClip[] {
  const [head, ...rows] = parseCsv(csv, where);
  const names = head?.fields.map(name => name.trim()) ?? [];
  const [label, id, start, end] = ['label', 'youtube_id', 'time_start', 'time_end'].map(name => names.indexOf(name));
  if (Math.min(id, start, end) < 0)
    throw new DataError(
      where,
      `expected the columns youtube_id, time_start and time_end, found ${names.join(', ') || 'nothing'}`,
    );
  if (rows.length === 0) throw new DataError(where, 'expected a clip a row, found none');
  return rows.map(row => {
    const { line } = row;
    const clip = field(row, id, 'a youtube_id', where);
    const [from, to] = [start, end].map(column => sixDigits(field(row, column, 'a time', where), `${where}, line ${line}`));
    return {
      ...(label < 0 ? {} : { label: field(row, label, 'a label', where) }),
      id: clip,
      name: `${clip}_${from}_${to}`,
      line,
    };
  });
}

function field({ fields, line }: CsvRow, column: number, expected: string, where: string): string {
  const value = fields[column]?.trim();
  if (!value) throw new DataError(`${where}, line ${line}`, `expected ${expected}, found none`);
  return value;
}

function sixDigits(text: string, where: string): string {
  const seconds = /^\d+(\.\d*)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds < 1e6)) throw new DataError(where, `expected seconds, found ${quoted(text)}`);
  return String(Math.trunc(seconds)).padStart(6, '0');
}
