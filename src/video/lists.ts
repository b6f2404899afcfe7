/** Lists of labelled videos, as the data sets publish them. Pure: texts in, items out. */
import { DataError } from '../data/formats/dataError.ts';

/** A video of a list. */
export interface ListedVideo {
  /** Relative to the data set's root, with slashes. */
  readonly path: string;
  /** Class number from 0, or name. Undefined where the list has none. */
  readonly label?: string | number;
}

/** The lines that hold something, with their numbers from 1. */
function linesOf(text: string): { readonly line: string; readonly number: number }[] {
  return text
    .split(/\r?\n/)
    .map((line, i) => ({ line: line.trim(), number: i + 1 }))
    .filter(({ line }) => line !== '');
}

/**
 * A list of lines `path label` or `path` (published as `ucf101_train_split_1_videos.txt`, `hmdb51_test_list.txt`, ...). The label is a whole
 * number after the last space; paths may hold spaces.
 * @throws DataError naming the file if it is empty or some lines have labels and others none
 */
export function parseVideoList(text: string, where: string): ListedVideo[] {
  const items = linesOf(text).map(({ line }) => {
    const found = /^(.*\S)\s+(\d+)$/.exec(line);
    return found ? { path: found[1], label: Number(found[2]) } : { path: line };
  });
  if (items.length === 0) throw new DataError(where, 'expected lines "path label", found none');
  const bare = items.findIndex(({ label }) => label === undefined);
  if (bare >= 0 && items.some(({ label }) => label !== undefined))
    throw new DataError(where, `expected a label on every line, found none after ${JSON.stringify(items[bare].path)}`);
  return items;
}

/**
 * UCF-101's own `trainlist0N.txt` (`Class/v_x.avi 1`) and `testlist0N.txt` (`Class/v_x.avi`) with `classInd.txt` (`1 Class`). Classes are
 * numbered from 0.
 * @throws DataError naming the list and a class that `classInd.txt` lacks, or numbers otherwise
 */
export function parseUcf101(list: string, classIndex: string, where: string): ListedVideo[] {
  const classes = new Map(
    linesOf(classIndex).map(({ line }) => {
      const [number, name] = line.split(/\s+/);
      return [name, Number(number) - 1] as const;
    }),
  );
  return parseVideoList(list, where).map(({ path, label }) => {
    const name = path.split('/')[0];
    const number = classes.get(name);
    if (number === undefined) throw new DataError(where, `${path}: classInd.txt has no class ${JSON.stringify(name)}`);
    if (label !== undefined && label !== number + 1)
      throw new DataError(where, `${path}: its class is ${label} here and ${number + 1} in classInd.txt`);
    return { path, label: number };
  });
}

/** Part of an HMDB-51 split, as numbered in its files. */
const hmdbParts = { train: 1, test: 2 } as const;

/**
 * HMDB-51's own splits: `<class>_test_split<n>.txt`, a file for each class, with lines `x.avi 1` (training), `2` (test) or `0` (neither). Classes are
 * numbered alphabetically from 0; paths are `<class>/x.avi`.
 * @param files texts by file name; those of other splits are left out
 * @throws DataError if there is no file of the split, or a line is another
 */
export function parseHmdb51(
  files: Readonly<Record<string, string>>,
  split: 1 | 2 | 3,
  part: keyof typeof hmdbParts,
  where: string,
): ListedVideo[] {
  const suffix = `_test_split${split}.txt`;
  const names = Object.keys(files)
    .filter(name => name.endsWith(suffix))
    .sort();
  if (names.length === 0) throw new DataError(where, `expected files *${suffix}, found none`);
  return names.flatMap((name, label) =>
    linesOf(files[name]).flatMap(({ line, number }) => {
      const found = /^(\S.*?)\s+([012])$/.exec(line);
      if (!found)
        throw new DataError(`${where}/${name}, line ${number}`, `expected "video.avi 0|1|2", found ${JSON.stringify(line)}`);
      const [, video, use] = found;
      return Number(use) === hmdbParts[part] ? [{ path: `${name.slice(0, -suffix.length)}/${video}`, label }] : [];
    }),
  );
}

/**
 * Moments in Time: `trainingSet.csv` or `validationSet.csv` with rows `class/video.mp4,class,...`, and `moments_categories.txt` with rows
 * `class,number`.
 * @throws DataError naming the line of a class that the categories lack
 */
export function parseMomentsInTime(csv: string, categories: string, where: string): ListedVideo[] {
  const classes = new Map(
    linesOf(categories).map(({ line }) => {
      const comma = line.lastIndexOf(',');
      return [line.slice(0, comma), Number(line.slice(comma + 1))] as const;
    }),
  );
  return linesOf(csv).map(({ line, number }) => {
    const [path, name] = line.split(',');
    const label = classes.get(name);
    if (label === undefined)
      throw new DataError(`${where}, line ${number}`, `the categories have no class ${JSON.stringify(name ?? '')}`);
    return { path, label };
  });
}

/**
 * Kinetics: CSV with a header `label,youtube_id,time_start,time_end,split`; videos are files `<id>_<start>_<end>.mp4` with times of six digits, in
 * folders of their classes. Labels are names: a test list has none.
 * @throws DataError naming the file and the column that it lacks
 */
export function parseKinetics(csv: string, where: string): ListedVideo[] {
  const [head, ...rows] = linesOf(csv).map(({ line }) => line.split(',').map(cell => cell.replace(/^"(.*)"$/, '$1')));
  const column = (name: string): number => head?.indexOf(name) ?? -1;
  const [label, id, start, end] = ['label', 'youtube_id', 'time_start', 'time_end'].map(column);
  if (Math.min(id, start, end) < 0)
    throw new DataError(
      where,
      `expected the columns youtube_id, time_start and time_end, found ${head?.join(', ') ?? 'nothing'}`,
    );
  const six = (seconds: string): string => String(Math.trunc(Number(seconds))).padStart(6, '0');
  return rows.map(row => {
    const file = `${row[id]}_${six(row[start])}_${six(row[end])}.mp4`;
    return label < 0 ? { path: file } : { path: `${row[label]}/${file}`, label: row[label] };
  });
}
