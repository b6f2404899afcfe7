import { type Key, permutation } from '../engine/random.ts';

/** How {@link batches} cuts a data set. */
export interface BatchOptions {
  /** Shuffle the items, by the key; otherwise they keep their order. */
  readonly shuffle?: boolean;
  /** Leave a last batch out that is not full. */
  readonly dropLast?: boolean;
}

/**
 * Positions of the items of every batch of an epoch.
 * @param count number of items
 * @throws RangeError if `count` or `batchSize` is no such number
 */
export function batches(
  count: number,
  batchSize: number,
  key: Key,
  { shuffle = false, dropLast = false }: BatchOptions = {},
): number[][] {
  if (!Number.isInteger(count) || count < 0) throw new RangeError(`batches: expected a number of items, found ${count}`);
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new RangeError(`batches: expected a batch size of at least 1, found ${batchSize}`);
  const order = shuffle ? Array.from(permutation(key, count)) : Array.from({ length: count }, (_, i) => i);
  const all: number[][] = [];
  for (let start = 0; start < count; start += batchSize) all.push(order.slice(start, start + batchSize));
  if (dropLast && all.length > 0 && all[all.length - 1].length < batchSize) all.pop();
  return all;
}

/**
 * Yields `make(0)`, ..., `make(count - 1)` in order, with the next `ahead` ones already under way, so that reading from disk goes on
 * while a training step computes. An error of `make` is thrown at its turn; leaving the loop early starts nothing further.
 */
export async function* prefetch<T>(make: (index: number) => Promise<T>, count: number, ahead = 2): AsyncGenerator<T, void, void> {
  const underWay: Promise<T>[] = [];
  let started = 0;
  for (let index = 0; index < count; index++) {
    while (started < count && started <= index + ahead) {
      const item = make(started++);
      // Its error is reported when its turn comes; until then it is not an unhandled one.
      item.catch(() => {});
      underWay.push(item);
    }
    yield await (underWay.shift() as Promise<T>);
  }
}
