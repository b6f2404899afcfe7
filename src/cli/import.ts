import { Command, Option } from 'commander';
import type { Matched } from '../train/matchWeights.ts';
import type { SourceWeights } from '../train/sourceWeights.ts';
import { collect } from './arguments.ts';
import { shellWord } from './shellWord.ts';

/** Options of `import`; some are for weights, some for configurations. */
export interface ImportCommandOptions {
  readonly to?: string;
  readonly model?: string;
  readonly config?: string;
  readonly set?: readonly string[];
  readonly classes?: string;
  readonly key?: string;
  readonly strict?: boolean;
  readonly force?: boolean;
  readonly published?: boolean;
  readonly json?: boolean;
}

/** The model that is a backbone alone. */
const backbone = 'tsm';

/** `inkling import`: weights of other programs as a model or run of ours, and their configurations as ours. */
export function importCommand(): Command {
  return new Command('import')
    .description(
      'make a model of weights from elsewhere (PyTorch checkpoints, .safetensors, .npz), matched by the published names',
    )
    .argument(
      '<file>',
      'a checkpoint (.pth, .pt, .pyth, .pkl), .safetensors, .npz, or a few-shot configuration of HyRSM++ (.yaml)',
    )
    .addOption(new Option('--model <name>', 'the model the weights belong to').choices(['acm-net', 'ftcl', 'psl', backbone]))
    .option(
      '--to <target>',
      'a new run folder, or a .safetensors file; a .yaml file for a configuration; without it, only show what would be written',
    )
    .option('--classes <names>', 'class names in the order of the outputs: a file, a list a,b,c, thumos14 or activitynet')
    .option('--config <config>', 'the configuration of the model (default: the one for its classes)')
    .option('--set <key=value>', 'override a value of the configuration; may be given several times', collect)
    .option('--key <path>', 'which weights of a checkpoint that has several, such as state_dict_ema')
    .option('--strict', 'fail if anything is missing or unexpected')
    .option('--published', 'a configuration: what the published program does even where it was not meant')
    .option('--force', 'replace a .safetensors or .yaml file that exists')
    .option('--json', 'print the outcome as one JSON object')
    .addHelpText(
      'after',
      `
Example:
  $ inkling import ftcl_best.pth --model ftcl --classes thumos14 --to runs/published
  $ inkling test runs/published --data data/thumos14
  $ inkling import tsm_kinetics400.pth --model tsm --to tsm-kinetics.safetensors
  $ inkling import configs/projects/hyrsmplusplus/kinetics100/HyRSMplusplus_K100_1shot_v1.yaml --to ours.yaml`,
    )
    .action(async (file: string, options: ImportCommandOptions) => {
      if (!/\.ya?ml$/i.test(file)) return runImport(file, options);
      const { importConfig } = await import('./importConfig.ts');
      return importConfig(file, options);
    });
}

/** What was read and matched, and how to write it. */
interface Outcome {
  readonly weights: SourceWeights;
  readonly matched: Matched;
  readonly isNamed: boolean;
  readonly classes: readonly string[];
  /** What is worth knowing about the weights. */
  readonly notes: readonly string[];
  /** Writes it; gives a line on what to do with it. */
  write(to: string, as: 'run' | 'file'): Promise<string>;
}

async function runImport(file: string, options: ImportCommandOptions): Promise<void> {
  const { to, strict = false } = options;
  const { mustFit } = await import('../train/importModel.ts');
  const { checkTarget } = await import('../train/importTarget.ts');
  const { consoleReporter } = await import('../train/reporter.ts');
  const { printJson, printLines } = await import('./output.ts');
  const reporter = consoleReporter();
  if (options.published) throw new Error(`${file}: --published is for configurations (.yaml)`);
  if (options.model === undefined) throw new Error("required option '--model <name>' not specified");
  const as = to === undefined ? undefined : await checkTarget(to, options.force === true);
  const isBackbone = options.model === backbone;
  const { weights, matched, isNamed, classes, notes, write } = await (isBackbone ? openBackbone : openModel)(file, options);
  const { merged } = matched;
  for (const each of matched.notFinite) reporter.warn(`${file}: ${each} holds values that are no finite numbers`);
  if (matched.needed.length > 0)
    reporter.warn(`${file} lacks ${matched.needed.join(', ')}: until it is trained, what the model predicts means nothing`);
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
      `${isBackbone ? 'backbone' : 'configuration'}: ${matched.base}`,
      ...matched.adapted.map(text => `  ${text} (from the shapes)`),
      '',
      ...importTable(weights, matched),
      '',
      `${counts.matched} matched, ${counts.missing} missing, ${counts.unexpected} unexpected, ${counts.wrongShape} of another shape`,
      ...(isNamed ? [] : [`${classes.length} classes without names, which --to needs: --classes`]),
      ...notes,
    ]);
  }
  // The table first, so that it is seen what the error is about.
  const problem = mismatch(() => mustFit(matched, weights, file, strict));
  if (!problem && to !== undefined && as !== undefined) {
    const next = await write(to, as);
    if (!options.json) printLines([next]);
  }
  if (options.json) {
    const { matched: found, missing, unexpected, wrongShape } = merged;
    printJson({
      file,
      model: options.model,
      ...(isBackbone ? { backbone: matched.base } : { configuration: matched.base }),
      written: problem ? null : (to ?? null),
      counts,
      matched: found,
      missing,
      unexpected: [...unexpected, ...weights.others],
      wrongShape,
      adapted: matched.adapted,
      classes: isNamed && !isBackbone ? classes : null,
    });
  }
  if (problem) throw problem;
}

async function openModel(file: string, { model: name = '', key, to, ...options }: ImportCommandOptions): Promise<Outcome> {
  const { importModel } = await import('../train/importModel.ts');
  const { writeImported } = await import('../train/importTarget.ts');
  const { models } = await import('../train/models.ts');
  const { readSourceWeights } = await import('../train/sourceWeights.ts');
  const model = models[name];
  const weights = await readSourceWeights(file, { key, beside: model.beside });
  const { config, set: sets, classes } = options;
  const matched = await importModel(weights, file, { model, config, sets, classes, onlyLook: to === undefined });
  return {
    weights,
    matched,
    isNamed: matched.isNamed,
    classes: matched.classes,
    notes: [],
    async write(target, as) {
      await writeImported(target, as, matched, file);
      return nextLine(target, as);
    },
  };
}

async function openBackbone(file: string, { key, to, ...options }: ImportCommandOptions): Promise<Outcome> {
  const { importBackbone, writeBackbone } = await import('../train/importBackbone.ts');
  const { readSourceWeights } = await import('../train/sourceWeights.ts');
  const strange = (['classes', 'config', 'set'] as const).find(name => options[name] !== undefined);
  if (strange !== undefined) throw new Error(`a backbone has no classes and no configuration; leave out --${strange}`);
  if (to !== undefined && !/\.safetensors$/i.test(to))
    throw new Error(`${to}: a backbone becomes a file; expected a name ending in .safetensors`);
  const weights = await readSourceWeights(file, { key });
  const imported = importBackbone(weights, file);
  const normalised =
    'it was trained on normalised frames (mean 0.485, 0.456, 0.406 and deviation 0.229, 0.224, 0.225 of values in [0, 1]), on which the published PSL does not run it';
  return {
    weights: imported.weights,
    matched: imported,
    isNamed: true,
    classes: [],
    notes: imported.description.normalized ? [normalised] : [],
    async write(target) {
      await writeBackbone(target, imported);
      return `wrote the backbone ${target}: inkling train CONFIG --from ${shellWord(target)}`;
    },
  };
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
