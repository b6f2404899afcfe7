import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DataError } from '../../src/data/formats/dataError.ts';
import { encodeNpy, parseNpy } from '../../src/data/formats/npy.ts';
import { fromNumbers, type NDArray } from '../../src/engine/ndarray.ts';
import { messageThrown, npyFile, npyHeader } from './builders.ts';

/** Bytes of numbers, little- or big-endian. */
function bytesOf(
  type: 'Int16' | 'Uint16' | 'Int32' | 'Uint32' | 'Float32' | 'Float64',
  values: number[],
  little = true,
): Uint8Array {
  const width = Number(type.replace(/\D/g, '')) / 8;
  const view = new DataView(new ArrayBuffer(values.length * width));
  for (const [i, value] of values.entries()) view[`set${type}`](i * width, value, little);
  return new Uint8Array(view.buffer);
}

function read(descr: string, data: ArrayLike<number>, shape: string): { dtype: string; values: unknown[] } {
  const array = parseNpy(npyFile(npyHeader(descr, shape), data), 'x.npy');
  return { dtype: array.dtype, values: Array.from(array.data as ArrayLike<unknown>) };
}

describe('parseNpy', () => {
  test('reads float16, with subnormals, infinities and NaN, as float32', () => {
    const bits = [0x0000, 0x8000, 0x3c00, 0xc000, 0x3555, 0x0001, 0x03ff, 0x0400, 0x7bff, 0x7c00, 0xfc00, 0x7e01];
    const { dtype, values } = read('<f2', bytesOf('Uint16', bits), '(12,)');
    expect(dtype).toBe('float32');
    expect(values).toEqual([
      0,
      -0,
      1,
      -2,
      0.333251953125,
      2 ** -24,
      1023 * 2 ** -24,
      2 ** -14,
      65504,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      Number.NaN,
    ]);
    expect(read('>f2', bytesOf('Uint16', [0x3c00, 0xc000], false), '(2,)').values).toEqual([1, -2]);
  });

  test.each([
    ['<f4', bytesOf('Float32', [1.5, -2]), 'float32', [1.5, -2]],
    ['>f4', bytesOf('Float32', [1.5, -2], false), 'float32', [1.5, -2]],
    ['<f8', bytesOf('Float64', [0.1, -2]), 'float64', [0.1, -2]],
    ['>f8', bytesOf('Float64', [0.1, -2], false), 'float64', [0.1, -2]],
    ['|i1', [255, 127], 'int32', [-1, 127]],
    ['|u1', [255, 127], 'uint8', [255, 127]],
    ['<i2', bytesOf('Int16', [-300, 300]), 'int32', [-300, 300]],
    ['>i2', bytesOf('Int16', [-300, 300], false), 'int32', [-300, 300]],
    ['<u2', bytesOf('Uint16', [65535, 1]), 'int32', [65535, 1]],
    ['<i4', bytesOf('Int32', [-70000, 7]), 'int32', [-70000, 7]],
    ['>i4', bytesOf('Int32', [-70000, 7], false), 'int32', [-70000, 7]],
    ['<u4', bytesOf('Uint32', [2 ** 31 - 1, 7]), 'int32', [2 ** 31 - 1, 7]],
    ['<u4', bytesOf('Uint32', [2 ** 31, 7]), 'int64', [2n ** 31n, 7n]],
    ['<i8', [254, ...Array(7).fill(255), 1, ...Array(7).fill(0)], 'int64', [-2n, 1n]],
    ['>i8', [...Array(7).fill(255), 254, ...Array(7).fill(0), 1], 'int64', [-2n, 1n]],
    ['<u8', [9, ...Array(7).fill(0), 1, ...Array(7).fill(0)], 'int64', [9n, 1n]],
    ['|b1', [1, 0], 'bool', [1, 0]],
  ])('reads %s', (descr, data, dtype, values) => {
    expect(read(descr, data, '(2,)')).toEqual({ dtype, values });
  });

  test('converts Fortran order to C order', () => {
    // Element [i][j][k] of shape (2, 3, 2) is 100 i + 10 j + k; the first index runs fastest in the file.
    const stored: number[] = [];
    for (let k = 0; k < 2; k++) for (let j = 0; j < 3; j++) for (let i = 0; i < 2; i++) stored.push(100 * i + 10 * j + k);
    const array = parseNpy(npyFile(npyHeader('<i4', '(2, 3, 2)', 'True'), bytesOf('Int32', stored)), 'x.npy');
    expect(array.shape).toEqual([2, 3, 2]);
    expect(Array.from(array.data as Int32Array)).toEqual([0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121]);
  });

  test('reads versions 1 to 3, keys in any order, scalars and empty arrays, at any alignment', () => {
    const header = `{"shape": (), 'fortran_order': False, 'descr': '<f4'}`;
    for (const version of [1, 2, 3]) {
      const scalar = parseNpy(npyFile(header, bytesOf('Float32', [2.5]), version), 'x.npy');
      expect(scalar).toEqual({ dtype: 'float32', shape: [], data: Float32Array.of(2.5) });
    }
    expect(parseNpy(npyFile(npyHeader('<f4', '(0, 7L)'), []), 'x.npy').shape).toEqual([0, 7]);
    for (let shift = 0; shift < 8; shift++) {
      const padded = new Uint8Array([...Array(shift).fill(9), ...npyFile(npyHeader('<f8', '(1,)'), bytesOf('Float64', [0.1]))]);
      expect(parseNpy(padded.subarray(shift), 'x.npy').data).toEqual(Float64Array.of(0.1));
    }
  });

  test('gives plain typed arrays, also from a Node Buffer at any place in its pool', () => {
    const pool = Buffer.alloc(1000);
    for (let shift = 0; shift < 8; shift++) {
      const bytes = npyFile(npyHeader('<i8', '(1,)'), [5, 0, 0, 0, 0, 0, 0, 0]);
      pool.set(bytes, shift);
      expect(parseNpy(pool.subarray(shift, shift + bytes.length), 'x.npy').data).toEqual(BigInt64Array.of(5n));
    }
    const { data } = parseNpy(Buffer.from(npyFile(npyHeader('|u1', '(2,)'), [1, 2])), 'x.npy');
    expect(data.constructor).toBe(Uint8Array);
  });

  test.each([
    ['no .npy', Uint8Array.from([0x50, 0x4b, 3, 4, 5, 6, 7, 8, 9, 10]), /^f\.npy: expected a \.npy file .*found bytes 50 4b/],
    ['empty', new Uint8Array(0), /^f\.npy: .*found an empty file$/],
    ['version', npyFile(npyHeader('<f4', '(1,)'), [0, 0, 0, 0], 4), /version 1, 2 or 3, found 4\.0/],
    ['truncated header', npyFile(npyHeader('<f4', '(1,)'), []).subarray(0, 30), /header needs \d+ bytes, found 30/],
    [
      'truncated data',
      npyFile(npyHeader('<f4', '(3, 2)'), Array(20).fill(0)),
      /shape \[3, 2\] of type <f4 needs 24 bytes of data, found 20/,
    ],
    ['trailing data', npyFile(npyHeader('<f4', '(1,)'), Array(5).fill(0)), /needs 4 bytes of data, found 5: the file is longer/],
    ['huge shape', npyFile(npyHeader('<f4', '(1000000000, 1000000000)'), []), /impossible shape \[1000000000, 1000000000\]/],
    ['lying shape', npyFile(npyHeader('<f4', '(1000000000,)'), [0, 0, 0, 0]), /needs 4000000000 bytes of data, found 4/],
    ['overflowing size', npyFile(npyHeader('<f4', '(99999999999999999999,)'), []), /impossible shape/],
    ['negative size', npyFile(npyHeader('<f4', '(-1,)'), []), /expected a tuple of sizes/],
    ['object array', npyFile(npyHeader('|O', '(1,)'), [0]), /expected an array of numbers or bools .*found type "\|O"/],
    ['complex array', npyFile(npyHeader('<c8', '(1,)'), Array(8).fill(0)), /found type "<c8"/],
    ['inherited name', npyFile(npyHeader('toString', '(1,)'), [0]), /found type "toString"/],
    ['structured', npyFile(`{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}`, [0]), /found a structured array/],
    ['code', npyFile(`__import__('os').system('x')`, []), /expected a dictionary in the \.npy header/],
    ['extra key', npyFile(`{'descr': '<f4', 'fortran_order': False, 'shape': (), 'x': 1}`, []), /not "x"|quoted key/],
    ['no shape', npyFile(`{'descr': '<f4', 'fortran_order': False, }`, []), /the keys descr, fortran_order and shape/],
    ['rest', npyFile(`{'descr': '<f4', 'fortran_order': False, 'shape': ()} + 1`, []), /nothing after the dictionary/],
    ['bool 2', npyFile(npyHeader('|b1', '(2,)'), [1, 2]), /expected bools \(0 or 1\), found 2 at element 1/],
    ['uint64', npyFile(npyHeader('<u8', '(1,)'), Array(8).fill(255)), /below 2\^63, found 18446744073709551615/],
  ])('refuses: %s', (_, bytes, message) => {
    expect(messageThrown(() => parseNpy(bytes, 'f.npy'))).toMatch(message);
  });

  test('answers any damage with an array or one DataError', () => {
    const good = encodeNpy(fromNumbers([1, 2, 3, 4, 5, 6], [2, 3]));
    const damage = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(damage, fc.nat(good.length), (changes, length) => {
        const bytes = good.slice(0, length);
        for (const [at, value] of changes) if (at < length) bytes[at] = value;
        try {
          const array = parseNpy(bytes, 'f.npy');
          return array.data.byteLength <= 96;
        } catch (thrown) {
          return thrown instanceof DataError && thrown.message.startsWith('f.npy: ') && !thrown.message.includes('\n');
        }
      }),
      { numRuns: 500, seed: 1 },
    );
  });
});

describe('encodeNpy', () => {
  test('writes what NumPy writes', () => {
    const bytes = encodeNpy(fromNumbers([1, 2], [2], 'int32'));
    const text = `{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }`;
    const expected = [
      0x93,
      ...Buffer.from('NUMPY'),
      1,
      0,
      118,
      0,
      ...Buffer.from(`${text.padEnd(117)}\n`),
      1,
      0,
      0,
      0,
      2,
      0,
      0,
      0,
    ];
    expect(Array.from(bytes)).toEqual(expected);
    expect(bytes.length - 8).toBe(128);
  });

  test('every element type and shape survives', () => {
    const arrays: NDArray[] = [
      fromNumbers([1.5, Number.NaN, -0], [3]),
      fromNumbers([0.1], [], 'float64'),
      fromNumbers([], [0, 4], 'int32'),
      fromNumbers([-5, 2 ** 40], [2, 1], 'int64'),
      fromNumbers([255, 0], [1, 2], 'uint8'),
      fromNumbers([1, 0], [2], 'bool'),
    ];
    for (const array of arrays) expect(parseNpy(encodeNpy(array), 'x.npy')).toEqual(array);
  });
});
