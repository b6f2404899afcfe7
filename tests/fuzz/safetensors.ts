/** `.safetensors`: headers that lie, overlap, leave holes, nest deeply, or name the prototype. */
import fc from 'fast-check';
import { encodeSafetensors, parseSafetensors } from '../../src/data/formats/safetensors.ts';
import { fromNumbers, type NDArray } from '../../src/engine/ndarray.ts';
import { decoders, describeToo, ensureElements, gatherOffsets, sampled, shapes, stridesOf } from './elements.ts';
import { ensure, type Format, type Input } from './format.ts';
import { changedJson, keyTwice } from './jsonTree.ts';
import { joined, type Material, mutate, tokensOf } from './mutate.ts';
import type { Random } from './random.ts';

const typeOf: Readonly<Record<string, string>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
  U8: 'uint8',
  BOOL: 'bool',
};

/** A file of any header text, whose length it states rightly. */
export function safetensorsFile(header: string, data: Uint8Array): Uint8Array {
  const text = new Uint8Array(Buffer.from(header));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(text.length), true);
  return joined(length, text, data);
}

interface Header {
  readonly [name: string]: { readonly dtype: string; readonly shape: number[]; readonly data_offsets: [number, number] };
}

function read(bytes: Uint8Array): unknown {
  const { tensors, metadata } = parseSafetensors(bytes, 'x.safetensors');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = 8 + view.getUint32(0, true);
  const text = Buffer.from(bytes.subarray(8, start)).toString('utf8');
  const twice = keyTwice(text);
  ensure(twice === undefined, () => `the key ${twice} is there twice`);
  const { __metadata__: said = {}, ...header } = JSON.parse(text) as Header & { __metadata__?: object };
  ensure(!Array.isArray(said), 'metadata that are a list');
  ensure(Object.keys(said).length === Object.keys(metadata).length, 'metadata are lost');
  for (const [key, value] of Object.entries(said)) {
    ensure(
      typeof value === 'string' && Object.getOwnPropertyDescriptor(metadata, key)?.value === value,
      `metadata ${key} are lost`,
    );
  }
  ensure(Object.keys(header).length === Object.keys(tensors).length, 'tensors are lost');
  // Every byte of the data belongs to exactly one tensor.
  const uses = new Uint8Array(bytes.length - start);
  for (const [name, { dtype, shape, data_offsets: range }] of Object.entries(header)) {
    const type = typeOf[dtype];
    ensure(Object.hasOwn(typeOf, dtype) && Object.hasOwn(tensors, name), `the tensor ${name} is lost`);
    const offsets = gatherOffsets(shape, stridesOf(shape));
    ensure(range[1] - range[0] === offsets.length * decoders.get(type)![0], `${name} is not of the size of its shape`);
    ensureElements(tensors[name], type, shape, { bytes, start: start + range[0], little: true, offsets });
    for (let at = range[0]; at < range[1]; at++) uses[at]++;
  }
  ensure(
    uses.every(count => count === 1),
    'bytes that belong to no tensor, or to two',
  );
  const again = parseSafetensors(joined(...encodeSafetensors(tensors, metadata)), 'again.safetensors');
  ensure(Object.keys(again.tensors).length === Object.keys(tensors).length, 'writing and reading changes it');
  describeToo(bytes, 'x.safetensors');
  return tensors;
}

const some: Readonly<Record<string, NDArray>> = {
  'conv.weight': fromNumbers([1, 2, 3, 4, 5, 6], [2, 3]),
  'conv.bias': fromNumbers([0.5, -0.5], [2], 'float64'),
  steps: fromNumbers([7], [], 'int64'),
  mask: fromNumbers([1, 0, 1], [3], 'bool'),
  nothing: fromNumbers([], [0, 4], 'int32'),
};
const accepted = (name: string, bytes: Uint8Array): Input => ({ name, bytes, expected: 'accepted' });
const header = {
  __metadata__: { format: 'pt', inkling: '{}' },
  w: { dtype: 'F32', shape: [2, 2], data_offsets: [0, 16] },
  h: { dtype: 'F16', shape: [4], data_offsets: [16, 24] },
  b: { dtype: 'BF16', shape: [1, 3], data_offsets: [24, 30] },
  u: { dtype: 'U8', shape: [], data_offsets: [30, 31] },
};
const data = Uint8Array.from({ length: 31 }, (_, i) => i);
const seeds: readonly Input[] = [
  accepted('ours', joined(...encodeSafetensors(some, { step: '3' }))),
  accepted('without alignment', safetensorsFile(JSON.stringify(header), data)),
  accepted('padded', safetensorsFile(`${JSON.stringify(header)}     `, data)),
  accepted('nothing', safetensorsFile('{}', new Uint8Array(0))),
];

