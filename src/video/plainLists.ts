/** Data sets by plain text lists of videos and class numbers (Node only). */
import { dirname, join, posix, relative } from 'node:path';
import { readText } from '../data/files.ts';
import { DataError } from '../data/formats/dataError.ts';
import type { VideoPart, WantedPart } from './findListed.ts';
import {
  firstFolderWith,
  type ListFile,
  type ListReader,
  type ListSource,
  namedList,
  partRoots,
  readList,
  theOnly,
  wantedParts,
} from './listedDataset.ts';
import { type ListedVideo, parseClassNames, parseVideoList } from './lists.ts';

/** What is looked for, for messages. */
export const plainListFiles = 'text lists such as ucf101_train_split_1_videos.txt or test.txt';

const listFolders = ['.', 'annotations'];

/** Which part a list is of by its name, the most telling first; `test` wins over `val`. */
const partWords: Readonly<Record<VideoPart, readonly RegExp[]>> = {
  train: [/(^|[^a-z])train/i],
  test: [/(^|[^a-z])test/i, /(^|[^a-z])val/i],
};

/** Class numbers from here on are no numbers of classes. */
const mostClasses = 100_000;

/**
 * Lists of lines `path label`, named by the source or found by their names in the data folder or its folder `annotations`. Paths are relative to the
 * data folder or to a folder of videos in it. Classes are named by `classInd.txt` or `classes.txt`, else by the videos' folders where each
 * class has one of its own, else `class 0`, `class 1`, ...
 * @throws DataError naming the file and line that is wrong; or the folder if there are several lists of a part
 */
export const readPlainLists: ListReader = async source => {
  const { dir } = source;
  const lists: { readonly part: VideoPart; readonly file: ListFile; readonly videos: readonly ListedVideo[] }[] = [];
  const warnings: string[] = [];
  for (const part of wantedParts(source)) {
    const file = source.lists ? await namedList(source, part) : await findList(source, part, warnings);
    if (file) lists.push({ part, file, videos: parseVideoList(file.text, file.path) });
  }
  if (lists.length === 0) {
    if (source.lists) throw new DataError(dir, `lists: expected one of the ${source.part} part, found none`);
    return undefined;
  }
  for (const { file, videos } of lists)
    if (videos[0].label === undefined) throw new DataError(file.path, 'expected lines "path label", found no labels');
  const named = await findClassNames(dir, lists[0].file.path);
  const classes = named?.classes ?? classesOf(lists);
  for (const { file, videos } of lists) {
    const strange = videos.find(({ label }) => (label as number) >= classes.length);
    if (strange)
      throw new DataError(
        `${file.path}, line ${strange.line}`,
        `expected a class from 0 to ${classes.length - 1}${named ? `, as in ${named.path}` : ''}, found ${strange.label}`,
      );
  }
  const parts = lists.map(({ part, file, videos }): WantedPart => {
    const wanted = videos.map(({ path, label }) => ({ name: path, places: [path], label: label as number }));
    return {
      part,
      list: file.path,
      videos: wanted,
      roots: [...new Set(['.', ...rootsBeside(dir, file.path), ...partRoots(part, ucfAndHmdb)])],
    };
  });
  return { classes, parts, files: [...(named ? [named.path] : []), ...lists.map(({ file }) => file.path)], warnings };
};

/** Folders that the archives of the two data sets unpack to. */
const ucfAndHmdb = ['UCF-101', 'UCF101', 'hmdb51_org', 'hmdb51', 'HMDB51'];

/** The folder of a list, if that is in the data folder. */
function rootsBeside(dir: string, list: string): string[] {
  const folder = relative(dir, dirname(list));
  return folder === '' || folder.startsWith('..') ? [] : [folder];
}

/** The list of a part, by its name; what else would be one is left out with a warning. */
async function findList({ dir, split }: ListSource, part: VideoPart, warnings: string[]): Promise<ListFile | undefined> {
  const others = partWords[part === 'train' ? 'test' : 'train'];
  let chosen: ListFile | undefined;
  for (const word of partWords[part]) {
    const found = await firstFolderWith(
      dir,
      listFolders,
      name =>
        /\.txt$/i.test(name) &&
        word.test(name) &&
        !others.some(other => other.test(name)) &&
        // Lists of frames have other columns, and HMDB-51's own files no class numbers.
        !/rawframes|flow|_test_split\d\.txt$/i.test(name) &&
        (splitNumber(name) ?? split) === split,
    );
    if (!found) continue;
    if (chosen) warnings.push(`${join(found.folder, found.names[0])}: left out; ${chosen.path} is the list of the ${part} part`);
    else chosen = await readList(join(found.folder, theOnly(found.names, found.folder, `list of the ${part} part`)!));
  }
  return chosen;
}

function splitNumber(name: string): number | undefined {
  const found = /split_?0?(\d)/i.exec(name);
  return found ? Number(found[1]) : undefined;
}

/** The class list of a data folder, in the folders where lists are or beside a list. */
async function findClassNames(
  dir: string,
  list: string,
): Promise<{ readonly classes: readonly string[]; readonly path: string } | undefined> {
  const folders = [posix.join(relative(dir, dirname(list)) || '.'), ...listFolders, 'ucfTrainTestlist'];
  const found = await firstFolderWith(dir, folders, name => name === 'classInd.txt' || name === 'classes.txt');
  if (!found) return undefined;
  const path = join(found.folder, found.names[0]);
  return { classes: parseClassNames(await readText(path), path), path };
}

function classesOf(lists: readonly { readonly file: ListFile; readonly videos: readonly ListedVideo[] }[]): string[] {
  let most = 0;
  const folders = new Map<number, Set<string>>();
  for (const { file, videos } of lists) {
    for (const { path, label, line } of videos) {
      const number = label as number;
      if (number >= mostClasses)
        throw new DataError(`${file.path}, line ${line}`, `expected a class below ${mostClasses}, found ${number}`);
      most = Math.max(most, number);
      folders.set(number, (folders.get(number) ?? new Set()).add(posix.basename(posix.dirname(path))));
    }
  }
  const each = [...folders.values()];
  const agree = each.every(names => names.size === 1 && !names.has('.') && !names.has(''));
  const isUnique = new Set(each.flatMap(names => [...names])).size === each.length;
  return Array.from({ length: most + 1 }, (_, i) => {
    const own = agree && isUnique ? folders.get(i) : undefined;
    return own ? [...own][0] : `class ${i}`;
  });
}
