/** Teaching a recogniser by a few clips of each class, and asking it (Node). */
import { resolve } from 'node:path';
import { listSafetensors } from '../data/formats/safetensors.ts';
import { DataError, readBytes, writeFileAtomic } from '../data/index.ts';
import type { Device } from '../engine/index.ts';
import type { ClassDistance } from '../fewshot/classDistance.ts';
import type { MetricName } from '../fewshot/matching/metrics.ts';
import type { Frames } from '../fewshot/matching/sequenceDistances.ts';
import { learn, type Support, type Taught, type TaughtAnswer, type TaughtBackbone, taughtRecognizer } from '../fewshot/taught.ts';
import { encodeTaught, isTaught, parseTaught } from '../fewshot/taughtFile.ts';
import type { Layout } from '../video/backbone.ts';
import { type BackboneChoice, clipReader, isFeatureFile } from './clipReader.ts';
import type { Reporter } from './reporter.ts';

/** A class to teach: its name, and its clips. */
export interface TaughtClass {
  readonly name: string;
  /** Videos, or feature files (`.npy`, `.npz`). */
  readonly files: readonly string[];
}

export interface TeachOptions {
  /** Default `bi-mhm`. */
  readonly metric?: MetricName;
  /** Default `nearest`. */
  readonly classDistance?: ClassDistance;
  /** T: frames of each clip that are compared. Default 8. */
  readonly frames?: number;
  /** What makes features of videos. */
  readonly backbone?: BackboneChoice;
  readonly device?: Device;
  readonly threads?: number;
  readonly reporter?: Reporter;
}

/**
 * Teaches a recogniser: features of the clips, and a threshold for "none of these" from them alone.
 * @throws DataError in one line: fewer than two classes, a name that is there twice, a class without clips, a clip that is there twice, that cannot
 *   be read or whose features have another width, a backbone that does not work
 */
export async function teach(
  name: string,
  classes: readonly TaughtClass[],
  { metric = 'bi-mhm', classDistance = 'nearest', frames = 8, reporter, ...options }: TeachOptions = {},
): Promise<Taught> {
  checkClasses(classes);
  const backbone = options.backbone && { ...options.backbone, path: resolve(options.backbone.path) };
  const reader = await clipReader({ ...options, frames, backbone, onWarning: line => reporter?.warn(line) });
  try {
    const clips = classes.flatMap(({ files }, label) => files.map(file => ({ file, label })));
    const needsViews = classes.every(({ files }) => files.length === 1);
    const supports: Support[] = [];
    const views: Frames[][] = [];
    for (const [i, { file, label }] of clips.entries()) {
      reporter?.progress({ label: 'reading clips', done: i, total: clips.length, detail: file });
      const sequence = await reader.read(file);
      const [first = { file, sequence }] = supports;
      if (sequence.width !== first.sequence.width)
        throw new DataError(
          file,
          `expected features of width ${first.sequence.width} as in ${first.file}, found ${sequence.width}`,
        );
      supports.push({ file, label, sequence });
      if (needsViews) views.push(await reader.views(file));
    }
    const names = classes.map(each => each.name);
    return learn({
      name,
      classes: names,
      metric,
      classDistance,
      supports,
      backbone: reader.backbone,
      ...(needsViews && { views }),
    });
  } finally {
    await reader.dispose();
  }
}

function checkClasses(classes: readonly TaughtClass[]): void {
  const owners = new Map<string, string>();
  const names = new Set<string>();
  for (const { name, files } of classes) {
    if (name === '') throw new DataError('support', 'expected a name for each class, found none');
    if (names.has(name))
      throw new DataError(`support ${JSON.stringify(name)}`, 'the class is there twice; name all its clips at once');
    names.add(name);
    if (files.length === 0) throw new DataError(`support ${JSON.stringify(name)}`, 'the class has no clip');
    for (const file of files) {
      const path = resolve(file);
      const owner = owners.get(path);
      if (owner !== undefined)
        throw new DataError(
          file,
          `the clip is there twice, in ${owner === name ? 'class' : `classes ${JSON.stringify(owner)} and`} ${JSON.stringify(name)}`,
        );
      owners.set(path, name);
    }
  }
  if (classes.length < 2)
    throw new DataError(
      'support',
      `expected at least 2 classes to tell apart, found ${classes.map(({ name }) => JSON.stringify(name)).join() || 'none'}`,
    );
}

/** Writes a recogniser as one file. */
export async function writeTaught(path: string, taught: Taught): Promise<void> {
  await writeFileAtomic(path, encodeTaught(taught));
}

/** Reads what {@link writeTaught} wrote. @throws DataError naming the file: missing, damaged, or no recogniser */
export async function loadTaught(path: string): Promise<Taught> {
  return parseTaught(await readBytes(path), path);
}

/** Whether a file is a recogniser; false for anything that is no `.safetensors` file. */
export async function isTaughtFile(path: string): Promise<boolean> {
  try {
    return isTaught(listSafetensors(await readBytes(path), path).metadata);
  } catch {
    return false;
  }
}

export interface TaughtOptions extends Pick<TeachOptions, 'device' | 'threads' | 'reporter'> {
  /** Distance above which a clip is none of the classes. Default: the recogniser's own. */
  readonly threshold?: number;
  /** Where the backbone is, if it was moved; it has to be the same file. */
  readonly backbone?: string;
}

/** A recogniser's answer to a file. */
export interface TaughtRecognition extends TaughtAnswer {
  readonly input: string;
}

/** What came of a list of files. */
export interface TaughtRecognitions {
  readonly clips: readonly TaughtRecognition[];
  /** Files that cannot be read; the others are not lost with them. */
  readonly failures: readonly { readonly input: string; readonly problem: string }[];
}

/**
 * Asks a recogniser for the classes of files, videos or features.
 * @throws DataError for a backbone that is gone or has changed
 */
export async function recognizeTaught(
  taught: Taught,
  files: readonly string[],
  { threshold, backbone, reporter, device, threads }: TaughtOptions = {},
): Promise<TaughtRecognitions> {
  const [{ sequence }] = taught.supports;
  const answer = taughtRecognizer(taught, threshold);
  const needsBackbone = files.some(file => !isFeatureFile(file));
  const reader = await clipReader({
    frames: sequence.frames,
    ...(needsBackbone && taught.backbone && { backbone: choiceOf(taught.backbone, backbone) }),
    ...{ device, threads, onWarning: line => reporter?.warn(line) },
  });
  const clips: TaughtRecognition[] = [];
  const failures: { input: string; problem: string }[] = [];
  try {
    for (const [i, file] of files.entries()) {
      reporter?.progress({ label: 'recognising', done: i, total: files.length, detail: file });
      try {
        if (!isFeatureFile(file) && !taught.backbone)
          throw new DataError(
            file,
            'expected features (.npy, .npz): the recogniser was taught by features, without a backbone for videos',
          );
        const query = await reader.read(file);
        if (query.width !== sequence.width)
          throw new DataError(file, `expected features of width ${sequence.width} as the recogniser has, found ${query.width}`);
        clips.push({ input: file, ...answer(query) });
      } catch (thrown) {
        if (!(thrown instanceof DataError)) throw thrown;
        failures.push({ input: file, problem: thrown.message });
      }
    }
  } finally {
    await reader.dispose();
  }
  return { clips, failures };
}

function choiceOf({ path, layout, mean, std, ...rest }: TaughtBackbone, moved: string | undefined): BackboneChoice {
  return { ...rest, path: moved ?? path, layout: layout as Layout, mean: [...mean], std: [...std] };
}
