import { describe, expect, test } from 'vitest';
import { storedTensor } from '../../src/data/formats/storedTensor.ts';
import { ensureElements, gatherOffsets } from './elements.ts';
import { inputAt, tryInput, Wrong } from './format.ts';
import { formats } from './formats.ts';
import { randomOf } from './random.ts';

/** Larger attacks take their time: `npm run fuzz` tries them, and findings.test.ts what came of them. */
const maxBytes = 2 ** 17;

/** A small run of `npm run fuzz`: attacks, all seeds, and a thousand inputs of chance. */
describe.each(formats)('$name', format => {
  const attacks = format.attacks().filter(({ bytes }) => bytes.length <= maxBytes);
  const first = format.attacks().length;
  const chance = first + format.seeds.length;

  test('nothing is found among attacks, valid files, and a thousand mutations', () => {
    const inputs = Array.from({ length: format.seeds.length + 1000 }, (_, i) => inputAt(format, 7, first + i));
    const outcomes = [...attacks, ...inputs].map((input, i) => ({ i, ...tryInput(format, input) }));
    expect(outcomes.filter(({ finding }) => finding !== undefined)).toEqual([]);
    // Both happen often enough to mean something.
    const accepted = outcomes.filter(({ outcome }) => outcome === 'accepted').length;
    expect(accepted).toBeGreaterThan(100);
    expect(accepted).toBeLessThan(900);
  });

  test('an input follows from its seed and its index', () => {
    const [once, again, other] = [5, 5, 6].map(seed => inputAt(format, seed, chance + 123).bytes);
    expect(again).toEqual(once);
    expect(other).not.toEqual(once);
  });
});

describe('the fuzzer finds', () => {
  const [format] = formats;
  const tried = (read: () => unknown, expected?: 'accepted' | 'rejected') =>
    tryInput({ ...format, read }, { name: 'x', bytes: new Uint8Array(1), expected }).finding;

  test('errors that are none for users', () => {
    expect(tried(() => (undefined as unknown as { x: number }).x)).toMatch(/^TypeError instead of a DataError: Cannot read/);
    expect(
      tried(() => {
        throw new RangeError('Invalid array length');
      }),
    ).toMatch(/^RangeError instead of a DataError/);
  });

  test('wrong success, and what should have been the other way', () => {
    expect(
      tried(() => {
        throw new Wrong('two arrays of one name');
      }),
    ).toBe('wrong success: two arrays of one name');
    expect(tried(() => 1, 'rejected')).toBe('x: should be rejected, is accepted ()');
    expect(tried(() => 1, 'accepted')).toBeUndefined();
  });

  test('a changed prototype, which it changes back', () => {
    const pollute = (): void => {
      (Object.prototype as { polluted?: number }).polluted = 1;
    };
    expect(tried(pollute)).toBe('the prototype of all objects was changed');
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});

test('a view with strides reads what one element after the other gives, on any layout', () => {
  const types = { float32: 4, int16: 2, float64: 8, int8: 1, bfloat16: 2, uint32: 4 } as const;
  const random = randomOf(3, 0);
  for (let round = 0; round < 2000; round++) {
    const dtype = random.pick(Object.keys(types) as (keyof typeof types)[]);
    const width = types[dtype];
    const shape = Array.from({ length: random.int(5) }, () => random.int(4));
    const strides = shape.map(() => random.int(7));
    const start = random.int(9);
    const offsets = gatherOffsets(shape, strides);
    const bytes = Uint8Array.from({ length: start + width * (1 + Math.max(0, ...offsets)) }, () => random.int(120));
    const bigEndian = random.once(2);
    const storage = { where: 'x', byteLength: bytes.length, bigEndian, read: () => bytes };
    const { tensor } = storedTensor(storage, { dtype, shape, strides, byteOffset: start }, problem => new Error(problem));
    ensureElements(tensor.read(), dtype, shape, { bytes, start, little: !bigEndian, offsets });
  }
  expect.assertions(0);
});
