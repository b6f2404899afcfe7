import { type DType, type NDArray, ndarray, type Shape, showShape } from '../../engine/ndarray.ts';
import { DataError } from './dataError.ts';
import { decodeBfloat16, decodeFloat16 } from './float16.ts';
import { parseJson } from './json.ts';
import { plainBytes } from './plainBytes.ts';

/** What a `.safetensors` file holds. */
export interface Safetensors {
  readonly tensors: Record<string, NDArray>;
  /** Free text the writer attached (`__metadata__`). */
  readonly metadata: Record<string, string>;
}

/** The format's own limit on its header. */
const maxHeaderBytes = 100_000_000;

/** The header starts after its length, a 64-bit integer. */
const headerOffset = 8;

/** NumPy and PyTorch both stop at 64 axes. */
const maxAxes = 64;

interface StoredType {
  readonly bytes: number;
  /** `data` is aligned to `bytes`. */
  readonly decode: (data: Uint8Array, shape: Shape, place: string) => NDArray;
}

const storedTypes: Readonly<Record<string, StoredType>> = {
  F64: { bytes: 8, decode: (d, shape) => ndarray('float64', shape, new Float64Array(d.buffer, d.byteOffset, d.byteLength / 8)) },
  F32: { bytes: 4, decode: (d, shape) => ndarray('float32', shape, new Float32Array(d.buffer, d.byteOffset, d.byteLength / 4)) },
  F16: { bytes: 2, decode: (d, shape) => ndarray('float32', shape, decodeFloat16(halves(d))) },
  BF16: { bytes: 2, decode: (d, shape) => ndarray('float32', shape, decodeBfloat16(halves(d))) },
  I64: { bytes: 8, decode: (d, shape) => ndarray('int64', shape, new BigInt64Array(d.buffer, d.byteOffset, d.byteLength / 8)) },
  I32: { bytes: 4, decode: (d, shape) => ndarray('int32', shape, new Int32Array(d.buffer, d.byteOffset, d.byteLength / 4)) },
  U8: { bytes: 1, decode: (d, shape) => ndarray('uint8', shape, d) },
  BOOL: {
    bytes: 1,
    decode: (d, shape, place) => {
      const strange = d.findIndex(value => value > 1);
      if (strange >= 0) throw new DataError(place, `expected bools (0 or 1), found ${d[strange]} at element ${strange}`);
      return ndarray('bool', shape, d);
    },
  },
};

function halves(data: Uint8Array): Uint16Array {
  return new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2);
}

/**
 * Reads a `.safetensors` file: F32, F64, I32, I64, U8 and BOOL as they are, F16 and BF16 as float32.
 * Aligned tensors share memory with `file`: treat both as read-only, or copy.
 * @param where the file's name, for messages
 * @throws DataError naming the file and the tensor if a rule of the format is broken: a header that is too long or no JSON, sizes
 *   that do not follow from shape and type, tensors that overlap, leave holes or end elsewhere than the file, unknown types
 */
export function parseSafetensors(file: Uint8Array, where: string): Safetensors {
  const { metadata, tensors } = listSafetensors(file, where);
  return { tensors: Object.fromEntries(tensors.map(({ name, read }) => [name, read()])), metadata };
}

/** A tensor of a `.safetensors` file that is not read yet. */
export interface ListedTensor {
  readonly name: string;
  /** The format's own name of the element type, e.g. `BF16`. */
  readonly type: string;
  readonly shape: Shape;
  readonly bytes: number;
  /** As {@link parseSafetensors} gives it. */
  readonly read: () => NDArray;
}

/** What a `.safetensors` file holds, in the order of its data, without reading values. @throws DataError as {@link parseSafetensors} */
export function listSafetensors(file: Uint8Array, where: string): { tensors: ListedTensor[]; metadata: Record<string, string> } {
  const bytes = plainBytes(file);
  const { header, dataOffset } = readHeader(bytes, where);
  let metadata: Record<string, string> = {};
  const tensors: TensorInfo[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') metadata = checkedMetadata(value, where);
    else tensors.push(checkedInfo(name, value, where));
  }
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let reached = 0;
  for (const { begin, end, place } of tensors) {
    if (begin !== reached)
      throw new DataError(place, `expected its data to start at byte ${reached} (no holes, no overlap), found ${begin}`);
    reached = end;
  }
  const available = bytes.length - dataOffset;
  if (reached !== available) {
    throw new DataError(
      where,
      `its header describes ${reached} bytes of data, found ${available}${reached > available ? ' (truncated file?)' : ''}`,
    );
  }
  const listed = tensors.map(({ name, dtype, type, shape, begin, end, place }): ListedTensor => {
    const read = (): NDArray => {
      let data = bytes.subarray(dataOffset + begin, dataOffset + end);
      if (data.byteOffset % type.bytes !== 0) data = data.slice();
      return type.decode(data, shape, place);
    };
    return { name, type: dtype, shape, bytes: end - begin, read };
  });
  return { tensors: listed, metadata };
}

