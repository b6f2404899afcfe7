/**
 * OTAM's recursion of one pair of sequences as plain loops. In u = e^(-c / lambda) a soft minimum is a sum, so a cell costs two additions and a product;
 * where e^(-c / lambda) could leave float64's range, the same in logarithms.
 */

/** Room for one pair's tables, to be used again. */
export interface OtamScratch {
  /** u (or c / lambda) of the cells `[rows, columns + 2]`. */
  readonly cells: Float64Array;
  /** d result / d cell of the same. */
  readonly back: Float64Array;
  /** e^(-d / lambda), or d / lambda: `[rows, columns]`. */
  readonly costs: Float64Array;
}

/** @param rows, columns of the largest pair */
export function otamScratch(rows: number, columns: number): OtamScratch {
  const size = rows * (columns + 2);
  return { cells: new Float64Array(size), back: new Float64Array(size), costs: new Float64Array(rows * columns) };
}

/** e^-600 squared is still a float64, with room for the number of paths. */
const safeExponent = 300;

/** Whether all sums of distances along a path stay in the range of e^(-c / lambda). */
function isSafe(d: ArrayLike<number>, rows: number, columns: number, offset: number, smoothing: number): boolean {
  let largest = 0;
  for (let i = offset; i < offset + rows * columns; i++) {
    const size = Math.abs(d[i]);
    if (!(size <= largest)) largest = size;
  }
  // A path visits at most rows + columns cells with a cost. NaN is not safe: logarithms carry it through.
  return (largest * (rows + columns)) / smoothing <= safeExponent;
}

/** One direction's value: distances `[rows, columns]` from `offset` on. */
export function otamValue(
  d: ArrayLike<number>,
  rows: number,
  columns: number,
  offset: number,
  smoothing: number,
  scratch: OtamScratch,
): number {
  const last = rows * (columns + 2) - 1;
  if (isSafe(d, rows, columns, offset, smoothing)) {
    fillProducts(d, rows, columns, offset, smoothing, scratch);
    return -smoothing * Math.log(scratch.cells[last]);
  }
  fillLogarithms(d, rows, columns, offset, smoothing, scratch);
  return smoothing * scratch.cells[last];
}

/** Adds `factor` times d value / d distances to `gradient`, from the same `offset` on. */
export function otamGradient(
  d: ArrayLike<number>,
  rows: number,
  columns: number,
  offset: number,
  smoothing: number,
  factor: number,
  gradient: Float32Array | Float64Array,
  scratch: OtamScratch,
): void {
  if (isSafe(d, rows, columns, offset, smoothing)) {
    fillProducts(d, rows, columns, offset, smoothing, scratch);
    backProducts(rows, columns, offset, factor, gradient, scratch);
  } else {
    fillLogarithms(d, rows, columns, offset, smoothing, scratch);
    backLogarithms(rows, columns, offset, factor, gradient, scratch);
  }
}

/** u[l, m] = e^(-d / lambda) (u[l-1, m-1] + u[l, m-1] + [border columns] u[l-1, m]). */
function fillProducts(
  d: ArrayLike<number>,
  rows: number,
  columns: number,
  offset: number,
  smoothing: number,
  { cells, costs }: OtamScratch,
): void {
  const width = columns + 2;
  for (let l = 0, i = 0; l < rows; l++) {
    const at = l * width;
    const above = at - width;
    let left = 1;
    cells[at] = 1;
    for (let m = 1; m <= columns; m++, i++) {
      let sum = left;
      if (l > 0) sum += cells[above + m - 1] + (m === 1 ? cells[above + 1] : 0);
      const cost = Math.exp(-d[offset + i] / smoothing);
      costs[i] = cost;
      left = cost * sum;
      cells[at + m] = left;
    }
    cells[at + columns + 1] = left + (l > 0 ? cells[above + columns] + cells[above + columns + 1] : 0);
  }
}

/** Back from the last cell; d c / d d[l, m] = back[l, m] u[l, m] / u_last, the share of the paths through the cell. */
function backProducts(
  rows: number,
  columns: number,
  offset: number,
  factor: number,
  gradient: Float32Array | Float64Array,
  { cells, back, costs }: OtamScratch,
): void {
  const width = columns + 2;
  const end = rows * width - 1;
  const scale = factor / cells[end];
  back.fill(0, 0, end);
  back[end] = 1;
  for (let l = rows - 1; l >= 0; l--) {
    const at = l * width;
    const above = at - width;
    const close = back[at + columns + 1];
    back[at + columns] += close;
    if (l > 0) {
      back[above + columns] += close;
      back[above + columns + 1] += close;
    }
    for (let m = columns; m >= 1; m--) {
      const share = back[at + m];
      gradient[offset + l * columns + m - 1] += scale * share * cells[at + m];
      const passed = share * costs[l * columns + m - 1];
      back[at + m - 1] += passed;
      if (l > 0) {
        back[above + m - 1] += passed;
        if (m === 1) back[above + 1] += passed;
      }
    }
  }
}

/** c / lambda by log-sum-exp. */
function fillLogarithms(
  d: ArrayLike<number>,
  rows: number,
  columns: number,
  offset: number,
  smoothing: number,
  { cells, costs }: OtamScratch,
): void {
  const width = columns + 2;
  for (let l = 0, i = 0; l < rows; l++) {
    const at = l * width;
    const above = at - width;
    cells[at] = 0;
    for (let m = 1; m <= columns + 1; m++) {
      let cost = 0;
      if (m <= columns) {
        cost = d[offset + i] / smoothing;
        costs[i++] = cost;
      }
      const left = cells[at + m - 1];
      const corner = l > 0 ? cells[above + m - 1] : Number.POSITIVE_INFINITY;
      const up = l > 0 && (m === 1 || m > columns) ? cells[above + m] : Number.POSITIVE_INFINITY;
      const least = Math.min(left, corner, up);
      cells[at + m] = cost + least - Math.log(Math.exp(least - left) + Math.exp(least - corner) + Math.exp(least - up));
    }
  }
}

/** Back from the last cell by the soft minimum's weights, e^(from - c + cost). */
function backLogarithms(
  rows: number,
  columns: number,
  offset: number,
  factor: number,
  gradient: Float32Array | Float64Array,
  { cells, back, costs }: OtamScratch,
): void {
  const width = columns + 2;
  const end = rows * width - 1;
  back.fill(0, 0, end);
  back[end] = 1;
  for (let l = rows - 1; l >= 0; l--) {
    const at = l * width;
    const above = at - width;
    for (let m = columns + 1; m >= 1; m--) {
      const share = back[at + m];
      if (share === 0) continue;
      const isCost = m <= columns;
      if (isCost) gradient[offset + l * columns + m - 1] += factor * share;
      // softmin's value is the cell without its cost.
      const value = cells[at + m] - (isCost ? costs[l * columns + m - 1] : 0);
      back[at + m - 1] += share * Math.exp(value - cells[at + m - 1]);
      if (l > 0) {
        back[above + m - 1] += share * Math.exp(value - cells[above + m - 1]);
        if (m === 1 || !isCost) back[above + m] += share * Math.exp(value - cells[above + m]);
      }
    }
  }
}
