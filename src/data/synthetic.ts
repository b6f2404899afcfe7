/** A small made-up feature set, for a first run and for tests (Node only). Everything in it says that it is synthetic. */

import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { ndarray } from '../engine/ndarray.ts';
import { fold, integers, type Key, key, normal } from '../engine/random.ts';
import { exists, readJson, writeProblem } from './files.ts';
import { DataError } from './formats/dataError.ts';
import { encodeNpy } from './formats/npy.ts';

/** What the feature set is made of. */
export interface SyntheticOptions {
  readonly seed: number;
  /** Number of action classes. */
  readonly classes: number;
  readonly trainVideos: number;
  readonly testVideos: number;
  /** F: width of a row of features. */
  readonly featureDim: number;
  /** Seconds behind one row of features. */
  readonly snippetSeconds: number;
}

interface SyntheticVideo {
  /** `[n, F]` */
  readonly features: Uint8Array;
  /** Seconds. */
  readonly duration: number;
  readonly annotations: readonly { readonly label: string; readonly segment: readonly [number, number] }[];
}

/** Length of a feature vector's class or background direction; noise has deviation 1 / sqrt(F) * `noise` per entry. */
const strength = { action: 3, background: 1.5, noise: 1 } as const;

/** The file that says what a folder was made of. */
const optionsFile = 'synthetic.json';

/**
 * Writes the feature set to `dir` unless that folder exists.
 * @returns true if it was written
 * @throws DataError if the folder holds anything but the feature set of these options
 */
export async function ensureSyntheticFeatures(dir: string, options: SyntheticOptions): Promise<boolean> {
  if (!(await exists(dir))) {
    await writeSyntheticFeatures(dir, options);
    return true;
  }
  const path = join(dir, optionsFile);
  if (!(await exists(path))) {
    throw new DataError(dir, `expected a folder of synthetic features (with ${optionsFile}) or none, found another one`);
  }
  const found = await readJson(path);
  if (!isDeepStrictEqual(found, { ...options })) {
    throw new DataError(
      path,
      `expected ${JSON.stringify(options)}, found ${JSON.stringify(found)}; remove the folder to write it anew`,
    );
  }
  return false;
}

/**
 * Writes a feature set in THUMOS14's layout: `train/` and `test/` (`.npy`, `[n, F]` float32), `gt.json`, split lists, `classes.json`,
 * a README. A video has one class (every fourth two) in several instances between background snippets; a class is a direction of
 * the feature space, and so is each of as many kinds of background. The folder appears whole or not at all.
 * @throws DataError if the folder exists
 */
export async function writeSyntheticFeatures(dir: string, options: SyntheticOptions): Promise<void> {
  if (await exists(dir)) throw new DataError(dir, 'exists already');
  const classes = Array.from({ length: options.classes }, (_, c) => `synthetic action ${c + 1}`);
  const root = key(options.seed);
  const temporary = join(dirname(dir), `.${basename(dir)}.${process.pid}.tmp`);
  const database: Record<string, unknown> = {};
  const put = (name: string, content: string | Uint8Array): Promise<void> => writeFile(join(temporary, name), content);
  try {
    for (const [part, subset, count] of [
      ['train', 'validation', options.trainVideos],
      ['test', 'test', options.testVideos],
    ] as const) {
      await mkdir(join(temporary, part), { recursive: true });
      const names = Array.from({ length: count }, (_, i) => `synthetic_${part}_${String(i).padStart(3, '0')}`);
      for (const [i, name] of names.entries()) {
        const { features, ...facts } = syntheticVideo(i, classes, options, root, fold(fold(root, part), i));
        await put(join(part, `${name}.npy`), features);
        database[name] = { subset, synthetic: true, ...facts };
      }
      await put(`split_${part}.txt`, `${names.join('\n')}\n`);
    }
    await put('gt.json', `${JSON.stringify({ synthetic: true, database }, null, 1)}\n`);
    await put('classes.json', `${JSON.stringify(classes)}\n`);
    await put(optionsFile, `${JSON.stringify(options)}\n`);
    await put('README.txt', 'Synthetic features: random numbers with a direction per class. No video is behind them.\n');
    await rename(temporary, dir);
  } catch (thrown) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {}); // the first error is the one to tell
    if ((thrown as { code?: string }).code === undefined) throw thrown;
    throw new DataError(dir, writeProblem(thrown, dirname(dir)), { cause: thrown });
  }
}

/** One video: background and instances in turn, until there are four of them. */
function syntheticVideo(
  index: number,
  classes: readonly string[],
  { featureDim, snippetSeconds }: SyntheticOptions,
  root: Key,
  own: Key,
): SyntheticVideo {
  const main = index % classes.length;
  const shown = index % 4 === 3 ? [main, (main + 1 + (Math.floor(index / 4) % (classes.length - 1))) % classes.length] : [main];
  const instances = 4;
  const lengths = integers(fold(own, 'lengths'), 4, 11, instances);
  const gaps = integers(fold(own, 'gaps'), 4, 13, instances + 1);
  const kinds = integers(fold(own, 'background'), 0, classes.length, instances + 1);
  const total = [...lengths, ...gaps].reduce((sum, n) => sum + n, 0);
  const { data } = normal(fold(own, 'noise'), [total, featureDim]);
  for (let i = 0; i < data.length; i++) data[i] *= strength.noise / Math.sqrt(featureDim);

  let row = 0;
  const fill = (count: number, direction: Float32Array): readonly [number, number] => {
    const begin = row;
    for (; row < begin + count; row++) for (let f = 0; f < featureDim; f++) data[row * featureDim + f] += direction[f];
    return [begin * snippetSeconds, row * snippetSeconds];
  };
  const background = (part: number): readonly [number, number] =>
    fill(gaps[part], direction(root, 'background', kinds[part], featureDim, strength.background));
  const annotations = Array.from(lengths, (length, i) => {
    background(i);
    const c = shown[i % shown.length];
    return { label: classes[c], segment: fill(length, direction(root, 'action', c, featureDim, strength.action)) };
  });
  background(instances);
  return { features: encodeNpy(ndarray('float32', [total, featureDim], data)), duration: total * snippetSeconds, annotations };
}

/** A random direction of the feature space, of the given length; the same for all videos. */
function direction(root: Key, kind: string, index: number, featureDim: number, length: number): Float32Array {
  const { data } = normal(fold(fold(root, kind), index), [featureDim]);
  const norm = Math.hypot(...data);
  return data.map(value => (value * length) / norm);
}
