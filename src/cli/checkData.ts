import { Command, Option } from 'commander';
import type { Finding } from '../data/checkData.ts';
import type { LocalizationConfig } from '../localization/config.ts';
import { type VideoFormat, videoFormats } from '../video/videoFormats.ts';
import { collect } from './arguments.ts';

interface CheckDataOptions {
  readonly data?: string;
  readonly set?: readonly string[];
  readonly task?: 'localization' | 'openset';
  readonly format?: VideoFormat;
  readonly split?: '1' | '2' | '3';
  readonly decode?: boolean;
  readonly json?: boolean;
}

/** `inkling check-data`: says whether a data set is right, and what is wrong with it. */
export function checkDataCommand(): Command {
  return new Command('check-data')
    .description(
      'check a data set: annotations, lists, splits, classes, and every feature file or video; exit code 1 if something is wrong',
    )
    .argument('<config-or-folder>', 'a configuration, or a data folder')
    .option('--data <dir>', 'the data folder, in place of data.dir of the configuration')
    .option('--set <key=value>', 'override a value of the configuration; may be given several times', collect)
    .addOption(new Option('--task <task>', 'what a folder is for (default: localization)').choices(['localization', 'openset']))
    .addOption(
      new Option('--format <format>', 'openset: how the videos of a folder are labelled (default: auto)').choices(videoFormats),
    )
    .addOption(new Option('--split <n>', 'openset: which published split (default: 1)').choices(['1', '2', '3']))
    .option('--decode', 'openset: decode every video, to count its frames and to see whether it can be')
    .option('--json', 'print the findings as one JSON object')
    .addHelpText(
      'after',
      `
Example:
  $ inkling check-data data/thumos14
  $ inkling check-data localization/thumos14/ftcl --data features
  $ inkling check-data data/ucf101 --task openset --decode`,
    )
    .action(runCheckData);
}

async function runCheckData(source: string, options: CheckDataOptions): Promise<void> {
  const { printJson, printLines } = await import('./output.ts');
  const findings = options.task === 'openset' ? await checkOpenset(source, options) : await checkLocalization(source, options);
  const ok = findings.every(finding => finding.level !== 'error');
  if (!ok) process.exitCode ||= 1;
  if (options.json) printJson({ ok, findings });
  else
    printLines([...findings.map(({ level, message }) => `${level}: ${message}`), ok ? 'no errors' : 'the data set has errors']);
}

async function checkLocalization(source: string, options: CheckDataOptions): Promise<readonly Finding[]> {
  const { checkData } = await import('../data/checkData.ts');
  const { format, split, decode } = options;
  if (format ?? split ?? decode) throw new Error('--format, --split and --decode go with --task openset');
  const config = await configOf(source, options);
  return config ? checkConfig(config) : checkData(source);
}

/** A folder of clips: features, or videos. */
async function checkOpenset(dir: string, options: CheckDataOptions): Promise<readonly Finding[]> {
  const { data, set = [], format, split, decode = false } = options;
  if (data !== undefined || set.length > 0)
    throw new Error('--task openset goes with a folder; --data and --set with a configuration');
  const { checkClips, holdsFeatures } = await import('../data/checkClips.ts');
  if (format === undefined && (await holdsFeatures(dir))) {
    if (split ?? decode) throw new Error(`${dir} holds features; --split and --decode go with videos`);
    return checkClips({ dir });
  }
  const { checkVideos } = await import('../video/checkVideos.ts');
  const { consoleReporter } = await import('../train/reporter.ts');
  const { listenForInterrupt } = await import('./interrupt.ts');
  const reporter = consoleReporter();
  const interrupt = listenForInterrupt(() => reporter.info('stopping (once more: at once)'));
  try {
    return await checkVideos(
      { dir, format, ...(split ? { split: Number(split) as 1 | 2 | 3 } : {}) },
      {
        decode,
        signal: interrupt.signal,
        onProgress: (done, total, detail) => reporter.progress({ label: 'decoding', done, total, detail }),
      },
    );
  } finally {
    const code = interrupt.exitCode();
    if (code !== undefined) process.exitCode = code;
    interrupt.dispose();
  }
}

/** The configuration that the arguments mean; undefined for a data folder. */
async function configOf(source: string, { data, set = [] }: CheckDataOptions): Promise<LocalizationConfig | undefined> {
  const { stat } = await import('node:fs/promises');
  const isFolder = (await stat(source).catch(() => undefined))?.isDirectory() === true;
  if (isFolder) {
    if (data !== undefined || set.length > 0) throw new Error(`${source} is a folder; --data and --set go with a configuration`);
    return undefined;
  }
  const { loadLocalizationConfig, withDataFolder } = await import('../train/config.ts');
  const { config } = await loadLocalizationConfig(source, { sets: set });
  return data === undefined ? config : withDataFolder(config, data);
}

/** The data set's findings and, where it has no errors, what training and testing on it would stumble over. */
async function checkConfig(config: LocalizationConfig): Promise<Finding[]> {
  const { checkData } = await import('../data/checkData.ts');
  const { videoDatasetOptions } = await import('../localization/config.ts');
  const snippetSeconds = config.data.snippetFrames / config.data.framesPerSecond;
  const findings = await checkData(videoDatasetOptions(config), { snippetSeconds });
  if (findings.some(({ level }) => level === 'error')) return [...findings];
  const { openDataset, openTask } = await import('../train/localizationRun.ts');
  const { errorLine } = await import('./errors.ts');
  try {
    const task = await openTask(config, await openDataset(config));
    await task.dispose();
    return [...findings];
  } catch (error) {
    return [{ level: 'error', message: errorLine(error).replace(/^error: /, '') }, ...findings];
  }
}
