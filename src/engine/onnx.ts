import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { type DType, type NDArray, ndarray, type Shape } from './ndarray.ts';

/** Element types as `onnx.TensorProto.DataType` numbers. */
const elementType: { readonly [D in DType]: number } = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9, float64: 11 };

/** An ONNX attribute. The kinds are written out because a JavaScript number does not say whether it is an integer. */
export type Attribute = { int: number } | { float: number } | { text: string } | { ints: readonly number[] };

interface NodeProto {
  op: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: Readonly<Record<string, Attribute>>;
}

/** A named input or output; an extent may be a symbolic name. */
export interface Port {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly (number | string)[];
}

/** Collects the nodes of an ONNX graph. Ops lower themselves onto it; {@link encodeModel} writes it. */
export class GraphBuilder {
  readonly nodes: NodeProto[] = [];
  readonly initializers: { name: string; array: NDArray }[] = [];
  #names = 0;
  readonly #constants = new Map<string, string>();
  readonly #share: boolean;

  /** @param options.share whether small equal constants become one initializer; default true */
  constructor({ share = true }: { readonly share?: boolean } = {}) {
    this.#share = share;
  }

  /** A node with one output; returns the output's name. */
  node(op: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}): string {
    return this.nodeWith(1, op, inputs, attributes)[0];
  }

  /** A node with `count` outputs. */
  nodeWith(count: number, op: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}): string[] {
    const outputs = Array.from({ length: count }, () => `t${this.#names++}`);
    this.nodes.push({ op, inputs, outputs, attributes });
    return outputs;
  }

  /** An initializer; small equal ones are shared. */
  constant(array: NDArray): string {
    const isShared = this.#share && array.data.length <= 64;
    const key = isShared ? `${array.dtype}[${array.shape}]${array.data.join()}${signs(array)}` : undefined;
    const known = key === undefined ? undefined : this.#constants.get(key);
    if (known !== undefined) return known;
    const name = `c${this.#names++}`;
    this.initializers.push({ name, array });
    if (key !== undefined) this.#constants.set(key, name);
    return name;
  }

  /** A 1-D int64 constant (axes, shapes, starts, …). */
  ints(values: readonly number[]): string {
    return this.constant(ndarray('int64', [values.length], BigInt64Array.from(values, BigInt)));
  }

  /** A scalar of a floating or integer type. */
  scalar(value: number, dtype: DType): string {
    if (dtype === 'int64') return this.constant(ndarray('int64', [], BigInt64Array.of(BigInt(value))));
    if (dtype === 'float64') return this.constant(ndarray('float64', [], Float64Array.of(value)));
    if (dtype === 'int32') return this.constant(ndarray('int32', [], Int32Array.of(value)));
    if (dtype === 'float32') return this.constant(ndarray('float32', [], Float32Array.of(value)));
    return this.constant(ndarray(dtype, [], Uint8Array.of(value)));
  }

  /** An initializer under a name of its own, which no other value may have. */
  parameter(name: string, array: NDArray): string {
    this.initializers.push({ name, array });
    return name;
  }

  /** A second name for a value, such as an output's. */
  named(name: string, x: string): void {
    this.nodes.push({ op: 'Identity', inputs: [x], outputs: [name], attributes: {} });
  }

  reshape(x: string, shape: Shape): string {
    return this.node('Reshape', [x, this.ints(shape)], { allowzero: { int: 1 } });
  }

  transpose(x: string, permutation: readonly number[]): string {
    return this.node('Transpose', [x], { perm: { ints: permutation } });
  }

  cast(x: string, dtype: DType): string {
    return this.node('Cast', [x], { to: { int: elementType[dtype] } });
  }
}

/** `0` and `-0` print alike but are different constants. */
function signs(array: NDArray): string {
  return array.dtype.startsWith('float') && (array.data as Float32Array).some(v => Object.is(v, -0)) ? '-' : '';
}

/**
 * Writes an `onnx.ModelProto` (IR 10, opset 21).
 * @param metadata key-value pairs stored in the model.
 */
export function encodeModel(
  graph: GraphBuilder,
  inputs: readonly Port[],
  outputs: readonly Port[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const w = new BinaryWriter();
  w.tag(1, 0).int64(10);
  w.tag(2, 2).string('inkling');
  w.tag(7, 2).fork();
  for (const node of graph.nodes) writeNode(w, node);
  w.tag(2, 2).string('inkling');
  for (const { name, array } of graph.initializers) writeTensor(w, name, array);
  for (const port of inputs) writePort(w, 11, port);
  for (const port of outputs) writePort(w, 12, port);
  w.join();
  w.tag(8, 2).fork().tag(2, 0).int64(21).join();
  for (const [key, value] of Object.entries(metadata)) w.tag(14, 2).fork().tag(1, 2).string(key).tag(2, 2).string(value).join();
  return w.finish();
}

function writeNode(w: BinaryWriter, node: NodeProto): void {
  w.tag(1, 2).fork();
  for (const input of node.inputs) w.tag(1, 2).string(input);
  for (const output of node.outputs) w.tag(2, 2).string(output);
  w.tag(3, 2).string(`${node.op}/${node.outputs[0]}`);
  w.tag(4, 2).string(node.op);
  for (const [name, value] of Object.entries(node.attributes)) {
    w.tag(5, 2).fork().tag(1, 2).string(name);
    if ('float' in value) w.tag(2, 5).float(value.float).tag(20, 0).int32(1);
    else if ('int' in value) w.tag(3, 0).int64(value.int).tag(20, 0).int32(2);
    else if ('text' in value) w.tag(4, 2).string(value.text).tag(20, 0).int32(3);
    else {
      for (const int of value.ints) w.tag(8, 0).int64(int);
      w.tag(20, 0).int32(7);
    }
    w.join();
  }
  w.join();
}

function writeTensor(w: BinaryWriter, name: string, array: NDArray): void {
  w.tag(5, 2).fork();
  for (const extent of array.shape) w.tag(1, 0).int64(extent);
  w.tag(2, 0).int32(elementType[array.dtype]);
  w.tag(8, 2).string(name);
  w.tag(9, 2).bytes(new Uint8Array(array.data.buffer, array.data.byteOffset, array.data.byteLength));
  w.join();
}

function writePort(w: BinaryWriter, field: number, port: Port): void {
  w.tag(field, 2).fork().tag(1, 2).string(port.name);
  w.tag(2, 2).fork().tag(1, 2).fork();
  w.tag(1, 0).int32(elementType[port.dtype]);
  w.tag(2, 2).fork();
  for (const extent of port.shape) {
    w.tag(1, 2).fork();
    if (typeof extent === 'number') w.tag(1, 0).int64(extent);
    else w.tag(2, 2).string(extent);
    w.join();
  }
  w.join().join().join().join();
}
