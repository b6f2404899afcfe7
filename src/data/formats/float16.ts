/** Half-precision numbers (IEEE 754 binary16, and bfloat16) widened to float32; both conversions are exact. */

/** Value of one binary16 bit pattern: (-1)^s 2^(e-15) (1 + m/1024), subnormals 2^-24 m. */
function float16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 0x1f) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * 2 ** (exponent - 15) * (1 + mantissa / 1024);
}

let table: Float32Array | undefined;

/** All 65536 values; a look-up is several times faster than taking each number's bits apart. */
function float16Table(): Float32Array {
  table ??= Float32Array.from({ length: 0x10000 }, (_, bits) => float16Value(bits));
  return table;
}

/** float16 bit patterns as float32 numbers (a new array). */
export function decodeFloat16(bits: Uint16Array): Float32Array {
  const values = float16Table();
  const out = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = values[bits[i]];
  return out;
}

/** bfloat16 bit patterns (the upper half of a float32) as float32 numbers (a new array). */
export function decodeBfloat16(bits: Uint16Array): Float32Array {
  const out = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = bits[i] << 16;
  return new Float32Array(out.buffer);
}
