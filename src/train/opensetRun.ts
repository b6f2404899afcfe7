/** From a configuration to the task of open-set recognition: opens the data set and hands every option on (Node). */
import { tsmPrefix } from '../backbones/index.ts';
import { type ClipItem, DataError, featureCache, messageOf, openClipDataset } from '../data/index.ts';
import { key } from '../engine/random.ts';
import {
  adam,
  clipByGlobalNorm,
  constantRate,
  cosine,
  lars,
  multiStep,
  type Optimizer,
  type Schedule,
  sgd,
  warmup,
} from '../nn/index.ts';
import { type OpenSetSplit, openSetSplit } from '../openset/classSplit.ts';
import { networkOptions, type OpensetConfig } from '../openset/config.ts';
import { initNetwork, networkShapes } from '../openset/encoder.ts';
import { featureInputs } from '../openset/inputs.ts';
import { pslGroups } from '../openset/paramGroups.ts';
import { type OpensetTask, opensetTask } from '../openset/task.ts';
import type { VideoConfig } from '../openset/videoConfig.ts';
import { openVideoDataset, type VideoItem } from '../video/datasets.ts';
import type { DataCollector } from './dataFingerprint.ts';
import type { OpenedData, TaskKind } from './taskKind.ts';
import { videoInputs } from './videoInputs.ts';

/** A video of a data set, which a run reads once to know it again. */
interface VideoSample extends VideoItem {
  load(): Promise<void>;
}

/** A data set, divided as the configuration says. */
export type OpensetData = OpenedData &
  (
    | { readonly kind: 'features'; readonly split: OpenSetSplit<ClipItem> }
    | { readonly kind: 'video'; readonly split: OpenSetSplit<VideoSample>; readonly video: VideoConfig }
  );

/**
 * Opens and divides the data set that a configuration names.
 * @param collector is told of every file of features or video that is read
 * @throws DataError naming the file or class that is wrong
 */
export async function openOpensetData(config: OpensetConfig, collector?: DataCollector): Promise<OpensetData> {
  return config.video ? openVideos(config, config.video, collector) : openFeatures(config, collector);
}

async function openFeatures({ data, model }: OpensetConfig, collector?: DataCollector): Promise<OpensetData> {
  const cache = featureCache({ maxBytes: data.cacheMegabytes * 1e6, onRead: collector?.add });
  const { classes, items, files } = await openClipDataset({ dir: data.dir, featureWidth: model.featureDim, cache });
  const split = divided(classes, items, data);
  return { kind: 'features', ...opened(split), split, warnings: [], files };
}

async function openVideos({ data }: OpensetConfig, video: VideoConfig, collector?: DataCollector): Promise<OpensetData> {
  const withLoad = (item: VideoItem): VideoSample => ({ ...item, load: async () => collector?.addFile(item.path) });
  const own = await openVideoDataset({ dir: data.dir, format: video.format, split: video.split });
  const split = divided(own.classes, own.items.map(withLoad), data);
  if (!video.unknown) return { kind: 'video', ...opened(split), split, video, warnings: own.warnings, files: own.files };

  const { exclude, ...source } = video.unknown;
  const other = await openVideoDataset({ ...source, part: 'test' });
  const strange = exclude.find(name => !other.classes.includes(name));
  if (strange !== undefined)
    throw new DataError(
      source.dir,
      `video.unknown.exclude: expected classes of the data set (${other.classes[0]}, …), found ${strange}`,
    );
  const isUnknown = ({ label, part }: VideoItem): boolean => part !== 'train' && !exclude.includes(other.classes[label]);
  // Labels stay those of the data set, as published score files have them.
  const unknownTest = other.items.filter(isUnknown).map(withLoad);
  const both = { ...split, unknown: other.classes, unknownTest };
  const [warnings, files] = [
    [...own.warnings, ...other.warnings],
    [...own.files, ...other.files],
  ];
  return { kind: 'video', ...opened(both), split: both, video, warnings, files };
}

