import type { NDArray } from '../engine/ndarray.ts';
import { crc32 } from './formats/crc32.ts';

/**
 * A short name of weights by their content, eight hexadecimal digits: CRC-32 over names, types, shapes and values in the order of the names. What
 * belongs to certain weights (such as thresholds) carries it, and is recognised by it. It tells the checkpoints of a run apart; it is no
 * protection against anybody.
 */
export function weightsDigest(arrays: Readonly<Record<string, NDArray>>): string {
  const encoder = new TextEncoder();
  const checksums = Object.keys(arrays)
    .sort()
    .map(name => {
      const { dtype, shape, data } = arrays[name];
      const content = crc32(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      return `${name} ${dtype} ${shape} ${content}`;
    });
  return crc32(encoder.encode(checksums.join('\n')))
    .toString(16)
    .padStart(8, '0');
}
