/** The draws of Python's `random` module (3.2 and later), as far as published episodes and splits need them. */
import { mersenneTwisterOfWords } from '../engine/mersenneTwister.ts';

/** A generator with state: draws advance it. */
export interface PythonRandom {
  /** `random.random()`: 53 bits, in [0, 1). */
  random(): number;
  /** `random.randrange(n)`. @throws RangeError unless n is 1 to 2^32 - 1 */
  below(n: number): number;
  /** `random.choice(items)`. */
  choice<T>(items: readonly T[]): T;
  /** `random.sample(items, k)`: k different ones in random order. @throws RangeError if there are fewer */
  sample<T>(items: readonly T[], k: number): T[];
  /** `random.shuffle(items)`, in place. */
  shuffle(items: unknown[]): void;
}

/**
 * A generator seeded as by `random.seed(seed)`.
 * @throws RangeError unless the seed is an integer of at most 2^53 - 1, either way (its sign makes no difference)
 */
export function pythonRandom(seed: number): PythonRandom {
  if (!Number.isSafeInteger(seed)) throw new RangeError(`pythonRandom: expected an integer as the seed, found ${seed}`);
  const size = Math.abs(seed);
  const high = Math.floor(size / 2 ** 32);
  const next = mersenneTwisterOfWords(high > 0 ? [size >>> 0, high] : [size]);

  /** As many high bits as n has, drawn again while they are too large. */
  const below = (n: number): number => {
    if (!Number.isInteger(n) || n < 1 || n >= 2 ** 32)
      throw new RangeError(`pythonRandom: expected a range of at least 1, found ${n}`);
    const unused = Math.clz32(n);
    for (;;) {
      const value = next() >>> unused;
      if (value < n) return value;
    }
  };

  return {
    random: () => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53,
    below,
    choice: items => items[below(items.length)],
    sample: (items, k) => sample(items, k, below),
    shuffle: items => {
      for (let i = items.length - 1; i > 0; i--) {
        const j = below(i + 1);
        [items[i], items[j]] = [items[j], items[i]];
      }
    },
  };
}

function sample<T>(items: readonly T[], k: number, below: (n: number) => number): T[] {
  const { length } = items;
  if (!Number.isInteger(k) || k < 0 || k > length)
    throw new RangeError(`pythonRandom: cannot draw ${k} of ${length} without repetition`);
  // Python's choice between a copy of the list and a set of what was drawn, by what each would take.
  const setSize = 21 + (k > 5 ? 4 ** Math.ceil(Math.log(3 * k) / Math.log(4)) : 0);
  if (length <= setSize) {
    const pool = [...items];
    return Array.from({ length: k }, (_, i) => {
      const j = below(length - i);
      const drawn = pool[j];
      pool[j] = pool[length - i - 1];
      return drawn;
    });
  }
  const taken = new Set<number>();
  return Array.from({ length: k }, () => {
    let j = below(length);
    while (taken.has(j)) j = below(length);
    taken.add(j);
    return items[j];
  });
}
