import { describe, expect, test } from 'vitest';
import { batches, prefetch } from '../../src/data/loader.ts';
import { key } from '../../src/engine/random.ts';

describe('batches', () => {
  test('cuts the items in order', () => {
    expect(batches(5, 2, key(0))).toEqual([[0, 1], [2, 3], [4]]);
    expect(batches(5, 2, key(0), { dropLast: true })).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(batches(4, 2, key(0), { dropLast: true })).toHaveLength(2);
    expect(batches(0, 2, key(0), { dropLast: true, shuffle: true })).toEqual([]);
  });

  test('shuffles by the key', () => {
    const [a, again, b] = [1, 1, 2].map(seed => batches(100, 16, key(seed), { shuffle: true }));
    expect(a).toEqual(again);
    expect(a).not.toEqual(b);
    expect(a.map(batch => batch.length)).toEqual([16, 16, 16, 16, 16, 16, 4]);
    expect(a.flat()).not.toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(a.flat().sort((x, y) => x - y)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  test('refuses a batch size of 0', () => {
    expect(() => batches(5, 0, key(0))).toThrow('batches: expected a batch size of at least 1, found 0');
  });
});

describe('prefetch', () => {
  test('keeps `ahead` items under way, and the order', async () => {
    const started: number[] = [];
    const seen: [number, number][] = [];
    const make = async (i: number): Promise<number> => {
      started.push(i);
      await new Promise(resolve => setTimeout(resolve, i === 0 ? 5 : 0));
      return i * i;
    };
    for await (const value of prefetch(make, 5, 2)) seen.push([value, started.length]);
    expect(seen).toEqual([
      [0, 3],
      [1, 4],
      [4, 5],
      [9, 5],
      [16, 5],
    ]);
  });

  test('throws an error at its turn, and starts nothing more when the loop is left', async () => {
    const started: number[] = [];
    const make = async (i: number): Promise<number> => {
      started.push(i);
      if (i === 1) throw new Error('item 1');
      return i;
    };
    const seen: number[] = [];
    await expect(
      (async () => {
        for await (const value of prefetch(make, 10, 2)) seen.push(value);
      })(),
    ).rejects.toThrow('item 1');
    expect(seen).toEqual([0]);
    started.length = 0;
    for await (const value of prefetch(async i => started.push(i), 10, 1)) if (value >= 2) break;
    expect(started.length).toBeLessThanOrEqual(4);
  });
});
