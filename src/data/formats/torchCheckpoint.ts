import { DataError } from './dataError.ts';
import { knownKind, seemsToBe, startsWith } from './fileKind.ts';
import { type ArrayOwner, numpyClasses } from './numpyClasses.ts';
import { type Pickled, parsePickle } from './pickle.ts';
import { plainBytes } from './plainBytes.ts';
import { pythonClasses } from './pythonClasses.ts';
import { StoredTensor } from './storedTensor.ts';
import { parseArchive } from './torchArchive.ts';
import { torchClasses } from './torchClasses.ts';
import { legacyMagic, parseLegacy, parseLegacyStorage } from './torchLegacy.ts';

/**
 * A part of a checkpoint: plain values, tensors, and lists, maps and sets of them. Tuples are arrays like lists; integers are
 * numbers where exact and bigints beyond; types and devices are texts (`torch.float32`, `cuda:0`).
 */
export type CheckpointValue = Pickled<StoredTensor>;

/** What all tensors together may take beyond the file, in bytes: this much, and 16 times the file. */
const reserveBase = 2 ** 29;
const reserveFactor = 16;

/**
 * Reads a checkpoint of PyTorch (`.pth`, `.pt`, `.pyth`): the zip format, the one before 1.6, or a plain pickle (`.pkl`), told apart by
 * their content. NumPy's arrays become tensors, its scalars plain values. Nothing is executed: names of classes and functions are
 * looked up in a fixed list, which has what rebuilds tensors, and plain data structures.
 *
 * The result is a tree (shared parts allowed), at most 1000 levels deep. Tensors share memory with `bytes` where they can, and are read
 * and checked (zip archives have checksums) when {@link StoredTensor.read} is called; treat both as read-only.
 *
 * @param where the file's name, for messages
 * @throws DataError naming the file if it is damaged, is something else, or needs globals that are not on the list (all are named)
 */
export function parseTorchCheckpoint(bytes: Uint8Array, where: string): CheckpointValue {
  const file = plainBytes(bytes);
  let reserved = 0;
  const owner: ArrayOwner = {
    where,
    reserve(amount) {
      reserved += amount;
      const most = reserveBase + reserveFactor * file.length;
      if (reserved > most)
        throw new DataError(where, `its tensors would take ${reserved} bytes, out of proportion to the file's ${file.length}`);
    },
  };
  const storageGlobals = torchClasses(owner);
  const globals = new Map([
    ...pythonClasses,
    ...numpyClasses(owner),
    ...torchClasses(owner, inner => parseLegacyStorage(inner, owner, storageGlobals)),
  ]);
  const isTensor = (value: unknown): value is StoredTensor => value instanceof StoredTensor;

  if (startsWith(file, 'PK')) return parseArchive(file, owner, globals, isTensor);
  refuseOthers(file, where);
  const first = firstPickle(file, where, { globals, isLeaf: isTensor });
  if (first.value === legacyMagic) return parseLegacy(file, first.end, owner, globals, isTensor);
  if (first.end !== file.length) {
    throw new DataError(where, `expected the pickle to end at byte ${first.end}, found ${file.length} bytes`);
  }
  return first.value;
}

const expected = 'expected a checkpoint of PyTorch or a pickle, found';

function refuseOthers(file: Uint8Array, where: string): void {
  if (file.length === 0) throw new DataError(where, `${expected} an empty file`);
  if (startsWith(file, 'ustar', 257)) {
    throw new DataError(
      where,
      `${expected} a tar archive, the format of PyTorch before 0.1.10; load and save it with a newer one`,
    );
  }
  const known = knownKind(file);
  if (known !== undefined) throw new DataError(where, `${expected} ${known}`);
}

/** The first pickle of a file that may be none at all: its author is then told what the file is, not at which byte it is no pickle. */
function firstPickle(file: Uint8Array, where: string, options: Parameters<typeof parsePickle<StoredTensor>>[2]) {
  try {
    return parsePickle(file, where, options);
  } catch (error) {
    // Since protocol 2 (2003) pickles begin with 0x80; all end with a full stop.
    const isPickle = file[0] === 0x80 || file[file.length - 1] === 0x2e || file.length < 64;
    if (!(error instanceof DataError) || isPickle) throw error;
    throw new DataError(where, `${expected} ${seemsToBe(file)}`, { cause: error });
  }
}
