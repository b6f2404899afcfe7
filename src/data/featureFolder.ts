/** `features.json`: what the feature files of a folder are and what made them (Node only, for the reading). */
import { join } from 'node:path';
import { z } from 'zod';
import { exists, readJson } from './files.ts';
import { DataError } from './formats/dataError.ts';

/** What made features, and how: enough to make them again from the same videos. */
const extractorSchema = z.looseObject({
  /** Name of the model file, and the SHA-256 of its content. */
  file: z.string(),
  sha256: z.string(),
  /** Name of the model's output. */
  output: z.string(),
  /** Side of the square that is cut from the middle of a frame. */
  size: z.number(),
  /** A value is (pixel x scale - mean) / std. */
  scale: z.number(),
  mean: z.array(z.number()),
  std: z.array(z.number()),
  /** The rate that videos were brought to; null: their own. */
  fps: z.number().nullable(),
  /** Frames from a row to the next, and frames behind a row. */
  stride: z.number(),
  window: z.number(),
});
export type Extractor = z.infer<typeof extractorSchema>;

/** One video's features. */
const itemSchema = z.looseObject({
  /** Feature file, relative to the folder, with slashes. */
  file: z.string(),
  /** Frames decoded, rows of the file, seconds. */
  frames: z.number().int(),
  rows: z.number().int(),
  duration: z.number(),
  /** Frames a second of the video; null if it does not say. */
  fps: z.number().nullable().optional(),
  label: z.union([z.string(), z.number()]).optional(),
  /** What was wrong with the video, if something was. */
  warning: z.string().optional(),
});
export type FeatureItem = z.infer<typeof itemSchema>;

const folderSchema = z.looseObject({
  extractor: extractorSchema,
  items: z.array(itemSchema),
  /** Videos that gave no features, and why. */
  failures: z.array(z.looseObject({ video: z.string(), problem: z.string() })).optional(),
});
/** What `features.json` holds. */
export type FeatureFolder = z.infer<typeof folderSchema>;

/** Name of the file in its folder. */
export const featureFolderFile = 'features.json';

/**
 * Checks what a `features.json` holds.
 * @param where its path, for messages
 * @throws DataError naming the file and the key that is not as expected
 */
export function parseFeatureFolder(json: unknown, where: string): FeatureFolder {
  const parsed = folderSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [{ path: place, message }] = parsed.error.issues;
  throw new DataError(where, `${place.map(String).join('.') || 'content'}: ${message}`);
}

/**
 * Reads a folder's `features.json`; undefined if it has none.
 * @throws DataError naming the file and the key that is not as expected
 */
export async function readFeatureFolder(dir: string): Promise<FeatureFolder | undefined> {
  const path = join(dir, featureFolderFile);
  return (await exists(path)) ? parseFeatureFolder(await readJson(path), path) : undefined;
}
