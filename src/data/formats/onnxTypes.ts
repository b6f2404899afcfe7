/** Element types of ONNX tensors. */

/** Name and width in bits by the number in `onnx.TensorProto.DataType`; texts have no width. */
const elementTypes: ReadonlyMap<number, readonly [name: string, bits: number | undefined]> = new Map([
  [1, ['float32', 32]],
  [2, ['uint8', 8]],
  [3, ['int8', 8]],
  [4, ['uint16', 16]],
  [5, ['int16', 16]],
  [6, ['int32', 32]],
  [7, ['int64', 64]],
  [8, ['string', undefined]],
  [9, ['bool', 8]],
  [10, ['float16', 16]],
  [11, ['float64', 64]],
  [12, ['uint32', 32]],
  [13, ['uint64', 64]],
  [14, ['complex64', 64]],
  [15, ['complex128', 128]],
  [16, ['bfloat16', 16]],
  [17, ['float8_e4m3fn', 8]],
  [18, ['float8_e4m3fnuz', 8]],
  [19, ['float8_e5m2', 8]],
  [20, ['float8_e5m2fnuz', 8]],
  [21, ['uint4', 4]],
  [22, ['int4', 4]],
  [23, ['float4_e2m1', 4]],
]);

/** The name of an element type; `type 99` for one that is not known here. */
export function onnxElementName(type: number): string {
  return elementTypes.get(type)?.[0] ?? `type ${type}`;
}

/** Bytes that so many elements take; undefined for texts and unknown types. */
export function onnxBytes(type: number, elements: number): number | undefined {
  const bits = elementTypes.get(type)?.[1];
  return bits === undefined ? undefined : Math.ceil((elements * bits) / 8);
}
