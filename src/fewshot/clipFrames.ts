/** Clips as equally many frames, kept in memory. Pure but for what `load` does. */
import type { NDArray } from '../engine/index.ts';

/** A clip whose features can be read. */
export interface FewshotClip {
  /** The same wherever the data set is read. */
  readonly name: string;
  /** `[n, D]`, n at least 1. */
  load(): Promise<NDArray<'float32'>>;
}

/** Rows of n that stand for `frames` segments of equal length: the nearest to the middle of each. A short clip repeats rows, in order. */
export function nearestRows(n: number, frames: number): Int32Array {
  return Int32Array.from({ length: frames }, (_, t) => Math.min(n - 1, Math.floor(((t + 0.5) * n) / frames)));
}

/** Features `[n, D]` of a clip -> `[frames, D]`, by {@link nearestRows}. */
export function resampledFrames({ shape: [n, width], data }: NDArray<'float32'>, frames: number): Float32Array {
  const out = new Float32Array(frames * width);
  for (const [t, row] of nearestRows(n, frames).entries()) out.set(data.subarray(row * width, (row + 1) * width), t * width);
  return out;
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
