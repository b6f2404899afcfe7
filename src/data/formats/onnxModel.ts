/** What an ONNX model says about itself: inputs, outputs, weights and operators, without their values. */

import { BinaryReader } from '@bufbuild/protobuf/wire';
import { DataError, messageOf } from './dataError.ts';
import { onnxBytes, onnxElementName } from './onnxTypes.ts';

/** An extent: a number, the name of a free axis, or null for one that is not known. */
export type OnnxExtent = number | string | null;

/** An input or output of a graph. */
export interface OnnxValue {
  readonly name: string;
  /** Element type of a tensor (`float32`), or what else it is (`sequence`, `map`, `optional`, `unknown`). */
  readonly dtype: string;
  /** Null where the file does not state it. */
  readonly shape: readonly OnnxExtent[] | null;
}

/** A constant of the graph, such as a weight. */
export interface OnnxInitializer {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Bytes of its values; undefined for texts and unknown types. */
  readonly bytes: number | undefined;
  /** True if the values are in another file. */
  readonly external: boolean;
}

/** An `onnx.ModelProto` without the values of its tensors. */
export interface OnnxModel {
  readonly irVersion: number;
  /** The program that wrote it with its version, e.g. `pytorch 2.3`; empty if it does not say. */
  readonly producer: string;
  readonly graph: string;
  /** Versions of the operator sets by domain; the standard one is the empty text. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly metadata: ReadonlyMap<string, string>;
  /** What has to be fed: initialisers that are listed as inputs too are left out. */
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly initializers: readonly OnnxInitializer[];
  /** Number of nodes by operator (`Conv`, `com.microsoft.FusedConv`), those of nested graphs (branches, loops) included. */
  readonly operators: ReadonlyMap<string, number>;
}

/** Branches and loops nest a few levels deep; more is no model. */
const maxDepth = 64;

/** ONNX allows no limit; NumPy and all runtimes stop earlier. */
const maxAxes = 64;

/**
 * Reads the description of an ONNX model. What belongs to the values of tensors is passed over, neither decoded nor copied.
 * @param where the file's name, for messages
 * @throws DataError naming the file if it is no ONNX model or is damaged: a field that runs past the end of what holds it, a tensor whose
 *   values do not fit its shape, graphs nested too deep
 */
export function parseOnnxModel(bytes: Uint8Array, where: string): OnnxModel {
  try {
    return readModel(bytes);
  } catch (thrown) {
    throw new DataError(where, `expected an ONNX model, found something else or a damaged one (${messageOf(thrown)})`, {
      cause: thrown,
    });
  }
}

function readModel(bytes: Uint8Array): OnnxModel {
  let irVersion: number | undefined;
  const producer = ['', ''];
  const graphs: Graph[] = [];
  const opsets = new Map<string, number>();
  const metadata = new Map<string, string>();
  const operators = new Map<string, number>();
  readMessage(bytes, {
    1: number(value => {
      irVersion = value;
    }),
    2: text(value => {
      producer[0] = value;
    }),
    3: text(value => {
      producer[1] = value;
    }),
    7: message(value => graphs.push(readGraph(value, operators, 0))),
    8: message(value => readOpset(value, opsets)),
    14: message(value => readEntry(value, metadata)),
  });
  if (irVersion === undefined) throw new Error('it has no format version');
  if (graphs.length !== 1) throw new Error(`it has ${graphs.length === 0 ? 'no graph' : 'two graphs'}`);
  const [{ name, inputs, outputs, initializers }] = graphs;
  const constants = new Set(initializers.map(each => each.name));
  return {
    irVersion,
    producer: producer.filter(part => part !== '').join(' '),
    graph: name,
    opsets,
    metadata,
    inputs: inputs.filter(input => !constants.has(input.name)),
    outputs,
    initializers,
    operators,
  };
}

// --------------------------------------------------------------------------------------------- messages

/** Protobuf's wire types as ONNX uses them. */
const varint = 0;
const fixed64 = 1;
const delimited = 2;
const fixed32 = 5;

