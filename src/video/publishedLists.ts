/** UCF-101, HMDB-51, Moments in Time and Kinetics by their own list files, where their archives put them (Node only). */
import { basename, join } from 'node:path';
import { readText } from '../data/files.ts';
import { DataError } from '../data/formats/dataError.ts';
import type { VideoPart, WantedPart, WantedVideo } from './findListed.ts';
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
import {
  hmdb51Class,
  isKineticsHeader,
  type KineticsClip,
  type ListedVideo,
  parseClassNames,
  parseHmdb51,
  parseKinetics,
  parseMomentsCategories,
  parseMomentsInTime,
  parseUcf101,
} from './lists.ts';

/** What each reader looks for, for messages. */
export const publishedFiles = {
  ucf101: 'ucfTrainTestlist/classInd.txt with trainlist0N.txt, testlist0N.txt',
  hmdb51: 'testTrainMulti_7030_splits/<class>_test_splitN.txt',
  'moments-in-time': 'moments_categories.txt with trainingSet.csv, validationSet.csv',
  kinetics: 'train.csv, val.csv (or validate.csv) with a column youtube_id',
} as const;

/** A list as it is, of which every video has a class number. */
function wanted(
  videos: readonly ListedVideo[],
  otherPlaces: (video: ListedVideo) => readonly string[] = () => [],
): WantedVideo[] {
  return videos.map(video => ({
    name: video.path,
    places: [...new Set([video.path, ...otherPlaces(video)])],
    label: video.label as number,
  }));
}

const ucfFolders = ['ucfTrainTestlist', 'UCF101TrainTestSplits-RecognitionTask/ucfTrainTestlist', 'annotations', '.'];

/**
 * UCF-101.
 * @throws DataError naming the file and line that is wrong, or the list that is not there
 */
export const readUcf101: ListReader = async source => {
  const { dir, split } = source;
  const place = await firstFolderWith(dir, ucfFolders, name => name === 'classInd.txt');
  if (!place) return undefined;
  const lists = await firstFolderWith(dir, ucfFolders, name => /^(train|test)list0[123]\.txt$/.test(name));
  if (!lists && !source.lists) return undefined;
  const classFile = join(place.folder, 'classInd.txt');
  const classes = parseClassNames(await readText(classFile), classFile);
  const files = [classFile];
  const parts: WantedPart[] = [];
  for (const part of wantedParts(source)) {
    const name = `${part}list0${split}.txt`;
    const found = source.lists
      ? await namedList(source, part)
      : lists?.names.includes(name) && (await readList(join(lists.folder, name)));
    if (!found) continue;
    files.push(found.path);
    // Folders are named as in classInd.txt, whatever the case in the list.
    const videos = wanted(parseUcf101(found.text, classes, found.path), ({ path, label }) => [
      classes[label as number] + path.slice(path.indexOf('/')),
    ]);
    parts.push({ part, list: found.path, videos, roots: ['.', 'UCF-101', 'UCF101', 'videos'] });
  }
  requireParts(parts, source, lists?.folder ?? dir, `{train,test}list0${split}.txt`);
  return { classes, parts, files, warnings: [] };
};

const hmdbFolders = [
  'testTrainMulti_7030_splits',
  'test_train_splits/testTrainMulti_7030_splits',
  'test_train_splits',
  'splits',
  'metafile',
  'annotations',
  '.',
];

/**
 * HMDB-51.
 * @throws DataError naming the file and line that is wrong
 */
export const readHmdb51: ListReader = async source => {
  const { dir, split } = source;
  const found = await firstFolderWith(dir, hmdbFolders, name => hmdb51Class(name, split) !== undefined);
  if (!found) return undefined;
  if (source.lists) throw new DataError(dir, 'lists of HMDB-51 are a folder of files; choose one by split instead of lists');
  const texts = await Promise.all(found.names.map(async name => [name, await readText(join(found.folder, name))] as const));
  const splits = wantedParts(source).map(part => {
    return { part, ...parseHmdb51(Object.fromEntries(texts), split, part, found.folder) };
  });
  const parts = splits
    .filter(({ videos }) => videos.length > 0)
    .map(({ part, videos }) => ({
      part,
      list: `${found.folder} (split ${split}, ${part})`,
      videos: wanted(videos),
      roots: ['.', 'hmdb51_org', 'hmdb51', 'HMDB51', 'videos'],
    }));
  requireParts(parts, source, found.folder, 'videos of the part');
  return { classes: splits[0].classes, parts, files: found.names.map(name => join(found.folder, name)), warnings: [] };
};

const momentsLists: Readonly<Record<VideoPart, string>> = { train: 'trainingSet.csv', test: 'validationSet.csv' };

/**
 * Moments in Time; its validation set is the test part.
 * @throws DataError naming the file and line that is wrong, or the list that is not there
 */
export const readMomentsInTime: ListReader = async source => {
  const { dir } = source;
  const place = await firstFolderWith(dir, ['.', 'annotations'], name => name === 'moments_categories.txt');
  if (!place) return undefined;
  const classFile = join(place.folder, 'moments_categories.txt');
  const classes = parseMomentsCategories(await readText(classFile), classFile);
  const files = [classFile];
  const parts: WantedPart[] = [];
  const warnings: string[] = [];
  for (const part of wantedParts(source)) {
    const lists = await firstFolderWith(dir, ['.', 'annotations'], name => name === momentsLists[part]);
    const found = source.lists ? await namedList(source, part) : lists && (await readList(join(lists.folder, lists.names[0])));
    if (!found) continue;
    files.push(found.path);
    const videos = distinct(parseMomentsInTime(found.text, classes, found.path), ({ path }) => path, found.path, warnings);
    parts.push({ part, list: found.path, videos: wanted(videos), roots: partRoots(part) });
  }
  requireParts(parts, source, dir, 'trainingSet.csv, validationSet.csv');
  return { classes, parts, files, warnings };
};

