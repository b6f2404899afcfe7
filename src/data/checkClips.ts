/** Looks a folder of labelled clips over, as features (Node only). */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finding } from './checkData.ts';
import { type ClipDataset, type ClipDatasetOptions, openClipDataset } from './clips.ts';
import { exists, readJson } from './files.ts';
import { DataError } from './formats/dataError.ts';
import { countsPerClass } from './labels.ts';

const isFeatureName = (name: string): boolean => /\.np[yz]$/i.test(name);

/** Whether a folder's clips are features: it has `features.json`, an `index.json` that names some, or folders with some in them. */
export async function holdsFeatures(dir: string): Promise<boolean> {
  if (await exists(join(dir, 'features.json'))) return true;
  const index = join(dir, 'index.json');
  if (await exists(index)) {
    const { items } = ((await readJson(index)) ?? {}) as { items?: unknown };
    return Array.isArray(items) && items.some((item: { file?: unknown } | null) => isFeatureName(String(item?.file)));
  }
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isDirectory()) continue;
    if ((await readdir(join(dir, entry.name))).some(isFeatureName)) return true;
  }
  return false;
}

/**
 * Reads every clip of a folder, and says what is wrong, strange and there, in this order. Problems of the data are findings, not exceptions.
 */
export async function checkClips(options: ClipDatasetOptions): Promise<Finding[]> {
  let dataset: ClipDataset;
  try {
    dataset = await openClipDataset(options);
  } catch (thrown) {
    if (!(thrown instanceof DataError)) throw thrown;
    return [{ level: 'error', message: thrown.message }];
  }
  const { classes, items } = dataset;
  const errors: Finding[] = [];
  const rows: number[] = [];
  let width = options.featureWidth;
  // One after the other: nothing is kept, so a data set larger than the memory can be checked.
  for (const { name, load } of items) {
    try {
      const [n, found] = (await load()).shape;
      width ??= found;
      if (found !== width)
        errors.push({
          level: 'error',
          message: `${name}: expected features of width ${width} (as the clips before it), found ${found}`,
        });
      rows.push(n);
    } catch (thrown) {
      if (!(thrown instanceof DataError)) throw thrown;
      errors.push({ level: 'error', message: thrown.message });
    }
  }
  const counts = classes.map((_, label) => items.filter(item => item.label === label).length);
  const few = classes.filter((_, label) => counts[label] < 2);
  rows.sort((a, b) => a - b);
  return [
    ...errors,
    ...(few.length > 0
      ? [{ level: 'warning', message: `classes with fewer than two clips, of which none can test: ${few.join(', ')}` } as const]
      : []),
    { level: 'info', message: `features: ${classes.length} classes, ${items.length} clips` },
    { level: 'info', message: `clips per class: ${countsPerClass(classes, counts)}` },
    ...(rows.length > 0
      ? [
          {
            level: 'info',
            message: `features: width ${width}, ${rows[0]} / ${rows[Math.floor(rows.length / 2)]} / ${rows[rows.length - 1]} rows (fewest / median / most)`,
          } as const,
        ]
      : []),
  ];
}
