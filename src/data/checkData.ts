/** Looks a whole data set over (Node only). */
import { join } from 'node:path';
import { featureFolderFile } from './featureFolder.ts';
import { exists } from './files.ts';
import { DataError } from './formats/dataError.ts';
import { surveyVideoDataset, type TestVideoItem, type VideoDataset, type VideoDatasetOptions, type VideoItem } from './videos.ts';

/** One thing found out about a data set. */
export interface Finding {
  readonly level: 'error' | 'warning' | 'info';
  /** One line. */
  readonly message: string;
}

/** What to expect of a data set. */
export interface CheckOptions {
  /**
   * Seconds of video behind one row of features. Default: 0.64 (16 frames at 25 per second); where `features.json` says what made the rows, their
   * number is not judged.
   */
  readonly snippetSeconds?: number;
}

/** Where rows x snippet length and the stated duration differ by more than both, something is wrong with one of them. */
const durationTolerance = { fraction: 0.1, snippets: 2 };

/**
 * Reads everything a data set consists of, every feature file included, and says what is wrong, strange and there, in this
 * order. Problems of the data are findings, not exceptions.
 * @param source the folder, or the options of the data set
 */
export async function checkData(source: string | VideoDatasetOptions, options: CheckOptions = {}): Promise<Finding[]> {
  const findings: Finding[] = [];
  const add = (level: Finding['level'], message: string): void => {
    findings.push({ level, message });
  };
  const datasetOptions = typeof source === 'string' ? { dir: source } : source;
  let dataset: VideoDataset;
  try {
    ({ dataset } = await surveyVideoDataset(datasetOptions));
  } catch (thrown) {
    if (!(thrown instanceof DataError)) throw thrown;
    return [{ level: 'error', message: thrown.message }];
  }
  for (const warning of dataset.warnings) add('warning', warning);
  describe(dataset, add);
  const isExtracted = await exists(join(datasetOptions.dir, featureFolderFile));
  await readAll(dataset, datasetOptions, options.snippetSeconds ?? (isExtracted ? undefined : 0.64), add);
  const rank = { error: 0, warning: 1, info: 2 };
  return findings.sort((a, b) => rank[a.level] - rank[b.level]);
}

type Add = (level: Finding['level'], message: string) => void;

function describe({ classes, train, test, testSubset, annotations }: VideoDataset, add: Add): void {
  add('info', `${train.length} training and ${test.length} test videos, ${classes.length} classes`);
  const count = (items: readonly VideoItem[], c: number): number => items.reduce((sum, { label }) => sum + label[c], 0);
  const counts = classes.map((name, c) => ({ name, train: count(train, c), test: count(test, c) }));
  add('info', `videos per class (training/test): ${counts.map(each => `${each.name} ${each.train}/${each.test}`).join(', ')}`);
  const never = counts.filter(each => each.train === 0).map(each => each.name);
  if (never.length > 0 && train.length > 0) add('warning', `classes without a training video: ${never.join(', ')}`);

  const unlabelled = test.filter(item => item.instances.length === 0).map(item => item.name);
  if (unlabelled.length > 0) add('warning', `test videos without an annotation: ${unlabelled.join(', ')}`);
  const unplaced = test.filter(item => item.instances.some(instance => !instance.segment)).map(item => item.name);
  if (unplaced.length > 0)
    add('warning', `${unplaced.length} test videos have labels without segments: mAP cannot be computed from them`);
  const names = new Set(test.map(item => item.name));
  const unlisted = [...annotations.videos.values()].filter(video => video.subset === testSubset && !names.has(video.name));
  if (testSubset !== undefined && unlisted.length > 0) {
    add('info', `videos of subset ${testSubset} that are not in the test split: ${unlisted.map(video => video.name).join(', ')}`);
  }
}

async function readAll(
  dataset: VideoDataset,
  options: VideoDatasetOptions,
  snippetSeconds: number | undefined,
  add: Add,
): Promise<void> {
  const rows: number[] = [];
  let width = options.featureWidth;
  const read = async (item: VideoItem | TestVideoItem): Promise<void> => {
    try {
      const [n, found] = (await item.load()).shape;
      width ??= found;
      if (found !== width)
        add('error', `${item.name}: expected features of width ${width} (as the videos before it), found ${found}`);
      rows.push(n);
      const { duration } = item;
      if (duration === undefined || snippetSeconds === undefined) return;
      const seconds = n * snippetSeconds;
      const off = Math.abs(seconds - duration);
      if (off > durationTolerance.fraction * duration && off > durationTolerance.snippets * snippetSeconds) {
        add(
          'warning',
          `${item.name}: ${n} rows of ${snippetSeconds} s are ${seconds.toFixed(1)} s, the annotations state ${duration.toFixed(1)} s`,
        );
      }
    } catch (thrown) {
      if (!(thrown instanceof DataError)) throw thrown;
      add('error', thrown.message);
    }
  };
  // One after the other: nothing is kept, so a data set larger than the memory can be checked.
  for (const item of [...dataset.train, ...dataset.test]) await read(item);
  if (rows.length === 0) return;
  rows.sort((a, b) => a - b);
  const median = rows[Math.floor(rows.length / 2)];
  add('info', `features: width ${width}, ${rows[0]} / ${median} / ${rows[rows.length - 1]} rows (fewest / median / most)`);
}
