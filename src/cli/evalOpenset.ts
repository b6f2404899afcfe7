import { Command, InvalidArgumentError, Option } from 'commander';
import type { Convention } from '../openset/evaluate.ts';
import type { GatherLayout } from '../openset/gatherOrder.ts';
import type { ProtocolName } from '../openset/protocols.ts';
import type { ScoreFileOptions } from '../openset/scoreFile.ts';
import type { ThresholdRule } from '../openset/thresholdRule.ts';
import { parseCount, parseSeed } from './arguments.ts';

interface OpenSetEvalOptions {
  readonly scores: readonly string[];
  readonly protocol: ProtocolName;
  readonly convention: Convention | 'both';
  readonly threshold?: string;
  readonly score: ScoreFileOptions['score'];
  readonly column: number;
  readonly temperature?: number;
  readonly knownClasses?: number;
  readonly seed: number;
  readonly oneGenerator?: boolean;
  readonly gather?: GatherLayout;
  readonly keepRepeated?: boolean;
  readonly csv?: string;
  readonly plots?: string;
  readonly json?: boolean;
}

/** `inkling eval openset`: how well scores tell unknown from known. */
export function evalOpensetCommand(): Command {
  return new Command('openset')
    .description('known or unknown: AUROC, AUPR, FPR@95, accuracy and open macro-F1 of score files')
    .requiredOption('--scores <file...>', 'score files (.npz), judged side by side')
    .addOption(
      new Option('--protocol <name>', 'hmdb and mit: UCF-101 against HMDB-51 or Moments in Time; plain: all rows count')
        .choices(['hmdb', 'mit', 'plain'])
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--convention <name>', 'how the published tools count, or as the names of the metrics say')
        .choices(['sane', 'published', 'both'])
        .default('both'),
    )
    .option(
      '--threshold <rules>',
      'one, or one a file, with commas: an uncertainty (0.0045), confidence:0.999, training:0.95 or known:0.85 (default: training:0.95 where the file has training scores)',
    )
    .addOption(
      new Option('--score <name>', 'the uncertainty in the file, or one made from its logits, features or stochastic passes')
        .choices([
          ...['stored', 'max-softmax', 'max-logit', 'energy', 'entropy', 'mahalanobis', 'mahalanobis-per-class'],
          ...['prototype', 'cosine', 'openmax', 'bald', 'variance', 'aleatoric', 'epistemic'],
        ])
        .default(undefined, 'stored; mahalanobis where the file holds embeddings'),
    )
    .option('--column <n>', 'column of an uncertainty with two: 0 aleatoric, 1 epistemic', parseSeed, 0)
    .option('--temperature <t>', 'divides logits (default 1) or similarities (default 0.2) before softmax', parsePositive)
    .option('--known-classes <n>', 'known classes, for the openness (default: 101, or what the labels say)', parseCount)
    .option('--seed <n>', 'seed of the class draws of the openness curve', parseSeed, 123)
    .option('--one-generator', 'class draws go on from file to file, as in the published script, instead of starting anew')
    .option('--gather <RxB>', 'the file was made by R processes with B samples a step: where repeated rows are', parseGather)
    .option('--keep-repeated', 'count repeated rows in the sane convention too')
    .option('--csv <file>', 'write everything as CSV, in fractions')
    .option('--plots <dir>', 'write histograms, ROC and openness curves as SVG')
    .option('--json', 'print one JSON object, in fractions')
    .addHelpText(
      'after',
      '\nExample:\n  $ inkling eval openset --scores psl.npz softmax.npz --protocol hmdb --threshold known:0.85 --plots plots',
    )
    .action(runEvalOpenset);
}

