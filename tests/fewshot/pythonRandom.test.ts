import { expect, test } from 'vitest';
import { pythonRandom } from '../../src/fewshot/pythonRandom.ts';

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

test('draws what Python draws', () => {
  // import random; random.seed(602), and then in this order:
  const random = pythonRandom(602);
  expect([random.random(), random.random(), random.random()]).toEqual([
    0.4012785642225538, 0.33476540841004565, 0.7354277990828911,
  ]);
  expect(random.below(10)).toBe(7);
  // From a copy of the list, from a set, from a copy since many are drawn, and from a set.
  expect(random.sample(range(7), 3)).toEqual([5, 4, 3]);
  expect(random.sample(range(100), 4)).toEqual([48, 13, 69, 73]);
  expect(random.sample(range(30), 8)).toEqual([1, 11, 14, 19, 27, 6, 23, 20]);
  expect(random.sample(range(100), 8)).toEqual([40, 30, 64, 17, 16, 7, 62, 31]);
  const items = range(6);
  random.shuffle(items);
  expect(items).toEqual([4, 0, 2, 3, 1, 5]);
  expect(random.choice(['a', 'b', 'c'])).toBe('a');
});

test('seeds of more than 32 bits, and negative ones', () => {
  expect(pythonRandom(2 ** 40 + 7).random()).toBe(0.6137037779936511);
  expect(pythonRandom(-5).random()).toBe(0.6229016948897019);
  expect(pythonRandom(5).random()).toBe(0.6229016948897019);
});

test('says what does not fit', () => {
  expect(() => pythonRandom(0.5)).toThrow('pythonRandom: expected an integer as the seed, found 0.5');
  expect(() => pythonRandom(1).sample([1, 2], 3)).toThrow('pythonRandom: cannot draw 3 of 2 without repetition');
  expect(() => pythonRandom(1).choice([])).toThrow('pythonRandom: expected a range of at least 1, found 0');
});
