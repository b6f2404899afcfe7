/** From a configuration to the task of few-shot recognition: opens the data set and hands every option on (Node). */
import { type ClipItem, DataError, featureCache, openClipDataset } from '../data/index.ts';
import { key } from '../engine/random.ts';
import { type ClassParts, classParts } from '../fewshot/classParts.ts';
import {
  episodesPerStep,
  type FewshotConfig,
  learningRate,
  lossTerms,
  optimizerOf,
  stepsPerEpoch,
  testEpisodes,
  trainingEpisodes,
} from '../fewshot/config.ts';
import { checkEpisodes } from '../fewshot/episodes.ts';
import { headSettings, isWithoutParameters } from '../fewshot/headSettings.ts';
import { headParams, headShapes } from '../fewshot/heads/heads.ts';
import type { FewshotTest } from '../fewshot/judgedEpisode.ts';
import { type FewshotTask, fewshotTask } from '../fewshot/task.ts';
import type { DataCollector } from './dataFingerprint.ts';
import type { OpenedData, TaskKind } from './taskKind.ts';

/** A data set, its classes in parts. */
export interface FewshotData extends OpenedData {
  readonly parts: ClassParts<ClipItem>;
}

/**
 * Opens the features that a configuration names, and divides their classes.
 * @param collector is told of every file of features that is read
 * @throws DataError naming the file or class that is wrong, or an episode that cannot be drawn
 */
export async function openFewshotData(config: FewshotConfig, collector?: DataCollector): Promise<FewshotData> {
  const { data, model, video } = config;
  if (video)
    throw new DataError(
      data.dir,
      'video: expected null, since few-shot training takes features; inkling extract makes them of videos',
    );
  const cache = featureCache({ maxBytes: data.cacheMegabytes * 1e6, onRead: collector?.add });
  const { classes, items, files } = await openClipDataset({ dir: data.dir, featureWidth: model.featureDim, cache });
  const parts = classParts(classes, items, data.classes, key(data.splitSeed), data.dir);
  checkEpisodes(parts.train, trainingEpisodes(config), `${data.dir}: train`);
  for (const part of ['val', 'test'] as const)
    if (parts[part].length > 0) checkEpisodes(parts[part], testEpisodes(config), `${data.dir}: ${part}`);
  if (model.classes !== null && model.classes !== parts.train.length)
    throw new DataError(data.dir, `model.classes: expected ${parts.train.length}, the training classes, found ${model.classes}`);
  const clipsOf = (part: 'train' | 'val' | 'test') => parts[part].flatMap(each => each.items);
  return {
    parts,
    classes: parts.train.map(({ name }) => name),
    train: clipsOf('train'),
    test: [...clipsOf('val'), ...clipsOf('test')],
    warnings: [],
    files,
  };
}

/** The task of a configuration on its divided data set. @throws DataError for an option that training does not have */
export function openFewshotTask(config: FewshotConfig, { parts }: FewshotData): FewshotTask {
  const { data, model, train, evaluation } = config;
  const { split, episodes, final } = evaluation;
  if (train.ema !== null)
    throw new DataError(data.dir, 'train.ema: expected null, since training keeps no average of weights yet');
  const between: FewshotTest = { split, episodes, seed: train.seed };
  return fewshotTask({
    parts,
    head: headSettings(config, parts.train.length),
    frames: model.frames,
    featureDim: model.featureDim,
    loss: lossTerms(config),
    training: {
      ...trainingEpisodes(config),
      episodesPerStep: episodesPerStep(config),
      stepsPerEpoch: stepsPerEpoch(config),
    },
    testing: testEpisodes(config),
    evaluation: between,
    final,
    cacheBytes: data.cacheMegabytes * 1e6,
    where: { device: train.device, threads: train.threads ?? undefined },
  });
}

/** Few-shot recognition as runs know it. */
export const fewshotKind: TaskKind<FewshotConfig, FewshotData> = {
  samples: ({ video }) => (video ? 'videos' : 'clips'),
  results: 'episodes',
  resultFile: 'episodes.npz',
  testNeeds: 'classes of evaluation.split',
  inputKeys: 'model.featureDim',
  testKeys: ['data', 'episode.testWay', 'episode.testQueries', 'episode.shot', 'evaluation'],
  withClasses: (config, classes) =>
    config.data.classes
      ? { ...config, data: { ...config.data, classes: { ...config.data.classes, train: [...classes] } } }
      : config,
  classNames: ({ data }) => (Array.isArray(data.classes?.train) ? data.classes.train : undefined),
  classesKey: 'data.classes.train',
  openData: openFewshotData,
  labelFiles: (_, { files }) => files,
  openTask: async (config, data) => ({ task: openFewshotTask(config, data), warnings: [] }),
  freshStart: config =>
    isWithoutParameters(headSettings(config, 1))
      ? `${config.method} has no parameters on features: there is nothing to train, only to test`
      : undefined,
  optimizer: optimizerOf,
  learningRate,
  shapes: (config, classes) => headShapes(headSettings(config, classes)),
  init: (config, classes, root) => headParams(headSettings(config, classes), root),
};