async function runEvalOpenset(options: OpenSetEvalOptions): Promise<void> {
  const { mkdir } = await import('node:fs/promises');
  const { join } = await import('node:path');
  const { readArrays, writeFileAtomic } = await import('../data/files.ts');
  const { DataError, messageOf } = await import('../data/formats/dataError.ts');
  const { evaluateOpenSet } = await import('../openset/evaluate.ts');
  const { mt19937 } = await import('../openset/metrics/mt19937.ts');
  const { protocols } = await import('../openset/protocols.ts');
  const { scoresFromArrays } = await import('../openset/scoreFile.ts');
  const { selectSamples } = await import('../openset/selectSamples.ts');
  const { openSetCsv, openSetJson, openSetTables } = await import('./openSetTable.ts');
  const { printJson, printLines } = await import('./output.ts');

  const protocol = protocols[options.protocol];
  const conventions: readonly Convention[] = options.convention === 'both' ? ['sane', 'published'] : [options.convention];
  const rules = await thresholdRules(options);
  const names = shortNames(options.scores);
  const saneRepeated = options.keepRepeated ? 'keep' : (options.gather ?? 'remove');
  const repeatedIn = (convention: Convention) => (convention === 'published' ? 'keep' : saneRepeated);
  // A generator for each convention: what one draws must not depend on whether the other was asked for.
  const common = new Map(conventions.map(convention => [convention, mt19937(options.seed)]));

  const read: {
    file: string;
    name: string;
    scores: ReturnType<typeof scoresFromArrays>;
    reports: ReturnType<typeof evaluateOpenSet>[];
  }[] = [];
  for (const [i, file] of options.scores.entries()) {
    const scores = scoresFromArrays(await readArrays(file), file, options);
    const threshold: ThresholdRule | undefined = rules[i] ?? (scores.training ? { from: 'training', keep: 0.95 } : undefined);
    try {
      const reports = conventions.map(convention =>
        evaluateOpenSet(scores, {
          protocol,
          convention,
          repeated: repeatedIn(convention),
          threshold,
          knownClasses: options.knownClasses,
          generator: options.oneGenerator ? common.get(convention) : mt19937(options.seed),
        }),
      );
      read.push({ file, name: names[i], scores, reports });
    } catch (thrown) {
      throw new DataError(file, messageOf(thrown), { cause: thrown });
    }
  }
  const results = read.map(({ file, name, scores, reports }) => ({ file, name, score: scores.score, reports }));
  if (options.csv !== undefined) await writeFileAtomic(options.csv, openSetCsv(results));
  if (options.plots !== undefined) {
    const { openSetPlots } = await import('./openSetPlots.ts');
    const plotted = read.map(({ name, scores, reports: [report] }) => ({
      name,
      report,
      scores: selectSamples(scores, protocol, { repeated: repeatedIn(report.convention), overlapping: true }),
    }));
    await mkdir(options.plots, { recursive: true }).catch(thrown => {
      throw new DataError(options.plots!, `cannot be made (${messageOf(thrown)})`, { cause: thrown });
    });
    for (const [name, svg] of openSetPlots(plotted)) await writeFileAtomic(join(options.plots, name), svg);
  }
  if (options.json) printJson(openSetJson(options.protocol, results));
  else printLines([`${options.protocol}: ${protocol.title}; percent`, '', ...openSetTables(results)]);
}

/** A rule for each file, or none. */
async function thresholdRules({ threshold, scores }: OpenSetEvalOptions): Promise<readonly (ThresholdRule | undefined)[]> {
  if (threshold === undefined) return scores.map(() => undefined);
  const { parseThresholdRule } = await import('../openset/thresholdRule.ts');
  const parts = threshold.split(',');
  if (parts.length !== 1 && parts.length !== scores.length) {
    throw new Error(`--threshold: expected one rule or one for each of ${scores.length} files, found ${parts.length}`);
  }
  try {
    const rules = parts.map(parseThresholdRule);
    return scores.map((_, i) => rules[parts.length === 1 ? 0 : i]);
  } catch (thrown) {
    throw new Error(`--threshold: ${thrown instanceof Error ? thrown.message : thrown}`, { cause: thrown });
  }
}

/** File names without folder and ending, with as many folders as it takes to tell them apart. */
function shortNames(files: readonly string[]): string[] {
  const parts = files.map(file => file.replace(/\.npz$/i, '').split(/[\\/]/));
  const deepest = Math.max(...parts.map(part => part.length));
  for (let depth = 1; depth < deepest; depth++) {
    const names = parts.map(part => part.slice(-depth).join('/'));
    if (new Set(names).size === names.length) return names;
  }
  return parts.map(part => part.join('/'));
}

function parsePositive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Infinity)) throw new InvalidArgumentError('expected a number greater than 0.');
  return value;
}

function parseGather(text: string): GatherLayout {
  const [, ranks, batch] = /^([1-9]\d{0,4})x([1-9]\d{0,5})$/.exec(text) ?? [];
  if (!ranks || !batch) throw new InvalidArgumentError('expected processes x samples a step, as 16x16.');
  return { ranks: Number(ranks), batch: Number(batch) };
}
