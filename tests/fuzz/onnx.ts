/** ONNX models: protobuf whose lengths lie, whose types are confused, whose graphs nest without end. */
import { type OnnxModel, parseOnnxModel } from '../../src/data/formats/onnxModel.ts';
import { encodeModel, GraphBuilder } from '../../src/engine/onnx.ts';
import { describeToo } from './elements.ts';
import { ensure, type Format, type Input } from './format.ts';
import { joined, type Material, mutate, tokensOf } from './mutate.ts';
import type { Random } from './random.ts';

// ------------------------------------------------------------------------------------------- a writer

function varint(value: number | bigint): Uint8Array {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    out.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Uint8Array.from(out);
}

const tag = (id: number, wire: number): Uint8Array => varint(id * 8 + wire);
const int = (id: number, value: number | bigint): Uint8Array => joined(tag(id, 0), varint(value));
const sized = (id: number, ...content: readonly Uint8Array[]): Uint8Array => {
  const bytes = joined(...content);
  return joined(tag(id, 2), varint(bytes.length), bytes);
};
const text = (id: number, value: string): Uint8Array => sized(id, new Uint8Array(Buffer.from(value)));

const extent = (value: number | string): Uint8Array => sized(1, typeof value === 'number' ? int(1, value) : text(2, value));
const valueInfo = (id: number, name: string, type: number, shape: readonly (number | string)[]): Uint8Array =>
  sized(id, text(1, name), sized(2, sized(1, int(1, type), sized(2, ...shape.map(extent)))));
const tensor = (name: string, type: number, shape: readonly (number | bigint)[], raw?: Uint8Array): Uint8Array =>
  sized(5, ...shape.map(each => int(1, each)), int(2, type), text(8, name), ...(raw ? [sized(9, raw)] : []));
const node = (operator: string, ...attributes: readonly Uint8Array[]): Uint8Array =>
  sized(1, text(1, 'x'), text(2, 'y'), text(4, operator), ...attributes);
const graph = (...parts: readonly Uint8Array[]): Uint8Array => sized(7, text(2, 'main'), ...parts);
const model = (...parts: readonly Uint8Array[]): Uint8Array =>
  joined(
    int(1, 8),
    text(2, 'pytorch'),
    text(3, '2.3'),
    ...parts,
    sized(8, text(1, ''), int(2, 17)),
    sized(14, text(1, 'key'), text(2, 'value')),
  );

/** A graph in an attribute of a node in a graph, and so on. */
function nested(depth: number): Uint8Array {
  let inner: Uint8Array = node('Identity');
  for (let i = 0; i < depth; i++) inner = node('If', sized(5, sized(6, inner)));
  return inner;
}

// ------------------------------------------------------------------------------ an independent reading

interface Field {
  readonly id: number;
  readonly wire: number;
  readonly value: bigint;
  readonly bytes: Uint8Array;
}

/** The fields of a message, one after the other. @throws Wrong if it is damaged */
function fieldsOf(bytes: Uint8Array): Field[] {
  let at = 0;
  const number = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      ensure(at < bytes.length && shift < 70n, 'a number runs past its end');
      const byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, value);
    }
  };
  const take = (count: bigint): Uint8Array => {
    ensure(count <= BigInt(bytes.length - at), 'a field runs past its end');
    at += Number(count);
    return bytes.subarray(at - Number(count), at);
  };
  const fields: Field[] = [];
  while (at < bytes.length) {
    const next = Number(number());
    ensure(next < 2 ** 32, 'a field of an impossible number');
    const [id, wire] = [next >>> 3, next & 7];
    if (wire === 0) fields.push({ id, wire, value: number(), bytes: new Uint8Array(0) });
    else {
      ensure(wire === 1 || wire === 2 || wire === 5, `wire type ${wire}`);
      fields.push({ id, wire, value: 0n, bytes: take(wire === 1 ? 8n : wire === 5 ? 4n : number()) });
    }
  }
  return fields;
}

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const messages = (fields: readonly Field[], id: number): Uint8Array[] =>
  fields.filter(field => field.id === id).map(field => field.bytes);
const last = (fields: readonly Field[], id: number): Field | undefined => fields.findLast(field => field.id === id);

