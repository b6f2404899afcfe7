/**
 * The Mersenne Twister MT19937, so that draws of published programs can be repeated. Everything else random in this program comes from explicit
 * keys (`random.ts`).
 * Source: M. Matsumoto, T. Nishimura, "Mersenne Twister", ACM TOMACS 8 (1998), and the 2002 initialisation.
 */

/** Words of state, and the distance of the word that is mixed in. */
const size = 624;
const middle = 397;

/** The next 32 bits; each call advances the generator. */
export type Words = () => number;

/**
 * A generator from one seed (`init_genrand`).
 * @throws RangeError if the seed is no unsigned 32-bit number
 */
export function mersenneTwister(seed: number): Words {
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
    throw new RangeError(`mt19937: expected a seed from 0 to 4294967295, got ${seed}`);
  }
  return wordsOf(firstState(seed));
}

/**
 * A generator from several words (`init_by_array`), which are taken as unsigned 32-bit numbers.
 * @throws RangeError if there are none
 */
export function mersenneTwisterOfWords(words: readonly number[]): Words {
  if (words.length === 0) throw new RangeError('mt19937: expected at least one word to start from, got none');
  const state = firstState(19650218);
  const mixed = (i: number, factor: number): number => state[i] ^ Math.imul(state[i - 1] ^ (state[i - 1] >>> 30), factor);
  let [i, j] = [1, 0];
  const advance = (): void => {
    if (++i < size) return;
    state[0] = state[size - 1];
    i = 1;
  };
  for (let k = Math.max(size, words.length); k > 0; k--) {
    state[i] = mixed(i, 1664525) + words[j] + j;
    j = (j + 1) % words.length;
    advance();
  }
  for (let k = size - 1; k > 0; k--) {
    state[i] = mixed(i, 1566083941) - i;
    advance();
  }
  state[0] = 0x80000000;
  return wordsOf(state);
}

function firstState(seed: number): Uint32Array {
  const state = new Uint32Array(size);
  state[0] = seed;
  for (let i = 1; i < size; i++) state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
  return state;
}

function wordsOf(state: Uint32Array): Words {
  let at = size;
  return () => {
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
}

/** The next `size` words of the recurrence, in place. */
function twist(state: Uint32Array): void {
  for (let i = 0; i < size; i++) {
    const joined = (state[i] & 0x80000000) | (state[(i + 1) % size] & 0x7fffffff);
    state[i] = state[(i + middle) % size] ^ (joined >>> 1) ^ (joined & 1 ? 0x9908b0df : 0);
  }
}