function readHeader(bytes: Uint8Array, where: string): { header: object; dataOffset: number } {
  if (bytes.length < headerOffset) throw new DataError(where, `expected a .safetensors file, found only ${bytes.length} bytes`);
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(0, true));
  const dataOffset = headerOffset + length;
  if (length > maxHeaderBytes || dataOffset > bytes.length) {
    throw new DataError(
      where,
      `its .safetensors header states ${length} bytes, found ${bytes.length - headerOffset} (truncated, or not such a file?)`,
    );
  }
  const text = bytes.subarray(headerOffset, dataOffset);
  // The format wants the brace first: no white space, no byte-order mark.
  if (text[0] !== 0x7b) throw new DataError(where, 'expected a JSON object as .safetensors header');
  return { header: parseJson(text, `${where}: its .safetensors header`) as object, dataOffset };
}

function checkedMetadata(value: unknown, where: string): Record<string, string> {
  if (
    typeof value !== 'object' ||
    value === null ||
    Array.isArray(value) ||
    Object.values(value).some(text => typeof text !== 'string')
  ) {
    throw new DataError(where, 'expected __metadata__ to map names to strings');
  }
  return value as Record<string, string>;
}

interface TensorInfo {
  readonly name: string;
  readonly place: string;
  readonly dtype: string;
  readonly type: StoredType;
  readonly shape: Shape;
  /** Bytes from the start of the data. */
  readonly begin: number;
  readonly end: number;
}

function isSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function checkedInfo(name: string, value: unknown, where: string): TensorInfo {
  const place = `${where}: tensor ${JSON.stringify(name)}`;
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
  if (typeof dtype !== 'string' || !Object.hasOwn(storedTypes, dtype)) {
    throw new DataError(place, `expected a type out of ${Object.keys(storedTypes).join(', ')}, found ${JSON.stringify(dtype)}`);
  }
  if (!Array.isArray(shape) || shape.length > maxAxes || !shape.every(isSize))
    throw new DataError(place, `impossible shape ${JSON.stringify(shape)}`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize) || offsets[0] > offsets[1]) {
    throw new DataError(place, `expected data_offsets [begin, end], found ${JSON.stringify(offsets)}`);
  }
  const [begin, end] = offsets;
  const type = storedTypes[dtype];
  // A product that overflows cannot equal the (exact) number of bytes it is compared with.
  const needed = shape.includes(0) ? 0 : shape.reduce((product, extent) => product * extent, type.bytes);
  if (end - begin !== needed)
    throw new DataError(place, `shape ${showShape(shape)} of ${dtype} needs ${needed} bytes, found ${end - begin}`);
  return { name, place, dtype, type, shape, begin, end };
}

const storedName: { readonly [D in DType]: string } = {
  float32: 'F32',
  float64: 'F64',
  int32: 'I32',
  int64: 'I64',
  uint8: 'U8',
  bool: 'BOOL',
};

/**
 * Tensors as a `.safetensors` file, in pieces to be written one after the other: the header, then each tensor's own memory (not
 * copied: do not change the tensors before the pieces are written). Widest types first, then in the given order, and the header
 * padded with spaces, so that every tensor is aligned to its type.
 * @throws DataError if a tensor has the reserved name `__metadata__`
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, NDArray>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  const header: [name: string, value: unknown][] = Object.keys(metadata).length > 0 ? [['__metadata__', metadata]] : [];
  const width = (array: NDArray): number => array.data.BYTES_PER_ELEMENT;
  const entries = Object.entries(tensors).sort(([, a], [, b]) => width(b) - width(a));
  let offset = 0;
  for (const [name, { dtype, shape, data }] of entries) {
    if (name === '__metadata__') throw new DataError('safetensors', 'a tensor cannot be named __metadata__');
    header.push([name, { dtype: storedName[dtype], shape, data_offsets: [offset, offset + data.byteLength] }]);
    offset += data.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const length = Math.ceil(text.length / 8) * 8;
  const head = new Uint8Array(headerOffset + length).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(length), true);
  head.set(text, headerOffset);
  return [head, ...entries.map(([, { data }]) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength))];
}
