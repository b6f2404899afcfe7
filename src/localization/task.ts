/** ACM-Net and FTCL as something to train and test: data, steps and metrics put together. */
import type { VideoDataset, VideoItem } from '../data/videos.ts';
import { ndarray } from '../engine/index.ts';
import type { Key } from '../engine/random.ts';
import type { Params } from '../nn/index.ts';
import { initAcmNet } from './acmNet.ts';
import { inBatchBatches, pairBatches, planPairs, videoBatches } from './batches.ts';
import { classificationMAP, exactMatches } from './classification.ts';
import type { Detection } from './detections.ts';
import { type Detections, detectionsJson } from './detections.ts';
import { type DetectionMetrics, type EvaluationOptions, evaluateDetections, type GroundTruth } from './evaluate.ts';
import { snippetsNeeded } from './ftclLoss.ts';
import { evaluateVideo } from './inferVideo.ts';
import { type LocalizeOptions, localize } from './localize.ts';
import { evaluationStep, type ModelOptions, pieceValues, type StepDevice } from './steps.ts';
import { thresholdName } from './thresholds.ts';
import { inBatchTraining, pairTraining, type TrainingEpoch, videoTraining } from './training.ts';

/** Which sequence terms a training has: none (plain ACM-Net), in the batch (the published phase 1), or of pairs (phase 2, FTCL). */
export type SequenceTerms = 'none' | 'in-batch' | 'pairs';

export interface LocalizationTaskOptions extends ModelOptions {
  readonly dataset: VideoDataset;
  /** The segments that detections are judged by; without them only the classification of the test videos is. */
  readonly groundTruth?: GroundTruth;
  readonly terms: SequenceTerms;
  /** Snippets a video is sampled to. */
  readonly samples: number;
  readonly batchSize: number;
  /** Decides the pairs and snippets that phase 2 keeps for the whole run. */
  readonly pairKey: Key;
  /** Draw pairs and snippets anew in every epoch; the published code keeps those of the start. */
  readonly resamplePairs: boolean;
  readonly localize: LocalizeOptions;
  readonly evaluation: EvaluationOptions;
  readonly where: StepDevice;
}

/** The outcome of a test on all test videos. */
export interface LocalizationEvaluation {
  /** In fractions: detection mAP at each tIoU and on average, classification, mean loss pieces. */
  readonly metrics: Readonly<Record<string, number>>;
  /** The average mAP, or the classification mAP where there are no segments to judge by. */
  readonly primary: string;
  readonly files: { readonly 'detections.json': string };
  readonly warnings: readonly string[];
  /** Detection metrics in full, where there are segments. */
  readonly detection?: DetectionMetrics;
}

export type LocalizationTask = ReturnType<typeof localizationTask>;

/**
 * The task of training and testing a localiser on a data set.
 * @throws Error if the snippets sampled are fewer than the sequence terms need.
 */
export function localizationTask(options: LocalizationTaskOptions) {
  const { dataset, network, terms, samples } = options;
  const needed = terms === 'none' ? 1 : snippetsNeeded(network);
  if (samples < needed)
    throw new Error(`data.samples: the sequence terms need at least ${needed} snippets (lcsLength, fsdLength), found ${samples}`);
  const evaluation = evaluationStep(options, options.where);
  const { epoch, dispose } = trainingEpochs(options);
  return {
    classes: dataset.classes,
    canTest: options.groundTruth !== undefined ? dataset.test.length > 0 : dataset.test.some(isLabelled),
    /** Whether there are segments to judge detections by; otherwise only classification is tested. */
    testsDetections: options.groundTruth !== undefined,
    init: (key: Key): Params => initAcmNet(network, key),
    epoch,
    evaluate: (params: Params, progress: (done: number, total: number) => void, signal?: AbortSignal) =>
      evaluateTask(options, evaluation, params, progress, signal),
    dispose: async () => {
      await dispose();
      await evaluation.dispose();
    },
  };
}

