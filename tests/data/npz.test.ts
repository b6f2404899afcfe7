import fc from 'fast-check';
import { zipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { DataError } from '../../src/data/formats/dataError.ts';
import { encodeNpy } from '../../src/data/formats/npy.ts';
import { encodeNpz, parseNpz } from '../../src/data/formats/npz.ts';
import { fromNumbers, zeros } from '../../src/engine/ndarray.ts';
import { messageThrown } from './builders.ts';

const arrays = { 'in.x': fromNumbers([1, 2, 3, 4, 5, 6], [2, 3]), labels: fromNumbers([1, -1], [2], 'int64') };

/** Writes little-endian 32-bit words at the first match of a signature, `at` bytes behind it. */
function patched(bytes: Uint8Array, signature: number, words: Readonly<Record<number, number>>): Uint8Array {
  const out = bytes.slice();
  const view = new DataView(out.buffer);
  let start = 0;
  while (view.getUint32(start, true) !== signature) start++;
  for (const [at, word] of Object.entries(words)) view.setUint32(start + Number(at), word, true);
  return out;
}

const localHeader = 0x04034b50;
const directoryEntry = 0x02014b50;
const endRecord = 0x06054b50;

describe('parseNpz', () => {
  test('reads what encodeNpz writes, stored and deflated', () => {
    expect(parseNpz(encodeNpz(arrays), 'a.npz')).toEqual(arrays);
    expect(parseNpz(Buffer.from(encodeNpz(arrays)), 'a.npz')).toEqual(arrays);
    const large = { zeros: zeros([1000, 10]) };
    const deflated = encodeNpz(large, { compress: true });
    expect(deflated.length).toBeLessThan(1000);
    expect(parseNpz(deflated, 'a.npz')).toEqual(large);
    expect(parseNpz(encodeNpz({}), 'a.npz')).toEqual({});
  });

  test('the same arrays are the same bytes', () => {
    expect(encodeNpz(arrays)).toEqual(encodeNpz(arrays));
  });

  test('reads NumPy archives, whose local headers hold their sizes in a zip64 field', () => {
    const stored = encodeNpz({ x: fromNumbers([7], [1]) });
    const [name, size] = [5, 132];
    const extra = new Uint8Array(20);
    const view = new DataView(extra.buffer);
    view.setUint16(0, 1, true);
    view.setUint16(2, 16, true);
    view.setBigUint64(4, BigInt(size), true);
    view.setBigUint64(12, BigInt(size), true);
    let bytes = patched(stored, localHeader, { 18: 0xffffffff, 22: 0xffffffff });
    bytes = Uint8Array.from([...bytes.subarray(0, 30 + name), ...extra, ...bytes.subarray(30 + name)]);
    new DataView(bytes.buffer).setUint16(28, extra.length, true);
    const directory = bytes.length - 22 - 46 - name;
    bytes = patched(bytes, endRecord, { 16: directory });
    expect(parseNpz(bytes, 'a.npz')).toEqual({ x: fromNumbers([7], [1]) });
    view.setBigUint64(4, 131n, true);
    bytes.set(extra, 30 + name);
    expect(messageThrown(() => parseNpz(bytes, 'a.npz'))).toMatch(/^a\.npz: x\.npy: its header states 131 bytes/);
  });

  const deflated = encodeNpz({ x: zeros([100, 10]) }, { compress: true });
  const stored = encodeNpz({ x: zeros([4]) });
  const both = (bytes: Uint8Array, size: number): Uint8Array =>
    patched(patched(bytes, localHeader, { 22: size }), directoryEntry, { 24: size });
  test.each([
    ['a size that is too large', both(deflated, 5000), /^a\.npz: x\.npy: the archive states 5000 bytes, found 4128$/],
    ['a size that is too small', both(deflated, 4000), /^a\.npz: x\.npy: the archive states 4000 bytes, found more$/],
    [
      'an impossible size',
      both(deflated, 0xfffffff0),
      /the archive states 4294967280 bytes, which \d+ compressed bytes cannot hold/,
    ],
    ['a size of a stored entry', both(stored, 100), /x\.npy: the archive states 100 bytes, found 144/],
    [
      'a header that differs from the directory',
      patched(deflated, localHeader, { 22: 9 }),
      /header states 9 bytes .* directory 4128/,
    ],
    [
      'a packed size beyond the file',
      patched(patched(stored, localHeader, { 18: 1e9 }), directoryEntry, { 20: 1e9 }),
      /needs 1000000000 bytes/,
    ],
    ['a wrong checksum', patched(deflated, directoryEntry, { 16: 1 }), /x\.npy: damaged zip archive: wrong checksum/],
    ['a wrong offset', patched(deflated, directoryEntry, { 42: 7 }), /no entry at byte 7/],
    ['a wrong directory', patched(deflated, endRecord, { 16: 3 }), /a directory of 1 entries in 51 bytes at 3 does not fit/],
    ['truncation', deflated.subarray(0, deflated.length - 30), /^a\.npz: expected a zip archive, .*truncated/],
    ['no archive', encodeNpy(zeros([1])), /^a\.npz: expected a zip archive/],
    [
      'another file inside',
      zipSync({ 'readme.txt': new Uint8Array(3) }),
      /expected only \.npy arrays inside, found "readme\.txt"/,
    ],
    [
      'a damaged array',
      zipSync({ 'x.npy': encodeNpy(zeros([4])).subarray(0, 140) }),
      /^a\.npz: x\.npy: shape \[4\] .*needs 16 bytes of data, found 12/,
    ],
  ])('refuses %s', (_, bytes, message) => {
    expect(messageThrown(() => parseNpz(bytes, 'a.npz'))).toMatch(message);
  });

  test('answers any damage with the arrays or one DataError', () => {
    const good = encodeNpz(arrays, { compress: true });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        (changes, cut) => {
          let bytes = good.slice();
          for (const [at, value] of changes) bytes[at] = value;
          if (cut) bytes = bytes.subarray(0, changes[0][0]);
          try {
            parseNpz(bytes, 'f.npz');
            return true;
          } catch (thrown) {
            return thrown instanceof DataError && thrown.message.startsWith('f.npz: ') && !thrown.message.includes('\n');
          }
        },
      ),
      { numRuns: 1000, seed: 2 },
    );
  });
});
