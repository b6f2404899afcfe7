/**
 * Random numbers from explicit keys, as in JAX. A key is a value: the same key gives the same numbers, on every machine, whatever was
 * drawn before. Draw from a key once; for more, make new keys with {@link fold} or {@link split} (they never coincide with what is drawn
 * from the same key).
 */

import { type NDArray, type Shape, showShape, sizeOf } from './ndarray.ts';
import { fillThreefry, threefry2x32 } from './threefry.ts';

/** Two unsigned 32-bit words; make one with {@link key}. */
export type Key = readonly [number, number];

/**
 * What a block of the generator is used for. The high word of its counter carries this number in the upper bits, so that a key's
 * draws, the keys folded from it by number and those by name come from disjoint counters.
 */
const purpose = { draw: 0, number: 1, name: 2 } as const;

/** Words computed at a time: a buffer that stays in the first-level cache. */
const chunk = 4096;

/** A seed's or fold's number as two words. */
function wordsOf(what: string, n: number): [low: number, high: number] {
  if (!Number.isSafeInteger(n) || n < 0) throw new RangeError(`${what}: expected an integer from 0 to 2^53 - 1, found ${n}`);
  return [n >>> 0, Math.floor(n / 2 ** 32)];
}

/**
 * The key of a seed.
 * @throws RangeError unless `seed` is an integer from 0 to 2^53 - 1
 */
export function key(seed: number): Key {
  const [low, high] = wordsOf('key', seed);
  return [high, low];
}

/**
 * A new key from a key and a number (a step, an epoch, the position of a video) or a name (of a parameter).
 * @throws RangeError for a number that is not an integer from 0 to 2^53 - 1
 */
export function fold(from: Key, data: number | string): Key {
  if (typeof data === 'number') {
    const [low, high] = wordsOf('fold', data);
    return threefry2x32(from, [low, (purpose.number << 24) | high]);
  }
  // One block a character, then the length: the cipher is the hash, so names do not collide and no name is another's prefix.
  let hashed = from;
  for (let i = 0; i < data.length; i++) hashed = threefry2x32(hashed, [data.charCodeAt(i), purpose.name << 24]);
  return threefry2x32(hashed, [data.length, (purpose.name << 24) | 1]);
}

/** `n` new keys; the i-th is `fold(from, i)`. */
export function split(from: Key, n: number): Key[] {
  checkCount('split', n);
  return Array.from({ length: n }, (_, i) => fold(from, i));
}

function checkCount(what: string, n: number): void {
  if (!Number.isSafeInteger(n) || n < 0) throw new RangeError(`${what}: expected a count, found ${n}`);
}

function sizeFor(what: string, shape: Shape): number {
  const size = sizeOf(shape);
  if (!shape.every(extent => Number.isSafeInteger(extent) && extent >= 0) || size >= 2 ** 32) {
    throw new RangeError(`${what}: expected a shape of fewer than 2^32 elements, found ${showShape(shape)}`);
  }
  return size;
}

/** Calls `use` on the words of a key's stream in buffers, until `count` words (rounded up to an even number) were given. */
function forWords(from: Key, count: number, use: (words: Uint32Array, offset: number) => void): void {
  const buffer = new Uint32Array(Math.min(chunk, count + (count & 1)));
  for (let offset = 0; offset < count; offset += buffer.length) {
    fillThreefry(from, offset / 2, purpose.draw << 24, buffer);
    use(buffer, offset);
  }
}

/** The words of a key's stream one by one, for draws that reject. */
function wordStream(from: Key, expected: number): () => number {
  const buffer = new Uint32Array(Math.max(2, Math.min(chunk, expected + (expected & 1))));
  let block = 0;
  let at = buffer.length;
  return () => {
    if (at === buffer.length) {
      fillThreefry(from, block, purpose.draw << 24, buffer);
      block += buffer.length / 2;
      at = 0;
    }
    return buffer[at++];
  };
}

/** One number from {0, ..., range - 1}, each with the same probability: words past the last whole multiple of `range` are rejected. */
function below(range: number, next: () => number): number {
  const limit = 2 ** 32 - (2 ** 32 % range);
  let word = next();
  while (word >= limit) word = next();
  return word % range;
}

