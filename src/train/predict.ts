/** Prediction from feature files (Node). */
import { basename, extname } from 'node:path';
import { DataError, readFeatureFile } from '../data/index.ts';
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

/**
 * Detections of each feature file (`.npy`, or `.npz` with one array; `[snippets, F]`), by the file's name without its ending.
 * @throws DataError for a video (which needs the model's feature extractor), a damaged file, or features of another width.
 */
export async function predictFiles(
  model: Model,
  files: readonly string[],
  reporter: Reporter,
): Promise<Map<string, Detection[]>> {
  const { config, classes, params } = model;
  const named = new Map<string, string>();
  for (const file of files) {
    const ending = extname(file).toLowerCase();
    if (videoEndings.has(ending)) throw new DataError(file, needsExtractor(config.data.extractor));
    const name = basename(file, extname(file));
    const other = named.get(name);
    if (other !== undefined) throw new DataError(file, `two inputs have the name ${JSON.stringify(name)}; the other is ${other}`);
    named.set(name, file);
  }
  const step = inferenceStep(
    { network: acmNetOptions(config, classes.length) },
    { device: config.train.device, threads: config.train.threads ?? undefined },
  );
  const options = localizeOptions(config);
  const detections = new Map<string, Detection[]>();
  try {
    for (const [name, file] of named) {
      const features = await readFeatureFile(file);
      if (features.shape[1] !== config.model.featureDim) {
        throw new DataError(file, `expected features of width ${config.model.featureDim}, found ${features.shape[1]}`);
      }
      const prediction = await inferVideo(step, params, features, config.data.samples);
      detections.set(name, localize(prediction, classes, options));
      reporter.progress({ label: 'predicting', done: detections.size, total: named.size });
    }
  } finally {
    await step.dispose();
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