function divided<T extends { readonly label: number; readonly part?: 'train' | 'test' }>(
  classes: readonly string[],
  items: readonly T[],
  data: OpensetConfig['data'],
): OpenSetSplit<T> {
  try {
    return openSetSplit(classes, items, data, key(data.splitSeed));
  } catch (error) {
    throw error instanceof DataError ? error : new DataError(data.dir, messageOf(error), { cause: error });
  }
}

function opened<T>({ known, train, test, unknownTest }: OpenSetSplit<T>) {
  return { classes: known, train, test: [...test, ...unknownTest] };
}

/** The task of a configuration on its divided data set. */
export function openOpensetTask(config: OpensetConfig, data: OpensetData): OpensetTask {
  const { train, evaluation } = config;
  const common = {
    network: networkOptions(config, data.split.known.length),
    batchSize: train.batchSize,
    epochs: train.epochs,
    uncertainty: evaluation.uncertainty,
    where: { device: train.device, threads: train.threads ?? undefined },
  };
  return data.kind === 'video'
    ? opensetTask({ ...common, split: data.split, inputs: videoInputs(data.video) })
    : opensetTask({ ...common, split: data.split, inputs: featureInputs(common.network.head.featureDim) });
}

function optimizerOf({ train }: OpensetConfig): Optimizer {
  const optimizer = plainOptimizer({ train });
  const { clipNorm } = train;
  if (clipNorm === null) return optimizer;
  return {
    ...optimizer,
    update(params, gradients, state, lr) {
      clipByGlobalNorm(gradients, clipNorm);
      optimizer.update(params, gradients, state, lr);
    },
  };
}

function plainOptimizer({ train }: Pick<OpensetConfig, 'train'>): Optimizer {
  const { momentum, nesterov, weightDecay } = train;
  const common = { weightDecay, groups: pslGroups(train.groups) };
  if (train.optimizer === 'adam') return adam(common);
  const options = { ...common, momentum, nesterov };
  return train.optimizer === 'sgd' ? sgd(options) : lars({ ...options, adaptVectors: train.larsVectors });
}

function scheduleOf({ train }: OpensetConfig): Schedule {
  const { learningRate, schedule, steps, warmupEpochs, warmupFrom, epochs } = train;
  if (schedule === 'constant') return constantRate(learningRate);
  if (schedule === 'steps') return multiStep(learningRate, steps);
  return warmup(warmupEpochs, cosine(learningRate, epochs), { from: warmupFrom });
}

/** Open-set recognition as runs know it. */
export const opensetKind: TaskKind<OpensetConfig, OpensetData> = {
  samples: ({ video }) => (video ? 'videos' : 'clips'),
  results: 'scores',
  resultFile: 'scores.npz',
  testNeeds: 'test clips of known classes',
  inputKeys: 'model.featureDim or video.backbone',
  backbonePrefix: tsmPrefix,
  testKeys: ['data', 'video.format', 'video.split', 'video.unknown', 'video.test', 'video.workers', 'evaluation'],
  withClasses: (config, classes) => ({ ...config, data: { ...config.data, known: [...classes] } }),
  classNames: ({ data }) => (Array.isArray(data.known) ? data.known : undefined),
  classesKey: 'data.known',
  openData: openOpensetData,
  labelFiles: (_, { files }) => files,
  openTask: async (config, data) => ({ task: openOpensetTask(config, data), warnings: [] }),
  freshStart: ({ train }) =>
    train.start === 'pretrained'
      ? 'train.start is pretrained, but there is no --from: training begins with random weights'
      : undefined,
  optimizer: optimizerOf,
  learningRate: scheduleOf,
  shapes: (config, classes) => networkShapes(networkOptions(config, classes)),
  init: (config, classes, root) => initNetwork(networkOptions(config, classes), root),
};
