import { Command, Option } from 'commander';
import type { Device } from '../engine/index.ts';
import { withAllocator } from './allocator.ts';
import { collect, deviceOption, parseCount } from './arguments.ts';

interface TestOptions {
  readonly checkpoint?: 'last' | 'best';
  readonly device?: Device;
  readonly threads?: number;
  readonly data?: string;
  readonly set?: readonly string[];
  readonly out?: string;
  readonly json?: boolean;
}

/** `inkling test`: tests a trained run on the test videos of its data set. */
export function testCommand(): Command {
  return new Command('test')
    .description('test a run on the test part of its data set')
    .argument('<run>', 'a run folder')
    .addOption(
      new Option('--checkpoint <name>', 'which weights (default: those the run selected, see evaluation.select)').choices([
        'last',
        'best',
      ]),
    )
    .addOption(deviceOption())
    .option('--threads <n>', 'threads within one operation', parseCount)
    .option('--data <dir>', 'the data folder, in place of the one trained on')
    .option('--set <key=value>', 'override a value that decides about the test alone; may be given several times', collect)
    .option(
      '--out <file>',
      'where to write the detections or scores (default: test-<checkpoint>-detections.json or -scores.npz in the run folder)',
    )
    .option('--json', 'print the outcome as one JSON object, in fractions')
    .addHelpText('after', '\nExample:\n  $ inkling test runs/phase2 --checkpoint last')
    .action((run: string, options: TestOptions) => withAllocator(() => runTest(run, options)));
}

async function runTest(run: string, { checkpoint: named, device, threads, data, set, out, json }: TestOptions): Promise<void> {
  const { consoleReporter } = await import('../train/reporter.ts');
  const { testRun } = await import('../train/testRun.ts');
  const { mapJson, mapTable } = await import('./mapTable.ts');
  const { alignColumns, percent, printJson, printLines } = await import('./output.ts');
  const { checkpoint, epoch, mAP, average, metrics, results, resultFile, otherFiles } = await testRun(run, {
    checkpoint: named,
    device,
    threads,
    dataDir: data,
    sets: set,
    out,
    reporter: consoleReporter(),
  });
  const result = mAP && average ? { mAP, average } : undefined;
  if (json) {
    printJson({ run, checkpoint, epoch, ...(result ? mapJson(result) : {}), metrics, [results]: resultFile });
    return;
  }
  const others = Object.entries(metrics)
    .filter(([name]) => /classification|accuracy|interval|AUROC|AUPR|FPR/i.test(name))
    .map(([name, value]) => [name, `${percent(value)} %`]);
  const noTable = results === 'detections' ? ['the test videos have no segments, so there is no detection mAP'] : [];
  const table = result ? mapTable(result) : noTable;
  printLines([...table, ...(others.length > 0 ? alignColumns(others) : []), `${results}: ${resultFile}`, ...otherFiles]);
}
