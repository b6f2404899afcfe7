import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DataError } from '../../src/data/formats/dataError.ts';
import { encodeSafetensors, parseSafetensors } from '../../src/data/formats/safetensors.ts';
import { fromNumbers, type NDArray } from '../../src/engine/ndarray.ts';
import { messageThrown } from './builders.ts';

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(chunks.flatMap(chunk => [...chunk]));
}

function file(header: unknown, data: readonly number[], text = JSON.stringify(header)): Uint8Array {
  const bytes = Uint8Array.from([...Array(8).fill(0), ...Buffer.from(text), ...data]);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  return bytes;
}

const tensors: Record<string, NDArray> = {
  flags: fromNumbers([1, 0, 1], [3], 'bool'),
  'conv.weight': fromNumbers([1, 2, 3, 4, 5, 6], [2, 3, 1]),
  step: fromNumbers([2 ** 40], [], 'int64'),
  bytes: fromNumbers([255], [1], 'uint8'),
  precise: fromNumbers([0.1, -0], [2], 'float64'),
  count: fromNumbers([-7], [1], 'int32'),
  none: fromNumbers([], [0, 5]),
};

describe('safetensors', () => {
  test('every type survives, with metadata, aligned and without a copy', () => {
    const chunks = encodeSafetensors(tensors, { task: 'localisation', note: 'a "b"' });
    const bytes = joined(chunks);
    const read = parseSafetensors(bytes, 'm.safetensors');
    expect(read.tensors).toEqual(tensors);
    expect(read.metadata).toEqual({ task: 'localisation', note: 'a "b"' });
    expect(read.tensors['conv.weight'].data.buffer).toBe(bytes.buffer);
    expect(read.tensors.precise.data.byteOffset % 8).toBe(0);
    expect(chunks[0].length % 8).toBe(0);
    expect(chunks.some(chunk => chunk.buffer === tensors['conv.weight'].data.buffer)).toBe(true);
    const shifted = Buffer.from([0, ...bytes]).subarray(1);
    expect(parseSafetensors(shifted, 'm').tensors).toEqual(tensors);
  });

  test('writes the layout of the format', () => {
    const bytes = joined(encodeSafetensors({ a: fromNumbers([1], [1]) }));
    const text = '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';
    expect(Array.from(bytes)).toEqual([56, 0, 0, 0, 0, 0, 0, 0, ...Buffer.from(text.padEnd(56)), 0, 0, 0x80, 0x3f]);
  });

  test('reads half precision as float32', () => {
    const header = {
      h: { dtype: 'F16', shape: [2], data_offsets: [0, 4] },
      b: { dtype: 'BF16', shape: [2], data_offsets: [4, 8] },
    };
    const read = parseSafetensors(file(header, [0x00, 0x3c, 0x00, 0xc0, 0x80, 0x3f, 0x40, 0xc0]), 'm').tensors;
    expect(read.h).toEqual(fromNumbers([1, -2], [2]));
    expect(read.b).toEqual(fromNumbers([1, -3], [2]));
  });

  const f32 = (shape: unknown, offsets: unknown): object => ({ dtype: 'F32', shape, data_offsets: offsets });
  const huge = new Uint8Array(16).fill(255);
  test.each([
    ['too short', new Uint8Array(7), /^m: expected a \.safetensors file, found only 7 bytes/],
    ['a header beyond the file', huge, /header states 18446744073709552000 bytes, found 8/],
    ['no JSON', file({}, [], '{"a"'), /header: expected JSON/],
    ['no object', file([], []), /expected a JSON object/],
    [
      'an unknown type',
      file({ a: { dtype: 'F8_E4M3', shape: [1], data_offsets: [0, 1] } }, [0]),
      /tensor "a": expected a type .*"F8_E4M3"/,
    ],
    ['an inherited type', file({ a: { dtype: 'toString', shape: [1], data_offsets: [0, 1] } }, [0]), /found "toString"/],
    ['null', file({ a: null }, []), /tensor "a": expected a type/],
    ['a negative shape', file({ a: f32([-1], [0, 4]) }, [0, 0, 0, 0]), /impossible shape \[-1\]/],
    ['no shape', file({ a: f32('x', [0, 4]) }, [0, 0, 0, 0]), /impossible shape "x"/],
    ['sizes that differ', file({ a: f32([2], [0, 4]) }, [0, 0, 0, 0]), /shape \[2\] of F32 needs 8 bytes, found 4/],
    [
      'an overflowing shape',
      file({ a: f32([2 ** 40, 2 ** 40], [0, 4]) }, [0, 0, 0, 0]),
      /tensor "a": shape .* needs .* bytes, found 4/,
    ],
    ['reversed offsets', file({ a: f32([0], [4, 0]) }, []), /expected data_offsets \[begin, end\], found \[4,0\]/],
    ['a hole', file({ a: f32([1], [4, 8]) }, Array(8).fill(0)), /tensor "a": expected its data to start at byte 0 .*found 4/],
    [
      'overlap',
      file({ a: f32([1], [0, 4]), b: f32([1], [0, 4]) }, Array(4).fill(0)),
      /tensor "b": expected its data to start at byte 4/,
    ],
    [
      'truncated data',
      file({ a: f32([2], [0, 8]) }, Array(5).fill(0)),
      /^m: its header describes 8 bytes of data, found 5 \(truncated/,
    ],
    ['trailing data', file({ a: f32([1], [0, 4]) }, Array(5).fill(0)), /describes 4 bytes of data, found 5$/],
    ['metadata of numbers', file({ __metadata__: { a: 1 } }, []), /__metadata__ to map names to strings/],
  ])('refuses %s', (_, bytes, message) => {
    expect(messageThrown(() => parseSafetensors(bytes, 'm'))).toMatch(message);
  });

  test('answers any damage with tensors or one DataError', () => {
    const good = joined(encodeSafetensors(tensors));
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), (at, value, length) => {
        const bytes = good.slice(0, Math.max(length, at + 1));
        bytes[at] = value;
        try {
          parseSafetensors(bytes, 'm');
          return true;
        } catch (thrown) {
          return thrown instanceof DataError && !thrown.message.includes('\n');
        }
      }),
      { numRuns: 1000, seed: 3 },
    );
  });
});
