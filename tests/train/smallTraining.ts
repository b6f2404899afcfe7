/** The small experiment of the command-line tests, trained in this process. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LocalizationConfig } from '../../src/localization/config.ts';
import type { Config } from '../../src/train/config.ts';
import { loadLocalizationConfig } from '../../src/train/config.ts';
import { silentReporter } from '../../src/train/reporter.ts';
import { type TrainRunOptions, trainRun } from '../../src/train/trainRun.ts';

/** A video of a `gt.json`. */
export interface AnnotatedVideo {
  readonly subset?: string;
  readonly duration?: number;
  readonly annotations: readonly { readonly label: string; readonly segment?: readonly [number, number] }[];
}
export type Database = Readonly<Record<string, AnnotatedVideo>>;

/** `small.yaml` of `smallExperiment` in a folder, with data in `data` of the same folder and overrides. */
export async function smallConfig(dir: string, data: string, ...sets: readonly string[]): Promise<LocalizationConfig> {
  const { config } = await loadLocalizationConfig(join(dir, 'small.yaml'), { sets: [`data.dir=${join(dir, data)}`, ...sets] });
  return config;
}

/** The videos of an annotation file. */
export async function readDatabase(path: string): Promise<Database> {
  return (JSON.parse(await readFile(path, 'utf8')) as { database: Database }).database;
}

/** Writes an annotation file with every video changed; one that becomes undefined is left out. */
export async function writeDatabase(
  path: string,
  database: Database,
  change: (video: AnnotatedVideo, name: string) => AnnotatedVideo | undefined = video => video,
): Promise<void> {
  const videos = Object.entries(database).flatMap(([name, video]) => {
    const changed = change(video, name);
    return changed ? [[name, changed] as const] : [];
  });
  await writeFile(path, JSON.stringify({ database: Object.fromEntries(videos) }));
}

/** {@link trainRun} without a word, with the lines it would have said. */
export async function trainSilently(config: Config, options: Omit<TrainRunOptions, 'reporter'>) {
  const lines: string[] = [];
  const reporter = { ...silentReporter(), info: (line: string) => lines.push(line), warn: (line: string) => lines.push(line) };
  return { ...(await trainRun(config, { ...options, reporter })), lines };
}
