/** Curves over a common frame. */

import { type Axis, roundTicks, seriesClass, svgPlot } from './svg.ts';

/** A named curve. */
export interface PlotSeries {
  readonly name: string;
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
}

export interface LinePlotOptions {
  readonly title: string;
  readonly xTitle: string;
  readonly yTitle: string;
  /** By default what the series span. */
  readonly xRange?: Axis['range'];
  readonly yRange?: Axis['range'];
}

/** An SVG document with the curves as lines. @throws RangeError if no series has a point */
export function linePlot(series: readonly PlotSeries[], options: LinePlotOptions): string {
  const x = axis(options.xTitle, options.xRange ?? span(series.map(s => s.x)));
  const y = axis(options.yTitle, options.yRange ?? span(series.map(s => s.y)));
  const frame = { title: options.title, x, y, legend: series.map(s => s.name) };
  return svgPlot(frame, scale =>
    series.map((s, i) => {
      const points: string[] = [];
      for (let k = 0; k < s.x.length; k++) {
        const point = `${scale.x(s.x[k])} ${scale.y(s.y[k])}`;
        // Points that fall on the same pixel are one.
        if (point !== points[points.length - 1]) points.push(point);
      }
      return `<path class="line ${seriesClass(i)}" d="M${points.join('L')}"/>`;
    }),
  );
}

function axis(title: string, range: Axis['range']): Axis {
  return { title, range, ticks: roundTicks(range) };
}

function span(lists: readonly ArrayLike<number>[]): Axis['range'] {
  let [low, high] = [Infinity, -Infinity];
  for (const list of lists) {
    for (let i = 0; i < list.length; i++) [low, high] = [Math.min(low, list[i]), Math.max(high, list[i])];
  }
  if (!(low <= high)) throw new RangeError('a plot needs at least one point');
  if (low < high) return [low, high];
  const room = Math.abs(low) * 0.1 || 1;
  return [low - room, high + room];
}
