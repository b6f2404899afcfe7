/** The integer hash that fills full-width weights, so that cases need not store them. */

import { type NDArray, ndarray, type Shape, sizeOf } from '../../../src/engine/ndarray.ts';

/**
 * Hash of element `n` under `seed`, in [0, 1): x = n + seed 0x9E3779B9 mod 2^32, mixed by three xor-shifts and two products, and the
 * upper 24 bits of the result over 2^24.
 */
function unitHash(n: number, seed: number): number {
  let x = (n + Math.imul(seed, 0x9e3779b9)) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  x = (x ^ (x >>> 16)) >>> 0;
  return (x >>> 8) / 2 ** 24;
}

/** Float32 values (2u - 1) scale, in row-major order. */
export function hashed(shape: Shape, seed: number, scale: number): NDArray<'float32'> {
  const data = Float32Array.from({ length: sizeOf(shape) }, (_, n) => (2 * unitHash(n, seed) - 1) * scale);
  return ndarray('float32', shape, data);
}
