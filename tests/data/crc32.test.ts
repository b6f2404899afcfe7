import { expect, test } from 'vitest';
import { crc32 } from '../../src/data/formats/crc32.ts';

/** The definition: the remainder of the polynomial division, bit by bit. */
function remainder(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

test('the standard check value', () => {
  expect(crc32(Buffer.from('123456789'))).toBe(0xcbf43926);
  expect(crc32(new Uint8Array(0))).toBe(0);
});

test('the definition, at any length and alignment', () => {
  const bytes = Uint8Array.from({ length: 80 }, (_, i) => (i * 2654435761) >>> 13);
  for (let start = 0; start < 9; start++) {
    for (let length = 0; length <= 70; length++) {
      const part = bytes.subarray(start, start + length);
      expect(crc32(part), `${length} bytes at ${start}`).toBe(remainder(part));
    }
  }
});
