/** Numbers of a file decoded one by one, as far from the readers' way of doing it as may be. */
import fc from 'fast-check';
import { describeFile } from '../../src/data/describe/describeFile.ts';
import type { NDArray } from '../../src/engine/ndarray.ts';
import { ensure } from './format.ts';
import type { Random } from './random.ts';

type Decode = (view: DataView, at: number, little: boolean) => number | bigint;

/** sign, exponent and fraction of a float of 16 bits with `bits` bits of fraction, put together. */
function small(pattern: number, bits: number): number {
  const exponent = (pattern & 0x7fff) >> bits;
  const fraction = (pattern & (2 ** bits - 1)) / 2 ** bits;
  const bias = 2 ** (14 - bits) - 1;
  const largest = 2 ** (15 - bits) - 1;
  const size =
    exponent === largest
      ? fraction
        ? Number.NaN
        : 1 / 0
      : exponent
        ? (1 + fraction) * 2 ** (exponent - bias)
        : fraction * 2 ** (1 - bias);
  return pattern >> 15 ? -size : size;
}

/** Element types: bytes, and how one element is read. Those of one byte and those that become another type included. */
export const decoders: ReadonlyMap<string, readonly [bytes: number, decode: Decode]> = new Map<string, readonly [number, Decode]>(
  [
    ['float64', [8, (v, at, little) => v.getFloat64(at, little)]],
    ['float32', [4, (v, at, little) => v.getFloat32(at, little)]],
    ['float16', [2, (v, at, little) => small(v.getUint16(at, little), 10)]],
    ['bfloat16', [2, (v, at, little) => small(v.getUint16(at, little), 7)]],
    ['int64', [8, (v, at, little) => v.getBigInt64(at, little)]],
    ['int32', [4, (v, at, little) => v.getInt32(at, little)]],
    ['int16', [2, (v, at, little) => v.getInt16(at, little)]],
    ['int8', [1, (v, at) => v.getInt8(at)]],
    ['uint64', [8, (v, at, little) => v.getBigUint64(at, little)]],
    ['uint32', [4, (v, at, little) => v.getUint32(at, little)]],
    ['uint16', [2, (v, at, little) => v.getUint16(at, little)]],
    ['uint8', [1, (v, at) => v.getUint8(at)]],
    ['bool', [1, (v, at) => v.getUint8(at)]],
  ],
);

/** What an element type becomes when it is read; uint32 becomes int32 or int64 as its values ask for. */
const becomes: Readonly<Record<string, readonly string[]>> = {
  float16: ['float32'],
  bfloat16: ['float32'],
  int16: ['int32'],
  int8: ['int32'],
  uint64: ['int64'],
  uint32: ['int32', 'int64'],
  uint16: ['int32'],
};

/** Where the elements of a view lie, in C order, in elements from its first. */
export function gatherOffsets(shape: readonly number[], strides: readonly number[]): number[] {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return Array.from({ length: count }, (_, i) => {
    let rest = i;
    let offset = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      offset += (rest % shape[axis]) * strides[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    return offset;
  });
}

/** Strides of C order, or of Fortran order. */
export function stridesOf(shape: readonly number[], fortran = false): number[] {
  const strides: number[] = [];
  let step = 1;
  const axes = [...shape.keys()];
  for (const axis of fortran ? axes : axes.reverse()) {
    strides[axis] = step;
    step *= shape[axis];
  }
  return strides;
}

/** @throws Wrong unless the array is of this type and shape and holds the elements at these places of the bytes */
export function ensureElements(
  array: NDArray,
  type: string,
  shape: readonly number[],
  raw: { readonly bytes: Uint8Array; readonly start: number; readonly little: boolean; readonly offsets: readonly number[] },
): void {
  const [width, decode] = decoders.get(type)!;
  ensure((becomes[type] ?? [type]).includes(array.dtype), `${type} became ${array.dtype}`);
  ensure(String(array.shape) === String(shape), () => `shape [${array.shape}] instead of [${shape}]`);
  ensure(array.data.length === raw.offsets.length, () => `${array.data.length} values instead of ${raw.offsets.length}`);
  const view = new DataView(raw.bytes.buffer, raw.bytes.byteOffset, raw.bytes.byteLength);
  raw.offsets.forEach((offset, i) => {
    const expected = decode(view, raw.start + offset * width, raw.little);
    const found: number | bigint = array.data[i];
    const same = typeof expected === typeof found ? Object.is(expected, found) : BigInt(expected) === BigInt(found);
    ensure(same, () => `element ${i} is ${found}, not ${expected}`);
  });
}

/** One value that fast-check makes, following from the stream. */
export function sampled<T>(arbitrary: fc.Arbitrary<T>, random: Random): T {
  return fc.sample(arbitrary, { seed: random.uint32() | 0, numRuns: 1 })[0];
}

/** A small shape, zero extents among them. */
export const shapes = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 });

/** What `inkling inspect` says of the bytes must be said, or refused, just as well. */
export function describeToo(bytes: Uint8Array, name: string): void {
  const { format, entries } = describeFile(bytes, name);
  ensure(format !== '' && Array.isArray(entries), 'a description without format');
}