/** Operators of a graph and those inside it. */
function countNodes(graphBytes: Uint8Array, counts: Map<string, number>): void {
  for (const bytes of messages(fieldsOf(graphBytes), 1)) {
    const fields = fieldsOf(bytes);
    for (const attribute of messages(fields, 5)) {
      for (const { id, bytes: inner } of fieldsOf(attribute)) if (id === 6 || id === 11) countNodes(inner, counts);
    }
    const [operator, domain] = [4, 7].map(id => textOf(last(fields, id)?.bytes ?? new Uint8Array(0)));
    const name = domain === '' || domain === 'ai.onnx' ? operator : `${domain}.${operator}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
}

function dimensionsOf(bytes: Uint8Array): bigint[] {
  return fieldsOf(bytes)
    .filter(field => field.id === 1)
    .flatMap(field => {
      if (field.wire === 0) return [field.value];
      const out: bigint[] = [];
      let value = 0n;
      let shift = 0n;
      for (const byte of field.bytes) {
        value |= BigInt(byte & 127) << shift;
        shift += 7n;
        if (byte < 128) {
          out.push(BigInt.asUintN(64, value));
          [value, shift] = [0n, 0n];
        }
      }
      return out;
    });
}

const widths: Readonly<Record<string, bigint>> = {
  float32: 4n,
  float64: 8n,
  int64: 8n,
  int32: 4n,
  uint8: 1n,
  int8: 1n,
  bool: 1n,
  float16: 2n,
};

function check(bytes: Uint8Array, found: OnnxModel): void {
  const fields = fieldsOf(bytes);
  ensure(BigInt(found.irVersion) === last(fields, 1)?.value, 'another version');
  const graphs = messages(fields, 7);
  ensure(graphs.length === 1, `${graphs.length} graphs`);
  const inside = fieldsOf(graphs[0]);
  const counts = new Map<string, number>();
  countNodes(graphs[0], counts);
  ensure(
    counts.size === found.operators.size && [...counts].every(([name, count]) => found.operators.get(name) === count),
    'other operators',
  );
  const initializers = messages(inside, 5);
  ensure(initializers.length === found.initializers.length, 'other initialisers');
  initializers.forEach((raw, i) => {
    const { shape, bytes: size, dtype, external } = found.initializers[i];
    const dimensions = dimensionsOf(raw);
    ensure(String(dimensions) === String(shape), () => `shape [${shape}] instead of [${dimensions}]`);
    const width = widths[dtype];
    if (width === undefined) return;
    const needed = dimensions.reduce((product, each) => product * each, width);
    ensure(BigInt(size ?? -1) === needed, () => `${size} bytes for [${shape}] of ${dtype}`);
    const values = last(fieldsOf(raw), 9);
    ensure(values === undefined || BigInt(values.bytes.length) === needed || external, 'values that do not fit the shape');
  });
  const names = (id: number): string[] =>
    messages(inside, id).map(each => textOf(last(fieldsOf(each), 1)?.bytes ?? new Uint8Array(0)));
  const constants = new Set(found.initializers.map(each => each.name));
  ensure(String(found.inputs.map(each => each.name)) === String(names(11).filter(name => !constants.has(name))), 'other inputs');
  ensure(String(found.outputs.map(each => each.name)) === String(names(12)), 'other outputs');
  for (const { shape } of [...found.inputs, ...found.outputs]) {
    ensure(
      (shape ?? []).every(each => each === null || typeof each === 'string' || Number.isSafeInteger(each)),
      'an extent that is none',
    );
  }
}

function read(bytes: Uint8Array): unknown {
  const found = parseOnnxModel(bytes, 'x.onnx');
  check(bytes, found);
  // What begins as another format is described as that.
  if (bytes[0] === 8) describeToo(bytes, 'x.onnx');
  return found;
}

// ------------------------------------------------------------------------------------------- inputs

const accepted = (name: string, bytes: Uint8Array): Input => ({ name, bytes, expected: 'accepted' });

function ours(): Uint8Array {
  const builder = new GraphBuilder();
  const sum = builder.node('Add', ['a', 'b']);
  const out = builder.node('Concat', [sum, sum], { axis: { int: 0 } });
  const port = { dtype: 'float32', shape: ['batch', 3] } as const;
  return encodeModel(
    builder,
    [
      { name: 'a', ...port },
      { name: 'b', ...port },
    ],
    [{ name: out, ...port }],
  );
}

const seeds: readonly Input[] = [
  accepted('ours', ours()),
  accepted(
    'as PyTorch writes it',
    model(
      graph(
        valueInfo(11, 'x', 1, ['batch', 3, 224]),
        valueInfo(12, 'y', 1, ['batch', 10]),
        tensor('w', 1, [2, 3], new Uint8Array(24)),
        tensor('scalar', 7, [], new Uint8Array(8)),
        tensor('nothing', 11, [0, 5], new Uint8Array(0)),
        node('Conv', sized(5, text(1, 'pads'), int(8, 1), int(8, 1))),
        node('Relu'),
      ),
    ),
  ),
  accepted('graphs in graphs', model(graph(nested(5), valueInfo(12, 'y', 7, [])))),
  accepted(
    'packed sizes',
    model(graph(sized(5, sized(1, varint(2), varint(300)), int(2, 2), text(8, 'w'), sized(9, new Uint8Array(600))))),
  ),
  accepted(
    'external data',
    model(
      graph(
        sized(5, int(1, 7), int(2, 1), text(8, 'w'), sized(13, text(1, 'location'), text(2, '../../etc/passwd')), int(14, 1)),
      ),
    ),
  ),
];

function generate(random: Random): Input {
  const types: readonly (readonly [number, number])[] = [
    [1, 4],
    [2, 1],
    [7, 8],
    [9, 1],
    [10, 2],
    [11, 8],
  ];
  const initializers = Array.from({ length: random.int(4) }, (_, i) => {
    const [type, width] = random.pick(types);
    const shape = Array.from({ length: random.int(4) }, () => random.int(4));
    return tensor(`w${i}`, type, shape, new Uint8Array(shape.reduce((product, each) => product * each, width)));
  });
  const nodes = Array.from({ length: random.int(6) }, () =>
    random.once(4) ? nested(random.int(6)) : node(random.pick(['Add', 'Conv', 'Gelu'])),
  );
  const ports = [11, 12].map(id => valueInfo(id, `v${id}`, 1, [random.int(10), 'time', -1]));
  return accepted('generated', model(graph(...initializers, ...nodes, ...ports)));
}

/** A message with one of its parts mutated, and the lengths of what holds it set anew. */
function restructure(random: Random, material: Material): Uint8Array {
  const part = random.pick([
    valueInfo(11, 'x', 1, ['batch', 3]),
    tensor('w', 1, [2, 3], new Uint8Array(24)),
    node('If', sized(5, sized(6, node('Add')))),
  ]);
  const damaged = mutate(part, material, random);
  const inside = random.once(2) ? damaged : sized(random.pick([1, 5, 11, 12]), mutate(part.subarray(2), material, random));
  return model(random.once(12) ? inside : graph(random.once(2) ? joined(valueInfo(12, 'y', 1, [1]), inside) : inside));
}

const attack = (name: string, bytes: Uint8Array): Input => ({ name, bytes, expected: 'rejected' });
const far = 2n ** 62n;
const attacks = (): readonly Input[] => [
  attack('graphs 1000 deep', model(graph(nested(1000)))),
  attack('groups 100,000 deep', model(graph(node('Add')), new Uint8Array(100_000).fill(0x7b))),
  attack('groups that end', joined(model(graph(node('Add'))), new Uint8Array(50).fill(0x7b), new Uint8Array(50).fill(0x7c))),
  attack(
    'groups 100,000 deep that end',
    joined(model(graph(node('Add'))), new Uint8Array(100_000).fill(0x7b), new Uint8Array(100_000).fill(0x7c)),
  ),
  attack('a length of 2^32 - 1', joined(int(1, 8), tag(7, 2), varint(0xffffffff))),
  attack('a length of 2^63', joined(int(1, 8), tag(7, 2), varint(2n ** 63n))),
  attack('a negative length', joined(int(1, 8), tag(7, 2), varint(-1))),
  attack('a number without end', joined(int(1, 8), tag(7, 0), new Uint8Array(1000).fill(0xff))),
  attack('a graph that is a number', joined(int(1, 8), int(7, 1))),
  attack('a version that is a text', joined(text(1, '8'), graph(node('Add')))),
  attack('a version of 2^63', joined(int(1, 2n ** 63n), graph(node('Add')))),
  attack('two graphs', model(graph(), graph())),
  attack('a product beyond 2^64', model(graph(tensor('w', 1, [far, 4])))),
  attack('a product beyond all doubles', model(graph(tensor('w', 1, new Array<number>(60).fill(2 ** 53 - 1))))),
  attack('a product that wraps to what there is', model(graph(tensor('w', 2, [2n ** 32n, 2n ** 32n], new Uint8Array(0))))),
  accepted(
    'zero times all of it',
    model(graph(tensor('w', 1, [...new Array<number>(60).fill(2 ** 53 - 1), 0], new Uint8Array(0)))),
  ),
  attack('negative sizes', model(graph(tensor('w', 1, [-1, -4], new Uint8Array(16))))),
  attack('65 sizes', model(graph(tensor('w', 1, new Array<number>(65).fill(1), new Uint8Array(4))))),
  attack('a million sizes', model(graph(sized(5, sized(1, new Uint8Array(1_000_000).fill(1)), int(2, 1))))),
  attack('a long name of a wrong tensor', model(graph(tensor('x'.repeat(100_000), 1, [2], new Uint8Array(4))))),
  attack('a name that clears the screen', model(graph(tensor('\x1b[2J\n\x9b', 1, [2], new Uint8Array(4))))),
  attack('no graph', int(1, 8)),
  attack('nothing', new Uint8Array(0)),
  {
    name: 'a hundred thousand nodes',
    bytes: model(
      graph(joined(...Array.from({ length: 20_000 }, () => joined(node('A'), node('B'), node('C'), node('D'), node('E'))))),
    ),
    expected: 'accepted',
  },
  {
    name: 'a prototype',
    bytes: model(graph(node('__proto__'), node('constructor'), tensor('__proto__', 1, [1], new Uint8Array(4)))),
    expected: 'accepted',
  },
];

export const onnxFormat: Format = {
  name: 'onnx',
  seeds,
  attacks,
  tokens: [
    ...tokensOf(
      [0x08, 0x08],
      [0x3a],
      [0x0b],
      [0x0c],
      [0x7b],
      [0x7c],
      [0xff, 0xff, 0xff, 0xff, 0x0f],
      'ai.onnx',
      'If',
      '__proto__',
    ),
    ...tokensOf(
      [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
      [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
    ),
    node('Add'),
    int(2, 1),
    sized(5, sized(6)),
  ],
  generate,
  restructure,
  read,
};
