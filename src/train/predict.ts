/** Prediction from feature files (Node). */
import { basename, extname } from 'node:path';
import { DataError, type FeatureFiles, type Features, readFeatures } from '../data/index.ts';
import type { Device } from '../engine/index.ts';
import { acmNetOptions, localizeOptions } from '../localization/config.ts';
import type { Detection } from '../localization/detections.ts';
import { inferVideo } from '../localization/inferVideo.ts';
import { localize } from '../localization/localize.ts';
import { inferenceStep } from '../localization/steps.ts';
import type { Model } from './model.ts';
import type { Reporter } from './reporter.ts';

/** What a person gives a localiser that wants features. */
const videoEndings = new Set([
  '.mp4',
  '.avi',
  '.mkv',
  '.webm',
  '.mov',
  '.m4v',
  '.mpg',
  '.mpeg',
  '.ts',
  '.flv',
  '.wmv',
  '.ogv',
  '.3gp',
  '.gif',
]);

/** The features of one video to predict: one file, or RGB and flow to be put side by side. */
export interface FeatureInput {
  /** Name of the video in the result. */
  readonly name: string;
  readonly files: FeatureFiles;
}

/** A feature file as an input, named after the file without its ending. */
export function featureInput(file: string): FeatureInput {
  return { name: basename(file, extname(file)), files: [file] };
}

export interface PredictOptions {
  readonly reporter: Reporter;
  /** Where to run, in the place of where it was trained. */
  readonly device?: Device;
  readonly threads?: number;
}

/** A model that is ready to predict. */
export interface Predictor {
  /** Detections in one video's features `[snippets, F]`, times in seconds. @throws DataError for features of another width. */
  predict(features: Features, where?: string): Promise<Detection[]>;
  dispose(): Promise<void>;
}

/** Makes a model ready to predict from features in memory. */
export function predictor(
  { config, classes, params }: Model,
  { device, threads }: Omit<PredictOptions, 'reporter'> = {},
): Predictor {
  const where = { device: device ?? config.train.device, threads: threads ?? config.train.threads ?? undefined };
  const step = inferenceStep({ network: acmNetOptions(config, classes.length) }, where);
  const options = localizeOptions(config);
  return {
    async predict(features, place = 'features') {
      const { featureDim } = config.model;
      if (features.shape[1] !== featureDim)
        throw new DataError(place, `expected features of width ${featureDim}, found ${features.shape[1]}`);
      return localize(await inferVideo(step, params, features, config.data.samples), classes, options);
    },
    dispose: step.dispose,
  };
}

/**
 * Detections of each input (`.npy`, or `.npz` with one array; `[snippets, F]`), by name.
 * @throws DataError for a video (which needs the model's feature extractor), a damaged file, or features of another width.
 */
export async function predictFiles(
  model: Model,
  inputs: readonly FeatureInput[],
  { reporter, ...where }: PredictOptions,
): Promise<Map<string, Detection[]>> {
  const named = new Map<string, FeatureFiles>();
  for (const { name, files } of inputs) {
    const [file] = files;
    if (videoEndings.has(extname(file).toLowerCase())) throw new DataError(file, needsExtractor(model.config.data.extractor));
    const other = named.get(name);
    if (other !== undefined)
      throw new DataError(file, `two inputs have the name ${JSON.stringify(name)}; the other is ${other[0]}`);
    named.set(name, files);
  }
  const detections = new Map<string, Detection[]>();
  const { predict, dispose } = predictor(model, where);
  try {
    for (const [name, files] of named) {
      detections.set(name, await predict(await readFeatures(files), files.join(' + ')));
      reporter.progress({ label: 'predicting', done: detections.size, total: named.size });
    }
  } finally {
    await dispose();
  }
  return detections;
}

function needsExtractor(extractor: unknown): string {
  const which =
    extractor === null || extractor === undefined
      ? 'which one made its training features is not recorded (set data.extractor when training)'
      : `its training features come from ${typeof extractor === 'string' ? extractor : JSON.stringify(extractor)}`;
  return `a video needs the backbone that the model was trained on, run over it first: ${which}; give the feature file (.npy) instead`;
}
