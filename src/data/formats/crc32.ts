/** A table of the remainders of all bytes, for a reflected polynomial of degree 32. */
function tableOf(polynomial: number): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ polynomial : value >>> 1;
    return value;
  });
}

function checksum(table: Uint32Array, bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ table[(crc ^ bytes[i]) & 0xff];
  return ~crc >>> 0;
}

const table = tableOf(0xedb88320);
const castagnoli = tableOf(0x82f63b78);

/** The checksum that zip archives use: CRC-32 with the reflected polynomial 0xEDB88320, as an unsigned integer. */
export function crc32(bytes: Uint8Array): number {
  return checksum(table, bytes);
}

/** The checksum that TFRecord files use: CRC-32C (Castagnoli), with the reflected polynomial 0x82F63B78, as an unsigned integer. */
export function crc32c(bytes: Uint8Array): number {
  return checksum(castagnoli, bytes);
}
