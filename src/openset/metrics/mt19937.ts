/** NumPy's legacy generator, so that class draws of published evaluations can be repeated. */
import { mersenneTwister } from '../../engine/mersenneTwister.ts';

/** A generator with state: draws advance it. */
export interface LegacyGenerator {
  /** The next 32 bits. */
  next(): number;
  /** The numbers 0 .. n-1 in random order: what `numpy.random.permutation(n)` gives. */
  permutation(n: number): Int32Array;
}

/**
 * A generator seeded as by `numpy.random.seed(seed)`.
 * @throws RangeError if the seed is no unsigned 32-bit number
 */
export function mt19937(seed: number): LegacyGenerator {
  const next = mersenneTwister(seed);

  /** Uniform in 0 .. most: as many low bits as `most` has, drawn again while they are too large. */
  const upTo = (most: number): number => {
    const mask = most === 0 ? 0 : 0xffffffff >>> Math.clz32(most);
    for (;;) {
      const value = (next() & mask) >>> 0;
      if (value <= most) return value;
    }
  };

  return {
    next,
    permutation: n => {
      const order = Int32Array.from({ length: n }, (_, i) => i);
      for (let i = n - 1; i > 0; i--) {
        const j = upTo(i);
        [order[i], order[j]] = [order[j], order[i]];
      }
      return order;
    },
  };
}
