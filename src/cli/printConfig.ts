import { Command, Option } from 'commander';
import { collect } from './arguments.ts';

interface PrintConfigOptions {
  readonly set?: readonly string[];
  readonly sources: boolean;
  readonly schema?: boolean;
  readonly json?: boolean;
}

/** `inkling print-config`: a resolved configuration, and where each value comes from. */
export function printConfigCommand(): Command {
  return new Command('print-config')
    .description('show a configuration with everything it extends, and the file and line each value comes from')
    .argument('[config]', 'a YAML file, the name of a configuration of this package, or a run folder')
    .option('--set <key=value>', 'override a value of the configuration; may be given several times', collect)
    .option('--no-sources', 'leave out where the values come from')
    .addOption(new Option('--schema', 'print the JSON Schema of configuration files, for editors').conflicts(['set', 'json']))
    .option('--json', 'print one JSON object: config, origins by key, sources')
    .addHelpText(
      'after',
      `
The output is a configuration file itself.

Example:
  $ inkling print-config localization/thumos14/ftcl --set train.epochs=5
  $ inkling print-config --schema > localization-config.json`,
    )
    .action(runPrintConfig);
}

async function runPrintConfig(name: string | undefined, options: PrintConfigOptions): Promise<void> {
  const { printJson, printLines } = await import('./output.ts');
  if (options.schema) {
    if (name !== undefined) throw new Error(`--schema is the same for every configuration; leave out ${name}`);
    const { localizationConfigSchema, schemaText } = await import('../train/configSchema.ts');
    process.stdout.write(schemaText(localizationConfigSchema()));
    return;
  }
  if (name === undefined) throw new Error('expected a configuration, such as localization/thumos14/acm-net, or a run folder');
  const { config, sources, layers } = await loadNamed(name, options.set ?? []);
  const { configLeaves } = await import('../train/configOrigins.ts');
  const leaves = configLeaves(config, layers);
  if (options.json) {
    const origins = Object.fromEntries(leaves.map(({ path, origin }) => [path.join('.'), origin]));
    printJson({ config, ...(options.sources ? { origins } : {}), sources });
    return;
  }
  const { configLines } = await import('../train/configPrint.ts');
  printLines(configLines(leaves, { comments: options.sources }));
}

/** The configuration of a run folder, or the one of this name. */
async function loadNamed(name: string, sets: readonly string[]) {
  const { stat } = await import('node:fs/promises');
  const { join } = await import('node:path');
  const { loadConfig, loadRunConfig, runConfigFile } = await import('../train/config.ts');
  const isFolder = (await stat(name).catch(() => undefined))?.isDirectory() === true;
  if (!isFolder) return loadConfig(name, { sets });
  if (sets.length === 0) await loadRunConfig(name);
  return loadConfig(join(name, runConfigFile), { sets });
}
