import { Command } from 'commander';
import { collect, parseCount } from './arguments.ts';
import type { InspectConfigOptions } from './inspectConfig.ts';
import type { InspectFileOptions } from './inspectFile.ts';

type InspectOptions = InspectConfigOptions & InspectFileOptions;

/** Options that say something about a model, and about a file, and so nothing about the other. */
const configOptions = ['set', 'classes', 'batch', 'time', 'train'] as const;
const fileOptions = ['filter', 'depth', 'stats', 'all'] as const;

/** `inkling inspect`: what is in a file, or what a configuration's model is made of. */
export function inspectCommand(): Command {
  return new Command('inspect')
    .description(
      'show what is in a file or folder (weights, checkpoints, ONNX models, features, annotations), or the layers of a model',
    )
    .argument('<source>', 'a file, a run or feature folder, or a configuration (a YAML file or a name)')
    .option('--filter <pattern>', 'file: only entries whose name contains this; * stands for anything')
    .option('--depth <n>', 'file: list so many levels', parseCount)
    .option('--stats', 'file: smallest, largest and mean value of each array, and how many are NaN')
    .option('--all', 'file: list everything, however long')
    .option(
      '--batch <n>',
      'configuration: videos (or pairs, or clips) at once (default: 1, and train.batchSize with --train)',
      parseCount,
    )
    .option('--time <n>', 'configuration of a localiser: snippets of a video (default: data.samples)', parseCount)
    .option('--classes <n>', 'configuration: number of classes, where it does not say', parseCount)
    .option('--train', 'configuration: also the operations of a training step, forward and backward')
    .option('--set <key=value>', 'configuration: override a value; may be given several times', collect)
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Example:
  $ inkling inspect checkpoint.pth --filter cls
  $ inkling inspect features/video1.npy --stats
  $ inkling inspect localization/thumos14/ftcl --train
  $ inkling inspect openset/gym-i3d/psl`,
    )
    .action(runInspect);
}

async function runInspect(source: string, options: InspectOptions): Promise<void> {
  const { stat } = await import('node:fs/promises');
  const found = await stat(source).catch(() => undefined);
  const isConfig = found ? found.isFile() && /\.ya?ml$/i.test(source) : !/\.(?!ya?ml$)\w+$/i.test(source);
  const strange = (isConfig ? fileOptions : configOptions).find(name => options[name] !== undefined);
  if (strange !== undefined) {
    const [is, goes] = isConfig ? ['a configuration', 'a file'] : ['no configuration', 'a configuration'];
    throw new Error(`${source} is ${is}; --${strange} goes with ${goes}`);
  }
  if (isConfig) {
    const { inspectConfig } = await import('./inspectConfig.ts');
    await inspectConfig(source, options);
    return;
  }
  const { inspectFile } = await import('./inspectFile.ts');
  await inspectFile(source, options);
}
