/** Pickles taken apart into opcodes, and put together from them. */
import { joined } from './mutate.ts';
import type { Random } from './random.ts';

/** What follows an opcode: so many bytes; a line, or two; or a length of so many bytes, and as many bytes as it says. */
type Argument = number | 'line' | 'lines' | { readonly length: 1 | 4 | 8 };

const opcodes: ReadonlyMap<number, Argument> = new Map<number, Argument>([
  ...[...'(.012Ndeltu)a]Rbs}oQ'].map((letter): [number, Argument] => [letter.charCodeAt(0), 0]),
  ...[...'FILSVgpP'].map((letter): [number, Argument] => [letter.charCodeAt(0), 'line']),
  ...[...'ci'].map((letter): [number, Argument] => [letter.charCodeAt(0), 'lines']),
  ...(
    [
      ['J', 4],
      ['K', 1],
      ['M', 2],
      ['G', 8],
      ['h', 1],
      ['j', 4],
      ['q', 1],
      ['r', 4],
    ] as const
  ).map(([letter, bytes]): [number, Argument] => [letter.charCodeAt(0), bytes]),
  ...(
    [
      ['T', 4],
      ['U', 1],
      ['X', 4],
      ['B', 4],
      ['C', 1],
    ] as const
  ).map(([letter, length]): [number, Argument] => [letter.charCodeAt(0), { length }]),
  [0x80, 1],
  [0x82, 1],
  [0x83, 2],
  [0x84, 4],
  [0x8a, { length: 1 }],
  [0x8b, { length: 4 }],
  [0x8c, { length: 1 }],
  [0x8d, { length: 8 }],
  [0x8e, { length: 8 }],
  [0x95, 8],
  [0x96, { length: 8 }],
  ...[0x81, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8f, 0x90, 0x91, 0x92, 0x93, 0x94, 0x97, 0x98].map((code): [number, Argument] => [
    code,
    0,
  ]),
]);

/** The operations of the pickle that begins at `start`, up to its STOP; the end of the bytes if there is none. */
export function disassembled(bytes: Uint8Array, start = 0): { operations: Uint8Array[]; end: number } {
  const operations: Uint8Array[] = [];
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = start; at < bytes.length; ) {
    const argument = opcodes.get(bytes[at]) ?? 0;
    let end = at + 1;
    if (typeof argument === 'number') end += argument;
    else if (typeof argument === 'object') end += argument.length + buffer.readUIntLE(at + 1, Math.min(argument.length, 6));
    else {
      for (let line = argument === 'line' ? 1 : 2; line > 0; line--) {
        const found = buffer.indexOf(0x0a, end);
        end = found < 0 ? bytes.length : found + 1;
      }
    }
    operations.push(bytes.slice(at, end));
    const stops = bytes[at] === 0x2e;
    at = end;
    if (stops) return { operations, end };
  }
  return { operations, end: bytes.length };
}

/** Operations by what they do; of numbers, the least bytes. */
export const op = {
  none: Uint8Array.of(0x4e),
  mark: Uint8Array.of(0x28),
  stop: Uint8Array.of(0x2e),
  pop: Uint8Array.of(0x30),
  tuple: Uint8Array.of(0x74),
  emptyTuple: Uint8Array.of(0x29),
  emptyList: Uint8Array.of(0x5d),
  emptyDict: Uint8Array.of(0x7d),
  append: Uint8Array.of(0x61),
  appends: Uint8Array.of(0x65),
  setItem: Uint8Array.of(0x73),
  setItems: Uint8Array.of(0x75),
  reduce: Uint8Array.of(0x52),
  build: Uint8Array.of(0x62),
  persistent: Uint8Array.of(0x51),
  false: Uint8Array.of(0x89),
  stackGlobal: Uint8Array.of(0x93),
  memoize: Uint8Array.of(0x94),
  protocol: (version: number) => Uint8Array.of(0x80, version),
  int: (value: number) => joined(Uint8Array.of(0x4a), little(value, 4)),
  long: (value: bigint) => joined(Uint8Array.of(0x8a, 8), little(value, 8)),
  text: (value: string) => sized(0x58, new Uint8Array(Buffer.from(value))),
  bytes: (value: Uint8Array) => sized(0x42, value),
  global: (module: string, name: string) => new Uint8Array(Buffer.from(`c${module}\n${name}\n`)),
  put: (index: number) => joined(Uint8Array.of(0x72), little(index, 4)),
  get: (index: number) => joined(Uint8Array.of(0x6a), little(index, 4)),
  get1: (index: number) => Uint8Array.of(0x68, index),
};

