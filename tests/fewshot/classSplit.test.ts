import { describe, expect, it } from 'vitest';
import { key } from '../../src/engine/random.ts';
import { splitByClass, type WantedClasses } from '../../src/fewshot/classSplit.ts';

const classes = ['a', 'b', 'c', 'd', 'e', 'f'];
const items = Array.from({ length: 18 }, (_, i) => ({ label: i % 6, name: `${classes[i % 6]}${Math.floor(i / 6)}` }));
const split = (wanted: WantedClasses, seed = 0) => splitByClass(classes, items, wanted, key(seed), 'data');
const names = (wanted: WantedClasses, seed = 0) =>
  Object.values(split(wanted, seed)).map(part => part.map(({ name }) => name).join(''));

describe('splitByClass', () => {
  it('draws disjoint classes in the order of the data set, by the key', () => {
    const wanted = { train: 3, val: 1, test: 2 };
    for (let seed = 0; seed < 20; seed++) {
      const parts = names(wanted, seed);
      expect([...parts.join('')].sort().join('')).toBe('abcdef');
      expect(parts.map(part => part.length)).toEqual([3, 1, 2]);
      for (const part of parts) expect([...part].sort().join('')).toBe(part);
    }
    expect(names(wanted, 3)).toEqual(names(wanted, 3));
    expect(new Set(Array.from({ length: 20 }, (_, seed) => names(wanted, seed)[0])).size).toBeGreaterThan(5);
  });

  it('takes names, and draws the rest from the others; items come with their class', () => {
    const { train, val, test } = split({ train: ['d', 'a'], val: 0, test: 2 });
    expect(train).toEqual([
      { name: 'a', items: [0, 6, 12].map(i => items[i]) },
      { name: 'd', items: [3, 9, 15].map(i => items[i]) },
    ]);
    expect(val).toEqual([]);
    expect(test).toHaveLength(2);
    for (const { name } of test) expect('bcef').toContain(name);
  });

  it.each([
    [{ train: ['a', 'x'], val: 0, test: 1 }, 'data: data.classes.train: expected classes of the data set (a, …), found x'],
    [
      { train: ['a', 'b'], val: 0, test: ['b'] },
      'data: class "b" is in both train and test; few-shot classes belong to one part',
    ],
    [{ train: ['a', 'b'], val: 2, test: 3 }, 'data: data.classes: 0 + 2 + 3 classes to draw for train, val, test, found 4'],
  ])('%j', (wanted, message) => {
    expect(() => split(wanted)).toThrow(message);
  });
});
