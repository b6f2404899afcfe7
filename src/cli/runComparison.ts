/** Several runs side by side, in tables and as JSON. */
import { bestPoint, type CurvePoint, lastPoint } from '../train/runCurves.ts';
import type { Difference } from '../train/runDifferences.ts';
import type { Run } from '../train/runs.ts';
import { alignColumns } from './output.ts';
import { curveLetter } from './plot.ts';
import { metricTitle, showCell, showPoint } from './runFormat.ts';
import { judged, runJson, showEpochs } from './runTables.ts';

/** Runs, all with the metric that they are compared by, and in what they differ. */
export interface Comparison {
  readonly runs: readonly Run[];
  readonly config: readonly Difference[];
  readonly record: readonly Difference[];
}

/** Which runs, the configuration's differences, what else differs, and the metrics. */
export function comparisonTables({ runs, config, record }: Comparison): string[] {
  const letters = runs.map((_, i) => curveLetter(i));
  const section = (title: string, differences: readonly Difference[], none: string): string[] => [
    '',
    ...(differences.length > 0
      ? alignColumns([
          [title, ...letters],
          ...differences.map(({ key, values }) => [key, ...values.map(value => showCell(value))]),
        ])
      : [`${title}: ${none}`]),
  ];
  return [
    ...alignColumns(runs.map((run, i) => [`${letters[i]}  ${run.path}`, run.status, `${showEpochs(run)} epochs`])),
    ...runs.flatMap(({ problems }) => problems.map(problem => `warning: ${problem}`)),
    ...section('configuration', config, 'no differences'),
    ...section('otherwise', record, 'the same data, versions and machine'),
    ...metricTables(runs, letters),
  ];
}

/** The metrics of each run after its last epoch, and after the one that is best by the metric it is judged by. */
function metricTables(runs: readonly Run[], letters: readonly string[]): string[] {
  const names = [...new Set(runs.flatMap(({ curves }) => [...curves.keys()]))].filter(name => isTold(name, runs));
  if (names.length === 0) return [];
  const table = (title: string, point: (run: Run, name: string) => CurvePoint | undefined): string[] => [
    '',
    ...alignColumns([
      [title, ...letters],
      ...names.map(name => [metricTitle(name), ...runs.map(run => showPoint(name, point(run, name)))]),
    ]),
  ];
  return [
    ...table('last (epoch)', ({ curves }, name) => lastPoint(curves.get(name) ?? [])),
    ...table(`at the best ${runs[0].metric}`, (run, name) => {
      const best = judged(run).best?.epoch;
      return run.curves.get(name)?.find(({ epoch }) => epoch === best);
    }),
  ];
}

/** Scores and the whole loss; its pieces are left to curves, JSON and CSV. */
function isTold(name: string, runs: readonly Run[]): boolean {
  const scores = /^test\/(?!loss\.)|^train\/(total|accuracy|skipped)$|^test\/loss\.total$/;
  return scores.test(name) || runs.some(({ metric }) => metric === name);
}

/** The same for machines, with every metric's last and best point; metrics in fractions. */
export function comparisonJson({ runs, config, record }: Comparison) {
  const metrics = (run: Run) =>
    Object.fromEntries(
      [...run.curves].map(([name, curve]) => [name, { last: lastPoint(curve) ?? null, best: bestPoint(curve, name) ?? null }]),
    );
  const listed = (differences: readonly Difference[]) =>
    differences.map(({ key, values }) => ({ key, values: values.map(value => value ?? null) }));
  return {
    runs: runs.map(run => ({ ...runJson(run), metrics: metrics(run) })),
    differences: { config: listed(config), record: listed(record) },
  };
}
