/** The classes that a configuration means (Node). */

import { exists } from '../data/files.ts';
import type { Config } from './config.ts';
import { kindOf } from './tasks.ts';

/**
 * Number of classes of a configuration: those that it names or counts, of its synthetic data, or of its data folder.
 * @throws Error saying what to give if it has none of these; DataError for a data folder that is wrong
 */
export async function classCountOf(config: Config): Promise<{ count: number; from: string }> {
  const kind = kindOf(config);
  const named = kind.classNames(config);
  if (named) return { count: named.length, from: kind.classesKey };
  if (config.task === 'localization' && config.data.synthetic)
    return { count: config.data.synthetic.classes, from: 'data.synthetic' };
  if (config.task === 'openset' && typeof config.data.known === 'number') return { count: config.data.known, from: 'data.known' };
  if (config.task === 'fewshot' && typeof config.data.classes?.train === 'number')
    return { count: config.data.classes.train, from: 'data.classes.train' };
  const { dir } = config.data;
  if (await exists(dir)) return { count: (await kind.openData(config)).classes.length, from: dir };
  throw new Error(
    `the number of classes is not known: the configuration has no ${kind.classesKey} and there is no data folder ${dir}; give --classes N`,
  );
}