/** The epochs of the chosen kind of training. */
function trainingEpochs(options: LocalizationTaskOptions): {
  epoch(index: number, key: Key): TrainingEpoch<unknown>;
  dispose(): Promise<void>;
} {
  const { dataset, network, terms, samples, batchSize } = options;
  const sampling = { samples, batchSize };
  const stepOptions = { ...options, classThreshold: options.localize.classThreshold };
  if (terms === 'none') {
    const { epoch, dispose } = videoTraining(stepOptions);
    return { dispose, epoch: (_, key) => epoch(videoBatches(dataset.train, sampling, network, key)) };
  }
  if (terms === 'in-batch') {
    const { epoch, dispose } = inBatchTraining(stepOptions);
    return { dispose, epoch: (_, key) => epoch(inBatchBatches(dataset.train, sampling, network, key)) };
  }
  const fixed = planPairs(dataset.train, options.pairKey);
  if (fixed.pairs.length === 0) throw new Error('no two training videos have the same labels: there are no pairs to train on');
  const { epoch, dispose } = pairTraining(stepOptions);
  return {
    dispose,
    epoch: (_, key) => {
      const plan = options.resamplePairs ? planPairs(dataset.train, key) : fixed;
      return epoch(pairBatches(dataset.train, plan, sampling, network, key));
    },
  };
}

/** Tests on all test videos: detections, their mAP, classification and the pieces of the loss. */
async function evaluateTask(
  options: LocalizationTaskOptions,
  step: ReturnType<typeof evaluationStep>,
  params: Params,
  progress: (done: number, total: number) => void,
  signal?: AbortSignal,
): Promise<LocalizationEvaluation> {
  const {
    dataset,
    groundTruth,
    samples,
    localize: { classThreshold },
  } = options;
  const videos = dataset.test;
  if (videos.length === 0) throw new Error('the data set has no test videos');
  const classes = dataset.classes.length;
  const detections = new Map<string, readonly Detection[]>();
  const scores = new Float32Array(videos.length * (classes + 1));
  const labels = new Float32Array(videos.length * classes);
  const sums: Record<string, number> = {};
  const labelled = videos.filter(isLabelled).length;
  for (const [i, video] of videos.entries()) {
    signal?.throwIfAborted();
    const { prediction, pieces } = await evaluateVideo(step, params, await video.load(), video.label, samples);
    detections.set(video.name, localize(prediction, dataset.classes, options.localize));
    scores.set(prediction.classScores.data as Float32Array, i * (classes + 1));
    labels.set(video.label, i * classes);
    // A video without a label has no loss.
    if (isLabelled(video)) {
      for (const [name, value] of Object.entries(pieceValues(pieces)))
        sums[`loss.${name}`] = (sums[`loss.${name}`] ?? 0) + value / labelled;
    }
    progress(i + 1, videos.length);
  }
  const byVideo = [
    ndarray('float32', [videos.length, classes + 1], scores),
    ndarray('float32', [videos.length, classes], labels),
  ] as const;
  const matches = exactMatches(...byVideo, classThreshold);
  const accuracy = matches.reduce((a, b) => a + b, 0) / videos.length;
  const classification: Record<string, number> =
    labelled > 0 ? { 'classification.mAP': classificationMAP(...byVideo).mAP, 'classification.accuracy': accuracy, ...sums } : {};
  const files = { 'detections.json': detectionsText(detections) };
  if (!groundTruth) return { metrics: classification, primary: 'classification.mAP', files, warnings: [] };

  const detection = evaluateDetections(detections, groundTruth, options.evaluation);
  const primary = `mAP@${detection.average.range}`;
  const perThreshold = Object.fromEntries(detection.tious.map((t, i) => [`mAP@${thresholdName(t)}`, detection.mAP[i]]));
  const metrics = { [primary]: detection.average.value, ...perThreshold, ...classification };
  return { metrics, primary, files, warnings: detection.warnings, detection };
}

/** Whether a video has a label at all. */
function isLabelled({ label }: VideoItem): boolean {
  return label.some(value => value > 0);
}

/** Detections as the text of an ActivityNet-style JSON file. */
export function detectionsText(detections: Detections): string {
  return `${JSON.stringify(detectionsJson(detections))}\n`;
}
