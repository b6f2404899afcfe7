/** Zip archives: a writer that can lie, and a reading of the central directory that shares nothing with the reader. */
import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib';
import { readZip } from '../../src/data/formats/zip.ts';
import { ensure } from './format.ts';
import { joined, type Material, mutate } from './mutate.ts';
import type { Random } from './random.ts';

/** A file to be put into an archive; what is not stated is true. */
export interface Packed {
  readonly name: string | Uint8Array;
  readonly content: Uint8Array;
  readonly deflate?: boolean;
  /** The compressed bytes, if they are not what deflating the content gives. */
  readonly packed?: Uint8Array;
  readonly size?: number;
  readonly crc?: number;
  readonly method?: number;
  readonly flags?: number;
  /** The name in the local header. */
  readonly localName?: string;
  /** 64-bit sizes in extra fields. */
  readonly zip64?: boolean;
  /** Sizes and checksum behind the data, as streams are written. */
  readonly streamed?: boolean;
  /** Data shared with the entry of this index. */
  readonly sameDataAs?: number;
}

function fields(...values: readonly (readonly [bytes: number, value: number | bigint])[]): Uint8Array {
  return joined(
    ...values.map(([bytes, value]) => {
      const view = new DataView(new ArrayBuffer(8));
      view.setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true);
      return new Uint8Array(view.buffer, 0, bytes);
    }),
  );
}

const all32 = 0xffffffff;

/** An archive of these files. @param count entries that the end record states, if it is not their number */
export function zipOf(files: readonly Packed[], { count, zip64 = false }: { count?: number; zip64?: boolean } = {}): Uint8Array {
  const local: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  const offsets: number[] = [];
  let at = 0;
  for (const file of files) {
    const name = typeof file.name === 'string' ? new Uint8Array(Buffer.from(file.name)) : file.name;
    const localName = file.localName === undefined ? name : new Uint8Array(Buffer.from(file.localName));
    const data = file.packed ?? (file.deflate ? deflateRawSync(file.content) : file.content);
    const method = file.method ?? (file.deflate ? 8 : 0);
    const size = file.size ?? file.content.length;
    const crc = file.crc ?? crc32(file.content);
    const flags = (file.flags ?? 0) | (file.streamed ? 8 : 0);
    const [size32, packed32] = file.zip64 ? [all32, all32] : [size, data.length];
    const extra = file.zip64 ? fields([2, 1], [2, 16], [8, size], [8, data.length]) : new Uint8Array(0);
    const head: readonly (readonly [number, number])[] = [
      [2, flags],
      [2, method],
      [4, 0x21 << 16],
    ];
    const offset = file.sameDataAs === undefined ? at : offsets[file.sameDataAs];
    offsets.push(offset);
    if (file.sameDataAs === undefined) {
      const sizes: readonly (readonly [number, number])[] = file.streamed
        ? [
            [4, 0],
            [4, 0],
            [4, 0],
          ]
        : [
            [4, crc],
            [4, packed32],
            [4, size32],
          ];
      const localExtra = file.streamed ? new Uint8Array(0) : extra;
      const piece = joined(
        fields([4, 0x04034b50], [2, 20], ...head, ...sizes, [2, localName.length], [2, localExtra.length]),
        localName,
        localExtra,
        data,
        file.streamed ? fields([4, 0x08074b50], [4, crc], [4, data.length], [4, size]) : new Uint8Array(0),
      );
      local.push(piece);
      at += piece.length;
    }
    directory.push(
      joined(
        fields([4, 0x02014b50], [2, 20], [2, 20], ...head, [4, crc], [4, packed32], [4, size32]),
        fields([2, name.length], [2, extra.length], [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]),
        name,
        extra,
      ),
    );
  }
  const list = joined(...directory);
  const stated = count ?? files.length;
  const wide = zip64
    ? joined(
        fields([4, 0x06064b50], [8, 44], [2, 45], [2, 45], [4, 0], [4, 0], [8, stated], [8, stated], [8, list.length], [8, at]),
        fields([4, 0x07064b50], [4, 0], [8, at + list.length], [4, 1]),
      )
    : new Uint8Array(0);
  const [count16, length32, at32] = zip64 ? [0xffff, all32, all32] : [stated, list.length, at];
  return joined(
    ...local,
    list,
    wide,
    fields([4, 0x06054b50], [2, 0], [2, 0], [2, count16], [2, count16], [4, length32], [4, at32], [2, 0]),
  );
}

/** An entry as the directory states it. */
interface Listed {
  readonly name: string;
  readonly crc: number;
  readonly method: number;
  readonly packed: number;
  readonly offset: number;
}

