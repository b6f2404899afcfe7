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
