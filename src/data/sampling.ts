import { type NDArray, ndarray, showShape } from '../engine/ndarray.ts';
import { fold, integers, type Key } from '../engine/random.ts';

/** Where the random numbers of a sampling come from: {@link drawsFromKey}, or recorded ones. */
export interface Draws {
  /** `count` integers from {0, ..., population - 1}, with replacement, unsorted. */
  choice(population: number, count: number): ArrayLike<number>;
  /** One integer from {low, ..., highExclusive - 1}. */
  integer(low: number, highExclusive: number): number;
}

/** Draws that follow from a key: the same key gives the same draws, in the order in which they are asked for. */
export function drawsFromKey(key: Key): Draws {
  let drawn = 0;
  return {
    choice: (population, count) => integers(fold(key, drawn++), 0, population, count),
    integer: (low, highExclusive) => integers(fold(key, drawn++), low, highExclusive, 1)[0],
  };
}

function checkCounts(what: string, snippets: number, samples: number, atLeast: number): void {
  if (!Number.isInteger(snippets) || snippets < 1)
    throw new RangeError(`${what}: expected at least 1 snippet, found ${snippets}`);
  if (!Number.isInteger(samples) || samples < atLeast) {
    throw new RangeError(`${what}: expected at least ${atLeast} samples, found ${samples}`);
  }
}

/**
 * Uniform sampling, used in testing: at most `samples` of `snippets` rows, evenly spread.
 * A video that is short enough is passed on whole, without padding; one of a single snippet has it twice, since up-sampling over time
 * needs two points. Otherwise index k is floor(k * (n / S)), with the quotient formed first in double precision.
 * @returns `min(n, S)` ascending indices (2 for n = 1)
 */
export function uniformIndices(snippets: number, samples: number): Int32Array {
  checkCounts('uniformIndices', snippets, samples, 1);
  if (snippets === 1) return Int32Array.of(0, 0);
  if (snippets <= samples) return Int32Array.from({ length: snippets }, (_, k) => k);
  const step = snippets / samples;
  return Int32Array.from({ length: samples }, (_, k) => Math.floor(k * step));
}

/**
 * Random sampling, used in training: exactly `samples` rows, in temporal order, repetitions possible.
 * - n < S: S draws with replacement, sorted;
 * - n = S: every row once;
 * - n > S: one draw from each cell of the grid p_k = k n / S, {int(p_k), ..., int(p_k+1)} with **both ends included**; the last one from
 *   {previous index, ..., n - 1}.
 * @throws RangeError for fewer than 2 samples of a longer video (the last draw needs a previous one)
 */
export function randomIndices(snippets: number, samples: number, draws: Draws): Int32Array {
  checkCounts('randomIndices', snippets, samples, 1);
  if (snippets < samples) return Int32Array.from(draws.choice(snippets, samples)).sort();
  if (snippets === samples) return Int32Array.from({ length: snippets }, (_, k) => k);
  checkCounts('randomIndices', snippets, samples, 2);
  const indices = new Int32Array(samples);
  const grid = (k: number): number => Math.trunc((k * snippets) / samples);
  for (let k = 0; k < samples - 1; k++) indices[k] = draws.integer(grid(k), grid(k + 1) + 1);
  indices[samples - 1] = draws.integer(indices[samples - 2], snippets);
  return indices;
}

/**
 * Consecutive sampling: a random window of `samples` snippets. A shorter video has -1 (a row of zeros, see {@link gatherRows}) after
 * its end. The published code cannot draw the window that ends with the last snippet, and neither can this; where n = S it
 * fails, and this returns the whole video.
 * @returns `samples` indices
 */
export function consecutiveIndices(snippets: number, samples: number, draws: Draws): Int32Array {
  checkCounts('consecutiveIndices', snippets, samples, 1);
  const start = snippets > samples ? draws.choice(snippets - samples, 1)[0] : 0;
  return Int32Array.from({ length: samples }, (_, k) => (k < snippets ? start + k : -1));
}

/**
 * Rows of `features` `[n, F]` as a new array `[indices.length, F]`; index -1 gives a row of zeros.
 * @throws RangeError for any other index outside 0..n-1, or features that are not 2-D
 */
export function gatherRows(features: NDArray<'float32'>, indices: ArrayLike<number>): NDArray<'float32'> {
  if (features.shape.length !== 2)
    throw new RangeError(`gatherRows: expected features [n, F], found ${showShape(features.shape)}`);
  const [rows, width] = features.shape;
  const out = new Float32Array(indices.length * width);
  for (let k = 0; k < indices.length; k++) {
    const row = indices[k];
    if (row === -1) continue;
    if (!Number.isInteger(row) || row < 0 || row >= rows) throw new RangeError(`gatherRows: row ${row} of ${rows}`);
    out.set(features.data.subarray(row * width, (row + 1) * width), k * width);
  }
  return ndarray('float32', [indices.length, width], out);
}
