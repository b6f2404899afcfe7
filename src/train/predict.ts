/** Prediction from feature files (Node). */
import { basename, extname } from 'node:path';
import { DataError, type FeatureFiles, type Features, messageOf, readFeatures } from '../data/index.ts';
import type { Device, NDArray } from '../engine/index.ts';
import { defaultRuntime } from '../engine/runtime/default.ts';
import { acmNetOptions, localizeOptions } from '../localization/config.ts';
import type { Detection } from '../localization/detections.ts';
import { sampledVideo, toPrediction } from '../localization/inferVideo.ts';
import { localize } from '../localization/localize.ts';
import { localizerOutputs } from '../localization/onnxModel.ts';
import { type Inference, inferenceStep, type StepDevice } from '../localization/steps.ts';
import { videoEndings } from '../video/videoFiles.ts';
import { requireLocalization } from './config.ts';
import type { ExportedModel } from './exportedModel.ts';
import type { Model } from './model.ts';
import type { Reporter } from './reporter.ts';

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

/** Makes a model ready to predict from features in memory. @throws DataError for an ONNX file that is not an exported localiser. */
export async function predictor(
  model: Model | ExportedModel,
  { device, threads }: Omit<PredictOptions, 'reporter'> = {},
): Promise<Predictor> {
  const { classes } = model;
  const config = requireLocalization(model.config, `${model.source}: predict`);
  const where = { device: device ?? config.train.device, threads: threads ?? config.train.threads ?? undefined };
  const network = 'onnx' in model ? await exportedNetwork(model, where) : trainedNetwork(model, where);
  const options = localizeOptions(config);
  return {
    async predict(features, place = 'features') {
      const { featureDim } = config.model;
      if (features.shape[1] !== featureDim)
        throw new DataError(place, `expected features of width ${featureDim}, found ${features.shape[1]}`);
      const input = sampledVideo(features, config.data.samples);
      return localize(toPrediction(await network.run(input), features.shape[0]), classes, options);
    },
    dispose: network.dispose,
  };
}

/** A network that is ready to run over features `[batch, time, F]`. */
interface Network {
  run(features: NDArray): Promise<Inference<NDArray>>;
  dispose(): Promise<void>;
}

function trainedNetwork({ config, classes, params }: Model, where: StepDevice): Network {
  const step = inferenceStep({ network: acmNetOptions(requireLocalization(config, 'predict'), classes.length) }, where);
  return { run: features => step(params, features), dispose: step.dispose };
}

async function exportedNetwork({ source, onnx }: ExportedModel, { device = 'cpu', threads }: StepDevice): Promise<Network> {
  const runtime = await defaultRuntime(device);
  const session = await runtime.createSession(onnx, localizerOutputs, { threads }).catch((error: unknown) => {
    throw new DataError(source, `ONNX Runtime cannot load it (${messageOf(error)})`, { cause: error });
  });
  return {
    async run(features) {
      const [classScores, attention, cas] = await session.run({ features });
      return { classScores, attention, cas };
    },
    dispose: () => session.dispose(),
  };
}

/**
 * Detections of each input (`.npy`, or `.npz` with one array; `[snippets, F]`), by name.
 * @throws DataError for a video (which needs the model's feature extractor), a damaged file, or features of another width.
 */
export async function predictFiles(
  model: Model | ExportedModel,
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
  const { predict, dispose } = await predictor(model, where);
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

/** Why a model does not take a video, given what its configuration says of the extractor of its features. */
export function needsExtractor(extractor: unknown): string {
  const which =
    extractor === null || extractor === undefined
      ? 'which one made its training features is not recorded (set data.extractor when training)'
      : `its training features come from ${typeof extractor === 'string' ? extractor : JSON.stringify(extractor)}`;
  return `a video needs the backbone that the model was trained on, run over it first: ${which}; give the feature file (.npy) instead`;
}
