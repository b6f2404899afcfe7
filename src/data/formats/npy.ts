import { type DType, type NDArray, ndarray, type Shape, showShape } from '../../engine/ndarray.ts';
import { DataError } from './dataError.ts';
import { byteSwapped, decodeElements, elementBytes, numpyElementTypes } from './elements.ts';
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
  const type = numpyElementTypes.get(descr.slice(1));
  if (!/^[<>|=]/.test(descr) || type === undefined) {
    throw new DataError(
      where,
      `expected an array of numbers or bools (float16/32/64, int8..64, uint8..64, bool), found type ${JSON.stringify(descr)}`,
    );
  }
  const width = elementBytes[type];
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
  if (descr.startsWith('>') && width > 1) data = byteSwapped(data, width);
  else if (data.byteOffset % width !== 0) data = data.slice();
  const array = decodeElements(type, data, shape, where);
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

/**
 * The head of a `.npy` file, up to its data (format version 1, little-endian, C order; aligned to 64 bytes, as NumPy writes it).
 * @param atLeast bytes it has at least, so that it can be replaced by that of another shape
 */
export function npyHead(dtype: DType, shape: Shape, atLeast = 0): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text = `{'descr': '${descrOf[dtype]}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const head = new Uint8Array(Math.ceil(Math.max(10 + text.length + 1, atLeast) / 64) * 64);
  head.set([...npyMagic, 1, 0]);
  new DataView(head.buffer).setUint16(8, head.length - 10, true);
  head.set(new TextEncoder().encode(`${text.padEnd(head.length - 11)}\n`), 10);
  return head;
}

/** An array as a `.npy` file, with {@link npyHead}. */
export function encodeNpy(array: NDArray): Uint8Array {
  const { dtype, shape, data } = array;
  const head = npyHead(dtype, shape);
  const out = new Uint8Array(head.length + data.byteLength);
  out.set(head);
  out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), head.length);
  return out;
}
