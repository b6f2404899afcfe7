/** Clips as equally many frames, kept in memory. Pure but for what `load` does. */
import type { NDArray } from '../engine/index.ts';

/** A clip whose features can be read. */
export interface FewshotClip {
  /** The same wherever the data set is read. */
  readonly name: string;
  /** `[n, D]`, n at least 1. */
  load(): Promise<NDArray<'float32'>>;
}

/**
 * Reads clips as something made of their `[frames, D]`, and keeps it: the first that fit into `maxBytes` stay, the others are read again.
 * @param bytesOf what a value takes
 */
export function keptClips<V>(
  make: (clip: FewshotClip) => Promise<V>,
  maxBytes: number,
  bytesOf: (value: V) => number,
): (clip: FewshotClip) => Promise<V> {
  const kept = new Map<FewshotClip, V>();
  let bytes = 0;
  return async clip => {
    const found = kept.get(clip);
    if (found !== undefined) return found;
    const made = await make(clip);
    const size = bytesOf(made);
    if (bytes + size <= maxBytes && !kept.has(clip)) {
      kept.set(clip, made);
      bytes += size;
    }
    return made;
  };
}
