/** Data sets of a folder of videos for each class, or with an `index.json` (Node only). */
import { join } from 'node:path';
import { parseFeatureIndex } from '../data/featureIndex.ts';
import { exists, readJson } from '../data/files.ts';
import { DataError } from '../data/formats/dataError.ts';
import { findListed, type VideoPart } from './findListed.ts';
import { isVideoName, readFolder, videosUnder } from './folderContent.ts';

/** A labelled video of a folder. */
export interface FolderVideo {
  /** Relative to the data folder, with slashes. */
  readonly name: string;
  readonly path: string;
  readonly label: number;
  readonly part?: VideoPart;
}

/** What the folders, or an index, say of a data set. */
export interface FolderDataset {
  readonly classes: readonly string[];
  readonly items: readonly FolderVideo[];
  /** The files behind the labels. */
  readonly files: readonly string[];
  readonly warnings: readonly string[];
}

/** What is looked for, for messages. */
export const classFolderFiles = 'a folder of videos for each class (also in train/ and test/), or index.json';

/** Names of folders that are a part of the data; of those of the test part, the first that is there counts. */
const partFolders: Readonly<Record<VideoPart, readonly string[]>> = {
  train: ['train', 'training'],
  test: ['test', 'testing', 'val', 'validate', 'validation'],
};

/**
 * Labels from `index.json` (`{classes?, items: [{file, label}]}`), else a class for each folder that has videos in it (in its folders too), in
 * alphabetical order, with parts where the folders of classes are in `train/` and `test/` (or `val/`). All may be in one more folder.
 * @param part only this one; videos without a part are in both
 * @returns undefined if there is none of it
 * @throws DataError naming the file or folder that is wrong
 */
export async function readClassFolders(dir: string, part?: VideoPart): Promise<FolderDataset | undefined> {
  const index = join(dir, 'index.json');
  if (await exists(index)) return readIndex(dir, index);
  return readRoot(dir, '', part);
}

async function readIndex(dir: string, path: string): Promise<FolderDataset> {
  const { classes, items } = parseFeatureIndex(await readJson(path), path);
  const features = items.find(({ file }) => /\.np[yz]$/i.test(file));
  if (features) throw new DataError(path, `expected videos, found features (${features.file})`);
  const numbers = new Map(classes.map((name, i) => [name, i]));
  const videos = items.map(({ file, label }) => ({ name: file, places: [file], label: numbers.get(label)! }));
  const found = await findListed(dir, [{ list: path, videos, roots: ['.'] }]);
  return { classes, items: found.items, files: [path], warnings: found.warnings };
}

interface ClassVideos {
  readonly name: string;
  readonly videos: readonly string[];
  readonly part?: VideoPart;
}

async function readRoot(dir: string, root: string, only: VideoPart | undefined): Promise<FolderDataset | undefined> {
  const { folders = [] } = (await readFolder(join(dir, root))) ?? {};
  const parts = await partsAmong(join(dir, root), folders);
  const classes: ClassVideos[] = [];
  const warnings: string[] = [];
  if (parts.length === 0) classes.push(...(await classesIn(dir, root, folders)));
  else {
    const strange = folders.filter(
      name => !parts.some(each => each.folder === name) && !/^(videos|annotations|\..*)$/.test(name),
    );
    for (const name of strange)
      if ((await videosUnder(join(dir, root, name))).length > 0)
        throw new DataError(
          join(dir, root),
          `expected classes in ${parts.map(each => each.folder).join(' and ')} only, found videos in ${name} too`,
        );
    for (const [i, { folder, part }] of parts.entries()) {
      if (parts.findIndex(each => each.part === part) < i) {
        warnings.push(
          `${join(dir, root, folder)}: left out; ${parts.find(each => each.part === part)!.folder} is the ${part} part`,
        );
        continue;
      }
      const inside = (await readFolder(join(dir, root, folder)))!.folders;
      classes.push(...(await classesIn(dir, `${root}${folder}/`, inside)).map(each => ({ ...each, part })));
    }
  }
  if (classes.length === 0) return undefined;
  const [{ name: first, videos }] = classes;
  // One class is none; an archive unpacks to a folder that holds those of the classes.
  if (parts.length === 0 && classes.length === 1 && videos.every(video => video.slice(root.length).split('/').length > 2))
    return readRoot(dir, `${root}${first}/`, only);
  const names = [...new Set(classes.map(({ name }) => name))].sort();
  const numbers = new Map(names.map((name, i) => [name, i]));
  const items = classes
    .filter(({ part }) => only === undefined || part === undefined || part === only)
    .flatMap(({ name, videos, part }) =>
      videos.map(video => ({ name: video, path: join(dir, video), label: numbers.get(name)!, ...(part ? { part } : {}) })),
    );
  if (items.length === 0) throw new DataError(dir, `expected videos of the ${only} part, found none`);
  return { classes: names, items, files: [], warnings };
}

/** The folders that are parts: named so, without videos of their own (a class may be called `train`), the most telling first. */
async function partsAmong(
  root: string,
  folders: readonly string[],
): Promise<{ readonly folder: string; readonly part: VideoPart }[]> {
  const found: { folder: string; part: VideoPart }[] = [];
  for (const part of ['train', 'test'] as const) {
    for (const folder of partFolders[part]) {
      if (!folders.includes(folder)) continue;
      const content = await readFolder(join(root, folder));
      if (content && content.folders.length > 0 && !content.files.some(isVideoName)) found.push({ folder, part });
    }
  }
  return found;
}

async function classesIn(dir: string, root: string, folders: readonly string[]): Promise<ClassVideos[]> {
  const classes: ClassVideos[] = [];
  for (const name of folders) {
    const videos = await videosUnder(join(dir, root, name));
    if (videos.length > 0) classes.push({ name, videos: videos.map(video => `${root}${name}/${video}`) });
  }
  return classes;
}
