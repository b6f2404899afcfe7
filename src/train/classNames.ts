/** Class names as they are given on the command line (Node). */

import { extname } from 'node:path';
import { DataError, exists, parseClasses, readJson, readText } from '../data/index.ts';
import { ACTIVITYNET_CLASSES, THUMOS14_CLASSES } from '../localization/classes.ts';

const published = { thumos14: THUMOS14_CLASSES, activitynet: ACTIVITYNET_CLASSES } as const;

/** The name of a published class list. */
export type PublishedClasses = keyof typeof published;

/** Whether a text is the name of a published class list. */
export function isPublishedClasses(text: string | undefined): text is PublishedClasses {
  return text !== undefined && Object.hasOwn(published, text);
}

/**
 * The class names that a text means, in the order of the model's outputs: a published list by its name, a file (a JSON list, or a name a
 * line), or names with commas between them.
 * @throws DataError if it is none of these, or a name is given twice
 */
export async function readClassNames(text: string): Promise<string[]> {
  if (isPublishedClasses(text)) return [...published[text]];
  if (await exists(text)) {
    if (extname(text).toLowerCase() === '.json') return parseClasses(await readJson(text), text);
    const lines = (await readText(text)).split(/\r?\n/).map(line => line.trim());
    return parseClasses(
      lines.filter(line => line !== ''),
      text,
    );
  }
  const names = text.split(',').map(name => name.trim());
  if (names.length > 1) return parseClasses(names, '--classes');
  throw new DataError(
    text,
    `no such file; expected class names as a file (a JSON list, or one a line), a list with commas, or ${Object.keys(published).join(', ')}`,
  );
}
