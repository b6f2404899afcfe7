/** Digests of contents (Node). */
import { createHash } from 'node:crypto';
import { z } from 'zod';

/** The SHA-256 of bytes, or of a text as UTF-8, in hexadecimal. */
export function sha256(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}

/** What {@link sha256} gives. */
export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 in hexadecimal');
