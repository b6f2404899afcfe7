/** Nearest-frame distances of one pair of sequences as plain loops; see hausdorff.ts for what they are. */

/** Sums and maxima over frames of the distance to the nearest frame of the other sequence. */
export interface NearestFrames {
  readonly querySum: number;
  readonly queryMax: number;
  readonly supportSum: number;
  readonly supportMax: number;
}

/** Distances row-major `[rows, columns]` from `offset` on, rows: the query's frames. A NaN among them gives NaN. */
export function nearestFrames(d: ArrayLike<number>, rows: number, columns: number, offset = 0): NearestFrames {
  let [querySum, queryMax, supportSum, supportMax] = [0, Number.NEGATIVE_INFINITY, 0, Number.NEGATIVE_INFINITY];
  for (let a = 0; a < rows; a++) {
    let least = Number.POSITIVE_INFINITY;
    for (let i = offset + a * columns, end = i + columns; i < end; i++) least = Math.min(least, d[i]);
    querySum += least;
    queryMax = Math.max(queryMax, least);
  }
  for (let b = 0; b < columns; b++) {
    let least = Number.POSITIVE_INFINITY;
    for (let i = offset + b, end = i + rows * columns; i < end; i += columns) least = Math.min(least, d[i]);
    supportSum += least;
    supportMax = Math.max(supportMax, least);
  }
  return { querySum, queryMax, supportSum, supportMax };
}
