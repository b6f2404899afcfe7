import { expect, it } from 'vitest';
import { crc32c } from '../../src/data/formats/crc32.ts';
import { frameRecord } from '../../src/data/formats/tfRecord.ts';
import { crc32cBitwise, unframe } from '../train/eventReader.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

it('CRC-32C has its published check values', () => {
  // RFC 3720, appendix B.4, and the value of "123456789" that catalogues list.
  expect(crc32c(bytesOf('123456789'))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  expect(crc32cBitwise(bytesOf('123456789'))).toBe(0xe3069283);
});

it('a record is length, masked checksum, payload, masked checksum', () => {
  // Masks by hand: rotated right by 15 bits, plus 0xa282ead8.
  const mask = (crc: number): number => Number((((BigInt(crc) >> 15n) | (BigInt(crc) << 17n)) + 0xa282ead8n) & 0xffffffffn);
  const framed = frameRecord(bytesOf('123456789'));
  const view = new DataView(framed.buffer);
  expect([framed.length, view.getBigUint64(0, true), view.getUint32(21, true)]).toEqual([25, 9n, mask(0xe3069283)]);
  expect(view.getUint32(8, true)).toBe(mask(crc32cBitwise(Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0))));
  expect(new TextDecoder().decode(framed.subarray(12, 21))).toBe('123456789');
});

it('a reader finds records one after the other, a flipped bit, and a record that is cut off', () => {
  const file = Buffer.concat([frameRecord(bytesOf('one')), frameRecord(new Uint8Array(0)), frameRecord(bytesOf('three'))]);
  const texts = (bytes: Uint8Array): string[] => unframe(bytes).map(payload => new TextDecoder().decode(payload));
  expect(texts(file)).toEqual(['one', '', 'three']);
  for (const cut of [1, 4, 9, 20]) expect(texts(file.subarray(0, file.length - cut))).toEqual(['one', '']);
  for (const at of [0, 9, 13, 16]) {
    const damaged = Buffer.from(file);
    damaged[at] ^= 4;
    expect(() => unframe(damaged), `byte ${at}`).toThrow('expected checksum');
  }
});
