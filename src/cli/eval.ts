import { Command } from 'commander';
import { evalFewshotCommand } from './evalFewshot.ts';
import { evalOpensetCommand } from './evalOpenset.ts';

interface EvalOptions {
  readonly detections: string;
  readonly groundTruth: string;
  readonly subset?: string;
  readonly tiou: string;
  readonly split?: string;
  readonly json?: boolean;
}

/** `inkling eval`: scores what anyone's model found. */
export function evalCommand(): Command {
  const localization = new Command('localization')
    .description('mean average precision of detections over temporal IoU thresholds')
    .requiredOption('--detections <file>', 'detections, ActivityNet-style JSON')
    .requiredOption('--ground-truth <file>', 'annotations with segments, ActivityNet-style JSON')
    .option('--subset <name>', 'the subset of the ground truth that counts (default: its test or validation subset)')
    .option('--tiou <list>', 'thresholds: 0.5, 0.3,0.5,0.7 or start:step:last; the average is over all of them', '0.1:0.1:0.7')
    .option('--split <file>', 'count only the videos of this list, not every annotated video of the subset')
    .option('--json', 'print one JSON object, in fractions')
    .addHelpText(
      'after',
      '\nExample:\n  $ inkling eval localization --detections detections.json --ground-truth gt.json --subset test --tiou 0.1:0.1:0.7',
    )
    .action(runEvalLocalization);
  return new Command('eval')
    .description('score detections or uncertainties made by any program, or matching metrics on features')
    .addHelpText('after', '\nExample:\n  $ inkling eval localization --detections detections.json --ground-truth gt.json')
    .addCommand(localization)
    .addCommand(evalOpensetCommand())
    .addCommand(evalFewshotCommand());
}

async function runEvalLocalization(options: EvalOptions): Promise<void> {
  const { readJson, readText } = await import('../data/files.ts');
  const { readAnnotations } = await import('../data/videos.ts');
  const { guessSubsets, parseSplit } = await import('../data/splits.ts');
  const { parseDetections } = await import('../localization/detections.ts');
  const { evaluateDetections } = await import('../localization/evaluate.ts');
  const { parseThresholds } = await import('../localization/thresholds.ts');
  const { mapJson, mapTable } = await import('./mapTable.ts');
  const { printJson, printLines } = await import('./output.ts');
  const { pastDurationWarning } = await import('../data/annotations.ts');

  const tious = parseTious(options.tiou, parseThresholds);
  const groundTruth = await readAnnotations(options.groundTruth);
  const subset = options.subset ?? guessSubsets(groundTruth).test;
  const videos = options.split === undefined ? undefined : parseSplit(await readText(options.split), options.split);
  const detections = parseDetections(await readJson(options.detections), options.detections);
  const result = evaluateDetections(detections, groundTruth, { tious, subset, videos });

  const counted = groundTruth.pastDuration.filter(instance => subset === undefined || instance.subset === subset);
  const past = pastDurationWarning(counted);
  for (const warning of [...(past ? [`${options.groundTruth}: ${past}`] : []), ...result.warnings])
    process.stderr.write(`warning: ${warning}\n`);
  const shown = { mAP: result.tious.map((tiou, t) => ({ tiou, value: result.mAP[t] })), average: result.average };
  if (options.json) {
    printJson(mapJson(shown));
    return;
  }
  const { instances, detections: count } = result.counts;
  const of = subset === undefined ? '' : ` of subset ${subset}`;
  printLines([`${count} detections, ${instances} instances of ${result.classes.length} classes${of}`, ...mapTable(shown)]);
}

function parseTious(text: string, parse: (text: string) => number[]): number[] {
  try {
    return parse(text);
  } catch (thrown) {
    throw new Error(`--tiou: ${thrown instanceof Error ? thrown.message : thrown}`, { cause: thrown });
  }
}
