import { Command, Option } from 'commander';
import type { Run } from '../train/runs.ts';
import { shellWord } from './shellWord.ts';

interface ListOptions {
  readonly sort: 'time' | 'metric' | 'name';
  readonly metric?: string;
  readonly json?: boolean;
}

interface CompareOptions {
  readonly metric?: string;
  readonly csv?: string;
  readonly json?: boolean;
}

/** `inkling runs`: lists runs, shows one, compares several. */
export function runsCommand(): Command {
  const runs = new Command('runs')
    .description('list runs; show one; compare several')
    .argument('[folder]', 'where the runs are', 'runs')
    .addOption(new Option('--sort <by>', 'newest, best or by name').choices(['time', 'metric', 'name']).default('time'))
    .option('--metric <name>', 'the metric to list, such as mAP@0.5 (default: the one each run is judged by)')
    .option('--json', 'print one JSON object')
    // What comes after "show" and "compare" belongs to them.
    .enablePositionalOptions()
    .addHelpText('after', '\nExample:\n  $ inkling runs\n  $ inkling runs compare runs/first runs/second')
    .action(listRuns);
  runs
    .command('show')
    .description('what a run was made of, its sessions, its metrics and curves')
    .argument('<run>', 'a run folder, or its name in runs/')
    .option('--metric <name>', 'draw this metric (default: the one the run is judged by, and the training loss)')
    .option('--csv <file>', 'write the curves as CSV')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  $ inkling runs show runs/first')
    .action(showRun);
  runs
    .command('compare')
    .description('in what runs differ, their last and best metrics, and their curves in one picture')
    .argument('<runs...>', 'run folders, or their names in runs/')
    .option('--metric <name>', 'compare this metric (default: the one the runs are judged by)')
    .option('--csv <file>', 'write the curves as CSV')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  $ inkling runs compare runs/first runs/second --metric mAP@0.5 --csv curves.csv')
    .action(compareRuns);
  return runs;
}

async function listRuns(folder: string, { sort, metric, json }: ListOptions): Promise<void> {
  const { findRuns, readRun } = await import('../train/runs.ts');
  const { runJson, runTable, sortRuns } = await import('./runTables.ts');
  const { printJson, printLines } = await import('./output.ts');
  const found: Run[] = [];
  for (const path of await findRuns(folder)) found.push(await readRun(path, folder));
  const name = metric === undefined || found.length === 0 ? undefined : await metricOf(found, metric);
  const runs = sortRuns(name === undefined ? found : found.map(run => ({ ...run, metric: name })), sort);
  if (json) printJson({ folder, runs: runs.map(runJson) });
  else printLines(runs.length > 0 ? runTable(runs) : [`${folder}: no runs`]);
}

async function showRun(name: string, { metric, csv, json }: CompareOptions): Promise<void> {
  const { runDetails } = await import('./runDetails.ts');
  const { runJson } = await import('./runTables.ts');
  const { picture } = await import('./runPictures.ts');
  const { printJson, printLines } = await import('./output.ts');
  const [run] = await openRuns([name]);
  const metrics = metric === undefined ? [run.metric, 'train/total'] : [await metricOf([run], metric)];
  if (csv !== undefined) await writeCurves(csv, [run], metric === undefined ? undefined : metrics);
  if (json) {
    printJson({ ...runJson(run), record: run.record ?? null, metrics: run.records });
    return;
  }
  const drawn = [...new Set(metrics)].flatMap(each => (each === undefined ? [] : ['', ...picture([run], each)]));
  printLines([...runDetails(run), ...drawn]);
}

async function compareRuns(names: readonly string[], { metric, csv, json }: CompareOptions): Promise<void> {
  const { configDifferences, recordDifferences } = await import('../train/runDifferences.ts');
  const { comparisonJson, comparisonTables } = await import('./runComparison.ts');
  const { picture } = await import('./runPictures.ts');
  const { printJson, printLines } = await import('./output.ts');
  const runs = await openRuns(names);
  if (runs.length < 2) throw new Error(`expected at least two runs to compare, found ${runs.length}`);
  const chosen = metric ?? runs.find(run => run.metric !== undefined)?.metric;
  const name = chosen === undefined ? undefined : await metricOf(runs, chosen);
  const judged = name === undefined ? runs : runs.map(run => ({ ...run, metric: name }));
  const comparison = { runs: judged, config: configDifferences(runs), record: recordDifferences(runs) };
  if (csv !== undefined) await writeCurves(csv, runs, metric === undefined || name === undefined ? undefined : [name]);
  if (json) printJson(comparisonJson(comparison));
  else printLines([...comparisonTables(comparison), ...(name === undefined ? [] : ['', ...picture(runs, name)])]);
}

/** The runs that arguments name. @throws Error if there is nothing */
async function openRuns(names: readonly string[]): Promise<Run[]> {
  const { stat } = await import('node:fs/promises');
  const { join } = await import('node:path');
  const { findRuns, readRun } = await import('../train/runs.ts');
  const isFolder = async (path: string): Promise<boolean> => (await stat(path).catch(() => undefined))?.isDirectory() === true;
  const runs: Run[] = [];
  for (const name of names) {
    const candidates = [name, join('runs', name)];
    let path: string | undefined;
    for (const candidate of candidates) if (path === undefined && (await isFolder(candidate))) path = candidate;
    if (path === undefined) throw new Error(`${name}: no such run folder, nor ${candidates[1]}`);
    const [found] = await findRuns(path);
    if (found !== path)
      throw new Error(`${path}: expected a run folder, found none (inkling runs ${shellWord(path)} lists the runs in it)`);
    runs.push(await readRun(path));
  }
  return runs;
}

/** The full name of a metric that at least one of the runs has. */
async function metricOf(runs: readonly Run[], name: string): Promise<string> {
  const { findMetric } = await import('../train/runCurves.ts');
  return findMetric(name, [...new Set(runs.flatMap(run => [...run.curves.keys()]))]);
}

async function writeCurves(
  file: string,
  runs: readonly Run[],
  metrics: readonly (string | undefined)[] | undefined,
): Promise<void> {
  const { writeFileAtomic } = await import('../data/index.ts');
  const { curvesCsv } = await import('../train/runCurves.ts');
  await writeFileAtomic(file, curvesCsv(runs, metrics));
}
