/**
 * The ways to match two sequences of frames, by name. Each is a function of their frame distances `[query frames, support frames]`: in the graph over
 * any number of pairs, and of one pair in memory. Smaller is more alike.
 */
import { mean, type Tensor } from '../../engine/index.ts';
import { diagonal, dtw, dtwOf } from './dtw.ts';
import { biMhm, hausdorff, modifiedHausdorff, oneSidedMhm } from './hausdorff.ts';
import { nearestFrames } from './hausdorffPair.ts';
import { otam, otamSmoothing } from './otam.ts';
import { type OtamScratch, otamScratch, otamValue } from './otamPair.ts';

/** A way to match two sequences. */
export interface MatchingMetric {
  /** One line for lists and help. */
  readonly meaning: string;
  /** Whether the order of frames matters. */
  readonly ordered: boolean;
  /** Whether sequences must have equally many frames. */
  readonly sameLength: boolean;
  /** Frame distances `[…, L, M]` -> `[…]`. */
  readonly inGraph: (distances: Tensor) => Tensor;
  /** Frame distances `[rows, columns]`, row-major from `offset` on. @throws RangeError where they must be square and are not */
  readonly ofPair: (distances: ArrayLike<number>, rows: number, columns: number, offset?: number) => number;
}

const metrics = {
  'bi-mhm': {
    meaning: 'bidirectional mean Hausdorff as published: nearest-frame distances of both sequences, added up',
    ordered: false,
    sameLength: false,
    inGraph: d => biMhm(d),
    ofPair: (d, rows, columns, offset) => {
      const { querySum, supportSum } = nearestFrames(d, rows, columns, offset);
      return querySum + supportSum;
    },
  },
  'bi-mhm-mean': {
    meaning: 'bidirectional mean Hausdorff with means over frames in the place of sums',
    ordered: false,
    sameLength: false,
    inGraph: d => biMhm(d, 'mean'),
    ofPair: (d, rows, columns, offset) => {
      const { querySum, supportSum } = nearestFrames(d, rows, columns, offset);
      return querySum / rows + supportSum / columns;
    },
  },
  'mhm-query': {
    meaning: 'one-sided mean Hausdorff: mean distance of the query’s frames to the nearest of the support',
    ordered: false,
    sameLength: false,
    inGraph: d => oneSidedMhm(d, 'query'),
    ofPair: (d, rows, columns, offset) => nearestFrames(d, rows, columns, offset).querySum / rows,
  },
  'mhm-support': {
    meaning: 'one-sided mean Hausdorff: mean distance of the support’s frames to the nearest of the query',
    ordered: false,
    sameLength: false,
    inGraph: d => oneSidedMhm(d, 'support'),
    ofPair: (d, rows, columns, offset) => nearestFrames(d, rows, columns, offset).supportSum / columns,
  },
  'max-mhm': {
    meaning: 'modified Hausdorff: the larger one of the two one-sided means',
    ordered: false,
    sameLength: false,
    inGraph: modifiedHausdorff,
    ofPair: (d, rows, columns, offset) => {
      const { querySum, supportSum } = nearestFrames(d, rows, columns, offset);
      return Math.max(querySum / rows, supportSum / columns);
    },
  },
  hausdorff: {
    meaning: 'Hausdorff: the farthest that any frame is from its nearest',
    ordered: false,
    sameLength: false,
    inGraph: hausdorff,
    ofPair: (d, rows, columns, offset) => {
      const { queryMax, supportMax } = nearestFrames(d, rows, columns, offset);
      return Math.max(queryMax, supportMax);
    },
  },
  otam: {
    meaning: 'ordered temporal alignment (smoothed, ends free), both directions added up as published',
    ordered: true,
    sameLength: false,
    inGraph: d => otam(d),
    ofPair: otamOf,
  },
  dtw: {
    meaning: 'dynamic time warping from the first frames to the last ones',
    ordered: true,
    sameLength: false,
    inGraph: dtw,
    ofPair: dtwOf,
  },
  diagonal: {
    meaning: 'frame by frame, without any warping',
    ordered: true,
    sameLength: true,
    inGraph: diagonal,
    ofPair: (d, rows, columns, offset = 0) => {
      if (rows !== columns) throw new RangeError(`diagonal: sequences must have equally many frames, got ${rows} and ${columns}`);
      let sum = 0;
      for (let a = 0; a < rows; a++) sum += d[offset + a * columns + a];
      return sum;
    },
  },
  'mean-cosine': {
    meaning: 'mean over all pairs of frames: the product of the two mean (unit) frames, as of prototypes',
    ordered: false,
    sameLength: false,
    inGraph: d => mean(d, [-2, -1]),
    ofPair: (d, rows, columns, offset = 0) => {
      let sum = 0;
      for (let i = offset; i < offset + rows * columns; i++) sum += d[i];
      return sum / (rows * columns);
    },
  },
} as const satisfies Record<string, MatchingMetric>;

/** Names of the metrics. */
export type MetricName = keyof typeof metrics;

/** All metrics by the name that configurations and the command line use. */
export const matchingMetrics: Readonly<Record<MetricName, MatchingMetric>> = metrics;

let scratch: OtamScratch = otamScratch(8, 8);
let flipped = new Float64Array(64);

/** Both directions of OTAM of one pair. */
function otamOf(d: ArrayLike<number>, rows: number, columns: number, offset = 0): number {
  const size = rows * columns;
  if (flipped.length < size) flipped = new Float64Array(size);
  if (scratch.costs.length < size || scratch.cells.length < size + 2 * Math.max(rows, columns)) {
    const longer = Math.max(rows, columns);
    scratch = otamScratch(longer, longer);
  }
  for (let a = 0, i = offset; a < rows; a++) for (let b = 0; b < columns; b++, i++) flipped[b * rows + a] = d[i];
  const forwards = otamValue(d, rows, columns, offset, otamSmoothing, scratch);
  return forwards + otamValue(flipped, columns, rows, 0, otamSmoothing, scratch);
}
