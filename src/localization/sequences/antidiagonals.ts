import { broadcastTo, pad, reshape, scalar, slice, split, type Tensor, take } from '../../engine/index.ts';

/** The three predecessors of the cells of one anti-diagonal: S[i-1, j-1], S[i-1, j], S[i, j-1], each `[pairs, cells]`. */
export interface Neighbours {
  readonly diagonal: Tensor;
  readonly up: Tensor;
  readonly left: Tensor;
}

/**
 * Runs a two-dimensional recursion over tables `[pairs, rows + 1, columns + 1]` whose row 0 and column 0 are zero, and gives
 * the last cell `[pairs]`. Cells of one anti-diagonal do not depend on each other, so each is one vector operation over all
 * pairs: rows + columns - 1 steps, all inside the graph.
 * @param costs arrays `[pairs, rows, columns]` that the cell's formula reads.
 * @param cell the value of the cells of an anti-diagonal from their neighbours and their costs.
 */
export function antidiagonalRecursion(
  costs: readonly Tensor[],
  cell: (neighbours: Neighbours, ...costs: Tensor[]) => Tensor,
): Tensor {
  const [pairs, rows, columns] = costs[0].shape;
  const zeros = (n: number) => broadcastTo(scalar(0, costs[0].dtype), [pairs, n]);
  if (rows === 0 || columns === 0) return reshape(zeros(1), [pairs]);

  // Each cost in the order of the anti-diagonals d = i + j, i ascending, cut into them.
  const order: number[] = [];
  const sizes: number[] = [];
  for (let d = 2; d <= rows + columns; d++) {
    const first = Math.max(1, d - columns);
    const last = Math.min(rows, d - 1);
    sizes.push(last - first + 1);
    for (let i = first; i <= last; i++) order.push((i - 1) * columns + (d - i - 1));
  }
  const pieces = costs.map(cost => split(take(reshape(cost, [pairs, rows * columns]), order, 1), sizes, 1));

  // `before` and `last` hold S on anti-diagonals d-2 and d-1 with their border cells; their first cells are rows `beforeFrom`, `lastFrom`.
  let before = zeros(1);
  let beforeFrom = 0;
  let last = zeros(2);
  let lastFrom = 0;
  for (let d = 2; d <= rows + columns; d++) {
    const first = Math.max(1, d - columns);
    const count = sizes[d - 2];
    const from = (s: Tensor, start: number, row: number) => slice(s, 1, row - start, row - start + count);
    const neighbours = {
      diagonal: from(before, beforeFrom, first - 1),
      up: from(last, lastFrom, first - 1),
      left: from(last, lastFrom, first),
    };
    const inner = cell(neighbours, ...pieces.map(p => p[d - 2]));
    [before, beforeFrom] = [last, lastFrom];
    last = pad(inner, 1, d <= columns ? 1 : 0, d <= rows ? 1 : 0);
    lastFrom = Math.max(0, d - columns);
  }
  return reshape(last, [pairs]);
}