/** How a field is encoded, and what is done with it. */
interface Field {
  readonly wires: readonly number[];
  readonly read: (reader: BinaryReader, wire: number) => void;
}

/** Hands the fields of a message that have a number here to their readers, and passes over the others. */
function readMessage(bytes: Uint8Array, fields: Readonly<Record<number, Field>>): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const tag = unsigned(reader);
    const [id, wire] = [tag >>> 3, tag & 7];
    if (tag > 0xffffffff || id === 0) throw new Error('a field of an impossible number');
    const field = fields[id];
    if (!field) skip(reader, wire);
    else if (field.wires.includes(wire)) field.read(reader, wire);
    else throw new Error(`field ${id} has wire type ${wire}`);
    mustBeInside(reader);
  }
}

/** The library takes the lower half of numbers that are too large; lengths must not become small that way. */
function unsigned(reader: BinaryReader): number {
  return Number(reader.uint64());
}

function delimitedBytes(reader: BinaryReader): Uint8Array {
  const start = reader.pos;
  if (unsigned(reader) > reader.len - reader.pos) throw new Error('a field runs past its end');
  reader.pos = start;
  return reader.bytes();
}

/** Passes over a field. Groups, long since given up by protobuf, would nest without end. */
function skip(reader: BinaryReader, wire: number): void {
  if (wire === varint) unsigned(reader);
  else if (wire === delimited) delimitedBytes(reader);
  else if (wire === fixed64) reader.pos += 8;
  else if (wire === fixed32) reader.pos += 4;
  else throw new Error(`wire type ${wire} is not supported`);
}

function mustBeInside(reader: BinaryReader): void {
  if (reader.pos > reader.len) throw new Error('a field runs past its end');
}

/** A number of at least 0. */
function number(take: (value: number) => void): Field {
  return { wires: [varint], read: reader => take(wholeNumber(reader)) };
}

/** Numbers of at least 0, each a field of its own or all in one. */
function numbers(take: (value: number) => void): Field {
  return {
    wires: [varint, delimited],
    read: (reader, wire) => {
      if (wire === varint) return take(wholeNumber(reader));
      const packed = new BinaryReader(delimitedBytes(reader));
      while (packed.pos < packed.len) take(wholeNumber(packed));
    },
  };
}

function wholeNumber(reader: BinaryReader): number {
  const value = Number(reader.int64());
  mustBeInside(reader);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`expected a size or version, found ${value}`);
  return value;
}

function text(take: (value: string) => void): Field {
  return { wires: [delimited], read: reader => take(new TextDecoder('utf-8', { fatal: true }).decode(delimitedBytes(reader))) };
}

/** A message, or bytes. */
function message(take: (value: Uint8Array) => void): Field {
  return { wires: [delimited], read: reader => take(delimitedBytes(reader)) };
}

function readOpset(bytes: Uint8Array, opsets: Map<string, number>): void {
  let [domain, version] = ['', 0];
  readMessage(bytes, {
    1: text(value => {
      domain = value;
    }),
    2: number(value => {
      version = value;
    }),
  });
  opsets.set(domain === 'ai.onnx' ? '' : domain, version);
}

function readEntry(bytes: Uint8Array, entries: Map<string, string>): void {
  const entry = ['', ''];
  readMessage(bytes, {
    1: text(value => {
      entry[0] = value;
    }),
    2: text(value => {
      entry[1] = value;
    }),
  });
  entries.set(entry[0], entry[1]);
}

// ------------------------------------------------------------------------------------------------ graphs

interface Graph {
  readonly name: string;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly initializers: readonly OnnxInitializer[];
}

