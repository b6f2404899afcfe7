/** The order of rows in score files that several processes made together. */

/** How a file was made: so many processes, each taking so many samples a step. */
export interface GatherLayout {
  readonly ranks: number;
  readonly batch: number;
}

/**
 * The data set index of every row when `count` samples are tested by several processes: the list is padded to a multiple of the number of
 * processes by starting over, process r takes places r, r + R, r + 2R, ..., and every step appends the processes' next batches in their
 * order. A row is a repetition (`repeated`) where the padded place lies past the list's end.
 */
export function gatherOrder(
  count: number,
  { ranks, batch }: GatherLayout,
): { readonly index: Int32Array; readonly repeated: Uint8Array } {
  const perRank = Math.ceil(count / ranks);
  const index = new Int32Array(perRank * ranks);
  const repeated = new Uint8Array(index.length);
  let row = 0;
  for (let first = 0; first < perRank; first += batch) {
    for (let rank = 0; rank < ranks; rank++) {
      for (let i = first; i < Math.min(first + batch, perRank); i++) {
        const place = rank + i * ranks;
        index[row] = place % count;
        repeated[row] = place >= count ? 1 : 0;
        row++;
      }
    }
  }
  return { index, repeated };
}

/** Layouts of the published score files. */
export const publishedLayouts: readonly GatherLayout[] = [
  { ranks: 2, batch: 25 },
  { ranks: 16, batch: 16 },
];
