import { inflateSync } from 'fflate';
import { crc32 } from './crc32.ts';
import { DataError, messageOf } from './dataError.ts';
import { plainBytes } from './plainBytes.ts';

/** One file inside a zip archive. */
export interface ZipEntry {
  readonly name: string;
  /** Uncompressed size in bytes, as the archive states it; {@link ZipEntry.read} checks that it is true. */
  readonly size: number;
  /**
   * The uncompressed content; a stored (not compressed) entry shares memory with the archive.
   * @throws DataError if sizes, checksum or compressed data are not what the archive says
   */
  read(): Uint8Array;
}

/** Deflate cannot do better than this: 258 bytes from 2 bits. */
const maxDeflateRatio = 1032;

/** Bytes of a local header before its name. */
const localHeaderBytes = 30;

/**
 * The files of a zip archive, from its central directory (stored and deflated entries, with or without zip64 records).
 * Nothing is uncompressed until an entry is read, and reading allocates no more than the stated size, which must be possible for
 * the compressed size.
 * @param where the archive's name, for messages
 * @param options.zeroMeansUnchecked a checksum of 0 stands for none, as PyTorch writes it where told not to compute any; default false
 * @throws DataError if the archive is damaged, encrypted, or split over several files
 */
export function readZip(archive: Uint8Array, where: string, options: { readonly zeroMeansUnchecked?: boolean } = {}): ZipEntry[] {
  const bytes = plainBytes(archive);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const directory = findDirectory(view, where);
  const entries: ZipEntry[] = [];
  const names = new Set<string>();
  let at = directory.offset;
  let packed = 0;
  for (let k = 0; k < directory.count; k++) {
    if (at + 46 > directory.end || view.getUint32(at, true) !== 0x02014b50) {
      throw new DataError(where, `damaged zip archive: entry ${k + 1} of ${directory.count} is not where its directory says`);
    }
    const { next, ...record } = readRecord(bytes, view, at, directory.end, where);
    const checked = record.crc !== 0 || !options.zeroMeansUnchecked;
    if (names.has(record.name)) throw new DataError(where, `the archive holds ${JSON.stringify(record.name)} twice`);
    names.add(record.name);
    entries.push({ name: record.name, size: record.size, read: () => readEntry(bytes, view, record, checked, where) });
    // An entry that reaches beyond the archive is refused when it is read.
    if (record.packed <= bytes.length) packed += localHeaderBytes + record.packed;
    at = next;
  }
  if (at !== directory.end) {
    const left = `${directory.end - at} bytes of its directory follow`;
    throw new DataError(where, `damaged zip archive: it states ${directory.count} entries, but ${left}`);
  }
  // Many entries over the same compressed bytes would unpack to far more than the archive's size allows for.
  if (packed > directory.offset) throw new DataError(where, 'damaged zip archive: its entries overlap');
  return entries;
}

interface DirectoryRecord {
  readonly name: string;
  /** The name as it is written. */
  readonly rawName: Uint8Array;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly localOffset: number;
}

/** A 64-bit size or offset as a number; one beyond 2^53 cannot be true, and fails the range checks that follow. */
function uint64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

function findDirectory(view: DataView, where: string): { offset: number; end: number; count: number } {
  const length = view.byteLength;
  // The end record is followed only by a comment of at most 65535 bytes.
  let at = length - 22;
  const first = Math.max(0, at - 0xffff);
  while (at >= first && !(view.getUint32(at, true) === 0x06054b50 && at + 22 + view.getUint16(at + 20, true) === length)) at--;
  if (at < first) {
    throw new DataError(
      where,
      `expected a zip archive, found ${length} bytes without an end-of-archive record (truncated file?)`,
    );
  }
  let count = view.getUint16(at + 10, true);
  let size = view.getUint32(at + 12, true);
  let offset = view.getUint32(at + 16, true);
  let end = at;
  if (view.getUint16(at + 4, true) !== view.getUint16(at + 6, true))
    throw new DataError(where, 'split zip archives are not supported');
  if (at >= 20 && view.getUint32(at - 20, true) === 0x07064b50) {
    const zip64 = uint64(view, at - 12);
    if (zip64 + 56 > at - 20 || view.getUint32(zip64, true) !== 0x06064b50) {
      throw new DataError(where, 'damaged zip archive: its zip64 end record is not where it should be');
    }
    count = uint64(view, zip64 + 32);
    size = uint64(view, zip64 + 40);
    offset = uint64(view, zip64 + 48);
    end = zip64;
  }
  // Nothing between the directory and its end record: readers that look for it from either side must find the same one.
  if (offset + size !== end || count * 46 > size) {
    throw new DataError(where, `damaged zip archive: a directory of ${count} entries in ${size} bytes at ${offset} does not fit`);
  }
  return { offset, end: offset + size, count };
}

