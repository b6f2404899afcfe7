import { Command, Option } from 'commander';
import type { Config } from '../train/config.ts';
import { collect } from './arguments.ts';

interface PrintConfigOptions {
  readonly set?: readonly string[];
  readonly sources: boolean;
  readonly schema?: string | boolean;
  readonly json?: boolean;
}

/** `inkling print-config`: a resolved configuration, and where each value comes from. */
export function printConfigCommand(): Command {
  return new Command('print-config')
    .description('show a configuration with everything it extends, and the file and line each value comes from')
    .argument('[config]', 'a YAML file, the name of a configuration of this package, or a run folder')
    .option('--set <key=value>', 'override a value of the configuration; may be given several times', collect)
    .option('--no-sources', 'leave out where the values come from')
    .addOption(
      new Option(
        '--schema [task]',
        'print the JSON Schema of configuration files for editors, of a task (localization, openset, fewshot) or of the one the configuration is of',
      ).conflicts(['set', 'json']),
    )
    .option('--json', 'print one JSON object: config, origins by key, sources')
    .addHelpText(
      'after',
      `
The output is a configuration file itself.

Example:
  $ inkling print-config localization/thumos14/ftcl --set train.epochs=5
  $ inkling print-config --schema openset > openset-config.json`,
    )
    .action(runPrintConfig);
}

async function runPrintConfig(name: string | undefined, options: PrintConfigOptions): Promise<void> {
  const { printJson, printLines } = await import('./output.ts');
  if (options.schema !== undefined) {
    const { configSchemas, schemaText } = await import('../train/configSchema.ts');
    process.stdout.write(schemaText(configSchemas[await schemaTask(name, options.schema)]()));
    return;
  }
  if (name === undefined) throw new Error('expected a configuration, such as localization/thumos14/acm-net, or a run folder');
  const { loadConfigOrRun } = await import('../train/config.ts');
  const { config, sources, layers } = await loadConfigOrRun(name, { sets: options.set });
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

/** The task of `--schema [task]`: the one that is named, or that of a configuration, which may stand where the task would. */
async function schemaTask(name: string | undefined, given: string | boolean): Promise<Config['task']> {
  const { configSchemas } = await import('../train/configSchema.ts');
  const tasks = Object.keys(configSchemas) as Config['task'][];
  const task = tasks.find(each => each === given);
  const config = typeof given === 'string' && !task ? given : name;
  if (typeof given === 'string' && config !== undefined && name !== undefined)
    throw new Error(`--schema is of a task or of a configuration; leave out ${task ? name : given}`);
  if (task) return task;
  if (config === undefined) throw new Error(`--schema: expected a task (${tasks.join(', ')}) or a configuration`);
  const { loadConfigOrRun } = await import('../train/config.ts');
  return (await loadConfigOrRun(config)).config.task;
}