/** @param operators counts of operators, to which those of this graph are added */
function readGraph(bytes: Uint8Array, operators: Map<string, number>, depth: number): Graph {
  if (depth > maxDepth) throw new Error(`graphs nested more than ${maxDepth} deep`);
  let name = '';
  const [inputs, outputs]: OnnxValue[][] = [[], []];
  const initializers: OnnxInitializer[] = [];
  readMessage(bytes, {
    1: message(value => readNode(value, operators, depth)),
    2: text(value => {
      name = value;
    }),
    5: message(value => initializers.push(readTensor(value))),
    11: message(value => inputs.push(readValue(value))),
    12: message(value => outputs.push(readValue(value))),
  });
  return { name, inputs, outputs, initializers };
}

function readNode(bytes: Uint8Array, operators: Map<string, number>, depth: number): void {
  let [operator, domain] = ['', ''];
  const nested = message(value => void readGraph(value, operators, depth + 1));
  readMessage(bytes, {
    4: text(value => {
      operator = value;
    }),
    // An attribute: one graph, or several.
    5: message(attribute => readMessage(attribute, { 6: nested, 11: nested })),
    7: text(value => {
      domain = value;
    }),
  });
  if (operator === '') throw new Error('a node without operator');
  const name = domain === '' || domain === 'ai.onnx' ? operator : `${domain}.${operator}`;
  operators.set(name, (operators.get(name) ?? 0) + 1);
}

function readTensor(bytes: Uint8Array): OnnxInitializer {
  let [name, type, location] = ['', 0, 0];
  let raw: number | undefined;
  const shape: number[] = [];
  readMessage(bytes, {
    1: numbers(value => {
      if (shape.push(value) > maxAxes) throw new Error(`a tensor of more than ${maxAxes} axes`);
    }),
    2: number(value => {
      type = value;
    }),
    8: text(value => {
      name = value;
    }),
    9: message(value => {
      raw = value.length;
    }),
    14: number(value => {
      location = value;
    }),
  });
  const elements = shape.includes(0) ? 0 : shape.reduce((product, extent) => product * extent, 1);
  const needed = onnxBytes(type, elements);
  if (needed !== undefined && !Number.isSafeInteger(needed)) throw new Error(`initialiser ${name}: impossible shape [${shape}]`);
  if (raw !== undefined && needed !== undefined && raw !== needed)
    throw new Error(`initialiser ${name}: [${shape}] of ${onnxElementName(type)} needs ${needed} bytes, found ${raw}`);
  return { name, dtype: onnxElementName(type), shape, bytes: needed, external: location === 1 };
}

function readValue(bytes: Uint8Array): OnnxValue {
  let name = '';
  let type: Omit<OnnxValue, 'name'> = { dtype: 'unknown', shape: null };
  const other = (dtype: string) =>
    message(() => {
      type = { dtype, shape: null };
    });
  readMessage(bytes, {
    1: text(value => {
      name = value;
    }),
    2: message(value =>
      readMessage(value, {
        1: message(tensor => {
          type = readTensorType(tensor);
        }),
        4: other('sequence'),
        5: other('map'),
        8: other('sparse tensor'),
        9: other('optional'),
      }),
    ),
  });
  return { name, ...type };
}

function readTensorType(bytes: Uint8Array): Omit<OnnxValue, 'name'> {
  let dtype = 'unknown';
  let shape: OnnxExtent[] | null = null;
  readMessage(bytes, {
    1: number(value => {
      dtype = onnxElementName(value);
    }),
    2: message(value => {
      const extents: OnnxExtent[] = [];
      readMessage(value, {
        1: message(dimension => {
          if (extents.push(readExtent(dimension)) > maxAxes) throw new Error(`a tensor of more than ${maxAxes} axes`);
        }),
      });
      shape = extents;
    }),
  });
  return { dtype, shape };
}

function readExtent(bytes: Uint8Array): OnnxExtent {
  let extent: OnnxExtent = null;
  readMessage(bytes, {
    // Some writers state -1 for an extent that is not known.
    1: {
      wires: [varint],
      read: reader => {
        const value = Number(reader.int64());
        extent = Number.isSafeInteger(value) && value >= 0 ? value : null;
      },
    },
    2: text(value => {
      extent = value === '' ? null : value;
    }),
  });
  return extent;
}
