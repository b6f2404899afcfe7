import { DataError } from './dataError.ts';
import type { ArrayOwner } from './numpyClasses.ts';
import { type Pickled, parsePickle } from './pickle.ts';
import type { PickleClass, PickleContext } from './pickleClass.ts';
import type { StoredTensor, TensorStorage } from './storedTensor.ts';
import { storageId, TorchStorage } from './torchClasses.ts';
import { readZip, type ZipEntry } from './zip.ts';

/**
 * Reads a zip archive as PyTorch writes it since 1.6: `NAME/data.pkl` is the object, `NAME/data/KEY` its storages, `NAME/byteorder`
 * (since 2.1) their byte order. Storages are checked when they are first read.
 * @throws DataError if the archive is damaged, or is a program or something else
 */
export function parseArchive(
  bytes: Uint8Array,
  owner: ArrayOwner,
  globals: ReadonlyMap<string, PickleClass>,
  isLeaf: (value: unknown) => value is StoredTensor,
): Pickled<StoredTensor> {
  const { where } = owner;
  const entries = new Map(readZip(bytes, where, { zeroMeansUnchecked: true }).map(entry => [entry.name, entry]));
  const prefix = checkedPrefix([...entries.keys()], where);
  const bigEndian = isBigEndian(entries.get(`${prefix}byteorder`), where);
  const storages = new Map<string, TensorStorage>();

  const persistent = (id: unknown, context: PickleContext): TorchStorage => {
    const { dtype, key, location, bytes: length } = storageId(id, context);
    let storage = storages.get(key);
    if (!storage) {
      if (location === 'meta')
        storage = { where: `${where}: data/${key}`, byteLength: length, bigEndian, read: noData(`${where}: data/${key}`) };
      else {
        const entry = entries.get(`${prefix}data/${key}`);
        if (!entry) throw context.error(`needs the storage data/${key.slice(0, 60)}, which the archive does not hold`);
        storage = archiveStorage(entry, bigEndian, where);
        owner.reserve(entry.size);
      }
      storages.set(key, storage);
    }
    if (storage.byteLength !== length) {
      throw context.error(`a storage of ${length} bytes, but data/${key.slice(0, 60)} has ${storage.byteLength}`);
    }
    return new TorchStorage(storage, dtype, 0, length);
  };

  const object = entries.get(`${prefix}data.pkl`)!;
  if (object.size > 64 * bytes.length + 2 ** 20) {
    throw new DataError(
      `${where}: ${object.name}`,
      `states ${object.size} bytes, out of proportion to the archive's ${bytes.length}`,
    );
  }
  const pickle = object.read();
  const { value, end } = parsePickle(pickle, where, { globals, persistent, isLeaf });
  if (end !== pickle.length) throw new DataError(where, `expected data.pkl to end at byte ${end}, found ${pickle.length} bytes`);
  return value;
}

/** The folder that everything in the archive is in, with its slash. */
function checkedPrefix(names: readonly string[], where: string): string {
  const has = (pattern: RegExp): boolean => names.some(name => pattern.test(name));
  if (has(/(^|\/)constants\.pkl$/) || has(/^[^/]*\/code\//)) {
    throw new DataError(where, 'this is a TorchScript program, not a checkpoint; save its state_dict instead');
  }
  if (has(/(^|\/)(archive_format|serialized_exported_program\.json|models\/.*\.json)$/)) {
    throw new DataError(where, 'this is a program of torch.export, not a checkpoint; save its state_dict instead');
  }
  const found = names.filter(name => /(^|\/)data\.pkl$/.test(name));
  if (found.length === 1) return found[0].slice(0, -'data.pkl'.length);
  const others = names.slice(0, 3).map(name => JSON.stringify(name.slice(0, 60)));
  throw new DataError(
    where,
    found.length > 1
      ? 'expected a checkpoint of PyTorch, found an archive of several'
      : `expected a checkpoint of PyTorch (with data.pkl inside), found a zip archive of ${others.join(', ') || 'nothing'}`,
  );
}

function isBigEndian(entry: ZipEntry | undefined, where: string): boolean {
  if (!entry) return false;
  const order = entry.size > 16 ? '' : new TextDecoder().decode(entry.read());
  if (order !== 'little' && order !== 'big')
    throw new DataError(where, 'expected the byte order "little" or "big" in the archive');
  return order === 'big';
}

function noData(where: string): () => never {
  return () => {
    throw new DataError(where, 'a meta tensor, which has a shape but no data');
  };
}

function archiveStorage(entry: ZipEntry, bigEndian: boolean, where: string): TensorStorage {
  let content: Uint8Array | undefined;
  return {
    where: `${where}: ${entry.name}`,
    byteLength: entry.size,
    bigEndian,
    read() {
      if (!content) {
        const data = entry.read();
        content = data.byteOffset % 8 === 0 ? data : data.slice();
      }
      return content;
    },
  };
}
