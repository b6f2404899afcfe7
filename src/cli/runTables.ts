/** Runs in a table, and as JSON. */
import { showDuration } from '../train/reporter.ts';
import { bestPoint, type CurvePoint, lastPoint, lowerIsBetter } from '../train/runCurves.ts';
import type { Run } from '../train/runs.ts';
import { alignColumns } from './output.ts';
import { metricTitle, nothing, showPoint, showTime } from './runFormat.ts';

/** The last and the best point of the metric that a run is judged by. */
export function judged({ metric, curves }: Run): { last?: CurvePoint; best?: CurvePoint } {
  const curve = (metric === undefined ? undefined : curves.get(metric)) ?? [];
  return { last: lastPoint(curve), best: metric === undefined ? undefined : bestPoint(curve, metric) };
}

/** Sorted: the newest first, the best first (of each metric, runs without a value last), or by name. */
export function sortRuns(runs: readonly Run[], by: 'time' | 'metric' | 'name'): Run[] {
  const byName = (a: Run, b: Run): number => a.name.localeCompare(b.name, 'en', { numeric: true });
  const quality = (run: Run): number => {
    const best = judged(run).best?.value;
    return best === undefined ? Number.NEGATIVE_INFINITY : best * (lowerIsBetter(run.metric ?? '') ? -1 : 1);
  };
  const orders = {
    name: byName,
    time: (a: Run, b: Run) => Date.parse(b.started ?? '') - Date.parse(a.started ?? '') || byName(a, b),
    metric: (a: Run, b: Run) =>
      // Values of different metrics cannot be compared; a run without one comes last.
      Number(a.metric === undefined) - Number(b.metric === undefined) ||
      (a.metric ?? '').localeCompare(b.metric ?? '', 'en') ||
      compare(quality(b), quality(a)) ||
      byName(a, b),
  };
  return runs.toSorted(orders[by]);
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a - b;
}

/** How far a run is. */
export function showEpochs({ epochs: { done, total } }: Run): string {
  return `${done}/${total ?? '?'}`;
}

/** The configuration's name without the task. */
function configName({ record }: Run): string {
  return record?.config?.replace(new RegExp(`^${record.task}/`), '') ?? nothing;
}

/** One line a run, then what is wrong with them. */
export function runTable(runs: readonly Run[]): string[] {
  const metrics = new Set(runs.flatMap(({ metric }) => (metric === undefined ? [] : [metric])));
  const [common] = metrics.size === 1 ? metrics : [];
  const cells = runs.map(run => {
    const { metric = '' } = run;
    const { last, best } = judged(run);
    return [
      run.name,
      run.record?.method ?? nothing,
      configName(run),
      String(run.config?.train.seed ?? run.record?.seed ?? nothing),
      showEpochs(run),
      run.status,
      ...(common === undefined ? [metric === '' ? nothing : metricTitle(metric)] : []),
      showPoint(metric, best),
      showPoint(metric, last),
      showTime(run.started),
      run.records.length > 0 ? showDuration(run.seconds) : nothing,
    ];
  });
  const header = ['run', 'method', 'configuration', 'seed', 'epochs', 'status', ...(common === undefined ? ['metric'] : [])];
  return [
    ...(common === undefined ? [] : [`best and last (epoch): ${metricTitle(common)}`]),
    ...alignColumns([[...header, 'best', 'last', 'begun', 'took'], ...cells]),
    ...runs.flatMap(({ problems }) => problems.map(problem => `warning: ${problem}`)),
  ];
}

/** A run for machines; metrics in fractions, durations in seconds. */
export function runJson(run: Run) {
  const { last, best } = judged(run);
  const point = (p: CurvePoint | undefined) => (p ? { epoch: p.epoch, step: p.step, value: p.value } : null);
  return {
    run: run.path,
    name: run.name,
    status: run.status,
    problems: run.problems,
    task: run.record?.task ?? null,
    method: run.record?.method ?? null,
    config: run.record?.config ?? null,
    seed: run.config?.train.seed ?? run.record?.seed ?? null,
    epochs: { done: run.epochs.done, total: run.epochs.total ?? null },
    metric: run.metric ?? null,
    best: point(best),
    last: point(last),
    started: run.started ?? null,
    seconds: run.seconds,
    data: run.record?.data?.sha256 ?? null,
  };
}
