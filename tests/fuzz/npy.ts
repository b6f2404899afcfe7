/** `.npy`: headers of all versions, both byte orders, Fortran order, every element type. */
import fc from 'fast-check';
import { encodeNpy, parseNpy } from '../../src/data/formats/npy.ts';
import { decoders, ensureElements, gatherOffsets, sampled, shapes, stridesOf } from './elements.ts';
import { ensure, type Format, type Input } from './format.ts';
import { joined, type Material, mutate, tokensOf } from './mutate.ts';
import type { Random } from './random.ts';

const typeOf: Readonly<Record<string, string>> = {
  f8: 'float64',
  f4: 'float32',
  f2: 'float16',
  i8: 'int64',
  i4: 'int32',
  i2: 'int16',
  i1: 'int8',
  u8: 'uint64',
  u4: 'uint32',
  u2: 'uint16',
  u1: 'uint8',
  b1: 'bool',
};

/** A file of any version with any header text, whose length it states rightly. */
export function npyFile(header: string, data: Uint8Array, version = 1): Uint8Array {
  const text = new Uint8Array(Buffer.from(header, 'latin1'));
  const start = Uint8Array.from([0x93, ...Buffer.from('NUMPY'), version, 0, ...new Array<number>(version === 1 ? 2 : 4).fill(0)]);
  const view = new DataView(start.buffer);
  if (version === 1) view.setUint16(8, text.length & 0xffff, true);
  else view.setUint32(8, text.length, true);
  return joined(start, text, data);
}

const headerOf = (descr: string, shape: string, fortran = false): string =>
  `{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': ${shape}, }\n`;

const tupleOf = (shape: readonly number[]): string => `(${shape.join(', ')}${shape.length === 1 ? ',' : ''})`;

/** Reads the header by making JSON of it. */
function independentHeader(bytes: Uint8Array): { descr: string; fortran: boolean; shape: number[]; start: number } {
  const long = bytes[6] > 1;
  const length = bytes[8] + bytes[9] * 256 + (long ? (bytes[10] + bytes[11] * 256) * 65536 : 0);
  const start = (long ? 12 : 10) + length;
  const text = Buffer.from(bytes.subarray(long ? 12 : 10, start))
    .toString('utf8')
    .replaceAll('\f', ' ')
    .trim()
    .replaceAll("'", '"')
    .replace(/True/g, 'true')
    .replace(/False/g, 'false')
    .replaceAll('(', '[')
    .replaceAll(')', ']')
    .replace(/(\d)L/g, '$1')
    .replace(/\b0+(?=\d)/g, '')
    .replace(/,\s*([\]}])/g, '$1');
  const { descr, fortran_order: fortran, shape } = JSON.parse(text) as { descr: string; fortran_order: boolean; shape: number[] };
  return { descr, fortran, shape, start };
}

function read(bytes: Uint8Array): unknown {
  const array = parseNpy(bytes, 'x.npy');
  const { descr, fortran, shape, start } = independentHeader(bytes);
  const type = typeOf[descr.slice(1)];
  const offsets = gatherOffsets(shape, stridesOf(shape, fortran));
  ensure(start + offsets.length * decoders.get(type)![0] === bytes.length, 'the data do not end with the file');
  ensureElements(array, type, shape, { bytes, start, little: descr[0] !== '>', offsets });
  const again = parseNpy(encodeNpy(array), 'again.npy');
  const raw = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer => Buffer.from(buffer, byteOffset, byteLength);
  ensure(
    raw(again.data).equals(raw(array.data)) && String(again.shape) === String(array.shape),
    'writing and reading changes it',
  );
  return array;
}

const anyFile = fc.record({
  code: fc.constantFrom(...Object.keys(typeOf)),
  order: fc.constantFrom('<', '>', '=', '|'),
  shape: shapes,
  fortran: fc.boolean(),
  version: fc.constantFrom(1, 2, 3),
  padding: fc.nat({ max: 70 }),
  fill: fc.uint8Array({ minLength: 8, maxLength: 8 }),
});

function generate(random: Random): Input {
  const { code, order, shape, fortran, version, padding, fill } = sampled(anyFile, random);
  const bytes = shape.reduce((product, extent) => product * extent, 1) * decoders.get(typeOf[code])![0];
  // Top bits stay clear, so that a uint64 fits and a bool is one.
  const data = Uint8Array.from({ length: bytes }, (_, i) => (code === 'b1' ? i & 1 : fill[i % 8] & 0x7f));
  const header = headerOf(order + code, tupleOf(shape), fortran) + ' '.repeat(padding);
  return { name: 'generated', bytes: npyFile(header, data, version), expected: 'accepted' };
}

