/** `.npz`, and zip archives as such: sizes and checksums that lie, bombs, overlaps, and names that want to be paths. */
import { crc32, deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { encodeNpy, parseNpy } from '../../src/data/formats/npy.ts';
import { encodeNpz, parseNpz } from '../../src/data/formats/npz.ts';
import { readZip } from '../../src/data/formats/zip.ts';
import { fromNumbers, type NDArray, zeros } from '../../src/engine/ndarray.ts';
import { anyChange, checkArchive, type Packed, repacked, zipOf } from './archive.ts';
import { describeToo, sampled, shapes } from './elements.ts';
import { ensure, type Format, type Input } from './format.ts';
import { joined, type Material, tokensOf } from './mutate.ts';
import { npyFormat } from './npy.ts';
import type { Random } from './random.ts';

function read(bytes: Uint8Array): unknown {
  const arrays = parseNpz(bytes, 'x.npz');
  checkArchive(bytes);
  const names = readZip(bytes, 'x.npz').map(entry => entry.name);
  ensure(Object.keys(arrays).length === names.length, 'not as many arrays as files');
  for (const entry of readZip(bytes, 'x.npz')) {
    const { dtype, shape, data } = parseNpy(entry.read(), entry.name);
    const found = arrays[entry.name.slice(0, -'.npy'.length)];
    ensure(Object.hasOwn(arrays, entry.name.slice(0, -'.npy'.length)), `${entry.name} is missing`);
    ensure(found.dtype === dtype && String(found.shape) === String(shape), `${entry.name} has another type or shape`);
    ensure(
      data.every((value, i) => Object.is(value, found.data[i])),
      `${entry.name} has other values`,
    );
  }
  // Of an archive of nothing, nobody can say what it would hold.
  if (names.length > 0) describeToo(bytes, 'x.npz');
  return arrays;
}

const small: Readonly<Record<string, NDArray>> = {
  'in.x': fromNumbers([1, 2, 3, 4, 5, 6], [2, 3]),
  labels: fromNumbers([1, -1], [2], 'int64'),
  mask: fromNumbers([1, 0, 1], [3], 'bool'),
};
const files: readonly Packed[] = Object.entries(small).map(([name, array]) => ({
  name: `${name}.npy`,
  content: encodeNpy(array),
}));

const accepted = (name: string, bytes: Uint8Array): Input => ({ name, bytes, expected: 'accepted' });
const seeds: readonly Input[] = [
  accepted('stored', encodeNpz(small)),
  accepted('deflated', encodeNpz(small, { compress: true })),
  accepted('empty', encodeNpz({})),
  accepted('zip64 sizes', zipOf(files.map(file => ({ ...file, zip64: true })))),
  accepted('zip64 archive', zipOf(files, { zip64: true })),
  accepted('streamed', zipOf(files.map(file => ({ ...file, streamed: true, deflate: true })))),
  accepted('zeros', encodeNpz({ z: zeros([40, 40]) }, { compress: true })),
];

const anyArrays = fc.dictionary(fc.string({ maxLength: 8 }), shapes, { maxKeys: 4 });

function generate(random: Random): Input {
  const arrays = Object.fromEntries(Object.entries(sampled(anyArrays, random)).map(([name, shape]) => [name, zeros(shape)]));
  return accepted('generated', encodeNpz(arrays, { compress: random.once(2) }));
}

function restructure(random: Random, material: Material): Uint8Array {
  // Half the time an array becomes another (perhaps damaged) file of NumPy's.
  const change = random.once(2)
    ? anyChange({ ...material, tokens: npyFormat.tokens }, random)
    : () => random.pick(npyFormat.seeds).bytes;
  return repacked(files, change, random);
}

/** Zeros, and the bytes they deflate to. */
const megabytes = (count: number): Packed => ({ name: 'z.npy', content: encodeNpy(zeros([count, 2 ** 18])), deflate: true });

/** Many entries that are all the same compressed bytes: an archive of 60 KB that unpacks to gigabytes. */
function overlapping(): Uint8Array {
  const first = megabytes(8);
  const packed = new Uint8Array(deflateRawSync(first.content));
  const { length: size } = first.content;
  const again = { content: new Uint8Array(0), packed, size, crc: crc32(first.content), method: 8, sameDataAs: 0 };
  return zipOf([first, ...Array.from({ length: 1000 }, (_, i): Packed => ({ ...again, name: `z${i}.npy` }))]);
}

const attack = (name: string, bytes: Uint8Array, expected: Input['expected'] = 'rejected'): Input => ({ name, bytes, expected });
const [one] = files;
const attacks = (): readonly Input[] => [
  attack('overlapping entries', overlapping()),
  attack('the same data under two names', zipOf([one, { ...one, name: 'again.npy', sameDataAs: 0 }])),
  attack('4 GB stated', zipOf([{ ...one, deflate: true, size: 0xfffffffe }])),
  attack('2^62 bytes stated', zipOf([{ ...one, zip64: true, size: 2 ** 62 }])),
  attack('more than stated', zipOf([{ ...megabytes(1), size: 200 }])),
  attack('fewer entries than there are', zipOf(files, { count: 1 })),
  attack('more entries than there are', zipOf(files, { count: 60000 })),
  attack('2^40 entries', zipOf(files, { count: 2 ** 40, zip64: true })),
  attack('a name twice', zipOf([one, one])),
  attack('another name in the local header', zipOf([{ ...one, localName: 'other.npy' }])),
  attack('a path upwards', zipOf([{ ...one, name: '../../../tmp/x.npy' }]), 'accepted'),
  attack('an absolute path', zipOf([{ ...one, name: '/etc/x.npy' }]), 'accepted'),
  attack('a NUL in a name', zipOf([{ ...one, name: 'x.npy\0.npy' }]), 'accepted'),
  attack(
    'a prototype',
    zipOf([
      { ...one, name: '__proto__.npy' },
      { ...one, name: 'constructor.npy' },
    ]),
    'accepted',
  ),
  attack('a name that clears the screen', zipOf([{ ...one, name: '\x1b[2J\r\n\x9b2J', content: one.content }])),
  attack('a long wrong name', zipOf([{ ...one, name: 'x'.repeat(60000) }])),
  attack('a long name of a damaged array', zipOf([{ ...one, name: `${'x'.repeat(60000)}.npy`, content: new Uint8Array(3) }])),
  attack('encrypted', zipOf([{ ...one, flags: 1 }])),
  attack('a comment that holds an end record', joined(zipOf(files), zipOf([])), 'either'),
];

export const npzFormat: Format = {
  name: 'npz',
  seeds,
  attacks,
  tokens: tokensOf(
    'PK\x01\x02',
    'PK\x03\x04',
    'PK\x05\x06',
    'PK\x06\x06',
    'PK\x06\x07',
    'PK\x07\x08',
    '.npy',
    '../',
    '__proto__',
    '\0',
    '\x01\x00\x10\x00',
    '\xff\xff\xff\xff',
    '\x93NUMPY\x01\x00',
    [0x03, 0x00],
    [0xed, 0xc0, 0x81],
  ),
  generate,
  restructure,
  read,
};