/** Uniform float32 numbers of [0, 1): multiples of 2^-24. */
export function uniform(from: Key, shape: Shape): NDArray<'float32'> {
  const data = new Float32Array(sizeFor('uniform', shape));
  forWords(from, data.length, (words, offset) => {
    const count = Math.min(words.length, data.length - offset);
    for (let i = 0; i < count; i++) data[offset + i] = (words[i] >>> 8) * 2 ** -24;
  });
  return { dtype: 'float32', shape: [...shape], data };
}

/** Standard normal float32 numbers, by the Box-Muller transform of pairs of 32-bit uniforms (so never beyond 6.8). */
export function normal(from: Key, shape: Shape): NDArray<'float32'> {
  const data = new Float32Array(sizeFor('normal', shape));
  forWords(from, data.length, (words, offset) => {
    const count = Math.min(words.length, data.length - offset);
    for (let i = 0; i < count; i += 2) {
      // Half a step away from 0, whose logarithm is infinite.
      const radius = Math.sqrt(-2 * Math.log((words[i] + 0.5) * 2 ** -32));
      const angle = 2 * Math.PI * 2 ** -32 * words[i + 1];
      data[offset + i] = radius * Math.cos(angle);
      if (i + 1 < count) data[offset + i + 1] = radius * Math.sin(angle);
    }
  });
  return { dtype: 'float32', shape: [...shape], data };
}

/**
 * `n` integers from {low, ..., highExclusive - 1}, each with the same probability.
 * @throws RangeError if the range is empty or does not fit 32-bit integers
 */
export function integers(from: Key, low: number, highExclusive: number, n: number): Int32Array {
  checkCount('integers', n);
  const fits = Number.isInteger(low) && Number.isInteger(highExclusive) && low >= -(2 ** 31) && highExclusive <= 2 ** 31;
  if (!fits || low >= highExclusive) {
    throw new RangeError(`integers: expected low < highExclusive within 32 bits, found ${low} and ${highExclusive}`);
  }
  const next = wordStream(from, n);
  const drawn = new Int32Array(n);
  for (let i = 0; i < n; i++) drawn[i] = low + below(highExclusive - low, next);
  return drawn;
}

/** The numbers 0, ..., n - 1 in random order. */
export function permutation(from: Key, n: number): Int32Array {
  return choiceWithoutReplacement(from, n, n);
}

/**
 * `k` different numbers from {0, ..., n - 1}, in random order: every ordered choice has the same probability.
 * @throws RangeError if k > n
 */
export function choiceWithoutReplacement(from: Key, n: number, k: number): Int32Array {
  checkCount('choiceWithoutReplacement', n);
  checkCount('choiceWithoutReplacement', k);
  if (k > n) throw new RangeError(`choiceWithoutReplacement: cannot choose ${k} of ${n}`);
  // The first k exchanges of a Fisher-Yates shuffle.
  const items = Int32Array.from({ length: n }, (_, i) => i);
  const next = wordStream(from, k);
  for (let i = 0; i < k; i++) {
    const j = i + below(n - i, next);
    const chosen = items[j];
    items[j] = items[i];
    items[i] = chosen;
  }
  return items.slice(0, k);
}

/**
 * Zeros and ones, one with probability `keep`, for dropout. Sixteen random bits a value: `keep` is rounded to a multiple of 2^-16.
 * @throws RangeError unless 0 <= keep <= 1
 */
export function bernoulliMask(from: Key, keep: number, shape: Shape): NDArray<'uint8'> {
  if (!(keep >= 0 && keep <= 1)) throw new RangeError(`bernoulliMask: expected a probability, found ${keep}`);
  const data = new Uint8Array(sizeFor('bernoulliMask', shape));
  const threshold = Math.round(keep * 65536);
  forWords(from, Math.ceil(data.length / 2), (words, offset) => thresholdHalves(words, threshold, data, 2 * offset));
  return { dtype: 'uint8', shape: [...shape], data };
}

/** Writes, for the low and the high half of each word, whether it is below the threshold: the sign bit of the difference. */
function thresholdHalves(words: Uint32Array, threshold: number, out: Uint8Array, offset: number): void {
  const whole = Math.min(words.length, (out.length - offset) >> 1);
  for (let i = 0, at = offset; i < whole; i++, at += 2) {
    const word = words[i];
    out[at] = ((word & 0xffff) - threshold) >>> 31;
    out[at + 1] = ((word >>> 16) - threshold) >>> 31;
  }
  if (whole < words.length && offset + 2 * whole < out.length)
    out[offset + 2 * whole] = ((words[whole] & 0xffff) - threshold) >>> 31;
}
