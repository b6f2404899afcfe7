/** Small files for the data tests. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { encodeNpy } from '../../src/data/formats/npy.ts';
import { fromNumbers, type NDArray } from '../../src/engine/ndarray.ts';

/** A `.npy` file with any header text and data; `length` is what the header states of itself. */
export function npyFile(header: string, data: ArrayLike<number>, version = 1): Uint8Array {
  const head = [0x93, ...Buffer.from('NUMPY'), version, 0];
  const length = version === 1 ? [header.length & 255, header.length >> 8] : [header.length & 255, header.length >> 8, 0, 0];
  return Uint8Array.from([...head, ...length, ...Buffer.from(header), ...Array.from(data)]);
}

/** The header of a plain C-order array. */
export function npyHeader(descr: string, shape: string, fortran = 'False'): string {
  return `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }\n`;
}

/** The message of what `run` throws. @throws Error if it throws nothing, or something of several lines. */
export function messageThrown(run: () => unknown): string {
  try {
    run();
  } catch (thrown) {
    return oneLine(thrown);
  }
  throw new Error('nothing was thrown');
}

/** The message a promise is rejected with. @throws Error if it is not, or if the message has several lines. */
export async function messageRejected(promise: Promise<unknown>): Promise<string> {
  const outcome = await promise.then(
    () => undefined,
    (thrown: unknown) => ({ thrown }),
  );
  if (!outcome) throw new Error('nothing was thrown');
  return oneLine(outcome.thrown);
}

function oneLine(thrown: unknown): string {
  if (!(thrown instanceof Error) || thrown.message.includes('\n'))
    throw new Error('expected an error of one line', { cause: thrown });
  return thrown.message;
}

/** Features [rows, width] that count up from `start`. */
export function counting(rows: number, width: number, start = 0): NDArray<'float32'> {
  return fromNumbers(
    Array.from({ length: rows * width }, (_, i) => start + i),
    [rows, width],
  );
}

/** A temporary folder with files: arrays as .npy, texts and bytes as they are, anything else as JSON. Remove it with the second part. */
export async function folderOf(files: Readonly<Record<string, unknown>>): Promise<{ dir: string; remove: () => Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'inkling-data-'));
  for (const [name, content] of Object.entries(files)) {
    const path = join(dir, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, contentOf(content));
  }
  return { dir, remove: () => rm(dir, { recursive: true, force: true }) };
}

function contentOf(content: unknown): string | Uint8Array {
  if (typeof content === 'string' || content instanceof Uint8Array) return content;
  if (typeof content === 'object' && content !== null && 'dtype' in content) return encodeNpy(content as NDArray);
  return JSON.stringify(content);
}
