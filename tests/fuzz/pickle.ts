/** Pickles: programs that want to run, never to end, or to fill the memory. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { pickleOf, readCheckpoint, torchLegacy } from './checkpoint.ts';
import { sampled } from './elements.ts';
import { ensure, type Format, type Input } from './format.ts';
import { joined, joinedList, type Material, tokensOf } from './mutate.ts';
import { changedOperations, disassembled, op, times } from './pickleCode.ts';
import type { Random } from './random.ts';

const folder = join(import.meta.dirname, '../data/torch');

/** The committed files of PyTorch's with such a name. */
export function fixtures(pattern: RegExp, expected?: Input['expected']): Input[] {
  const names = readdirSync(folder).filter(name => pattern.test(name));
  return names.map(name => ({ name, bytes: new Uint8Array(readFileSync(join(folder, name))), expected }));
}

type Plain = null | boolean | number | string | readonly Plain[] | ReadonlyMap<string, Plain>;

const { value: anyPlain } = fc.letrec<{ value: Plain }>(tie => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false),
    fc.integer(),
    fc.string({ unit: 'binary', maxLength: 10 }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string({ maxLength: 5 }), tie('value'), { maxKeys: 4 }).map(object => new Map(Object.entries(object))),
  ),
}));

function codeOf(value: Plain): Uint8Array {
  if (value === null) return op.none;
  if (typeof value === 'boolean') return Uint8Array.of(value ? 0x88 : 0x89);
  if (typeof value === 'number') return op.int(value);
  if (typeof value === 'string') return op.text(value);
  if (value instanceof Map) {
    return joined(op.emptyDict, op.mark, ...[...value].map(([key, each]) => joined(op.text(key), codeOf(each))), op.setItems);
  }
  return joined(op.emptyList, op.mark, ...(value as readonly Plain[]).map(codeOf), op.appends);
}

/** The same plain values, of lists and maps. */
function same(a: unknown, b: unknown): boolean {
  if (a instanceof Map && b instanceof Map)
    return a.size === b.size && [...a].every(([key, value]) => b.has(key) && same(value, b.get(key)));
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((value, i) => same(value, b[i]));
  return Object.is(a, b);
}

function generate(random: Random): Input {
  const value = sampled(anyPlain, random);
  const check = (found: unknown): void => ensure(same(found, value), 'other values than were written');
  return { name: 'generated', bytes: pickleOf(codeOf(value)), expected: 'accepted', check };
}

const seeds: readonly Input[] = fixtures(/\.pkl$/, 'accepted');
const programs = seeds.map(({ bytes }) => disassembled(bytes).operations);

function restructure(random: Random, _: Material): Uint8Array {
  return changedOperations(random.pick(programs), random.pick(programs), random);
}

const attack = (name: string, ...code: readonly Uint8Array[]): Input => ({
  name,
  bytes: pickleOf(...code),
  expected: 'rejected',
});
const any = (name: string, ...code: readonly Uint8Array[]): Input => ({ name, bytes: pickleOf(...code) });
const memoized = (index: number, ...code: readonly Uint8Array[]): Uint8Array => joined(...code, op.put(index), op.pop);
const call = (callee: number, args: number): Uint8Array => joined(op.get1(callee), op.get1(args), op.reduce, op.pop);
const nones = (): Uint8Array => times(300_000, op.none);
const missing = op.global('no', 'such');

/** A tuple of what stands in the memo under these indices, memoised itself. */
const tupleOf = (index: number, ...parts: readonly Uint8Array[]): Uint8Array => memoized(index, op.mark, ...parts, op.tuple);

/** A storage in the legacy format, as bytes inside a pickle. */
const blob = op.bytes(
  torchLegacy(
    pickleOf(
      op.mark,
      op.text('storage'),
      op.global('torch', 'FloatStorage'),
      op.text('0'),
      op.text('cpu'),
      op.int(1),
      op.none,
      op.tuple,
      op.persistent,
    ),
    [{ count: 1, content: new Uint8Array(4) }],
  ),
);

