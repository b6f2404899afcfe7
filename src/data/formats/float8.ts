/**
 * Eight-bit floating point numbers widened to float32; every conversion is exact. The types of Micikevicius et al., "FP8 formats
 * for deep learning" (2022), those with `fn` (finite, with NaN) and `uz` (one unsigned zero) as PyTorch and ONNX define them, and
 * the power-of-two scale e8m0 of the OCP microscaling formats.
 */

/** Layout of a type: bits of the mantissa, bias of the exponent, and what its special patterns mean. */
interface Layout {
  readonly mantissa: number;
  readonly bias: number;
  /** `ieee`: the largest exponent holds infinities and NaNs; `fn`: all ones are NaN; `uz`: the pattern of -0 is the only NaN. */
  readonly special: 'ieee' | 'fn' | 'uz';
}

const layouts = {
  e4m3fn: { mantissa: 3, bias: 7, special: 'fn' },
  e4m3fnuz: { mantissa: 3, bias: 8, special: 'uz' },
  e5m2: { mantissa: 2, bias: 15, special: 'ieee' },
  e5m2fnuz: { mantissa: 2, bias: 16, special: 'uz' },
} as const satisfies Record<string, Layout>;

/** An eight-bit floating type. */
export type Float8 = keyof typeof layouts | 'e8m0fnu';

function float8Value(bits: number, { mantissa, bias, special }: Layout): number {
  const sign = bits & 0x80 ? -1 : 1;
  const steps = 1 << mantissa;
  const exponent = (bits & 0x7f) >> mantissa;
  const fraction = bits & (steps - 1);
  if (special === 'uz' && bits === 0x80) return Number.NaN;
  if (special === 'fn' && (bits & 0x7f) === 0x7f) return Number.NaN;
  if (special === 'ieee' && exponent === 0x7f >> mantissa) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return (sign * fraction * 2 ** (1 - bias)) / steps;
  return sign * 2 ** (exponent - bias) * (1 + fraction / steps);
}

const tables = new Map<Float8, Float32Array>();

function tableOf(type: Float8): Float32Array {
  let table = tables.get(type);
  if (!table) {
    table = Float32Array.from({ length: 256 }, (_, bits) => {
      if (type !== 'e8m0fnu') return float8Value(bits, layouts[type]);
      return bits === 0xff ? Number.NaN : 2 ** (bits - 127);
    });
    tables.set(type, table);
  }
  return table;
}

/** Bit patterns of an eight-bit floating type as float32 numbers (a new array). */
export function decodeFloat8(type: Float8, bits: Uint8Array): Float32Array {
  const table = tableOf(type);
  const out = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = table[bits[i]];
  return out;
}