/** The directory, read from its first record to the first thing that is none, whatever count and size are stated. */
function listed(bytes: Uint8Array): Listed[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = buffer.length - 22;
  while (!(buffer.readUInt32LE(end) === 0x06054b50 && end + 22 + buffer.readUInt16LE(end + 20) === buffer.length)) end--;
  let at = buffer.readUInt32LE(end + 16);
  if (end >= 20 && buffer.readUInt32LE(end - 20) === 0x07064b50) {
    end = Number(buffer.readBigUInt64LE(end - 12));
    at = Number(buffer.readBigUInt64LE(end + 48));
  }
  const entries: Listed[] = [];
  while (at < end && buffer.readUInt32LE(at) === 0x02014b50) {
    const [nameLength, extraLength, comment] = [28, 30, 32].map(field => buffer.readUInt16LE(at + field));
    let [packed, size, offset] = [20, 24, 42].map(field => buffer.readUInt32LE(at + field));
    const extra = buffer.subarray(at + 46 + nameLength, at + 46 + nameLength + extraLength);
    for (let field = 0; field + 4 <= extra.length; field += 4 + extra.readUInt16LE(field + 2)) {
      if (extra.readUInt16LE(field) !== 1) continue;
      let next = field + 4;
      const take = (): number => {
        next += 8;
        return Number(extra.readBigUInt64LE(next - 8));
      };
      if (size === all32) size = take();
      if (packed === all32) packed = take();
      if (offset === all32) offset = take();
      break;
    }
    entries.push({
      name: new TextDecoder().decode(buffer.subarray(at + 46, at + 46 + nameLength)),
      crc: buffer.readUInt32LE(at + 16),
      method: buffer.readUInt16LE(at + 10),
      packed,
      offset,
    });
    at += 46 + nameLength + extraLength + comment;
  }
  ensure(at === end, () => `its directory ends at ${at}, not at ${end}`);
  return entries;
}

/**
 * What zlib makes of compressed data; undefined if it refuses. It refuses code tables with gaps or too many codes, which the reader's library
 * lets pass: then the checksum alone says that the content is right.
 */
function inflatedByZlib(data: Uint8Array): Uint8Array | undefined {
  try {
    return inflateRawSync(data);
  } catch {
    return undefined;
  }
}

/** @throws Wrong unless the reader's entries are the archive's, and what they hold is what zlib makes of them */
export function checkArchive(bytes: Uint8Array): void {
  const entries = readZip(bytes, 'x.zip');
  const expected = listed(bytes);
  ensure(
    String(entries.map(entry => entry.name)) === String(expected.map(entry => entry.name)),
    'other names than in the directory',
  );
  ensure(new Set(entries.map(entry => entry.name)).size === entries.length, 'a name twice');
  entries.forEach((entry, i) => {
    ensure(Object.keys(entry).join() === 'name,size,read', 'an entry is more than its name, its size and its content');
    const content = entry.read();
    const { offset, method, packed, crc } = expected[i];
    const start = offset + 30 + bytes[offset + 26] + 256 * bytes[offset + 27] + bytes[offset + 28] + 256 * bytes[offset + 29];
    const data = bytes.subarray(start, start + packed);
    ensure(content.length === entry.size && crc32(content) === crc, `the checksum of ${entry.name} is wrong`);
    const expectedContent = method === 8 ? inflatedByZlib(data) : data;
    ensure(
      expectedContent === undefined || Buffer.from(content).equals(expectedContent),
      `the content of ${entry.name} is not what zlib reads`,
    );
  });
}

/** Files with the content of one mutated and everything signed anew, and now and then something about the archive that is not true. */
export function repacked(files: readonly Packed[], change: (file: Packed) => Uint8Array, random: Random): Uint8Array {
  const chosen = random.int(files.length);
  const out = files.map((file, i): Packed => {
    const content = i === chosen ? change(file) : file.content;
    return { ...file, content, deflate: random.once(4), zip64: random.once(8), streamed: random.once(8) };
  });
  if (random.once(8)) out.push(random.pick(out));
  if (random.once(8)) out.push({ ...random.pick(out), sameDataAs: random.int(out.length) });
  if (random.once(8)) out[chosen] = { ...out[chosen], ...random.pick(lies)(random) };
  return zipOf(out, { zip64: random.once(8), ...(random.once(12) ? { count: random.int(4) } : {}) });
}

const lies: readonly ((random: Random) => Partial<Packed>)[] = [
  random => ({ size: random.pick([0, 1, 2 ** 31, all32 - 1, random.int(1000)]) }),
  random => ({ crc: random.uint32() }),
  random => ({ method: random.pick([0, 1, 8, 9, 12, 99]) }),
  random => ({ flags: random.pick([1, 8, 0x40, 0x800, 0x2000]) }),
  random => ({
    name: random.pick([
      '../../x.npy',
      '/etc/passwd',
      'C:\\x.npy',
      'a\0b.npy',
      '__proto__.npy',
      'constructor',
      '',
      '\x1b[2J.npy',
      'x'.repeat(5000),
    ]),
  }),
  () => ({ localName: 'other.npy' }),
  random => ({ packed: Uint8Array.from({ length: random.int(64) }, () => random.int(256)), method: 8 }),
];

/** The change that knows nothing of the content. */
export const anyChange =
  (material: Material, random: Random): ((file: Packed) => Uint8Array) =>
  ({ content }) =>
    mutate(content, material, random);