function readRecord(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  end: number,
  where: string,
): DirectoryRecord & { next: number } {
  const nameLength = view.getUint16(at + 28, true);
  const extraLength = view.getUint16(at + 30, true);
  const next = at + 46 + nameLength + extraLength + view.getUint16(at + 32, true);
  if (next > end) throw new DataError(where, 'damaged zip archive: an entry runs past the end of its directory');
  const rawName = bytes.subarray(at + 46, at + 46 + nameLength);
  const name = new TextDecoder().decode(rawName);
  const extra = at + 46 + nameLength;
  const narrow = [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)];
  const [size, packed, localOffset] = widened(view, narrow, extra, extra + extraLength, `${where}: ${name}`);
  return {
    name,
    rawName,
    flags: view.getUint16(at + 8, true),
    method: view.getUint16(at + 10, true),
    crc: view.getUint32(at + 16, true),
    packed,
    size,
    localOffset,
    next,
  };
}

/**
 * 32-bit values, those that are all ones replaced by the 64-bit ones which a zip64 extra field (id 1) holds for exactly them, in
 * the order of `narrow`.
 */
function widened(view: DataView, narrow: readonly number[], start: number, end: number, place: string): number[] {
  const damaged = (): DataError => new DataError(place, 'damaged zip archive: bad extra field');
  for (let field = start; field + 4 <= end; ) {
    const fieldEnd = field + 4 + view.getUint16(field + 2, true);
    if (fieldEnd > end) throw damaged();
    if (view.getUint16(field, true) === 1) {
      let at = field + 4 - 8;
      return narrow.map(value => {
        if (value !== 0xffffffff) return value;
        at += 8;
        if (at + 8 > fieldEnd) throw damaged();
        return uint64(view, at);
      });
    }
    field = fieldEnd;
  }
  return [...narrow];
}

/** Bit 3 of the flags: the local header does not hold the sizes, they follow the data. */
const sizesFollow = 8;

function readEntry(bytes: Uint8Array, view: DataView, record: DirectoryRecord, checked: boolean, where: string): Uint8Array {
  const { name, rawName, method, packed, size, localOffset } = record;
  const place = `${where}: ${name}`;
  if (record.flags & 1) throw new DataError(place, 'encrypted zip entries are not supported');
  if (method !== 0 && method !== 8)
    throw new DataError(place, `expected a stored or deflated zip entry, found compression method ${method}`);
  if (localOffset + localHeaderBytes > bytes.length || view.getUint32(localOffset, true) !== 0x04034b50) {
    throw new DataError(place, `damaged zip archive: no entry at byte ${localOffset}`);
  }
  const extra = localOffset + localHeaderBytes + view.getUint16(localOffset + 26, true);
  const start = extra + view.getUint16(localOffset + 28, true);
  if (start + packed > bytes.length) {
    throw new DataError(place, `needs ${packed} bytes at ${start}, but the archive has ${bytes.length} (truncated file?)`);
  }
  if (!(record.flags & sizesFollow)) {
    const narrow = [view.getUint32(localOffset + 22, true), view.getUint32(localOffset + 18, true)];
    const [localSize, localPacked] = widened(view, narrow, extra, start, place);
    if (localSize !== size || localPacked !== packed) {
      throw new DataError(
        place,
        `its header states ${localSize} bytes (${localPacked} packed), the archive's directory ${size} (${packed} packed)`,
      );
    }
  }
  const written = bytes.subarray(localOffset + localHeaderBytes, extra);
  if (written.length !== rawName.length || written.some((byte, i) => byte !== rawName[i])) {
    const found = JSON.stringify(new TextDecoder().decode(written.subarray(0, 100)));
    throw new DataError(place, `damaged zip archive: its header states the name ${found}`);
  }
  const data = bytes.subarray(start, start + packed);
  const content = method === 0 ? data : inflateBounded(data, size, place);
  if (content.length !== size) throw new DataError(place, `the archive states ${size} bytes, found ${content.length}`);
  if (checked && crc32(content) !== record.crc) throw new DataError(place, 'damaged zip archive: wrong checksum');
  return content;
}

function inflateBounded(data: Uint8Array, size: number, place: string): Uint8Array {
  if (size > data.length * maxDeflateRatio) {
    throw new DataError(place, `the archive states ${size} bytes, which ${data.length} compressed bytes cannot hold`);
  }
  // One byte more than stated, so that an entry which is longer than it says is seen to be; the buffer never grows.
  let content: Uint8Array;
  try {
    content = inflateSync(data, { out: new Uint8Array(size + 1) });
  } catch (thrown) {
    throw new DataError(place, `damaged compressed data for the ${size} bytes the archive states (${messageOf(thrown)})`, {
      cause: thrown,
    });
  }
  if (content.length > size) throw new DataError(place, `the archive states ${size} bytes, found more`);
  return content;
}
