/**
 * Threefry-2x32 with 20 rounds: a counter-based generator, a keyed bijection of 64-bit counters. Any word of a stream can be computed
 * without the ones before it, which is what makes keys values.
 * Source: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 */

/** Two unsigned 32-bit words. */
export type Words = readonly [number, number];

/** The parity constant of the key schedule. */
const parity = 0x1bd11bda;

/** The image of one counter. */
export function threefry2x32(key: Words, counter: Words): [number, number] {
  const out = new Uint32Array(2);
  fillThreefry(key, counter[0], counter[1], out);
  return [out[0], out[1]];
}

/**
 * Fills `out` (even length) with the images of the counters (`first`, `high`), (`first` + 1, `high`), ..., two words each.
 * The rounds are written out: this is the inner loop of every dropout mask. `| 0` on a word from outside the loop tells the compiler
 * that it is an integer even where it enters the loop half-way; without it V8 may add in floating point, three times slower.
 */
export function fillThreefry(key: Words, first: number, high: number, out: Uint32Array): void {
  const k0 = key[0] | 0;
  const k1 = key[1] | 0;
  const k2 = parity ^ k0 ^ k1;
  // The schedule's additions of key words and the number of the injection.
  const k2plus1 = (k2 + 1) | 0;
  const k0plus2 = (k0 + 2) | 0;
  const k1plus3 = (k1 + 3) | 0;
  const k2plus4 = (k2 + 4) | 0;
  const k0plus5 = (k0 + 5) | 0;
  const start0 = (first + k0) | 0;
  const start1 = (high + k1) | 0;
  const length = out.length & ~1;
  for (let at = 0; at < length; at += 2) {
    let x = ((start0 | 0) + (at >>> 1)) | 0;
    let y = start1 | 0;

    x = (x + y) | 0;
    y = ((y << 13) | (y >>> 19)) ^ x;
    x = (x + y) | 0;
    y = ((y << 15) | (y >>> 17)) ^ x;
    x = (x + y) | 0;
    y = ((y << 26) | (y >>> 6)) ^ x;
    x = (x + y) | 0;
    y = ((y << 6) | (y >>> 26)) ^ x;
    x = (x + (k1 | 0)) | 0;
    y = (y + (k2plus1 | 0)) | 0;

    x = (x + y) | 0;
    y = ((y << 17) | (y >>> 15)) ^ x;
    x = (x + y) | 0;
    y = ((y << 29) | (y >>> 3)) ^ x;
    x = (x + y) | 0;
    y = ((y << 16) | (y >>> 16)) ^ x;
    x = (x + y) | 0;
    y = ((y << 24) | (y >>> 8)) ^ x;
    x = (x + (k2 | 0)) | 0;
    y = (y + (k0plus2 | 0)) | 0;

    x = (x + y) | 0;
    y = ((y << 13) | (y >>> 19)) ^ x;
    x = (x + y) | 0;
    y = ((y << 15) | (y >>> 17)) ^ x;
    x = (x + y) | 0;
    y = ((y << 26) | (y >>> 6)) ^ x;
    x = (x + y) | 0;
    y = ((y << 6) | (y >>> 26)) ^ x;
    x = (x + (k0 | 0)) | 0;
    y = (y + (k1plus3 | 0)) | 0;

    x = (x + y) | 0;
    y = ((y << 17) | (y >>> 15)) ^ x;
    x = (x + y) | 0;
    y = ((y << 29) | (y >>> 3)) ^ x;
    x = (x + y) | 0;
    y = ((y << 16) | (y >>> 16)) ^ x;
    x = (x + y) | 0;
    y = ((y << 24) | (y >>> 8)) ^ x;
    x = (x + (k1 | 0)) | 0;
    y = (y + (k2plus4 | 0)) | 0;

    x = (x + y) | 0;
    y = ((y << 13) | (y >>> 19)) ^ x;
    x = (x + y) | 0;
    y = ((y << 15) | (y >>> 17)) ^ x;
    x = (x + y) | 0;
    y = ((y << 26) | (y >>> 6)) ^ x;
    x = (x + y) | 0;
    y = ((y << 6) | (y >>> 26)) ^ x;
    out[at] = x + (k2 | 0);
    out[at + 1] = y + (k0plus5 | 0);
  }
}
