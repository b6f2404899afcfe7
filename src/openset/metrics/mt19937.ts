/**
 * The Mersenne Twister MT19937 with NumPy's legacy seeding and draws, so that class draws of published evaluations can be repeated.
 * Everything else random in this program comes from explicit keys (`engine/random.ts`).
 * Source: M. Matsumoto, T. Nishimura, "Mersenne Twister", ACM TOMACS 8 (1998), and the 2002 initialisation.
 */

/** Words of state, and the distance of the word that is mixed in. */
const size = 624;
const middle = 397;

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
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
    throw new RangeError(`mt19937: expected a seed from 0 to 4294967295, got ${seed}`);
  }
  const state = new Uint32Array(size);
  state[0] = seed;
  for (let i = 1; i < size; i++) state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
  let at = size;

  const next = (): number => {
    if (at === size) {
      twist(state);
      at = 0;
    }
    let word = state[at++];
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  };

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

/** The next `size` words of the recurrence, in place. */
function twist(state: Uint32Array): void {
  for (let i = 0; i < size; i++) {
    const joined = (state[i] & 0x80000000) | (state[(i + 1) % size] & 0x7fffffff);
    state[i] = state[(i + middle) % size] ^ (joined >>> 1) ^ (joined & 1 ? 0x9908b0df : 0);
  }
}
