/** From a configuration to the task of open-set recognition: opens the data set and hands every option on (Node). */
import { type ClipItem, DataError, type FileListener, featureCache, messageOf, openClipDataset } from '../data/index.ts';
import { key } from '../engine/random.ts';
import { adam, constantRate, cosine, lars, multiStep, type Optimizer, type Schedule, sgd, warmup } from '../nn/index.ts';
import { type OpenSetSplit, openSetSplit } from '../openset/classSplit.ts';
import { headOptions, type OpensetConfig } from '../openset/config.ts';
import { headShapes, initHead } from '../openset/methods.ts';
import { pslGroups } from '../openset/paramGroups.ts';
import { type OpensetTask, opensetTask } from '../openset/task.ts';
import type { OpenedData, TaskKind } from './taskKind.ts';

/** A clip data set, divided as the configuration says. */
export interface OpensetData extends OpenedData {
  readonly split: OpenSetSplit<ClipItem>;
}

/**
 * Opens and divides the data set that a configuration names.
 * @param onRead is told of every feature file that is read
 * @throws DataError naming the file or class that is wrong
 */
export async function openOpensetData({ data, model }: OpensetConfig, onRead?: FileListener): Promise<OpensetData> {
  const cache = featureCache({ maxBytes: data.cacheMegabytes * 1e6, onRead });
  const { classes, items, files } = await openClipDataset({ dir: data.dir, featureWidth: model.featureDim, cache });
  try {
    const split = openSetSplit(classes, items, data, key(data.splitSeed));
    return { split, classes: split.known, train: split.train, test: [...split.test, ...split.unknownTest], warnings: [], files };
  } catch (error) {
    throw error instanceof DataError ? error : new DataError(data.dir, messageOf(error), { cause: error });
  }
}

/** The task of a configuration on its divided data set. */
export function openOpensetTask(config: OpensetConfig, { split }: OpensetData): OpensetTask {
  const { train, evaluation } = config;
  return opensetTask({
    split,
    head: headOptions(config, split.known.length),
    batchSize: train.batchSize,
    epochs: train.epochs,
    uncertainty: evaluation.uncertainty,
    where: { device: train.device, threads: train.threads ?? undefined },
  });
}

function optimizerOf({ train }: OpensetConfig): Optimizer {
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
  samples: 'clips',
  results: 'scores',
  resultFile: 'scores.npz',
  testNeeds: 'test clips of known classes',
  inputKeys: 'model.featureDim',
  withClasses: (config, classes) => ({ ...config, data: { ...config.data, known: [...classes] } }),
  classNames: ({ data }) => (Array.isArray(data.known) ? data.known : undefined),
  classesKey: 'data.known',
  openData: openOpensetData,
  labelFiles: (_, { files }) => files,
  openTask: async (config, data) => ({ task: openOpensetTask(config, data), warnings: [] }),
  freshStart: () => undefined,
  optimizer: optimizerOf,
  learningRate: scheduleOf,
  shapes: (config, classes) => headShapes(headOptions(config, classes)),
  init: (config, classes, root) => initHead(headOptions(config, classes), root),
};
