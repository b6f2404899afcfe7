/** Histograms of several lists of numbers over the same bins. */

import { type Axis, roundTicks, seriesClass, svgPlot } from './svg.ts';

/** Bins over one or several lists. */
export interface Bins {
  /** Edges on the axis: values, or their logarithms (base 10). */
  readonly edges: readonly number[];
  readonly logarithmic: boolean;
  /** Fraction of each list in each bin; what lies outside the edges is in the outer bins. */
  readonly fractions: readonly (readonly number[])[];
}

const binCount = 50;

/**
 * Fifty equal bins from the 0.5 % to the 99.5 % quantile of all lists together; on a logarithmic axis if all values there are positive and
 * span more than three powers of ten.
 * @throws RangeError if a list is empty
 */
export function histogramBins(lists: readonly ArrayLike<number>[]): Bins {
  const all = Float64Array.from(lists.flatMap(list => Array.from(list))).sort();
  if (lists.some(list => list.length === 0)) throw new RangeError('a histogram needs at least one value in each list');
  const quantile = (q: number): number => all[Math.min(all.length - 1, Math.floor(q * all.length))];
  const ends = [quantile(0.005), quantile(0.995)] as const;
  const logarithmic = ends[0] > 0 && ends[1] / ends[0] > 1000;
  const place = (value: number): number => (logarithmic ? Math.log10(Math.max(value, Number.MIN_VALUE)) : value);
  let [low, high] = ends.map(place);
  if (low === high) {
    const room = Math.abs(low) * 0.1 || 1;
    [low, high] = [low - room, high + room];
  }
  const edges = Array.from({ length: binCount + 1 }, (_, i) => low + ((high - low) * i) / binCount);
  const fractions = lists.map(list => {
    const counts = new Array<number>(binCount).fill(0);
    for (let i = 0; i < list.length; i++) {
      const bin = Math.floor(((place(list[i]) - low) / (high - low)) * binCount);
      counts[Math.min(binCount - 1, Math.max(0, bin))] += 1 / list.length;
    }
    return counts;
  });
  return { edges, logarithmic, fractions };
}

/** An SVG document with one histogram for each list, over each other; every list's bars sum to 1. */
export function histogramPlot(
  lists: readonly { readonly name: string; readonly values: ArrayLike<number> }[],
  { title, xTitle }: { readonly title: string; readonly xTitle: string },
): string {
  const { edges, logarithmic, fractions } = histogramBins(lists.map(list => list.values));
  const range: Axis['range'] = [edges[0], edges[edges.length - 1]];
  const ticks = roundTicks(range);
  const most = Math.max(...fractions.flat());
  const x: Axis = { title: logarithmic ? `${xTitle} (power of 10)` : xTitle, range, ticks };
  const y: Axis = { title: 'fraction of samples', range: [0, most], ticks: roundTicks([0, most]) };
  return svgPlot({ title, x, y, legend: lists.map(list => list.name) }, scale =>
    fractions.map((bars, i) => {
      const outline = bars.map((fraction, b) => `V${scale.y(fraction)}H${scale.x(edges[b + 1])}`).join('');
      return `<path class="bar ${seriesClass(i)}" d="M${scale.x(edges[0])} ${scale.y(0)}${outline}V${scale.y(0)}Z"/>`;
    }),
  );
}