const attacks = (): readonly Input[] => [
  ...fixtures(/^attack/, 'rejected'),
  attack('lists 100,000 deep', times(100_000, op.emptyList), times(99_999, op.append)),
  attack('tuples 100,000 deep', op.none, times(100_000, Uint8Array.of(0x85))),
  attack('marks without end', times(1_000_000, op.mark)),
  attack('a list of itself', op.emptyList, op.put(0), op.get(0), op.append),
  attack('a dictionary of itself', op.emptyDict, op.put(0), op.none, op.get(0), op.setItem),
  attack('a billion laughs', op.none, ...Array.from({ length: 60 }, () => joined(Uint8Array.of(0x32, 0x86)))),
  attack(
    'a billion laughs of bytes',
    op.text('x'.repeat(1000)),
    ...Array.from({ length: 60 }, () => joined(Uint8Array.of(0x32, 0x86))),
  ),
  attack('a text of 4 GB', Uint8Array.of(0x58, 255, 255, 255, 255)),
  attack('a text of 2^63 bytes', Uint8Array.of(0x8d, 0, 0, 0, 0, 0, 0, 0, 0x80)),
  attack('a frame of 2^63 bytes', Uint8Array.of(0x95, 255, 255, 255, 255, 255, 255, 255, 0x7f)),
  attack('an integer of 2 GB', Uint8Array.of(0x8b, 255, 255, 255, 0x7f)),
  attack('an integer of a negative length', Uint8Array.of(0x8b, 255, 255, 255, 255)),
  attack('bytes of 2^64', Uint8Array.of(0x8e, 255, 255, 255, 255, 255, 255, 255, 255)),
  attack('an integer of a million digits', new Uint8Array(Buffer.from(`I${'9'.repeat(1_000_000)}\n`))),
  attack('memo entry 2^64', op.none, new Uint8Array(Buffer.from('p18446744073709551616\n'))),
  attack('a negative memo entry', op.none, new Uint8Array(Buffer.from('p-1\n'))),
  attack('memo entry 2^32, which is not there', Uint8Array.of(0x6a, 255, 255, 255, 255)),
  any('a memo entry of 2^32 - 1', op.none, Uint8Array.of(0x72, 255, 255, 255, 255)),
  attack('system', op.global('posix', 'system'), op.mark, op.text('touch /tmp/pwned'), op.tuple, op.reduce),
  attack('eval by the stack', op.text('builtins'), op.text('eval'), op.stackGlobal, op.mark, op.text('1'), op.tuple, op.reduce),
  attack(
    'a name of a megabyte, many times',
    memoized(0, op.text('m'.repeat(1_000_000))),
    times(20_000, op.get1(0), op.get1(0), op.stackGlobal, op.pop),
    op.none,
  ),
  attack(
    'very many names of a thousand characters',
    memoized(0, op.text('m'.repeat(990))),
    joinedList(Array.from({ length: 100_000 }, (_, i) => joined(op.get1(0), op.text(String(i)), op.stackGlobal, op.pop))),
    op.none,
  ),
  attack('a name that clears the screen', op.global('\x1b[2J', 'x'), op.emptyTuple, op.reduce),
  any(
    'a sparse tensor of a long list, many times',
    memoized(0, op.global('torch._utils', '_rebuild_sparse_tensor')),
    memoized(1, op.mark, op.emptyTuple, nones(), op.tuple),
    tupleOf(2, op.none, op.get1(1)),
    times(20_000, call(0, 2)),
    op.none,
  ),
  any(
    'bytes of a long list that are none, many times',
    missing,
    op.pop,
    memoized(0, op.global('builtins', 'bytes')),
    memoized(1, op.mark, times(300_000, op.int(1)), op.none, op.tuple),
    tupleOf(2, op.get1(1)),
    times(20_000, call(0, 2)),
    op.none,
  ),
  any(
    'paths of a long list that are none, many times',
    missing,
    op.pop,
    memoized(0, op.global('pathlib', 'Path')),
    memoized(1, op.mark, times(100_000, op.text('')), op.none, op.tuple),
    times(20_000, call(0, 1)),
    op.none,
  ),
  any(
    'copies of a large dictionary, many times',
    missing,
    op.pop,
    memoized(0, op.global('collections', 'OrderedDict')),
    memoized(
      1,
      op.emptyDict,
      op.mark,
      joinedList(Array.from({ length: 50_000 }, (_, i) => joined(op.int(i), op.none))),
      op.setItems,
    ),
    tupleOf(2, op.get1(1)),
    times(20_000, call(0, 2)),
    op.none,
  ),
  any(
    'a long type of NumPy, many times',
    memoized(0, op.global('numpy', 'dtype')),
    tupleOf(1, op.text(`f${'1'.repeat(1_000_000)}`)),
    times(20_000, call(0, 1)),
    op.none,
  ),
  any(
    'a long type of a scalar, many times',
    missing,
    op.pop,
    memoized(0, op.global('numpy.core.multiarray', 'scalar')),
    tupleOf(1, op.text(`<U${'0'.repeat(1_000_000)}1`), op.bytes(new Uint8Array(4))),
    times(20_000, call(0, 1)),
    op.none,
  ),
  any(
    'a long type of an array, many times',
    memoized(0, op.global('numpy.core.numeric', '_frombuffer')),
    tupleOf(1, op.none, op.text('x'.repeat(1_000_000)), op.emptyTuple, op.text('C')),
    times(20_000, call(0, 1)),
    op.none,
  ),
  any(
    'a storage inside, many times',
    memoized(0, op.global('torch.storage', '_load_from_bytes')),
    tupleOf(1, blob),
    times(20_000, call(0, 1)),
    op.none,
  ),
  any('a million empty lists', op.emptyList, op.mark, times(1_000_000, op.emptyList), op.appends),
  any('a million empty dictionaries', op.emptyList, op.mark, times(1_000_000, op.emptyDict), op.appends),
  any('a million empty sets', op.emptyList, op.mark, times(1_000_000, Uint8Array.of(0x8f)), op.appends),
  any('a million memo entries', op.none, times(1_000_000, op.memoize)),
  any('four million nothings', times(4_000_000, op.none, op.pop), op.none),
  attack(
    'a negative shape',
    op.global('torch._utils', '_rebuild_meta_tensor_no_storage'),
    op.mark,
    op.global('torch', 'float32'),
    op.mark,
    op.int(-1),
    op.tuple,
    op.false,
    op.tuple,
    op.reduce,
  ),
  attack(
    'a shape of NumPy that is negative twice',
    op.global('numpy.core.numeric', '_frombuffer'),
    op.mark,
    op.bytes(new Uint8Array(24)),
    op.text('<f4'),
    op.mark,
    op.int(-2),
    op.int(-3),
    op.tuple,
    op.text('C'),
    op.tuple,
    op.reduce,
  ),
  { name: 'no end', bytes: Uint8Array.of(0x80, 2), expected: 'rejected' },
  { name: 'something behind the end', bytes: joined(pickleOf(op.none), Uint8Array.of(1)), expected: 'rejected' },
];

export const pickleTokens = tokensOf(
  '(',
  '.',
  '0',
  '1',
  '2',
  ']',
  '}',
  ')',
  'a',
  'e',
  's',
  'u',
  't',
  'R',
  'b',
  'Q',
  'N',
  'h\x00',
  'h\x01',
  'q\x00',
  '\x85',
  '\x86',
  '\x87',
  '\x8f',
  '\x90',
  '\x91',
  '\x93',
  '\x94',
  '\x81',
  '\x92',
  '\x8a\x09',
  '\x8b\xff\xff\xff\xff',
  'X\xff\xff\xff\x7f',
  '\x95\xff\xff\xff\xff\xff\xff\xff\xff',
  'cposix\nsystem\n',
  'c__builtin__\neval\n',
  'I99999999999\n',
  'p4294967296\n',
  'g0\n',
  'P0\n',
);

export const pickleFormat: Format = {
  name: 'pickle',
  seeds,
  attacks,
  tokens: pickleTokens,
  generate,
  restructure,
  read: bytes => {
    // What begins as another format is that format's matter.
    return readCheckpoint(bytes, 'x.pkl');
  },
};