const anyTensors = fc.record({
  shapes: fc.dictionary(fc.string({ maxLength: 8 }), shapes, { maxKeys: 4 }),
  metadata: fc.dictionary(fc.string({ maxLength: 6 }), fc.string({ maxLength: 10 }), { maxKeys: 3 }),
});

function generate(random: Random): Input {
  const { shapes: made, metadata } = sampled(anyTensors, random);
  const arrays = Object.entries(made).map(([name, shape]) => {
    const count = shape.reduce((product, extent) => product * extent, 1);
    const dtype = random.pick(['float32', 'float64', 'int32', 'int64', 'uint8'] as const);
    return [
      name,
      fromNumbers(
        Array.from({ length: count }, () => random.int(200)),
        shape,
        dtype,
      ),
    ] as const;
  });
  return accepted('generated', joined(...encodeSafetensors(Object.fromEntries(arrays), metadata)));
}

function restructure(random: Random, material: Material): Uint8Array {
  const text = random.once(3)
    ? Buffer.from(mutate(new Uint8Array(Buffer.from(JSON.stringify(header))), material, random)).toString('latin1')
    : changedJson(header, random);
  return safetensorsFile(text, random.once(6) ? data.subarray(0, random.int(32)) : data);
}

const attack = (name: string, text: string, bytes = new Uint8Array(0), expected: Input['expected'] = 'rejected'): Input => ({
  name,
  bytes: safetensorsFile(text, bytes),
  expected,
});
const entry = (shape: string, range: string, dtype = 'F32'): string =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":${range}}`;
const four = new Uint8Array(4);
const attacks = (): readonly Input[] => [
  attack('nested lists', '['.repeat(100_000)),
  attack('nested lists that end', `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`),
  attack('a nested shape', `{"a":${entry(`${'['.repeat(100_000)}${']'.repeat(100_000)}`, '[0,4]')}}`, four),
  attack('a nested type', `{"a":{"dtype":${'['.repeat(100_000)}${']'.repeat(100_000)},"shape":[1],"data_offsets":[0,4]}}`, four),
  attack('a prototype as metadata', '{"__metadata__":{"__proto__":"x","constructor":"y"}}', new Uint8Array(0), 'accepted'),
  attack('a prototype as tensor', `{"__proto__":${entry('[1]', '[0,4]')}}`, four, 'accepted'),
  attack('a type of all objects', `{"a":${entry('[1]', '[0,4]', 'constructor')}}`, four),
  attack('metadata as list', '{"__metadata__":["a"]}'),
  attack('metadata with numbers', '{"__metadata__":{"a":1}}'),
  attack('a tensor twice', `{"a":${entry('[9]', '[0,36]')},"a":${entry('[1]', '[0,4]')}}`, four),
  attack('a tensor twice, once escaped', `{"a":${entry('[1]', '[0,4]')},"\\u0061":${entry('[1]', '[0,4]')}}`, four),
  attack('metadata twice', `{"__metadata__":{"a":"1","a":"2"}}`),
  attack(
    'a product beyond all doubles, times zero',
    `{"a":${entry(`[${'9007199254740991,'.repeat(30)}0]`, '[0,0]')}}`,
    new Uint8Array(0),
    'accepted',
  ),
  attack('a product that wraps', `{"a":${entry('[4294967296,4294967296,1]', '[0,4]')}}`, four),
  attack('fractions', `{"a":${entry('[1.5]', '[0,6]')}}`, new Uint8Array(6)),
  attack('overlap', `{"a":${entry('[1]', '[0,4]')},"b":${entry('[1]', '[0,4]')}}`, four),
  attack('a long name', `{"${'x'.repeat(100_000)}":1}`),
  attack('a long type', `{"a":${entry('[1]', '[0,4]', 'x'.repeat(100_000))}}`, four),
  attack('a long shape', `{"a":${entry(`[${'1,'.repeat(100_000)}-1]`, '[0,4]')}}`, four),
  attack('a long shape that is true', `{"a":${entry(`[${'1,'.repeat(100_000)}1]`, '[0,4]')}}`, four),
  { name: 'a header of 2^63 bytes', bytes: Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 128, 123, 125]), expected: 'rejected' },
];

export const safetensorsFormat: Format = {
  name: 'safetensors',
  seeds,
  attacks,
  tokens: tokensOf(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '"__proto__":',
    '"__metadata__":',
    '"dtype":',
    '"shape":',
    '"data_offsets":',
    '"F32"',
    '"I64"',
    '"BOOL"',
    '[0,4]',
    '1e400',
    '\\ud800',
    ' ',
  ),
  generate,
  restructure,
  read,
};
