/** Which feature files a folder has and what their labels are, by its `index.json` or `features.json` (Node only, for the reading). */
import { join, posix } from 'node:path';
import { z } from 'zod';
import { exists, readJson } from './files.ts';
import { DataError } from './formats/dataError.ts';

/** A feature file and its label. */
export interface IndexedFeatures {
  /** Relative to the folder, with `/` between folders. */
  readonly file: string;
  readonly label: string;
  /** Part of the data set, e.g. `train` or `test`, if the index states it. */
  readonly subset?: string;
  /** Seconds, if the index states it. */
  readonly duration?: number;
}

/** What an index says. */
export interface FeatureIndex {
  /** The index file. */
  readonly path: string;
  readonly classes: readonly string[];
  readonly items: readonly IndexedFeatures[];
}

/** Names of index files, the first that is there counts. */
export const indexFiles: readonly string[] = ['index.json', 'features.json'];

const label = z.union([z.string().min(1), z.int().min(0)], { error: 'expected a name or a number from 0' });
const indexSchema = z.object({
  classes: z.array(z.string().min(1)).min(1).optional(),
  items: z
    .array(
      z.object({
        file: z.string().min(1),
        label: label.optional(),
        subset: z.string().min(1).optional(),
        duration: z.number().positive().optional(),
      }),
    )
    .min(1),
});

/**
 * Reads a folder's index, `{classes?, items: [{file, label, subset?, duration?}]}`; undefined if it has none. A label that is a number is the place
 * of its class among `classes`, or without these the class's name. Without `classes` there are those of the labels, sorted.
 * @throws DataError naming the file and the item: no label, a label that is no class, a file outside the folder or listed twice
 */
export async function readFeatureIndex(dir: string): Promise<FeatureIndex | undefined> {
  for (const name of indexFiles) {
    const path = join(dir, name);
    if (await exists(path)) return parseFeatureIndex(await readJson(path), path);
  }
  return undefined;
}

/** A feature file that may have a label. */
export interface ListedFeatures extends Omit<IndexedFeatures, 'label'> {
  readonly label?: string;
}

/** What an index says whose items need no labels. */
export interface FeatureList {
  /** As the index states them. */
  readonly classes?: readonly string[];
  readonly items: readonly ListedFeatures[];
}

/** {@link readFeatureIndex} of a file's content. */
export function parseFeatureIndex(json: unknown, path: string): FeatureIndex {
  const { classes, items } = parseFeatureList(json, path);
  const labelled = items.map(({ label: given, ...item }, i): IndexedFeatures => {
    if (given === undefined) throw new DataError(path, `items[${i}]: expected a label for ${item.file}, found none`);
    return { ...item, label: given };
  });
  return { path, classes: classes ?? sorted(new Set(labelled.map(item => item.label))), items: labelled };
}

/** {@link parseFeatureIndex} where items need no labels. */
export function parseFeatureList(json: unknown, path: string): FeatureList {
  const parsed = indexSchema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const message = issue.message.charAt(0).toLowerCase() + issue.message.slice(1);
    throw new DataError(path, `${issue.path.map(String).join('.') || 'the file'}: ${message}`);
  }
  const stated = parsed.data.classes;
  const places = new Map((stated ?? []).map((name, i) => [name, i]));
  const twice = stated?.find((name, i) => places.get(name) !== i);
  if (twice !== undefined) throw new DataError(path, `classes: ${JSON.stringify(twice)} is listed twice`);
  const seen = new Set<string>();
  const items = parsed.data.items.map(({ label: given, ...item }, i): ListedFeatures => {
    const { file } = item;
    if (posix.isAbsolute(file) || file.split(/[\\/]/).includes('..'))
      throw new DataError(path, `items[${i}].file: expected a file in the folder, found ${JSON.stringify(file)}`);
    if (seen.has(file)) throw new DataError(path, `${file} is listed twice`);
    seen.add(file);
    if (given === undefined) return item;
    const named = typeof given === 'number' && stated ? stated[given] : String(given);
    if (named === undefined || (stated && !places.has(named)))
      throw new DataError(path, `items[${i}].label: expected one of classes, found ${JSON.stringify(given)}`);
    return { ...item, label: named };
  });
  return { ...(stated && { classes: stated }), items };
}

/** By the alphabet; names that are all whole numbers by their values, 2 before 10. */
function sorted(names: ReadonlySet<string>): string[] {
  const areNumbers = [...names].every(name => /^\d+$/.test(name));
  return [...names].sort(areNumbers ? (a, b) => Number(a) - Number(b) : undefined);
}