/** A mutated header text whose length is stated rightly, before data that are as long as before. */
function restructure(random: Random, material: Material): Uint8Array {
  const code = random.pick(Object.keys(typeOf));
  const shape = Array.from({ length: random.int(4) }, () => random.int(4));
  const bytes = shape.reduce((product, extent) => product * extent, 1) * decoders.get(typeOf[code])![0];
  const header = mutate(
    new Uint8Array(Buffer.from(headerOf(random.pick(['<', '>', '|']) + code, tupleOf(shape), random.once(2)))),
    material,
    random,
  );
  return npyFile(Buffer.from(header).toString('latin1'), new Uint8Array(bytes), random.pick([1, 2, 3]));
}

const seed = (name: string, header: string, bytes: number, version = 1): Input => ({
  name,
  bytes: npyFile(
    header,
    Uint8Array.from({ length: bytes }, (_, i) => (header.includes('b1') ? i & 1 : i % 64)),
    version,
  ),
  expected: 'accepted',
});

const seeds: readonly Input[] = [
  ...Object.keys(typeOf).map(code => seed(code, headerOf(`<${code}`, '(2, 3)'), 6 * decoders.get(typeOf[code])![0])),
  seed('big-endian', headerOf('>f4', '(3,)'), 12),
  seed('Fortran order', headerOf('<i4', '(2, 3, 2)', true), 48),
  seed('version 2', headerOf('<f4', '(2, 2)'), 16, 2),
  seed('version 3', headerOf('<f8', '(2, 2)'), 32, 3),
  seed('scalar', headerOf('<f4', '()'), 4),
  seed('empty', headerOf('<f4', '(0, 3)'), 0),
  seed('Python 2', headerOf('<i8', '(2L, 1L)'), 16),
];

const attack = (name: string, bytes: Uint8Array, expected?: Input['expected']): Input => ({ name, bytes, expected });
const data4 = new Uint8Array(4);
const attacks = (): readonly Input[] => [
  attack(
    'a header of white space',
    npyFile(`{'descr': '<f4', 'fortran_order': False, 'shape': (${' '.repeat(1_000_000)}x`, data4, 2),
    'rejected',
  ),
  attack(
    'white space after a comma',
    npyFile(`{'descr': '<f4', 'fortran_order': False, 'shape': (1,${' '.repeat(300_000)}x`, data4, 2),
    'rejected',
  ),
  attack('a header of digits', npyFile(headerOf('<f4', `(${'1'.repeat(1_000_000)},)`), data4, 2), 'rejected'),
  attack('a header of ones', npyFile(headerOf('<f4', `(${'1,'.repeat(300_000)})`), data4, 2), 'rejected'),
  attack('a long type', npyFile(headerOf(`<${'f'.repeat(100_000)}`, '()'), data4, 2), 'rejected'),
  attack('line breaks in the type', npyFile(headerOf('<f4\x1b[2J\n\r\x85', '()'), data4), 'rejected'),
  attack(
    'a product beyond all doubles, times zero',
    npyFile(headerOf('<f4', `(${'9007199254740991,'.repeat(30)}0)`), new Uint8Array(0)),
    'accepted',
  ),
  attack(
    'the same in Fortran order',
    npyFile(headerOf('<f4', `(${'9007199254740991,'.repeat(30)}0)`, true), new Uint8Array(0)),
    'accepted',
  ),
  attack('2^62 elements', npyFile(headerOf('<f4', '(2147483648, 2147483648)'), data4), 'rejected'),
  attack('a product that wraps to 1', npyFile(headerOf('|u1', '(4294967297, 4294967297)'), new Uint8Array(1)), 'rejected'),
  attack('negative sizes', npyFile(headerOf('<f4', '(-1, -1)'), data4), 'rejected'),
  attack('objects', npyFile(headerOf('|O', '(1,)'), data4), 'rejected'),
  attack('a header length of 4 GB', Uint8Array.from([0x93, ...Buffer.from('NUMPY'), 2, 0, 255, 255, 255, 255, 0x7b]), 'rejected'),
  attack('nothing', new Uint8Array(0), 'rejected'),
];

export const npyFormat: Format = {
  name: 'npy',
  seeds,
  attacks,
  tokens: tokensOf(
    "'descr': ",
    "'fortran_order': ",
    "'shape': ",
    'True',
    'False',
    '(',
    ')',
    ', ',
    'L',
    "'<f4'",
    "'>i8'",
    "'|O'",
    "[('a', '<f4')]",
    ' ',
    '\n',
    '{',
    '}',
    '__proto__',
    '\x93NUMPY\x01\x00',
  ),
  generate,
  restructure,
  read,
};
