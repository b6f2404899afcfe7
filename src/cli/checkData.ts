import { Command } from 'commander';
import type { Finding } from '../data/checkData.ts';
import type { LocalizationConfig } from '../localization/config.ts';
import { collect } from './arguments.ts';

interface CheckDataOptions {
  readonly data?: string;
  readonly set?: readonly string[];
  readonly json?: boolean;
}

/** `inkling check-data`: says whether a data set is right, and what is wrong with it. */
export function checkDataCommand(): Command {
  return new Command('check-data')
    .description('check a data set: annotations, splits, classes and every feature file; exit code 1 if something is wrong')
    .argument('<config-or-folder>', 'a configuration, or a data folder')
    .option('--data <dir>', 'the data folder, in place of data.dir of the configuration')
    .option('--set <key=value>', 'override a value of the configuration; may be given several times', collect)
    .option('--json', 'print the findings as one JSON object')
    .addHelpText(
      'after',
      '\nExample:\n  $ inkling check-data data/thumos14\n  $ inkling check-data localization/thumos14/ftcl --data features',
    )
    .action(runCheckData);
}

async function runCheckData(source: string, options: CheckDataOptions): Promise<void> {
  const { checkData } = await import('../data/checkData.ts');
  const { printJson, printLines } = await import('./output.ts');
  const config = await configOf(source, options);
  const findings = [...(config ? await checkConfig(config) : await checkData(source))];
  const ok = findings.every(finding => finding.level !== 'error');
  if (!ok) process.exitCode = 1;
  if (options.json) printJson({ ok, findings });
  else
    printLines([...findings.map(({ level, message }) => `${level}: ${message}`), ok ? 'no errors' : 'the data set has errors']);
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
