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
  const { data: x, frames: n, width } = query;
  const { data: y, frames: m } = support;
  // Two by four: six values that are read make eight products. At the ends the last frame stands in for those that are not there.
  for (let a = 0; a < n; a += 2) {
    const x0 = a * width;
    const x1 = Math.min(a + 1, n - 1) * width;
    for (let b = 0; b < m; b += 4) {
      const y0 = b * width;
      const y1 = Math.min(b + 1, m - 1) * width;
      const y2 = Math.min(b + 2, m - 1) * width;
      const y3 = Math.min(b + 3, m - 1) * width;
      let s00 = 0;
      let s01 = 0;
      let s02 = 0;
      let s03 = 0;
      let s10 = 0;
      let s11 = 0;
      let s12 = 0;
      let s13 = 0;
      for (let i = 0; i < width; i++) {
        const p = x[x0 + i];
        const q = x[x1 + i];
        const r0 = y[y0 + i];
        const r1 = y[y1 + i];
        const r2 = y[y2 + i];
        const r3 = y[y3 + i];
        s00 += p * r0;
        s01 += p * r1;
        s02 += p * r2;
        s03 += p * r3;
        s10 += q * r0;
        s11 += q * r1;
        s12 += q * r2;
        s13 += q * r3;
      }
      const at = a * m + b;
      distances[at] = 1 - s00;
      if (b + 1 < m) distances[at + 1] = 1 - s01;
      if (b + 2 < m) distances[at + 2] = 1 - s02;
      if (b + 3 < m) distances[at + 3] = 1 - s03;
      if (a + 1 < n) {
        distances[at + m] = 1 - s10;
        if (b + 1 < m) distances[at + m + 1] = 1 - s11;
        if (b + 2 < m) distances[at + m + 2] = 1 - s12;
        if (b + 3 < m) distances[at + m + 3] = 1 - s13;
      }
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