/** Lists of Kinetics by their part: `train.csv`, `kinetics-400_val.csv`, `kinetics_validate.csv`, ... */
const kineticsLists: Readonly<Record<VideoPart, readonly RegExp[]>> = {
  train: [/(^|[-_])train\.csv$/i],
  // Published results are of the validation set. Test lists came without labels for long.
  test: [/(^|[-_])val(idate|idation)?\.csv$/i, /(^|[-_])test\.csv$/i],
};

/**
 * Kinetics-400, -600 and -700; the validation set is the test part. Classes are in the order of the alphabet.
 * @throws DataError naming the file and line that is wrong, or the list that is not there
 */
export const readKinetics: ListReader = async source => {
  const { dir } = source;
  const lists: { readonly part: VideoPart; readonly file: ListFile; readonly clips: readonly LabelledClip[] }[] = [];
  const warnings: string[] = [];
  for (const part of ['train', 'test'] as const) {
    const file = source.lists ? await namedList(source, part) : await findKineticsList(dir, part);
    if (!file) continue;
    const clips = labelledClips(parseKinetics(file.text, file.path), file.path);
    lists.push({ part, file, clips: distinct(clips, ({ name }) => name, file.path, warnings) });
  }
  if (lists.length === 0) return undefined;
  // The classes of both lists, whichever is asked for: the numbers must not depend on it.
  const classes = [...new Set(lists.flatMap(({ clips }) => clips.map(({ label }) => label)))].sort();
  const numbers = new Map(classes.map((name, i) => [name, i]));
  const parts = lists
    .filter(({ part }) => wantedParts(source).includes(part))
    .map(({ part, file, clips }) => ({
      part,
      list: file.path,
      videos: clips.map(({ label, name }) => ({
        name: `${label}/${name}.mp4`,
        places: [...classFolders(label).map(folder => `${folder}/${name}.mp4`), `${name}.mp4`],
        label: numbers.get(label)!,
      })),
      roots: partRoots(part),
    }));
  requireParts(parts, source, dir, 'train.csv, val.csv or validate.csv');
  return { classes, parts, files: lists.map(({ file }) => file.path), warnings };
};

type LabelledClip = KineticsClip & { readonly label: string };

function labelledClips(clips: readonly KineticsClip[], where: string): LabelledClip[] {
  return clips.map(clip => {
    const { label } = clip;
    if (label === undefined) throw new DataError(where, 'expected a column "label", found none (test lists may have none)');
    return { ...clip, label };
  });
}

async function findKineticsList(dir: string, part: VideoPart): Promise<ListFile | undefined> {
  for (const pattern of kineticsLists[part]) {
    const found = await firstFolderWith(dir, ['.', 'annotations'], name => pattern.test(name));
    if (!found) continue;
    const files = await Promise.all(found.names.map(name => readList(join(found.folder, name))));
    const own = files.filter(({ text }) => isKineticsHeader(firstLine(text)));
    const name = theOnly(
      own.map(({ path }) => basename(path)),
      found.folder,
      `list of the ${part} part`,
    );
    const file = own.find(({ path }) => basename(path) === name);
    const isUnlabelled = part === 'test' && file && !/(^|,)"?label"?(,|$)/.test(firstLine(file.text));
    if (file && !isUnlabelled) return file;
  }
  return undefined;
}

function firstLine(text: string): string {
  const end = text.search(/[\r\n]/);
  return (end < 0 ? text : text.slice(0, end)).replace(/^\uFEFF/, '');
}

/** How folders of a class of Kinetics are named: as the class, with underscores for spaces, and without `'()` as well. */
export function classFolders(label: string): string[] {
  const underscored = label.replaceAll(' ', '_');
  return [...new Set([label, underscored, underscored.replace(/['()"]/g, '')])];
}

/**
 * Each clip once. The lists of these sizes are made by programs, and nobody can be asked to edit them: a row that is there twice is dropped, with
 * one warning.
 * @throws DataError naming both lines if the two have different labels
 */
function distinct<T extends { readonly line: number; readonly label?: string | number }>(
  clips: readonly T[],
  nameOf: (clip: T) => string,
  where: string,
  warnings: string[],
): T[] {
  const first = new Map<string, T>();
  for (const clip of clips) {
    const before = first.get(nameOf(clip));
    if (before && before.label !== clip.label) {
      const name = JSON.stringify(nameOf(clip));
      throw new DataError(`${where}, line ${clip.line}`, `${name} is on line ${before.line} already, with another class`);
    }
    if (!before) first.set(nameOf(clip), clip);
  }
  const again = clips.length - first.size;
  if (again > 0) warnings.push(`${where}: ${again} ${again === 1 ? 'row is' : 'rows are'} there twice, and counted once`);
  return [...first.values()];
}

/** @throws DataError unless all parts that are asked for by name, and at least one, have a list */
function requireParts(parts: readonly WantedPart[], { part, lists }: ListSource, folder: string, expected: string): void {
  if (parts.length > 0) return;
  const of = part ? ` of the ${part} part` : '';
  throw new DataError(folder, `expected ${lists ? 'a list' : expected}${of}, found none`);
}