function little(value: number | bigint, bytes: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigInt64(0, BigInt(value), true);
  return new Uint8Array(view.buffer, 0, bytes);
}

function sized(code: number, content: Uint8Array): Uint8Array {
  return joined(Uint8Array.of(code), little(content.length, 4), content);
}

/** Operations many times over. */
export function times(count: number, ...operations: readonly Uint8Array[]): Uint8Array {
  const one = joined(...operations);
  const out = new Uint8Array(one.length * count);
  for (let i = 0; i < count; i++) out.set(one, i * one.length);
  return out;
}

const globals: readonly (readonly [string, string])[] = [
  ['collections', 'OrderedDict'],
  ['builtins', 'set'],
  ['builtins', 'bytearray'],
  ['builtins', 'bytes'],
  ['builtins', 'range'],
  ['builtins', 'eval'],
  ['posix', 'system'],
  ['__builtin__', 'object'],
  ['copy_reg', '_reconstructor'],
  ['_codecs', 'encode'],
  ['pathlib', 'PosixPath'],
  ['numpy', 'dtype'],
  ['numpy', 'ndarray'],
  ['numpy.core.multiarray', '_reconstruct'],
  ['numpy.core.multiarray', 'scalar'],
  ['numpy._core.numeric', '_frombuffer'],
  ['torch', 'FloatStorage'],
  ['torch', 'Size'],
  ['torch', 'device'],
  ['torch._utils', '_rebuild_tensor_v2'],
  ['torch._utils', '_rebuild_parameter'],
  ['torch._utils', '_rebuild_sparse_tensor'],
  ['torch._tensor', '_rebuild_from_type_v2'],
  ['torch.storage', '_load_from_bytes'],
  ['__proto__', 'constructor'],
];

function anyOperation(random: Random): Uint8Array {
  const [module, name] = random.pick(globals);
  return random.pick([
    op.none,
    op.mark,
    op.pop,
    op.tuple,
    op.emptyTuple,
    op.emptyList,
    op.emptyDict,
    op.append,
    op.appends,
    op.setItem,
    op.setItems,
    op.reduce,
    op.build,
    op.persistent,
    op.stackGlobal,
    op.memoize,
    op.int(random.pick([0, 1, -1, 2, 3, 1000, -(2 ** 31), 2 ** 31 - 1])),
    op.long(random.pick([0n, -1n, 2n ** 53n, 2n ** 62n, -(2n ** 63n), 2n ** 46n])),
    op.text(random.pick(['', 'storage', 'constructor', '__proto__', 'torch.toString', 'cpu', '0', 'f4', '<', 'latin1', 'a\nb'])),
    op.bytes(new Uint8Array(random.int(20))),
    op.global(module, name),
    op.put(random.pick([0, 1, 2, 5, 2 ** 31 - 1])),
    op.get(random.pick([0, 1, 2, 3, 5, 2 ** 31 - 1])),
    op.get1(random.int(20)),
    Uint8Array.of(random.pick([...opcodes.keys()])),
    Uint8Array.of(0x85),
    Uint8Array.of(0x86),
    Uint8Array.of(0x87),
    Uint8Array.of(0x8f),
    Uint8Array.of(0x81),
    Uint8Array.of(0x32),
  ]);
}

/** The pickle with operations left out, moved, repeated, replaced, or taken from another one. */
export function changedOperations(operations: readonly Uint8Array[], donor: readonly Uint8Array[], random: Random): Uint8Array {
  const out = [...operations];
  do {
    const at = random.int(out.length);
    const other = random.int(out.length);
    const change = random.int(7);
    if (change === 0) out.splice(at, 1);
    else if (change === 1) out.splice(at, 0, out[other]);
    else if (change === 2) [out[at], out[other]] = [out[other], out[at]];
    else if (change === 3) out.splice(at, 0, anyOperation(random));
    else if (change === 4) out[at] = anyOperation(random);
    else if (change === 5) {
      const from = random.int(donor.length);
      out.splice(at, random.int(3), ...donor.slice(from, from + 1 + random.int(12)));
    } else if (out[at].length > 1) {
      out[at] = out[at].slice();
      out[at][1 + random.int(out[at].length - 1)] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.int(256)]);
    }
    if (out.length === 0) out.push(op.stop);
  } while (!random.once(3));
  return joined(...out);
}
