import { type DType, type NDArray, ndarray, type Shape, showShape } from '../../engine/ndarray.ts';
import { DataError } from './dataError.ts';
import { decodeFloat16 } from './float16.ts';
import { npyMagic, parseNpyHeader } from './npyHeader.ts';
import { plainBytes } from './plainBytes.ts';

/**
 * Reads a `.npy` file (format versions 1 to 3; both byte orders; Fortran order is converted to C order).
 *
 * Element types: float32, float64, int32, int64, uint8 and bool stay what they are. float16 becomes float32; int8, int16 and
 * uint16 become int32; uint32 becomes int32 if every value fits and int64 otherwise; uint64 becomes int64 (an error if a value
 * does not fit). All sizes are checked before anything is allocated.
 *
 * The result may share memory with `bytes`: treat both as read-only afterwards.
 *
 * @param where the file's name, for messages
 * @throws DataError naming the file if it is damaged, truncated, too long, or holds no plain numbers
 */
export function parseNpy(bytes: Uint8Array, where: string): NDArray {
  const { header, dataOffset } = parseNpyHeader(bytes, where);
  const { descr, fortranOrder, shape } = header;
  const match = /^([<>|=])([fiub])([1248])$/.exec(descr);
  const type = match && `${match[2]}${match[3]}`;
  if (!match || !type || !(type in decoders)) {
    throw new DataError(
      where,
      `expected an array of numbers or bools (float16/32/64, int8..64, uint8..64, bool), found type ${JSON.stringify(descr)}`,
    );
  }
  const width = Number(match[3]);
  const count = checkedCount(shape, where);
  const expected = count * width;
  const found = bytes.length - dataOffset;
  if (found !== expected) {
    const problem = `shape ${showShape(shape)} of type ${descr} needs ${expected} bytes of data, found ${found}`;
    throw new DataError(
      where,
      found < expected ? `${problem} (truncated file?)` : `${problem}: the file is longer than its header says`,
    );
  }
  let data = plainBytes(bytes).subarray(dataOffset);
  if (match[1] === '>' && width > 1) data = swapped(data, width);
  else if (data.byteOffset % width !== 0) data = data.slice();
  const array = decoders[type](data, shape, where);
  return fortranOrder && shape.length > 1 ? fromFortranOrder(array) : array;
}

/** Number of elements, with the product checked against overflow (a zero extent makes it 0 whatever the others are). */
function checkedCount(shape: Shape, where: string): number {
  if (shape.some(extent => !Number.isSafeInteger(extent))) {
    throw new DataError(where, `impossible shape ${showShape(shape)} in the .npy header`);
  }
  if (shape.includes(0)) return 0;
  let count = 1;
  for (const extent of shape) {
    count *= extent;
    // 2^50 elements of 8 bytes are still an exact number of bytes.
    if (count > 2 ** 50) throw new DataError(where, `impossible shape ${showShape(shape)} in the .npy header`);
  }
  return count;
}

/** A copy with the bytes of every element reversed. */
function swapped(data: Uint8Array, width: number): Uint8Array {
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

const decoders: Readonly<Record<string, Decoder>> = {
  f2: (data, shape) => ndarray('float32', shape, decodeFloat16(viewAs(Uint16Array, data))),
  f4: (data, shape) => ndarray('float32', shape, viewAs(Float32Array, data)),
  f8: (data, shape) => ndarray('float64', shape, viewAs(Float64Array, data)),
  i1: (data, shape) => ndarray('int32', shape, Int32Array.from(viewAs(Int8Array, data))),
  i2: (data, shape) => ndarray('int32', shape, Int32Array.from(viewAs(Int16Array, data))),
  i4: (data, shape) => ndarray('int32', shape, viewAs(Int32Array, data)),
  i8: (data, shape) => ndarray('int64', shape, viewAs(BigInt64Array, data)),
  u1: (data, shape) => ndarray('uint8', shape, data),
  u2: (data, shape) => ndarray('int32', shape, Int32Array.from(viewAs(Uint16Array, data))),
  u4: (data, shape) => {
    const values = viewAs(Uint32Array, data);
    return values.every(value => value <= 0x7fffffff)
      ? ndarray('int32', shape, Int32Array.from(values))
      : ndarray('int64', shape, BigInt64Array.from(values, BigInt));
  },
  u8: (data, shape, where) => {
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
  b1: (data, shape, where) => {
    const strange = data.findIndex(value => value > 1);
    if (strange >= 0) throw new DataError(where, `expected bools (0 or 1), found ${data[strange]} at element ${strange}`);
    return ndarray('bool', shape, data);
  },
};

/** The same array in C order, from data whose *first* index runs fastest. */
function fromFortranOrder<D extends DType>(array: NDArray<D>): NDArray<D> {
  const { shape } = array;
  const from = array.data as { readonly length: number; [index: number]: number | bigint };
  const to = array.data.slice() as typeof from;
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((product, extent) => product * extent, 1));
  const index = shape.map(() => 0);
  let source = 0;
  for (let i = 0; i < from.length; i++) {
    to[i] = from[source];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      source += strides[axis];
      if (++index[axis] < shape[axis]) break;
      source -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return ndarray(array.dtype, shape, to as unknown as NDArray<D>['data']);
}

const descrOf: { readonly [D in DType]: string } = {
  float32: '<f4',
  float64: '<f8',
  int32: '<i4',
  int64: '<i8',
  uint8: '|u1',
  bool: '|b1',
};

/** An array as a `.npy` file (format version 1, little-endian, C order; data aligned to 64 bytes, as NumPy writes it). */
export function encodeNpy(array: NDArray): Uint8Array {
  const { dtype, shape, data } = array;
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text = `{'descr': '${descrOf[dtype]}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const dataOffset = Math.ceil((10 + text.length + 1) / 64) * 64;
  const out = new Uint8Array(dataOffset + data.byteLength);
  out.set([...npyMagic, 1, 0]);
  new DataView(out.buffer).setUint16(8, dataOffset - 10, true);
  out.set(new TextEncoder().encode(`${text.padEnd(dataOffset - 11)}\n`), 10);
  out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), dataOffset);
  return out;
}
