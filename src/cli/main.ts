/** The command line: which verbs there are, and what happens to errors. */

import { Command, CommanderError } from 'commander';
import { packageVersion } from '../train/packageVersion.ts';
import { checkDataCommand } from './checkData.ts';
import { clusterCommand } from './cluster.ts';
import { doctorCommand } from './doctor.ts';
import { AdvisedError, errorLine } from './errors.ts';
import { evalCommand } from './eval.ts';
import { exportCommand } from './export.ts';
import { extractCommand } from './extract.ts';
import { importCommand } from './import.ts';
import { inspectCommand } from './inspect.ts';
import { predictCommand } from './predict.ts';
import { printConfigCommand } from './printConfig.ts';
import { runsCommand } from './runs.ts';
import { surviveOutput } from './streams.ts';
import { teachCommand } from './teach.ts';
import { testCommand } from './test.ts';
import { trainCommand } from './train.ts';

/**
 * Runs a command line; the process's exit code says how it went: 1 after an error, which is one line on standard error.
 * `INKLING_DEBUG=1` shows where it came from.
 */
export async function main(args: readonly string[]): Promise<void> {
  surviveOutput();
  try {
    await program().parseAsync(args, { from: 'user' });
  } catch (thrown) {
    if (thrown instanceof CommanderError) {
      // Its message is out already; help and version are no errors.
      process.exitCode = thrown.exitCode;
      return;
    }
    const stack = process.env.INKLING_DEBUG === '1' && thrown instanceof Error ? `${thrown.stack}\n` : '';
    const advice = thrown instanceof AdvisedError ? `${thrown.advice}\n` : '';
    process.stderr.write(`${errorLine(thrown)}\n${advice}${stack}`);
    process.exitCode = 1;
  }
}

/** Verbs load what they need when they run, so that help answers at once. */
function program(): Command {
  const inkling = new Command('inkling')
    .description(
      'Action understanding from few labels: temporal localisation from video-level labels, open-set and few-shot recognition.',
    )
    .version(packageVersion(), '-V, --version')
    .showHelpAfterError(false)
    // A verb's verbs have options of the same names.
    .enablePositionalOptions()
    .addHelpText(
      'after',
      '\nExample:\n  $ inkling train localization/synthetic/acm-net --out runs/first\n  $ inkling test runs/first',
    );
  const verbs = [
    trainCommand(),
    testCommand(),
    predictCommand(),
    evalCommand(),
    exportCommand(),
    extractCommand(),
    teachCommand(),
    clusterCommand(),
    runsCommand(),
    checkDataCommand(),
    importCommand(),
    inspectCommand(),
    printConfigCommand(),
    doctorCommand(),
  ];
  for (const verb of verbs) inkling.addCommand(verb);
  oneLineErrors(inkling);
  return inkling;
}

/** Usage errors in one line too, and thrown instead of ending the process. */
function oneLineErrors(command: Command): void {
  command.exitOverride().configureOutput({ outputError: (text, write) => write(`${text.trim().replace(/\s*\n\s*/g, ' ')}\n`) });
  for (const each of command.commands) oneLineErrors(each);
}
