/** Digests of contents (Node). */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { z } from 'zod';
import { DataError, messageOf } from '../data/index.ts';

/** The SHA-256 of bytes, or of a text as UTF-8, in hexadecimal. */
export function sha256(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}

/** The SHA-256 of a file of any size, and its bytes. @throws DataError naming the file if it cannot be read */
export async function sha256OfFile(path: string): Promise<{ readonly digest: string; readonly size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  try {
    for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
      hash.update(piece);
      size += piece.length;
    }
  } catch (error) {
    throw new DataError(path, `cannot be read (${messageOf(error)})`, { cause: error });
  }
  return { digest: hash.digest('hex'), size };
}

/** What {@link sha256} gives. */
export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 in hexadecimal');
