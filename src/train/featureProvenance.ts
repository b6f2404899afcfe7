/** What a feature folder's `features.json` says to a training (Node). */
import { join } from 'node:path';
import { type FeatureFolder, readFeatureFolder } from '../data/featureFolder.ts';
import type { LocalizationConfig } from '../localization/config.ts';
import type { Config } from './config.ts';
import type { Reporter } from './reporter.ts';

/** Rows may last this much longer or shorter than configured before it is worth a warning. */
const tolerance = 0.01;

/**
 * The configuration with `data.extractor` from `features.json`, in the folder of the training features, unless it is set. Warns a localiser where a row
 * lasts longer or shorter than `data.snippetFrames` at `data.framesPerSecond` say, for segments would then be stretched.
 * @throws DataError for a damaged `features.json`
 */
export async function withExtractor<C extends Config>(config: C, reporter: Reporter): Promise<C> {
  const { data } = config;
  const trainFolder = config.task === 'localization' ? (config.data.trainFeatures ?? 'train') : '.';
  const folder = (await readFeatureFolder(join(data.dir, trainFolder))) ?? (await readFeatureFolder(data.dir));
  if (!folder) return config;
  if (config.task === 'localization') warnOfDurations(config, folder, reporter);
  return data.extractor === null ? { ...config, data: { ...data, extractor: folder.extractor } } : config;
}

function warnOfDurations({ data }: LocalizationConfig, { extractor, items }: FeatureFolder, reporter: Reporter): void {
  const configured = data.snippetFrames / data.framesPerSecond;
  const off = items.find(({ fps }) => {
    const rate = extractor.fps ?? fps;
    return typeof rate === 'number' && Math.abs(extractor.stride / rate / configured - 1) > tolerance;
  });
  if (!off) return;
  const seconds = extractor.stride / (extractor.fps ?? off.fps!);
  reporter.warn(
    `${data.dir}: a row of ${off.file} lasts ${seconds.toFixed(3)} s, data.snippetFrames / data.framesPerSecond is ${configured.toFixed(3)} s: segments will be off`,
  );
}
