/** Numbers and times of runs as text. */
import type { CurvePoint } from '../train/runCurves.ts';
import { percent } from './output.ts';

/** What stands for nothing in a table. */
export const nothing = '-';

/** Whether a metric is a fraction, shown in percent. */
function isFraction(metric: string): boolean {
  return /mAP|accuracy/.test(metric);
}

/** The name of a metric with its unit. */
export function metricTitle(metric: string): string {
  return isFraction(metric) ? `${metric} %` : metric;
}

/** A metric's value, in percent if it is a fraction. */
export function showValue(metric: string, value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return nothing;
  if (isFraction(metric)) return percent(value);
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e6) return String(value);
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(3) : value.toPrecision(4);
}

/** A value and its epoch. */
export function showPoint(metric: string, point: CurvePoint | undefined): string {
  return point === undefined ? nothing : `${showValue(metric, point.value)} (${point.epoch})`;
}

/** A moment in local time, to the minute. */
export function showTime(iso: string | undefined): string {
  if (iso === undefined) return nothing;
  const date = new Date(iso);
  const two = (n: number): string => String(n).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** Any value in a cell, shortened where it is long; digests and commits to their first digits. */
export function showCell(value: unknown, most = 32): string {
  if (value === undefined || value === null) return nothing;
  const whole = typeof value === 'string' ? value : JSON.stringify(value);
  const text = whole.replace(/\b([0-9a-f]{10})(?:[0-9a-f]{30}|[0-9a-f]{54})\b/g, '$1');
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
