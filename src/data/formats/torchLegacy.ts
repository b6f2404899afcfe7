import { DataError } from './dataError.ts';
import type { ArrayOwner } from './numpyClasses.ts';
import { type Pickled, parsePickle } from './pickle.ts';
import type { PickleClass, PickleContext } from './pickleClass.ts';
import type { TensorStorage } from './storedTensor.ts';
import { isSize, storageId, TorchStorage } from './torchClasses.ts';
import { torchElementBytes } from './torchTypes.ts';

/** The first pickle of a file in PyTorch's format before 1.6 is this number. */
export const legacyMagic = 0x1950a86a20f9469cfc6cn;

/** The format's version, the second pickle. */
const legacyVersion = 1001;

const noLeaves = (value: unknown): value is never => value === undefined;

/** A storage that follows the pickles: where it lies is known once they have been read. */
interface LegacyStorage extends TensorStorage {
  readonly bytesPerElement: number;
  /** Offset of its data in the file. */
  at: number | undefined;
}

/**
 * Reads a file as PyTorch wrote it before 1.6 (and does on request): five pickles one after the other - a magic number, the format's
 * version, the writer's machine, the object, the keys of its storages - and then the storages, each after its number of elements.
 * Numbers are little-endian whatever machine wrote them.
 * @param start offset in bytes behind the magic number
 * @throws DataError if a part is damaged, missing or too long
 */
export function parseLegacy<Leaf>(
  bytes: Uint8Array,
  start: number,
  owner: ArrayOwner,
  globals: ReadonlyMap<string, PickleClass>,
  isLeaf: (value: unknown) => value is Leaf,
): Pickled<Leaf> {
  const { where } = owner;
  const version = parsePickle(bytes, where, { globals: new Map(), isLeaf: noLeaves }, start);
  if (version.value !== legacyVersion) {
    throw new DataError(where, `expected version ${legacyVersion} of PyTorch's legacy format, found another`);
  }
  const machine = parsePickle(bytes, where, { globals: new Map(), isLeaf: noLeaves }, version.end);
  const storages = new Map<string, LegacyStorage>();
  const persistent = (id: unknown, context: PickleContext): unknown => storageOf(id, context, bytes, storages, owner);
  const content = parsePickle(bytes, where, { globals, persistent, isLeaf }, machine.end);
  const keys = parsePickle(bytes, where, { globals: new Map(), isLeaf: noLeaves }, content.end);
  if (!Array.isArray(keys.value)) throw new DataError(where, 'expected the list of storages after the object');
  placeStorages(bytes, keys.value, keys.end, storages, where);
  return content.value;
}

function storageOf(
  id: unknown,
  context: PickleContext,
  bytes: Uint8Array,
  storages: Map<string, LegacyStorage>,
  owner: ArrayOwner,
): unknown {
  // Whole modules come with their source; the classes that follow are not on the list, and are what should be named.
  if (Array.isArray(id) && id[0] === 'module') return id[1];
  const { dtype, key, bytes: length, rest } = storageId(id, context);
  if (length > bytes.length) throw context.error(`a storage of ${length} bytes in a file of ${bytes.length}`);
  const width = torchElementBytes.get(dtype)!;
  let storage = storages.get(key);
  if (!storage) {
    storage = legacyStorage(`${owner.where}: storage ${JSON.stringify(key.slice(0, 60))}`, bytes, length, width);
    storages.set(key, storage);
    owner.reserve(length);
  } else if (storage.byteLength !== length) {
    throw context.error(`a storage of ${length} bytes that had ${storage.byteLength} before`);
  }
  const [view = null] = rest;
  if (view === null) return new TorchStorage(storage, dtype, 0, length);
  if (!Array.isArray(view) || view.length !== 3 || !isSize(view[1]) || !isSize(view[2])) {
    throw context.error('expected the key, offset and size of a view');
  }
  const [from, count] = [view[1] * width, view[2] * width];
  if (from + count > length) throw context.error(`a view of bytes ${from} to ${from + count} in a storage of ${length}`);
  return new TorchStorage(storage, dtype, from, count);
}

function legacyStorage(where: string, bytes: Uint8Array, byteLength: number, bytesPerElement: number): LegacyStorage {
  let aligned: Uint8Array | undefined;
  return {
    where,
    byteLength,
    bigEndian: false,
    bytesPerElement,
    at: undefined,
    read() {
      if (this.at === undefined) throw new DataError(where, 'has no data in the file');
      if (!aligned) {
        const data = bytes.subarray(this.at, this.at + byteLength);
        aligned = data.byteOffset % bytesPerElement === 0 ? data : data.slice();
      }
      return aligned;
    },
  };
}

/** Finds the storages' data, which follow the pickles in the order of their keys. */
function placeStorages(
  bytes: Uint8Array,
  keys: readonly unknown[],
  start: number,
  storages: ReadonlyMap<string, LegacyStorage>,
  where: string,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = start;
  for (const key of keys) {
    const storage = storages.get(String(key));
    const place = `${where}: storage ${JSON.stringify(String(key).slice(0, 60))}`;
    if (typeof key !== 'string' || !storage || storage.at !== undefined) {
      throw new DataError(place, `${storage ? 'is listed twice' : 'is listed, but nothing refers to it'}`);
    }
    if (at + 8 > bytes.length)
      throw new DataError(place, `expected at byte ${at}, but the file ends at ${bytes.length} (truncated file?)`);
    const length = Number(view.getBigInt64(at, true)) * storage.bytesPerElement;
    if (length !== storage.byteLength) throw new DataError(place, `expected ${storage.byteLength} bytes, found ${length}`);
    if (at + 8 + length > bytes.length) {
      throw new DataError(place, `needs ${length} bytes at ${at + 8}, but the file has ${bytes.length} (truncated file?)`);
    }
    storage.at = at + 8;
    at += 8 + length;
  }
  for (const storage of storages.values())
    if (storage.at === undefined) throw new DataError(storage.where, 'has no data in the file');
  if (at !== bytes.length) throw new DataError(where, `expected the file to end at byte ${at}, found ${bytes.length} bytes`);
}

/**
 * A storage on its own, as tensors that were pickled without PyTorch's help hold them.
 * @param globals PyTorch's part of the allow-list, without storages inside this one
 */
export function parseLegacyStorage(
  bytes: Uint8Array,
  owner: ArrayOwner,
  globals: ReadonlyMap<string, PickleClass>,
): TorchStorage {
  const magic = parsePickle(bytes, owner.where, { globals: new Map(), isLeaf: noLeaves });
  if (magic.value !== legacyMagic) throw new DataError(owner.where, 'expected a storage in the legacy format inside');
  const isStorage = (value: unknown): value is TorchStorage => value instanceof TorchStorage;
  const storage = parseLegacy(bytes, magic.end, owner, globals, isStorage);
  if (!(storage instanceof TorchStorage)) throw new DataError(owner.where, 'expected a storage inside');
  return storage;
}
