/** The classes that a configuration means (Node). */

import { exists } from '../data/files.ts';
import type { LocalizationConfig } from '../localization/config.ts';
import { openDataset } from './localizationRun.ts';

/**
 * Number of classes of a configuration: of `data.classes`, of its synthetic data, or of its data folder.
 * @throws Error saying what to give if it has none of these; DataError for a data folder that is wrong
 */
export async function classCountOf(config: LocalizationConfig): Promise<{ count: number; from: string }> {
  const { classes, synthetic, dir } = config.data;
  if (classes) return { count: classes.length, from: 'data.classes' };
  if (synthetic) return { count: synthetic.classes, from: 'data.synthetic' };
  if (await exists(dir)) return { count: (await openDataset(config)).classes.length, from: dir };
  throw new Error(
    `the number of classes is not known: the configuration has no data.classes and there is no data folder ${dir}; give --classes N`,
  );
}
