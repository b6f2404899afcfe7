/** Data sets of untrimmed videos as features on disk (Node only). */
import { join, resolve } from 'node:path';
import { type Annotations, type Instance, parseAnnotations, pastDurationWarning, type VideoAnnotation } from './annotations.ts';
import { type FeatureIndex, indexFiles, parseFeatureIndex } from './featureIndex.ts';
import { type FeatureCache, type FeatureFiles, type Features, featureLocator, readFeatures } from './features.ts';
import { exists, readJson, readText } from './files.ts';
import { DataError } from './formats/dataError.ts';
import { classesOf, multiHotLabel, parseClasses } from './labels.ts';
import { parseLabelsCsv } from './labelsCsv.ts';
import { guessSubsets, parseSplit } from './splits.ts';

/** A video to train on. Where its actions happen is not part of it: training sees video-level labels only. */
export interface VideoItem {
  readonly name: string;
  /** Multi-hot `[C]`. */
  readonly label: Float32Array;
  /** Seconds, if the annotations state it. */
  readonly duration?: number;
  /** The features `[n, F]`; do not write to them. */
  load(): Promise<Features>;
}

/** A video to test on, with its ground truth. */
export interface TestVideoItem extends VideoItem {
  readonly instances: readonly Instance[];
}

/** A data set of untrimmed videos. */
export interface VideoDataset {
  /** Class names in the order of the label columns. */
  readonly classes: readonly string[];
  readonly train: readonly VideoItem[];
  readonly test: readonly TestVideoItem[];
  /** The subset of the annotations that tests, if there is one; evaluators count all of its videos. */
  readonly testSubset?: string;
  readonly warnings: readonly string[];
  readonly annotations: Annotations;
  /** The files behind all this but the features: annotations, the split lists that were read, and the folder's class list if it has one. */
  readonly files: readonly string[];
}

/** Where a data set is, and what differs from the THUMOS14 layout. All paths are relative to `dir`. */
export interface VideoDatasetOptions {
  readonly dir: string;
  /**
   * ActivityNet-style JSON, CSV `video,label[,subset]`, or an index `{classes?, items: [{file, label, subset?}]}`. Default: the first that is there of
   * `gt.json`, `labels.csv`, `index.json` and `features.json`.
   */
  readonly annotations?: string;
  /** List of the videos to train on. Default: `split_train.txt` if it exists, else the subset decides. */
  readonly splitTrain?: string;
  /** List of the videos to test on. Default: `split_test.txt` if it exists, else the subset decides. */
  readonly splitTest?: string;
  /** Class names in order. Default: `classes.json` if it exists, else those of the index, else the labels in order of first appearance. */
  readonly classes?: readonly string[];
  /** Subset to train on where there is no split list. Default: {@link guessSubsets}. */
  readonly trainSubset?: string;
  /** Subset to test on. Default: {@link guessSubsets}. */
  readonly testSubset?: string;
  /** Folder of the training features. Default: `train` if it exists, else `dir` itself. */
  readonly trainFeatures?: string;
  /** Folder of the test features. Default: `test` if it exists, else `dir` itself. */
  readonly testFeatures?: string;
  /** Width F the features must have. */
  readonly featureWidth?: number;
  readonly cache?: FeatureCache;
}

/**
 * Opens a data set: annotations, splits, classes, and where the features are (each is read when its `load` is called).
 * @throws DataError naming the file, video or class: no annotations, a split naming a video that is not in them, an unknown class, a
 *   training video without a label, missing features
 */
export async function openVideoDataset(options: VideoDatasetOptions): Promise<VideoDataset> {
  const { dataset, missing } = await surveyVideoDataset(options);
  if (missing.length > 0) throw missingError(missing);
  return dataset;
}

function missingError(missing: readonly DataError[]): DataError {
  const more = missing.length - 1;
  if (more === 0) return missing[0];
  return new DataError(missing[0].message, `and so for ${more} more video${more === 1 ? '' : 's'}`);
}

/** As {@link openVideoDataset}, but videos without features are counted, not thrown: each has an error here and in its `load`. */
export async function surveyVideoDataset(options: VideoDatasetOptions): Promise<{ dataset: VideoDataset; missing: DataError[] }> {
  const { dir } = options;
  if (!(await exists(dir))) throw new DataError(dir, 'no such folder');
  const annotationsPath = await pathOfAnnotations(options);
  const annotations = await readAnnotations(annotationsPath);
  const warnings: string[] = [];
  const past = pastDurationWarning(annotations.pastDuration);
  if (past) warnings.push(`${annotationsPath}: ${past}`);

  const { train, test, testSubset, files } = await divide(annotations, annotationsPath, options, warnings);
  const listed = new Set([...train, ...test]);
  const classes = await classList(
    options,
    () => annotations.classes ?? classesOf([...annotations.videos.values()].filter(video => listed.has(video))),
  );

  const missing: DataError[] = [];
  const items = async (videos: readonly VideoAnnotation[], folder: string | undefined, usual: string): Promise<VideoItem[]> => {
    // An index says where its files are, from the folder.
    const features = folder ?? (annotations.classes === undefined && (await exists(join(dir, usual))) ? usual : '.');
    const locate = featureLocator(resolve(dir, features));
    return Promise.all(
      videos.map(async video => {
        const label = multiHotLabel(video, classes, annotationsPath);
        const files = await located(locate(video.name));
        if (files instanceof DataError) missing.push(files);
        return { name: video.name, label, duration: video.duration, load: () => load(files, options) };
      }),
    );
  };
  for (const { name, labels } of train) {
    if (labels.length === 0) throw new DataError(annotationsPath, `training video ${JSON.stringify(name)} has no label`);
  }
  const trainItems = await items(train, options.trainFeatures, 'train');
  const testItems = await items(test, options.testFeatures, 'test');
  return {
    dataset: {
      classes,
      train: trainItems,
      test: testItems.map((item, i) => ({ ...item, instances: test[i].instances })),
      testSubset,
      warnings,
      annotations,
      files: [annotationsPath, ...files, ...(await fileOfClasses(dir))],
    },
    missing,
  };
}

