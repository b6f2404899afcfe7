/** Repeatable random choices: an input of the fuzzer follows from its seed and its index alone. */

/** A stream of random choices. */
export interface Random {
  uint32(): number;
  /** An integer from 0 to `below` - 1. */
  int(below: number): number;
  /** True once in `times`. */
  once(times: number): boolean;
  pick<T>(list: readonly T[]): T;
}

/** Murmur3's finaliser, which spreads a change of any bit over all of them. */
function mixed(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** The stream of one input: a Weyl sequence through {@link mixed}, started from both numbers. */
export function randomOf(seed: number, index: number): Random {
  let state = mixed(mixed(seed) ^ Math.imul(index + 1, 0x9e3779b1));
  const uint32 = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    return mixed(state);
  };
  const int = (below: number): number => Math.floor((uint32() / 2 ** 32) * below);
  return { uint32, int, once: times => int(times) === 0, pick: list => list[int(list.length)] };
}
