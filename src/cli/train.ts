import { Command } from 'commander';
import { withAllocator } from './allocator.ts';
import { collect, parseSeed } from './arguments.ts';
import { shellWord } from './shellWord.ts';
import type { TrainOptions } from './trainTarget.ts';

/** `inkling train`: trains, or goes on with a run. */
export function trainCommand(): Command {
  return new Command('train')
    .description('train a model; the run folder holds everything that comes of it')
    .argument('[config]', 'a YAML file, or the name of a configuration of this package')
    .option('--data <dir>', 'the data folder, in place of data.dir of the configuration')
    .option(
      '--out <run>',
      'the run folder, new or empty (default: runs/<dataset>-<method>-<seed>, with a number if that is taken)',
    )
    .option('--seed <n>', 'the seed of everything random', parseSeed)
    .option('--from <model>', 'start from the weights of a run or model')
    .option('--resume <run>', 'go on with a run that was stopped')
    .option('--set <key=value>', 'override a value of the configuration; may be given several times', collect)
    .option('--json', 'print the outcome as one JSON object')
    .addHelpText(
      'after',
      `
Example:
  $ inkling train localization/thumos14/acm-net --data data/thumos14 --out runs/phase1
  $ inkling train localization/thumos14/ftcl --data data/thumos14 --from runs/phase1 --out runs/phase2
  $ inkling train --resume runs/phase1`,
    )
    .action((config: string | undefined, options: TrainOptions) => withAllocator(() => runTrain(config, options)));
}

async function runTrain(name: string | undefined, options: TrainOptions): Promise<void> {
  const { trainTarget } = await import('./trainTarget.ts');
  const { config, out, resume } = await trainTarget(name, options);
  const { consoleReporter } = await import('../train/reporter.ts');
  const { listenForInterrupt } = await import('./interrupt.ts');
  const reporter = consoleReporter();
  if (config.task === 'localization' && config.data.synthetic) {
    const { ensureSyntheticFeatures } = await import('../data/synthetic.ts');
    const { data } = config;
    const written = await ensureSyntheticFeatures(data.dir, {
      ...config.data.synthetic,
      featureDim: config.model.featureDim,
      snippetSeconds: data.snippetFrames / data.framesPerSecond,
    });
    if (written) reporter.info(`wrote synthetic features to ${data.dir}: no real video is behind them`);
  }
  const { trainRun } = await import('../train/trainRun.ts');
  const interrupt = listenForInterrupt(() => reporter.info('stopping after this step (once more: at once)'));
  try {
    const command = process.argv.slice(2);
    const summary = await trainRun(config, {
      out,
      from: options.from,
      resume,
      name,
      command,
      reporter,
      signal: interrupt.signal,
    });
    if (summary.interrupted) {
      reporter.info(`stopped; go on with: inkling train --resume ${shellWord(out)}`);
      process.exitCode = interrupt.exitCode() ?? 1;
    }
    const { printJson, printLines } = await import('./output.ts');
    if (options.json) printJson({ ...summary });
    else if (!summary.interrupted) printLines(await summaryLines(summary));
  } catch (thrown) {
    const { adviseOnSpace } = await import('./outOfSpace.ts');
    throw await adviseOnSpace(thrown, out);
  } finally {
    interrupt.dispose();
  }
}

type Summary = Awaited<ReturnType<typeof import('../train/trainRun.ts')['trainRun']>>;

async function summaryLines({ run, epochs, metrics, best }: Summary): Promise<string[]> {
  const { alignColumns, percent } = await import('./output.ts');
  const rows = Object.entries(metrics)
    .filter(([name]) => /mAP|accuracy|interval|AUROC|AUPR|FPR/i.test(name))
    .map(([name, value]) => [name, `${percent(value)} %`]);
  const bestLine = best ? [`best on the test set: epoch ${best.epoch}, ${best.metric} ${percent(best.value)} %`] : [];
  return [`${run}: ${epochs} epochs`, ...(rows.length > 0 ? alignColumns(rows) : []), ...bestLine];
}
