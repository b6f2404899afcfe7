/** Frame distances of sequences in memory, for scoring cached features without a graph. */
import { type MetricName, matchingMetrics } from './metrics.ts';

/** Frames of one sequence, or of several of one length after each other: row-major `[frames, width]`. */
export interface Frames {
  readonly data: Float32Array;
  readonly frames: number;
  readonly width: number;
}

/** The frames with length 1, x / max(|x|, 1e-12), in a new array. */
export function toUnitFrames({ data, frames, width }: Frames): Frames {
  const unit = new Float32Array(frames * width);
  for (let f = 0; f < frames; f++) {
    let squared = 0;
    for (let i = f * width; i < (f + 1) * width; i++) squared += data[i] * data[i];
    const scale = 1 / Math.max(Math.sqrt(squared), 1e-12);
    for (let i = f * width; i < (f + 1) * width; i++) unit[i] = data[i] * scale;
  }
  return { data: unit, frames, width };
}

/**
 * 1 - cosine of every frame of `query` with every frame of `support`, both {@link toUnitFrames}: `[query frames, support frames]`, row-major.
 * @param out where to, with room for them; by default a new array
 * @throws RangeError if the widths differ
 */
export function unitFrameDistances(query: Frames, support: Frames, out?: Float64Array): Float64Array {
  if (query.width !== support.width)
    throw new RangeError(`frames of width ${query.width} cannot be compared to frames of width ${support.width}`);
  const distances = out ?? new Float64Array(query.frames * support.frames);
  const [x, y, n, m, width] = [query.data, support.data, query.frames, support.frames, query.width];
  // Two by two: each value that is read takes part in two products.
  for (let a = 0; a < n; a += 2) {
    const x0 = a * width;
    const x1 = a + 1 < n ? x0 + width : x0;
    for (let b = 0; b < m; b += 2) {
      const y0 = b * width;
      const y1 = b + 1 < m ? y0 + width : y0;
      let [s00, s01, s10, s11] = [0, 0, 0, 0];
      for (let i = 0; i < width; i++) {
        const [p, q, r, s] = [x[x0 + i], x[x1 + i], y[y0 + i], y[y1 + i]];
        s00 += p * r;
        s01 += p * s;
        s10 += q * r;
        s11 += q * s;
      }
      const at = a * m + b;
      distances[at] = 1 - s00;
      if (y1 !== y0) distances[at + 1] = 1 - s01;
      if (x1 !== x0) distances[at + m] = 1 - s10;
      if (x1 !== x0 && y1 !== y0) distances[at + m + 1] = 1 - s11;
    }
  }
  return distances;
}

/**
 * Distance of two sequences of any frame features by a metric; nothing is trained. Many pairs are faster with {@link toUnitFrames} of each sequence
 * once and {@link unitFrameDistances}.
 * @throws RangeError if a sequence has no frames, widths differ, or the metric needs equal lengths
 */
export function sequenceDistance(metric: MetricName, query: Frames, support: Frames): number {
  if (query.frames === 0 || support.frames === 0) throw new RangeError(`${metric}: a sequence without frames cannot be matched`);
  const distances = unitFrameDistances(toUnitFrames(query), toUnitFrames(support));
  return matchingMetrics[metric].ofPair(distances, query.frames, support.frames);
}
