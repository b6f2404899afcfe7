/** From a configuration to the localisation task: opens the data set and hands every option on (Node). */
import { resolve } from 'node:path';
import { featureCache, openVideoDataset, readAnnotations, type VideoDataset } from '../data/index.ts';
import { fold, key } from '../engine/random.ts';
import {
  acmLossOptions,
  acmNetOptions,
  evaluationOptions,
  type LocalizationConfig,
  localizeOptions,
  sequenceLossOptions,
  videoDatasetOptions,
} from '../localization/config.ts';
import { type LocalizationTask, localizationTask } from '../localization/task.ts';

/** Opens the data set that a configuration names. @throws DataError naming the file or video that is wrong. */
export async function openDataset(config: LocalizationConfig): Promise<VideoDataset> {
  return openVideoDataset({
    ...videoDatasetOptions(config),
    cache: featureCache({ maxBytes: config.data.cacheMegabytes * 1e6 }),
  });
}

/** The task of a configuration on its opened data set. */
export async function openTask(config: LocalizationConfig, dataset: VideoDataset): Promise<LocalizationTask> {
  const { data, train, loss } = config;
  const names = dataset.test.map(video => video.name);
  const annotations = data.groundTruth ? await readAnnotations(resolve(data.dir, data.groundTruth)) : dataset.annotations;
  // Video-level labels suffice to train; where the test videos have no segments either, only their classification is tested.
  const hasSegments = names.some(name => annotations.videos.get(name)?.instances.some(instance => instance.segment));
  return localizationTask({
    dataset,
    groundTruth: hasSegments ? annotations : undefined,
    network: acmNetOptions(config, dataset.classes.length),
    loss: acmLossOptions(config),
    sequence: sequenceLossOptions(config),
    terms: loss.sequence.terms,
    samples: data.samples,
    batchSize: train.batchSize,
    pairKey: fold(key(train.seed), 'pairs'),
    resamplePairs: train.resamplePairs,
    localize: localizeOptions(config),
    evaluation: evaluationOptions(config, names, dataset.testSubset),
    where: { device: train.device, threads: train.threads ?? undefined },
  });
}
