/** Open-set recognition of clips with a trained model (Node). */
import { extname } from 'node:path';
import { DataError, type Features, messageOf, readFeatures } from '../data/index.ts';
import { compile, type Device, type NDArray, ndarray, type Tensor } from '../engine/index.ts';
import { defaultRuntime } from '../engine/runtime/default.ts';
import type { SymbolicParams } from '../nn/index.ts';
import { type Answer, answers } from '../openset/answer.ts';
import { type CalibratedThreshold, parseCalibration, thresholdAt } from '../openset/calibration.ts';
import { headOptions } from '../openset/config.ts';
import { meanRow } from '../openset/meanRow.ts';
import { type Recognition, recognize } from '../openset/methods.ts';
import { recognizerInput, recognizerOutputs } from '../openset/opensetOnnx.ts';
import { videoEndings } from '../video/videoFiles.ts';
import { requireOpenset } from './config.ts';
import type { ExportedModel } from './exportedModel.ts';
import type { Model } from './model.ts';
import { type FeatureInput, needsExtractor } from './predict.ts';
import type { Reporter } from './reporter.ts';

export interface RecognizeOptions {
  /** Where to run, in the place of where it was trained. */
  readonly device?: Device;
  readonly threads?: number;
  /** Fraction of the training clips that the threshold accepts as known, between 0 and 1; default 0.95. */
  readonly accept?: number;
  /** How many classes an answer has; default 1. */
  readonly top?: number;
}

/** A model that is ready to recognise. */
export interface Recognizer {
  /** What an uncertainty above means unknown. */
  readonly threshold: CalibratedThreshold;
  /** What the uncertainty is, in words. */
  readonly measure: string;
  /** What the model says of one clip's features `[n, F]`, whose rows are averaged as in training. @throws DataError for another width */
  recognize(features: Features, where?: string): Promise<Answer>;
  dispose(): Promise<void>;
}

/** The uncertainties by what they are. */
const measures = {
  distance: 'squared Mahalanobis distance to the training clips',
  vacuity: 'vacuity',
  probability: '1 - largest probability',
} as const;

/**
 * Makes a model ready to recognise. Without a calibration (imported weights) it has no threshold, and its uncertainty is the method's own.
 * @throws DataError for a calibration that does not fit the model, or an ONNX file that is not an exported recogniser; RangeError for a
 *   fraction that is none
 */
export async function recognizer(
  model: Model | ExportedModel,
  { device, threads, accept = 0.95, top = 1 }: RecognizeOptions = {},
): Promise<Recognizer> {
  const { classes, source } = model;
  const config = requireOpenset(model.config, `${source}: recognise`);
  const head = headOptions(config, classes.length);
  const kind = config.evaluation.uncertainty;
  // An exported network gives distances itself, so of its calibration only the threshold is wanted.
  const isExported = 'onnx' in model;
  const width = head.method === 'psl' ? head.embeddingDim : head.featureDim;
  const calibration = model.calibration && parseCalibration(model.calibration, isExported ? 'method' : kind, width, source);
  const threshold = calibration
    ? thresholdAt(calibration, kind, accept)
    : { value: undefined, rule: 'none: no training clips were judged by these weights (inkling test RUN does that)' };
  const own = head.method === 'evidential' ? measures.vacuity : measures.probability;
  const measure = kind === 'mahalanobis' && model.calibration ? measures.distance : own;
  const where = { device: device ?? config.train.device, threads: threads ?? config.train.threads ?? undefined };
  const network = isExported ? await exportedNetwork(model, where) : trainedNetwork(model, where);
  return {
    threshold,
    measure,
    async recognize(features, place = 'features') {
      if (features.shape[1] !== head.featureDim)
        throw new DataError(place, `expected features of width ${head.featureDim}, found ${features.shape[1]}`);
      const outputs = await network.run(ndarray('float32', [1, head.featureDim], meanRow(features)));
      return answers(outputs, { classes, top, calibration, threshold })[0];
    },
    dispose: network.dispose,
  };
}

/** A network that is ready to run over features `[batch, F]`. */
interface Network {
  run(features: NDArray): Promise<Recognition<NDArray>>;
  dispose(): Promise<void>;
}

type Where = Pick<RecognizeOptions, 'device' | 'threads'>;

function trainedNetwork({ config, classes, params }: Model, where: Where): Network {
  const head = headOptions(requireOpenset(config, 'recognise'), classes.length);
  const inference = compile((p: SymbolicParams, features: Tensor) => recognize(p, features, head), {
    ...where,
    name: `${head.method} inference`,
  });
  return { run: features => inference(params, features), dispose: inference.dispose };
}

async function exportedNetwork({ source, onnx }: ExportedModel, { device = 'cpu', threads }: Where): Promise<Network> {
  const runtime = await defaultRuntime(device);
  const session = await runtime.createSession(onnx, recognizerOutputs, { threads }).catch((error: unknown) => {
    throw new DataError(source, `ONNX Runtime cannot load it (${messageOf(error)})`, { cause: error });
  });
  return {
    async run(features) {
      const [probabilities, embeddings, uncertainty] = await session.run({ [recognizerInput]: features });
      return { probabilities, embeddings, uncertainty };
    },
    dispose: () => session.dispose(),
  };
}

/** An input and what the model says of it. */
export interface Recognized extends Answer {
  readonly input: string;
}

/**
 * What a recogniser says of each input.
 * @throws DataError for a video (which needs the model's feature extractor), a damaged file, or features of another width
 */
export async function recognizeFiles(
  model: Model | ExportedModel,
  inputs: readonly FeatureInput[],
  { reporter, ...options }: RecognizeOptions & { readonly reporter: Reporter },
): Promise<Pick<Recognizer, 'threshold' | 'measure'> & { readonly clips: Recognized[] }> {
  const video = inputs.find(({ files: [file] }) => videoEndings.has(extname(file).toLowerCase()));
  if (video) throw new DataError(video.files[0], needsExtractor(model.config.data.extractor));
  const { recognize: say, dispose, threshold, measure } = await recognizer(model, options);
  const clips: Recognized[] = [];
  try {
    for (const { files } of inputs) {
      const input = files.join(' + ');
      clips.push({ input, ...(await say(await readFeatures(files), input)) });
      reporter.progress({ label: 'recognising', done: clips.length, total: inputs.length });
    }
  } finally {
    await dispose();
  }
  return { threshold, measure, clips };
}
