/** Curves of runs in the terminal. */
import type { Run } from '../train/runs.ts';
import { coloredLetter, plot } from './plot.ts';
import { metricTitle, showValue } from './runFormat.ts';

/** What a picture is drawn on; elsewhere than in a terminal 80 columns without colours. */
function canvas(): { width: number; color: boolean } {
  const { isTTY, columns } = process.stdout;
  return isTTY ? { width: Math.max(40, columns ?? 80), color: !process.env.NO_COLOR } : { width: 80, color: false };
}

/** A metric of runs over their epochs: a title, a legend where there are several, and the picture. */
export function picture(runs: readonly Run[], metric: string, { width, color } = canvas()): string[] {
  const curves = runs.map(run => ({
    points: (run.curves.get(metric) ?? []).map(({ epoch, value }) => [epoch, value] as const),
  }));
  const drawn = plot(curves, { width, format: value => showValue(metric, value), color });
  const legend =
    runs.length > 1
      ? runs.map(
          (run, i) => `${coloredLetter(i, color)}  ${run.path}${curves[i].points.length > 0 ? '' : ' (has no such metric)'}`,
        )
      : [];
  return drawn.length > 0 ? [metricTitle(metric), ...legend, ...drawn] : [`${metric}: nothing to draw`];
}
