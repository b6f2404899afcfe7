/** From a configuration to the localisation task: opens the data set and hands every option on (Node). */
import { resolve } from 'node:path';
import { DataError, featureCache, messageOf, openVideoDataset, readAnnotations, type VideoDataset } from '../data/index.ts';
import { fold, key } from '../engine/random.ts';
import { acmNetShapes, initAcmNet } from '../localization/acmNet.ts';
import {
  acmLossOptions,
  acmNetOptions,
  evaluationOptions,
  type LocalizationConfig,
  localizeOptions,
  sequenceLossOptions,
  videoDatasetOptions,
} from '../localization/config.ts';
import { evaluateDetections, type GroundTruth } from '../localization/evaluate.ts';
import { type LocalizationTask, localizationTask } from '../localization/task.ts';
import { adam, constantRate } from '../nn/index.ts';
import type { DataCollector } from './dataFingerprint.ts';
import type { TaskKind } from './taskKind.ts';

/**
 * Opens the data set that a configuration names.
 * @param collector is told of every feature file that is read
 * @throws DataError naming the file or video that is wrong.
 */
export async function openDataset(config: LocalizationConfig, collector?: DataCollector): Promise<VideoDataset> {
  return openVideoDataset({
    ...videoDatasetOptions(config),
    cache: featureCache({ maxBytes: config.data.cacheMegabytes * 1e6, onRead: collector?.add }),
  });
}

/** The files behind a data set and its tests, but the features. */
export function labelFiles({ data }: LocalizationConfig, { files }: VideoDataset): readonly string[] {
  return data.groundTruth ? [...files, resolve(data.dir, data.groundTruth)] : files;
}

/**
 * The segments that a configuration's tests are judged by; undefined where the test videos have none, for video-level labels suffice to
 * train. Everything an evaluation would stumble over after an epoch is found here.
 * @throws DataError if only some test videos have segments, or `data.groundTruth` has none for them.
 */
async function groundTruthOf({ data }: LocalizationConfig, dataset: VideoDataset): Promise<GroundTruth | undefined> {
  if (dataset.test.length === 0) return undefined;
  const names = dataset.test.map(video => video.name);
  if (!data.groundTruth) {
    const own = names.map(name => dataset.annotations.videos.get(name)?.instances ?? []);
    return own.some(instances => instances.some(i => i.segment)) ? dataset.annotations : undefined;
  }
  const path = resolve(data.dir, data.groundTruth);
  const { videos } = await readAnnotations(path);
  if (!names.some(name => videos.get(name)?.instances.some(i => i.segment))) {
    throw new DataError(path, `expected segments of the test videos (${names[0]}, …), found none`);
  }
  const labels = new Set([...videos.values()].flatMap(video => video.labels));
  if (!dataset.classes.some(name => labels.has(name))) {
    throw new DataError(
      path,
      `none of its labels (${[...labels].slice(0, 3).join(', ')}, …) is a class of the data set (${dataset.classes[0]}, …)`,
    );
  }
  // A ground truth without subsets means the videos that are tested.
  const hasSubsets = [...videos.values()].some(video => video.subset !== undefined);
  return {
    videos: hasSubsets
      ? videos
      : new Map(
          [...videos]
            .filter(([name]) => names.includes(name))
            .map(([name, video]) => [name, { ...video, subset: dataset.testSubset }]),
        ),
  };
}

/**
 * The task of a configuration on its opened data set.
 * @throws DataError for ground truth that could not be evaluated.
 */
export async function openTask(config: LocalizationConfig, dataset: VideoDataset): Promise<LocalizationTask> {
  const { data, train, loss } = config;
  const groundTruth = await groundTruthOf(config, dataset);
  const evaluation = evaluationOptions(
    config,
    dataset.test.map(video => video.name),
    dataset.testSubset,
  );
  if (groundTruth) {
    try {
      // Of no detections, for its checks of the ground truth.
      evaluateDetections(new Map(), groundTruth, evaluation);
    } catch (error) {
      throw new DataError(data.groundTruth ?? data.dir, messageOf(error), { cause: error });
    }
  }
  return localizationTask({
    dataset,
    groundTruth,
    network: acmNetOptions(config, dataset.classes.length),
    loss: acmLossOptions(config),
    sequence: sequenceLossOptions(config),
    terms: loss.sequence.terms,
    samples: data.samples,
    batchSize: train.batchSize,
    pairKey: fold(key(train.seed), 'pairs'),
    resamplePairs: train.resamplePairs,
    localize: localizeOptions(config),
    evaluation,
    where: { device: train.device, threads: train.threads ?? undefined },
  });
}

/** Temporal action localisation as runs know it. */
export const localizationKind: TaskKind<LocalizationConfig, VideoDataset> = {
  samples: () => 'videos',
  results: 'detections',
  resultFile: 'detections.json',
  testNeeds: 'test videos with labels or segments',
  inputKeys: 'model.featureDim or model.inputDropout',
  testKeys: ['data', 'inference', 'evaluation'],
  withClasses: (config, classes) => ({ ...config, data: { ...config.data, classes: [...classes] } }),
  classNames: ({ data }) => data.classes ?? undefined,
  classesKey: 'data.classes',
  openData: openDataset,
  labelFiles,
  async openTask(config, dataset) {
    const task = await openTask(config, dataset);
    const isClassificationOnly = task.canTest && !task.testsDetections;
    const warnings = isClassificationOnly
      ? ['the test videos have no segments: only their classification is tested, there is no detection mAP']
      : [];
    return { task, warnings };
  },
  freshStart: ({ method }) =>
    method === 'ftcl'
      ? 'FTCL is the second phase: without --from RUN it starts from random weights, which the published recipe never does'
      : undefined,
  optimizer: ({ train: { betas, weightDecay } }) => adam({ betas, weightDecay }),
  learningRate: ({ train }) => constantRate(train.learningRate),
  shapes: (config, classes) => acmNetShapes(acmNetOptions(config, classes)),
  init: (config, classes, root) => initAcmNet(acmNetOptions(config, classes), root),
};
