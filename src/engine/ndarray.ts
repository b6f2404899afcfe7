/** Concrete arrays: a typed array, a shape and an element type, always dense and in C order. */

export type DType = 'float32' | 'float64' | 'int32' | 'int64' | 'uint8' | 'bool';

/** `bool` is stored as 0/1 in a `Uint8Array`, `int64` as a `BigInt64Array`. */
export interface TypedArrays {
  float32: Float32Array;
  float64: Float64Array;
  int32: Int32Array;
  int64: BigInt64Array;
  uint8: Uint8Array;
  bool: Uint8Array;
}

export type Shape = readonly number[];

/** A concrete array. Make one with {@link ndarray}, which checks it. */
export interface NDArray<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: Shape;
  readonly data: TypedArrays[D];
}

const constructors: { readonly [D in DType]: new (length: number) => TypedArrays[D] } = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

/** Smallest and largest number of each integer type (of int64, the largest double in its range). */
const integerRange: { readonly [D in DType]?: readonly [number, number] } = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int64: [-(2 ** 63), 2 ** 63 - 1024],
  uint8: [0, 255],
  bool: [0, 1],
};

/** Whether an element type holds this number: integer types the integers in their range, floating types every number (rounded). */
export function canHold(dtype: DType, value: number): boolean {
  const range = integerRange[dtype];
  return range === undefined || (Number.isInteger(value) && value >= range[0] && value <= range[1]);
}

/** Number of elements of a shape; 1 for the empty shape (a scalar). */
export function sizeOf(shape: Shape): number {
  // The product of the others may be beyond all doubles, and infinity times zero is no number.
  if (shape.includes(0)) return 0;
  let size = 1;
  for (const extent of shape) size *= extent;
  return size;
}

/** `[2, 3]` as it is printed in messages. */
export function showShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/**
 * An array over `data`, without copying it.
 * @throws RangeError if the number of elements is not the product of `shape`.
 */
export function ndarray<D extends DType>(dtype: D, shape: Shape, data: TypedArrays[D]): NDArray<D> {
  if (data.length !== sizeOf(shape)) {
    throw new RangeError(`ndarray: shape ${showShape(shape)} needs ${sizeOf(shape)} elements, got ${data.length}`);
  }
  return { dtype, shape: [...shape], data };
}

/** An array of zeros. */
export function zeros<D extends DType = 'float32'>(shape: Shape, dtype: D = 'float32' as D): NDArray<D> {
  return { dtype, shape: [...shape], data: new constructors[dtype](sizeOf(shape)) };
}

/**
 * A float32 (or other) array from numbers in C order; for tests and small constants.
 * @throws RangeError if the number of elements is not the product of `shape`, or the element type cannot hold a number.
 */
export function fromNumbers<D extends DType = 'float32'>(
  values: readonly number[],
  shape: Shape,
  dtype: D = 'float32' as D,
): NDArray<D> {
  const array = zeros(shape, dtype);
  if (values.length !== array.data.length) {
    throw new RangeError(`fromNumbers: shape ${showShape(shape)} needs ${array.data.length} elements, got ${values.length}`);
  }
  const bad = values.findIndex(value => !canHold(dtype, value));
  if (bad >= 0) throw new RangeError(`fromNumbers: ${dtype} cannot hold ${values[bad]} (element ${bad})`);
  if (dtype === 'int64') (array.data as BigInt64Array).set(values.map(BigInt));
  else (array.data as Float64Array).set(values);
  return array;
}

/**
 * The same numbers as another element type; to an integer type they are rounded towards zero, to bool 0 is false and all else true.
 * Int64 values beyond 2^53 go through the nearest double.
 * @throws RangeError if the element type cannot hold a number.
 */
export function astype<D extends DType>(array: NDArray, dtype: D): NDArray<D> {
  if ((array.dtype as DType) === dtype) return array as NDArray as NDArray<D>;
  const out = zeros(array.shape, dtype);
  const from = array.data as ArrayLike<number | bigint>;
  const integers = dtype === 'int32' || dtype === 'int64' || dtype === 'uint8';
  for (let i = 0; i < from.length; i++) {
    let value = dtype === 'bool' ? (from[i] ? 1 : 0) : Number(from[i]);
    if (integers) {
      value = Math.trunc(value);
      if (!canHold(dtype, value)) throw new RangeError(`astype: ${dtype} cannot hold ${from[i]} (element ${i})`);
    }
    (out.data as { [index: number]: number | bigint })[i] = dtype === 'int64' ? BigInt(value) : value;
  }
  return out;
}

/** True for a value that is an {@link NDArray}. */
export function isNDArray(value: unknown): value is NDArray {
  return (
    typeof value === 'object' &&
    value !== null &&
    'dtype' in value &&
    'shape' in value &&
    ArrayBuffer.isView((value as NDArray).data)
  );
}

/** A copy that shares no memory. */
export function copyOf<D extends DType>(array: NDArray<D>): NDArray<D> {
  return { dtype: array.dtype, shape: array.shape, data: array.data.slice() as TypedArrays[D] };
}
