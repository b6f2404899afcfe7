/** Open-set recognition of clips with a trained model (Node). */
import { extname } from 'node:path';
import { DataError, messageOf, readFeatures } from '../data/index.ts';
import { compile, type Device, type NDArray, ndarray, showShape, type Tensor } from '../engine/index.ts';
import { defaultRuntime } from '../engine/runtime/default.ts';
import { type Answer, answers } from '../openset/answer.ts';
import { type CalibratedThreshold, parseCalibration, thresholdAt } from '../openset/calibration.ts';
import { networkOptions } from '../openset/config.ts';
import { constants, inferenceFeatures, inferenceParams, inferenceShape, type NetworkOptions } from '../openset/encoder.ts';
import { meanRow } from '../openset/meanRow.ts';
import { type Recognition, recognize } from '../openset/methods.ts';
import { recognizerInput, recognizerOutputs } from '../openset/opensetOnnx.ts';
import { clipSize, testPlans, type VideoConfig } from '../openset/videoConfig.ts';
import type { ClipPlan } from '../video/clip.ts';
import { videoEndings } from '../video/videoFiles.ts';
import { requireOpenset } from './config.ts';
import type { ExportedModel } from './exportedModel.ts';
import type { Model } from './model.ts';
import { type FeatureInput, needsExtractor } from './predict.ts';
import type { Reporter } from './reporter.ts';
import { testClipsAhead } from './videoInputs.ts';

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
  /** What the model reads; of videos, how their clips are made. */
  readonly input: 'features' | { readonly plans: readonly ClipPlan[] };
  /**
   * What the model says of one clip's features `[n, F]`, whose rows are averaged as in training, or of one video's test clips
   * `[clips, 3, frames, size, size]`.
   * @throws DataError for another shape
   */
  recognize(input: NDArray<'float32'>, where?: string): Promise<Answer>;
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
  const options = networkOptions(config, classes.length);
  const { head } = options;
  const { video } = config;
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
  const network = isExported ? await exportedNetwork(model, options, where) : trainedNetwork(model, options, where);
  return {
    threshold,
    measure,
    input: video ? { plans: testPlans(video) } : 'features',
    async recognize(input, place = video ? 'clips' : 'features') {
      const outputs = await network.run(
        video ? clipsInput(input, options, video, place) : rowInput(input, head.featureDim, place),
      );
      return answers(outputs, { classes, top, calibration, threshold })[0];
    },
    dispose: network.dispose,
  };
}

function rowInput(features: NDArray<'float32'>, width: number, place: string): NDArray {
  if (features.shape.length !== 2 || features.shape[1] !== width)
    throw new DataError(place, `expected features of width ${width}, found ${features.shape.slice(1).join(' x ') || 'a row'}`);
  return ndarray('float32', [1, width], meanRow(features));
}

function clipsInput(clips: NDArray<'float32'>, network: NetworkOptions, video: VideoConfig, place: string): NDArray {
  const shape = inferenceShape(network, clipSize(video), 1);
  if (String(clips.shape) !== String(shape.slice(1)))
    throw new DataError(place, `expected clips ${showShape(shape.slice(1))}, found ${showShape(clips.shape)}`);
  return { ...clips, shape };
}

/** A network that is ready to run over inputs, see `inferenceShape`. */
interface Network {
  run(input: NDArray): Promise<Recognition<NDArray>>;
  dispose(): Promise<void>;
}

type Where = Pick<RecognizeOptions, 'device' | 'threads'>;

function trainedNetwork({ params }: Model, network: NetworkOptions, where: Where): Network {
  const weights = constants(inferenceParams(params, network));
  const inference = compile(
    (input: Tensor) => {
      const own = weights();
      return recognize(own, inferenceFeatures(own, input, network), network.head);
    },
    { ...where, name: `${network.head.method} inference` },
  );
  return { run: input => inference(input), dispose: inference.dispose };
}

async function exportedNetwork(
  { source, onnx }: ExportedModel,
  network: NetworkOptions,
  { device = 'cpu', threads }: Where,
): Promise<Network> {
  const runtime = await defaultRuntime(device);
  const session = await runtime.createSession(onnx, recognizerOutputs, { threads }).catch((error: unknown) => {
    throw new DataError(source, `ONNX Runtime cannot load it (${messageOf(error)})`, { cause: error });
  });
  return {
    async run(input) {
      const [probabilities, embeddings, uncertainty] = await session.run({ [recognizerInput(network)]: input });
      return { probabilities, embeddings, uncertainty };
    },
    dispose: () => session.dispose(),
  };
}

/** An input and what the model says of it. */
export interface Recognized extends Answer {
  readonly input: string;
}

/** A video that cannot be recognised, and why. */
export interface NotRecognized {
  readonly input: string;
  readonly problem: string;
}

/** What a recogniser says of some inputs. */
export interface Recognitions extends Pick<Recognizer, 'threshold' | 'measure'> {
  readonly clips: readonly Recognized[];
  /** Videos that cannot be read; the others are not lost with them. */
  readonly failures: readonly NotRecognized[];
}

/**
 * What a recogniser says of each input.
 * @throws DataError for a video where the model reads features, or the other way round; a damaged feature file, or features of another width
 */
export async function recognizeFiles(
  model: Model | ExportedModel,
  inputs: readonly FeatureInput[],
  { reporter, ...options }: RecognizeOptions & { readonly reporter: Reporter },
): Promise<Recognitions> {
  const isVideo = ({ files: [file] }: FeatureInput) => videoEndings.has(extname(file).toLowerCase());
  const readsVideo = requireOpenset(model.config, `${model.source}: recognise`).video !== null;
  const strange = inputs.find(input => isVideo(input) !== readsVideo);
  if (strange && readsVideo) throw new DataError(strange.files[0], 'expected a video, which the model reads, found another file');
  if (strange) throw new DataError(strange.files[0], needsExtractor(model.config.data.extractor));
  const opened = await recognizer(model, options);
  const [clips, failures]: [Recognized[], NotRecognized[]] = [[], []];
  const done = () => reporter.progress({ label: 'recognising', done: clips.length + failures.length, total: inputs.length });
  const { threshold, measure, input: reads } = opened;
  try {
    if (reads === 'features') {
      for (const { files } of inputs) {
        const input = files.join(' + ');
        clips.push({ input, ...(await opened.recognize(await readFeatures(files), input)) });
        done();
      }
    } else {
      const paths = inputs.map(({ files: [path] }) => path);
      for await (const { path, ...made } of testClipsAhead(paths, reads.plans)) {
        if ('problem' in made) failures.push({ input: path, problem: made.problem });
        else clips.push({ input: path, ...(await opened.recognize(made.clips, path)) });
        done();
      }
    }
  } finally {
    await opened.dispose();
  }
  return { threshold, measure, clips, failures };
}
