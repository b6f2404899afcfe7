import { type NDArray, type Shape, showShape } from '../../engine/ndarray.ts';
import { DataError } from './dataError.ts';
import { byteSwapped, decodeElements, isElementType, isViewable } from './elements.ts';
import { torchElementBytes } from './torchTypes.ts';

/** Bytes that tensors are views of. */
export interface TensorStorage {
  /** The file and the part of it, for messages. */
  readonly where: string;
  readonly byteLength: number;
  readonly bigEndian: boolean;
  /**
   * The bytes, checked as far as the file has a checksum, and aligned to their elements; the same memory each time.
   * @throws DataError if they are damaged, or there are none
   */
  read(): Uint8Array;
}

/** Which elements of a storage a tensor consists of. */
export interface TensorLayout {
  /** PyTorch's name of the element type, without `torch.`. */
  readonly dtype: string;
  readonly shape: Shape;
  /** Distances in elements between neighbours along each axis. */
  readonly strides: readonly number[];
  /** In bytes, from the start of the storage. */
  readonly byteOffset: number;
}

/** NumPy and PyTorch both stop at 64 axes. */
const maxAxes = 64;

/**
 * A tensor of a checkpoint, whose numbers are read when they are asked for. Make one with {@link storedTensor} or
 * {@link unreadableTensor}.
 */
export class StoredTensor {
  /** PyTorch's name of the element type, without `torch.`: `float32`, `bfloat16`, `int64`. */
  readonly dtype: string;
  readonly shape: Shape;
  /** False for one that is known by shape and type only, which {@link read} refuses. */
  readonly readable: boolean;
  readonly #content: Content;

  /** @internal */
  constructor(dtype: string, shape: Shape, content: Content) {
    this.dtype = dtype;
    this.shape = shape;
    this.readable = 'storage' in content;
    this.#content = content;
  }

  /**
   * The tensor's numbers in C order: float32, float64, int32, int64, uint8 and bool as they are, smaller floating types as float32,
   * int8, int16 and uint16 as int32, uint32 as int32 if every value fits and int64 otherwise, uint64 as int64. A tensor that lies in
   * the file as it is shares memory with it, and with other tensors of the same storage: treat it as read-only, or copy it.
   * @throws DataError if the file is damaged there, or this kind of tensor cannot be read (complex, quantised, sparse, nested, or
   *   without data), or a value does not fit
   */
  read(): NDArray {
    if ('storage' in this.#content) return readTensor(this.#content.storage, this.#content.layout);
    const { where, kind } = this.#content;
    throw new DataError(where, `a ${kind}tensor ${showShape(this.shape)} of type ${this.dtype} cannot be read`);
  }
}

/** Where a tensor's elements are, or why they cannot be read: its kind, as in "sparse ", or empty if the element type says it. */
type Content =
  | { readonly storage: TensorStorage; readonly layout: TensorLayout }
  | { readonly where: string; readonly kind: string };

/** Kinds of tensors whose numbers are not read, where the element type does not say it already. */
export type UnreadableKind = 'sparse' | 'nested' | 'meta' | 'quantised' | 'negated' | 'NumPy';

/** A tensor that is known by shape and type only; reading it is an error. */
export function unreadableTensor(dtype: string, shape: Shape, where: string, kind: UnreadableKind | undefined): StoredTensor {
  return new StoredTensor(dtype, shape, { where, kind: kind ? `${kind} ` : '' });
}

/**
 * A tensor over a storage; sizes, strides and offset are integers that are not negative.
 * @returns the tensor, and how many bytes reading it takes beside the storage's own
 * @throws Error with what `error` makes of the problem, if the layout is impossible or goes beyond the storage
 */
export function storedTensor(
  storage: TensorStorage,
  layout: TensorLayout,
  error: (problem: string) => Error,
): { tensor: StoredTensor; bytes: number } {
  const { dtype, shape, strides, byteOffset } = layout;
  const width = torchElementBytes.get(dtype);
  if (width === undefined) throw error(`unknown element type ${JSON.stringify(dtype.slice(0, 60))}`);
  if (shape.length !== strides.length || shape.length > maxAxes) {
    throw error(`a tensor of ${shape.length} axes with ${strides.length} strides`);
  }
  const count = countOf(shape);
  if (count > 2 ** 50) throw error(`a tensor of the impossible shape ${showShape(shape)}`);
  // A tensor without elements may be anywhere: slicing off everything leaves its offset behind the end.
  const end = count === 0 ? 0 : byteOffset + (1 + furthest(layout)) * width;
  if (end > storage.byteLength) {
    throw error(
      `a tensor ${showShape(shape)} of type ${dtype} reaches to byte ${end} of a storage of ${storage.byteLength} bytes`,
    );
  }
  if (!isElementType(dtype)) return { tensor: unreadableTensor(dtype, shape, storage.where, undefined), bytes: 0 };
  const shares = isViewable(dtype) && !storage.bigEndian && isContiguous(layout) && byteOffset % width === 0;
  return { tensor: new StoredTensor(dtype, shape, { storage, layout }), bytes: shares ? 0 : count * Math.max(width, 4) };
}

/** Number of elements; 0 if any extent is 0, whatever the others are. */
function countOf(shape: Shape): number {
  if (shape.includes(0)) return 0;
  return shape.reduce((product, extent) => product * extent, 1);
}

/** Distance in elements from the first to the last, of a tensor that has any. */
function furthest({ shape, strides }: TensorLayout): number {
  return shape.reduce((sum, extent, axis) => sum + (extent - 1) * strides[axis], 0);
}

/** Whether the elements lie one after the other in C order. Strides of axes of one element do not matter. */
function isContiguous({ shape, strides }: TensorLayout): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] === 1) continue;
    if (strides[axis] !== expected) return false;
    expected *= shape[axis];
  }
  return true;
}

function readTensor(storage: TensorStorage, layout: TensorLayout): NDArray {
  const { dtype, shape, byteOffset } = layout;
  if (!isElementType(dtype)) throw new DataError(storage.where, `elements of type ${dtype} cannot be read`);
  const width = torchElementBytes.get(dtype)!;
  const count = countOf(shape);
  const all = storage.read();
  let data: Uint8Array;
  if (count === 0) data = new Uint8Array(0);
  else if (isContiguous(layout)) data = all.subarray(byteOffset, byteOffset + count * width);
  else data = gathered(all, layout, count, width, storage.where);
  if (storage.bigEndian && width > 1) data = byteSwapped(data, width);
  else if (data.byteOffset % width !== 0) data = data.slice();
  return decodeElements(dtype, data, shape, storage.where);
}

/** The elements of a view with strides, packed in C order. */
function gathered(all: Uint8Array, layout: TensorLayout, count: number, width: number, where: string): Uint8Array {
  const { shape, strides, byteOffset } = layout;
  const out = allocated(count * width, where);
  const last = shape.length - 1;
  const inner = shape[last];
  const step = strides[last] * width;
  const index = new Array<number>(shape.length).fill(0);
  let from = byteOffset;
  for (let at = 0; at < out.length; ) {
    for (let i = 0, source = from; i < inner; i++, source += step) {
      for (let k = 0; k < width; k++) out[at++] = all[source + k];
    }
    for (let axis = last - 1; axis >= 0; axis--) {
      from += strides[axis] * width;
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * width * shape[axis];
      index[axis] = 0;
    }
  }
  return out;
}

function allocated(length: number, where: string): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch (thrown) {
    throw new DataError(where, `needs ${length} bytes of memory, which there are not`, { cause: thrown });
  }
}
