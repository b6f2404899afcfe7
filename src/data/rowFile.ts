/** A `.npy` file of rows that are written as they come (Node only). */
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { writeProblem } from './files.ts';
import { DataError } from './formats/dataError.ts';
import { npyHead } from './formats/npy.ts';

/** Grows by rows; memory holds none of them. */
export interface RowFile {
  /** Adds float32 rows of the same width. */
  append(rows: Float32Array, width: number): Promise<void>;
  /** Ends the file and gives it its name; it is there whole, or not at all. Rows so far. */
  finish(): Promise<number>;
  /** Removes what was written; does nothing after {@link finish}. */
  discard(): Promise<void>;
}

/** Room for the head of any number of rows. */
const headBytes = 128;

/**
 * Starts a `.npy` file `[rows, width]`.
 * @throws DataError naming the file, from any of its functions, if it cannot be written
 */
export async function createRowFile(path: string): Promise<RowFile> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${process.pid}.0.tmp`);
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (thrown) {
      throw new DataError(path, writeProblem(thrown, folder), { cause: thrown });
    }
  };
  const file: FileHandle = await guarded(() => open(temporary, 'w'));
  let [written, rowWidth, isOpen] = [0, 0, true];
  const put = async (bytes: Uint8Array, place: number): Promise<void> => {
    for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at, bytes.length - at, place + at)).bytesWritten;
  };
  return {
    append: (rows, width) =>
      guarded(async () => {
        if (rowWidth !== 0 && width !== rowWidth) throw new RangeError(`expected rows of ${rowWidth} numbers, found ${width}`);
        rowWidth = width;
        await put(new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength), headBytes + 4 * width * written);
        written += rows.length / width;
      }),
    finish: () =>
      guarded(async () => {
        await put(npyHead('float32', [written, rowWidth], headBytes), 0);
        await file.sync();
        await file.close();
        isOpen = false;
        await rename(temporary, path);
        return written;
      }),
    discard: async () => {
      if (!isOpen) return;
      isOpen = false;
      await file.close();
      await rm(temporary, { force: true });
    },
  };
}
