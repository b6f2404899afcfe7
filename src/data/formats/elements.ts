import { type NDArray, ndarray, type Shape } from '../../engine/ndarray.ts';
import { DataError } from './dataError.ts';
import { decodeFloat8 } from './float8.ts';
import { decodeBfloat16, decodeFloat16 } from './float16.ts';

/** Size in bytes of every element type that files hold and that can be read, by PyTorch's name. */
export const elementBytes = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  float8_e4m3fn: 1,
  float8_e4m3fnuz: 1,
  float8_e5m2: 1,
  float8_e5m2fnuz: 1,
  float8_e8m0fnu: 1,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint64: 8,
  uint32: 4,
  uint16: 2,
  uint8: 1,
  bool: 1,
} as const;

/** An element type of {@link elementBytes}. */
export type ElementType = keyof typeof elementBytes;

/** Whether this is the name of an element type that can be read. */
export function isElementType(name: string): name is ElementType {
  return Object.hasOwn(elementBytes, name);
}

/** Element types by NumPy's codes, without the byte order. */
export const numpyElementTypes: ReadonlyMap<string, ElementType> = new Map([
  ['f8', 'float64'],
  ['f4', 'float32'],
  ['f2', 'float16'],
  ['i8', 'int64'],
  ['i4', 'int32'],
  ['i2', 'int16'],
  ['i1', 'int8'],
  ['u8', 'uint64'],
  ['u4', 'uint32'],
  ['u2', 'uint16'],
  ['u1', 'uint8'],
  ['b1', 'bool'],
]);

/** The element types whose arrays are views of the stored bytes; all others are converted into memory of their own. */
export function isViewable(type: ElementType): boolean {
  return type === 'float32' || type === 'float64' || type === 'int32' || type === 'int64' || type === 'uint8' || type === 'bool';
}

/**
 * An array of little-endian elements in C order. float32, float64, int32, int64, uint8 and bool share memory with `data`; the
 * smaller floating types become float32, int8, int16 and uint16 become int32, uint32 becomes int32 if every value fits and int64
 * otherwise, uint64 becomes int64.
 * @param data exactly the elements of `shape`, aligned to their size
 * @param where the file, and the place in it, for messages
 * @throws DataError if a uint64 value does not fit, or a bool is neither 0 nor 1
 */
export function decodeElements(type: ElementType, data: Uint8Array, shape: Shape, where: string): NDArray {
  return decoders[type](data, shape, where);
}

/** A copy with the bytes of every element of `width` bytes reversed. */
export function byteSwapped(data: Uint8Array, width: number): Uint8Array {
  const out = new Uint8Array(data.length);
  for (let start = 0; start < data.length; start += width) {
    for (let k = 0; k < width; k++) out[start + k] = data[start + width - 1 - k];
  }
  return out;
}

type Decoder = (data: Uint8Array, shape: Shape, where: string) => NDArray;

interface ElementArray<T> {
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): T;
  readonly BYTES_PER_ELEMENT: number;
}

/** `data` (little-endian, aligned) seen as another element type, without a copy. */
function viewAs<T>(type: ElementArray<T>, data: Uint8Array): T {
  return new type(data.buffer, data.byteOffset, data.byteLength / type.BYTES_PER_ELEMENT);
}

const float8 =
  (type: Parameters<typeof decodeFloat8>[0]): Decoder =>
  (data, shape) =>
    ndarray('float32', shape, decodeFloat8(type, data));

const decoders: Readonly<Record<ElementType, Decoder>> = {
  float64: (data, shape) => ndarray('float64', shape, viewAs(Float64Array, data)),
  float32: (data, shape) => ndarray('float32', shape, viewAs(Float32Array, data)),
  float16: (data, shape) => ndarray('float32', shape, decodeFloat16(viewAs(Uint16Array, data))),
  bfloat16: (data, shape) => ndarray('float32', shape, decodeBfloat16(viewAs(Uint16Array, data))),
  float8_e4m3fn: float8('e4m3fn'),
  float8_e4m3fnuz: float8('e4m3fnuz'),
  float8_e5m2: float8('e5m2'),
  float8_e5m2fnuz: float8('e5m2fnuz'),
  float8_e8m0fnu: float8('e8m0fnu'),
  int64: (data, shape) => ndarray('int64', shape, viewAs(BigInt64Array, data)),
  int32: (data, shape) => ndarray('int32', shape, viewAs(Int32Array, data)),
  int16: (data, shape) => ndarray('int32', shape, Int32Array.from(viewAs(Int16Array, data))),
  int8: (data, shape) => ndarray('int32', shape, Int32Array.from(viewAs(Int8Array, data))),
  uint64: (data, shape, where) => {
    const values = viewAs(BigInt64Array, data);
    // Read as signed, exactly the values above 2^63 - 1 look negative.
    const tooLarge = values.findIndex(value => value < 0n);
    if (tooLarge >= 0) {
      throw new DataError(
        where,
        `expected uint64 values below 2^63, found ${BigInt.asUintN(64, values[tooLarge])} at element ${tooLarge}`,
      );
    }
    return ndarray('int64', shape, values);
  },
  uint32: (data, shape) => {
    const values = viewAs(Uint32Array, data);
    return values.every(value => value <= 0x7fffffff)
      ? ndarray('int32', shape, Int32Array.from(values))
      : ndarray('int64', shape, BigInt64Array.from(values, BigInt));
  },
  uint16: (data, shape) => ndarray('int32', shape, Int32Array.from(viewAs(Uint16Array, data))),
  uint8: (data, shape) => ndarray('uint8', shape, data),
  bool: (data, shape, where) => {
    const strange = data.findIndex(value => value > 1);
    if (strange >= 0) throw new DataError(where, `expected bools (0 or 1), found ${data[strange]} at element ${strange}`);
    return ndarray('bool', shape, data);
  },
};
