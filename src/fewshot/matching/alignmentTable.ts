import {
  add,
  broadcastTo,
  concat,
  constant,
  fromNumbers,
  mul,
  pad,
  reshape,
  slice,
  split,
  type Tensor,
  take,
} from '../../engine/index.ts';

/** Value of cells that no path may come through: far above any sum of distances, and exp(-x) of it is 0 in both precisions. */
export const unreachable = 1e9;

/** The predecessors of a column of cells, each `[pairs, rows]`; those that do not count are {@link unreachable}. */
export interface Predecessors {
  /** Last row, last column. */
  readonly diagonal: Tensor;
  /** Last row, same column. */
  readonly up: Tensor;
  /** Same row, last column. */
  readonly left: Tensor;
}

/** An alignment's rules. Rows are counted from 0, columns from 1; column 0 is a border. */
export interface AlignmentRules {
  /** Value of the border column. */
  readonly border: number;
  /** What the first row's first cell comes from. */
  readonly start: number;
  /** Whether a path may go down within this column. */
  readonly down: (column: number) => boolean;
  /** From the predecessors to what is added to the cell's cost. */
  readonly join: (from: Predecessors) => Tensor;
}

/**
 * Last cell of c[l, m] = cost[l, m] + join(c[l-1, m-1], c[l-1, m], c[l, m-1]) for costs `[pairs, rows, columns]` -> `[pairs]`. Cells of one
 * anti-diagonal do not depend on each other: the table is held skewed, so that each of the rows + columns - 1 steps is one operation
 * over all rows of all pairs. Above the first row nothing is reachable.
 */
export function alignmentTable(costs: Tensor, { border, start, down, join }: AlignmentRules): Tensor {
  const [pairs, rows, columns] = costs.shape;
  const row = Array.from({ length: rows }, (_, l) => l);
  const vector = (of: (l: number) => number): Tensor => constant(fromNumbers(row.map(of), [1, rows], costs.dtype));
  const spread = (x: Tensor): Tensor => broadcastTo(x, [pairs, rows]);

  // Step k holds the cells (l, k + 1 - l). Cells left of the border are never read from inside; those right of the last column feed none.
  const steps = rows + columns - 1;
  const isColumn = (m: number) => m >= 1 && m <= columns;
  const places = Array.from({ length: steps }, (_, k) =>
    row.map(l => (isColumn(k + 1 - l) ? l * columns + k - l : rows * columns)),
  ).flat();
  const flat = pad(reshape(costs, [pairs, rows * columns]), 1, 0, 1);
  const cost = split(take(flat, places, 1), Array<number>(steps).fill(rows), 1);

  const shifted = (x: Tensor): Tensor => (rows === 1 ? spread(vector(() => unreachable)) : shift(x));
  const shift = (x: Tensor): Tensor => pad(slice(x, 1, 0, rows - 1), 1, 1, 0, unreachable);
  // Before step 0: column 0 of row 0, and nothing else.
  const first = (value: number) => spread(vector(l => (l === 0 ? value : unreachable)));
  let left = first(start);
  let last = first(border);
  let diagonal = spread(vector(() => unreachable));
  for (let k = 0; k < steps; k++) {
    const up = shifted(last);
    const blocked = vector(l => (down(k + 1 - l) ? 0 : unreachable));
    let cell = add(cost[k], join({ diagonal, up: row.every(l => down(k + 1 - l)) ? up : add(up, blocked), left }));
    if (k + 1 < rows) {
      // Rows below are not in the table yet: the border and what is left of it. Values there are replaced, not added to.
      const kept = vector(l => Number(l <= k));
      const edge = vector(l => (l <= k ? 0 : l === k + 1 ? border : unreachable));
      cell = add(mul(cell, kept), edge);
    }
    diagonal = up;
    left = cell;
    last = cell;
  }
  return reshape(slice(left, 1, rows - 1), [pairs]);
}

/** Zeros of a column behind the last one: costs `[pairs, rows, columns]` -> `[pairs, rows, columns + 1]`. */
export function withEndColumn(costs: Tensor): Tensor {
  const [pairs, rows] = costs.shape;
  return concat([costs, broadcastTo(constant(fromNumbers([0], [1, 1, 1], costs.dtype)), [pairs, rows, 1])], 2);
}
