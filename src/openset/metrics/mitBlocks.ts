/** The published protocol for Moments in Time: the same known rows against ten blocks of the rest. */

import { type RankingMetrics, rankingMetricNames, rankingMetrics } from './rankingMetrics.ts';

/** Metrics of each block, their means and their standard deviations (over the blocks, divisor 10). */
export interface BlockMetrics {
  readonly blocks: readonly RankingMetrics[];
  readonly mean: RankingMetrics;
  readonly deviation: RankingMetrics;
  /** Rows in a block. */
  readonly blockLength: number;
}

/** Rows of UCF-101's first test split: the published evaluation takes as many rows for known, however many there are. */
export const ucf101TestVideos = 3783;

/**
 * Rows 0 .. `knownRows` - 1 are the known side; what follows is cut into `blocks` consecutive blocks of floor(n / blocks) rows, each
 * judged against the known side. Known rows beyond `knownRows` sit in the first block, still labelled known; rows left over at the
 * end are dropped. Blocks are consecutive rows of one list, not random draws.
 * @param scores uncertainties, known rows first
 * @param unknown whether a row is of an unknown class
 * @throws RangeError if there are fewer rows than `knownRows`, or a block has no unknown row
 */
export function mitBlocks(
  scores: ArrayLike<number>,
  unknown: ArrayLike<number | boolean>,
  { knownRows = ucf101TestVideos, blocks = 10 }: { readonly knownRows?: number; readonly blocks?: number } = {},
): BlockMetrics {
  const blockLength = Math.floor((scores.length - knownRows) / blocks);
  if (blockLength < 1) {
    throw new RangeError(
      `the block protocol takes ${knownRows} rows for known and cuts the rest into ${blocks} blocks, found ${scores.length} rows`,
    );
  }
  const results = Array.from({ length: blocks }, (_, block) => {
    const first = knownRows + block * blockLength;
    const sides: [number[], number[]] = [[], []];
    const add = (row: number) => sides[unknown[row] ? 1 : 0].push(scores[row]);
    for (let row = 0; row < knownRows; row++) add(row);
    for (let row = first; row < first + blockLength; row++) add(row);
    return rankingMetrics(...sides);
  });
  const over = (combine: (values: readonly number[]) => number): RankingMetrics =>
    Object.fromEntries(rankingMetricNames.map(name => [name, combine(results.map(r => r[name]))])) as unknown as RankingMetrics;
  return { blocks: results, mean: over(mean), deviation: over(deviation), blockLength };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function deviation(values: readonly number[]): number {
  const center = mean(values);
  return Math.sqrt(mean(values.map(value => (value - center) ** 2)));
}