async function located(files: Promise<FeatureFiles>): Promise<FeatureFiles | DataError> {
  return files.catch((thrown: unknown) => {
    if (thrown instanceof DataError) return thrown;
    throw thrown;
  });
}

async function load(files: FeatureFiles | DataError, { featureWidth, cache }: VideoDatasetOptions): Promise<Features> {
  if (files instanceof DataError) throw files;
  return readFeatures(files, { width: featureWidth, cache });
}

/** Names of annotation files, the first that is there counts. */
const usualAnnotations: readonly string[] = ['gt.json', 'labels.csv', ...indexFiles];

async function pathOfAnnotations({ dir, annotations }: VideoDatasetOptions): Promise<string> {
  if (annotations !== undefined) return resolve(dir, annotations);
  for (const usual of usualAnnotations) {
    const path = join(dir, usual);
    if (await exists(path)) return path;
  }
  throw new DataError(dir, `expected annotations in ${usualAnnotations.join(', ')}, found none of them`);
}

/**
 * Reads annotations: `.csv` as `video,label[,subset]`, JSON with the key `items` as an index of feature files, whose names without the ending are
 * those of the videos, anything else as ActivityNet-style JSON.
 * @throws DataError naming the file if it is missing or wrong
 */
export async function readAnnotations(path: string): Promise<Annotations> {
  if (path.toLowerCase().endsWith('.csv')) return parseLabelsCsv(await readText(path), path);
  const json = await readJson(path);
  return isIndex(json) ? indexAnnotations(parseFeatureIndex(json, path)) : parseAnnotations(json, path);
}

const isIndex = (json: unknown): boolean => typeof json === 'object' && json !== null && 'items' in json;

function indexAnnotations({ path, items, classes }: FeatureIndex): Annotations {
  const videos = new Map<string, VideoAnnotation>();
  for (const { file, label, subset, duration } of items) {
    const name = file.replace(/\.np[yz]$/i, '');
    if (videos.has(name)) throw new DataError(path, `the video ${JSON.stringify(name)} has two files`);
    videos.set(name, { name, subset, duration, labels: [label], instances: [{ label }] });
  }
  return { videos, pastDuration: [], classes };
}

async function classList({ dir, classes }: VideoDatasetOptions, fromLabels: () => readonly string[]): Promise<readonly string[]> {
  if (classes !== undefined) return parseClasses(classes, 'classes');
  const [path] = await fileOfClasses(dir);
  return path === undefined ? fromLabels() : parseClasses(await readJson(path), path);
}

/** The class list of a folder; none if there is no such file. */
async function fileOfClasses(dir: string): Promise<[path: string] | []> {
  const path = join(dir, 'classes.json');
  return (await exists(path)) ? [path] : [];
}

interface Division {
  readonly train: readonly VideoAnnotation[];
  readonly test: readonly VideoAnnotation[];
  readonly testSubset?: string;
  /** The split lists that were read. */
  readonly files: readonly string[];
}

/** Which videos train and which test: the split lists where they are, else the subsets. */
async function divide(
  annotations: Annotations,
  annotationsPath: string,
  options: VideoDatasetOptions,
  warnings: string[],
): Promise<Division> {
  const guess = guessSubsets(annotations);
  const trainSubset = options.trainSubset ?? guess.train;
  const testSubset = options.testSubset ?? guess.test;
  const all = [...annotations.videos.values()];
  const inSubset = (subset: string | undefined): VideoAnnotation[] =>
    subset === undefined ? [] : all.filter(video => video.subset === subset);

  const files: string[] = [];
  const split = async (file: string | undefined, usual: string): Promise<VideoAnnotation[] | undefined> => {
    const path = resolve(options.dir, file ?? usual);
    if (file === undefined && !(await exists(path))) return undefined;
    files.push(path);
    return splitOf(path, annotations, annotationsPath);
  };
  const listedTrain = await split(options.splitTrain, 'split_train.txt');
  const listedTest = await split(options.splitTest, 'split_test.txt');
  const divided = listedTrain !== undefined || listedTest !== undefined || all.some(video => video.subset !== undefined);
  // Labels without any division: everything there is trains.
  const train = listedTrain ?? (divided ? inSubset(trainSubset) : all);
  const test = listedTest ?? inSubset(testSubset);
  for (const [chosen, subset, videos] of [
    [options.trainSubset, 'trainSubset', train],
    [options.testSubset, 'testSubset', test],
  ] as const) {
    if (chosen !== undefined && videos.length === 0)
      throw new DataError(annotationsPath, `no video is in ${subset} ${JSON.stringify(chosen)}`);
  }
  const names = new Set(train.map(video => video.name));
  const both = test.filter(video => names.has(video.name)).map(video => video.name);
  if (both.length > 0) warnings.push(`${options.dir}: ${both.length} videos both train and test: ${both.join(', ')}`);
  if (train.length === 0) warnings.push(`${options.dir}: no training videos`);
  if (test.length === 0) warnings.push(`${options.dir}: no test videos`);
  return { train, test, testSubset, files };
}

async function splitOf(path: string, { videos }: Annotations, annotationsPath: string): Promise<VideoAnnotation[]> {
  return parseSplit(await readText(path), path).map(name => {
    const video = videos.get(name);
    if (!video) throw new DataError(path, `video ${JSON.stringify(name)} is not in ${annotationsPath}`);
    return video;
  });
}
