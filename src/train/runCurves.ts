/** The curves of a run: numbers by epoch, their last and best values. */
import { type EpochRecord, epochScalars } from './epochRecord.ts';
import { nearestKey } from './nearest.ts';

/** A number of a run after one of its epochs. */
export interface CurvePoint {
  readonly epoch: number;
  readonly step: number;
  /** NaN where it was not finite. */
  readonly value: number;
}

/** Numbers of a run by name (as in {@link epochScalars}), in the order of the epochs. */
export type Curves = ReadonlyMap<string, readonly CurvePoint[]>;

/** The curves of a run. */
export function curvesOf(records: readonly EpochRecord[]): Curves {
  const curves = new Map<string, CurvePoint[]>();
  for (const record of records) {
    const { epoch, step } = record;
    for (const [name, value] of Object.entries(epochScalars(record))) {
      const curve = curves.get(name) ?? [];
      curves.set(name, curve);
      curve.push({ epoch, step, value });
    }
  }
  return curves;
}

/**
 * The number that a run is judged by: the metric that its tests select by, else the training loss; undefined before the first epoch.
 */
export function primaryMetric(records: readonly EpochRecord[]): string | undefined {
  const tested = records.findLast(({ test }) => test !== undefined);
  // Older versions did not name it, but wrote it first.
  const primary = tested?.primary ?? Object.keys(tested?.test ?? {})[0];
  if (primary !== undefined) return `test/${primary}`;
  return records.length > 0 ? 'train/total' : undefined;
}

/** Whether a smaller value is a better one: losses and the number of skipped steps. */
export function lowerIsBetter(metric: string): boolean {
  return metric.startsWith('train/') ? metric !== 'train/accuracy' : /^(test\/loss\.|step\/)/.test(metric);
}

/** The last finite point of a curve. */
export function lastPoint(curve: readonly CurvePoint[]): CurvePoint | undefined {
  return curve.findLast(({ value }) => Number.isFinite(value));
}

/** The first of the best finite points of a curve. */
export function bestPoint(curve: readonly CurvePoint[], metric: string): CurvePoint | undefined {
  const sign = lowerIsBetter(metric) ? -1 : 1;
  let best: CurvePoint | undefined;
  for (const point of curve) {
    if (Number.isFinite(point.value) && (best === undefined || sign * point.value > sign * best.value)) best = point;
  }
  return best;
}

/**
 * The full name of a metric: itself, or what it means after `test/` or `train/`.
 * @throws Error naming the nearest one if there is none of this name
 */
export function findMetric(name: string, names: readonly string[]): string {
  const found = [name, `test/${name}`, `train/${name}`].find(candidate => names.includes(candidate));
  if (found !== undefined) return found;
  const short = names.map(each => each.replace(/^(test|train)\//, ''));
  const nearest = nearestKey(name, name.includes('/') ? names : [...new Set(short)]);
  throw new Error(`no metric ${name}${nearest === undefined ? ': no epoch is done' : `; the nearest is ${nearest}`}`);
}

/**
 * Curves as CSV `run,metric,epoch,step,value`, a line a point; the value is empty where it was not finite.
 * @param metrics full names; default: all
 */
export function curvesCsv(
  runs: readonly { readonly path: string; readonly curves: Curves }[],
  metrics?: readonly (string | undefined)[],
): string {
  const rows = runs.flatMap(({ path, curves }) =>
    [...curves]
      .filter(([name]) => metrics === undefined || metrics.includes(name))
      .flatMap(([name, curve]) =>
        curve.map(({ epoch, step, value }) => [path, name, epoch, step, Number.isFinite(value) ? value : '']),
      ),
  );
  return [['run', 'metric', 'epoch', 'step', 'value'], ...rows].map(row => `${row.map(csvCell).join(',')}\n`).join('');
}

function csvCell(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}
