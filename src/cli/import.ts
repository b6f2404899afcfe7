import { Command, Option } from 'commander';
import { collect } from './arguments.ts';
import { shellWord } from './shellWord.ts';

interface ImportCommandOptions {
  readonly to?: string;
  readonly model: string;
  readonly config?: string;
  readonly set?: readonly string[];
  readonly classes?: string;
  readonly key?: string;
  readonly strict?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** `inkling import`: weights of other programs as a model or run of ours. */
export function importCommand(): Command {
  return new Command('import')
    .description(
      'make a model of weights from elsewhere (PyTorch checkpoints, .safetensors, .npz), matched by the published names',
    )
    .argument('<file>', 'a checkpoint (.pth, .pt, .pyth, .pkl), .safetensors or .npz')
    .addOption(new Option('--model <name>', 'the model the weights belong to').choices(['acm-net', 'ftcl']).makeOptionMandatory())
    .option('--to <target>', 'a new run folder, or a .safetensors file; without it, only show how the names match')
    .option('--classes <names>', 'class names in the order of the outputs: a file, a list a,b,c, thumos14 or activitynet')
    .option('--config <config>', 'the configuration of the model (default: the one for its classes)')
    .option('--set <key=value>', 'override a value of the configuration; may be given several times', collect)
    .option('--key <path>', 'which weights of a checkpoint that has several, such as state_dict_ema')
    .option('--strict', 'fail if anything is missing or unexpected')
    .option('--force', 'replace a .safetensors file that exists')
    .option('--json', 'print the outcome as one JSON object')
    .addHelpText(
      'after',
      `
Example:
  $ inkling import ftcl_best.pth --model ftcl --classes thumos14 --to runs/published
  $ inkling test runs/published --data data/thumos14`,
    )
    .action(runImport);
}

async function runImport(file: string, options: ImportCommandOptions): Promise<void> {
  const { to, strict = false } = options;
  const { checkTarget, importModel, mustFit, readSourceWeights, writeImported } = await import('../train/importModel.ts');
  const { models } = await import('../train/models.ts');
  const { consoleReporter } = await import('../train/reporter.ts');
  const { printJson, printLines } = await import('./output.ts');
  const reporter = consoleReporter();
  const as = to === undefined ? undefined : await checkTarget(to, options.force === true);
  const weights = await readSourceWeights(file, { key: options.key });
  const { model: name, config, set: sets, classes } = options;
  const imported = await importModel(weights, file, { model: models[name], config, sets, classes, onlyLook: to === undefined });
  const { merged } = imported;
  for (const each of imported.notFinite) reporter.warn(`${file}: ${each} holds values that are no finite numbers`);
  if (imported.needed.length > 0)
    reporter.warn(`${file} lacks ${imported.needed.join(', ')}: until it is trained, what the model predicts means nothing`);
  const counts = {
    matched: merged.matched.length,
    missing: merged.missing.length,
    unexpected: merged.unexpected.length + weights.others.length,
    wrongShape: merged.wrongShape.length,
  };
  if (!options.json) {
    const { importTable } = await import('./importTable.ts');
    printLines([
      `${file}: ${weights.found}`,
      `configuration: ${imported.base}`,
      ...imported.adapted.map(text => `  ${text} (from the shapes)`),
      '',
      ...importTable(weights, imported),
      '',
      `${counts.matched} matched, ${counts.missing} missing, ${counts.unexpected} unexpected, ${counts.wrongShape} of another shape`,
      ...(imported.isNamed ? [] : [`${imported.classes.length} classes without names, which --to needs: --classes`]),
    ]);
  }
  // The table first, so that it is seen what the error is about.
  const problem = mismatch(() => mustFit(imported, weights, file, strict));
  if (!problem && to !== undefined && as !== undefined) {
    await writeImported(to, as, imported, file);
    if (!options.json) printLines([nextLine(to, as)]);
  }
  if (options.json) {
    const { matched, missing, unexpected, wrongShape } = merged;
    printJson({
      file,
      model: name,
      configuration: imported.base,
      written: problem ? null : (to ?? null),
      counts,
      matched,
      missing,
      unexpected: [...unexpected, ...weights.others],
      wrongShape,
      adapted: imported.adapted,
      classes: imported.isNamed ? imported.classes : null,
    });
  }
  if (problem) throw problem;
}

/** What a check throws; undefined if it passes. */
function mismatch(check: () => void): unknown {
  try {
    check();
    return undefined;
  } catch (thrown) {
    return thrown;
  }
}

function nextLine(to: string, as: 'run' | 'file'): string {
  const word = shellWord(to);
  return as === 'run'
    ? `wrote the run ${to}: inkling test ${word} --data DIR, predict, train --from ${word}`
    : `wrote the model ${to}: inkling predict ${word} FEATURES, train --from ${word}`;
}
