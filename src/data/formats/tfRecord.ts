import { crc32c } from './crc32.ts';

/**
 * One record of a TFRecord file: length (uint64), masked CRC-32C of the length (uint32), payload, masked CRC-32C of the payload (uint32),
 * all little-endian. Source: tensorflow.org, "TFRecord and tf.train.Example", TFRecords format details.
 */
export function frameRecord(payload: Uint8Array): Uint8Array {
  const out = new Uint8Array(payload.length + 16);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt(payload.length), true);
  view.setUint32(8, maskedCrc(out.subarray(0, 8)), true);
  out.set(payload, 12);
  view.setUint32(12 + payload.length, maskedCrc(payload), true);
  return out;
}

/** CRC-32C, rotated and shifted by a constant: a checksum of data that itself holds checksums would be weak. */
function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
