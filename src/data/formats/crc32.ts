const polynomial = 0xedb88320;

/** Bytes that one round of {@link crc32} takes. */
const stride = 16;

/**
 * `tables[256 k + b]` is what a byte b does to the checksum once k further bytes have passed ("slicing by 16": Kounavis and Berry,
 * "A systematic approach to building high performance software-based CRC generators", 2005). One flat table keeps the loop's
 * look-ups free of indirections.
 */
const tables = (() => {
  const out = new Int32Array(256 * stride);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ polynomial : value >>> 1;
    out[byte] = value;
  }
  for (let at = 256; at < out.length; at++) out[at] = (out[at - 256] >>> 8) ^ out[out[at - 256] & 0xff];
  return out;
})();

/** The checksum that zip archives use: CRC-32 with the reflected polynomial 0xEDB88320, as an unsigned integer. */
export function crc32(bytes: Uint8Array): number {
  const t = tables;
  const { length } = bytes;
  if (length < stride) return ~update(-1, bytes, 0, length) >>> 0;
  // Words must be aligned; the bytes before the first and after the last go one by one.
  const start = -bytes.byteOffset & 3;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + start, (length - start) >> 2);
  const rounds = words.length & ~3;
  let crc = update(-1, bytes, 0, start);
  for (let k = 0; k < rounds; k += 4) {
    const a = words[k] ^ crc;
    const b = words[k + 1];
    const c = words[k + 2];
    const d = words[k + 3];
    crc =
      t[3840 + (a & 255)] ^
      t[3584 + ((a >>> 8) & 255)] ^
      t[3328 + ((a >>> 16) & 255)] ^
      t[3072 + (a >>> 24)] ^
      t[2816 + (b & 255)] ^
      t[2560 + ((b >>> 8) & 255)] ^
      t[2304 + ((b >>> 16) & 255)] ^
      t[2048 + (b >>> 24)] ^
      t[1792 + (c & 255)] ^
      t[1536 + ((c >>> 8) & 255)] ^
      t[1280 + ((c >>> 16) & 255)] ^
      t[1024 + (c >>> 24)] ^
      t[768 + (d & 255)] ^
      t[512 + ((d >>> 8) & 255)] ^
      t[256 + ((d >>> 16) & 255)] ^
      t[d >>> 24];
  }
  return ~update(crc, bytes, start + 4 * rounds, length) >>> 0;
}

function update(crc: number, bytes: Uint8Array, from: number, to: number): number {
  let value = crc;
  for (let i = from; i < to; i++) value = (value >>> 8) ^ tables[(value ^ bytes[i]) & 0xff];
  return value;
}
