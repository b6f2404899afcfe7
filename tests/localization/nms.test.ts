import { describe, expect, it } from 'vitest';
import { nms, softNms, suppress } from '../../src/localization/nms.ts';
import { overlap, segmentIoU } from '../../src/localization/segments.ts';

const segment = (score: number, start: number, end: number) => ({ score, start, end });

describe('overlap', () => {
  it('is intersection over union', () => {
    expect(segmentIoU([0, 10], [5, 15])).toBeCloseTo(1 / 3, 15);
    expect(segmentIoU([0, 10], [10, 20])).toBe(0);
    expect(segmentIoU([3, 3], [3, 3])).toBe(0);
  });

  it('with an extra second, joins disjoint neighbours', () => {
    expect(overlap(0, 0.1, 0.2, 0.3, 1)).toBeCloseTo(0.9 / (1.1 + 1.1 - 0.9), 15);
  });
});

describe('nms', () => {
  it('keeps the best of overlapping segments, in descending order', () => {
    const all = [segment(0.5, 1, 11), segment(0.9, 0, 10), segment(0.7, 20, 30)];
    expect(nms(all, { threshold: 0.5, overlap: 'seconds' })).toEqual([all[1], all[2]]);
    expect(nms(all, { threshold: 0.9, overlap: 'seconds' })).toEqual([all[1], all[2], all[0]]);
  });

  it('removes at the threshold exactly', () => {
    const all = [segment(0.9, 0, 10), segment(0.5, 0, 5)];
    expect(nms(all, { threshold: 0.5, overlap: 'seconds' })).toEqual([all[0]]);
  });

  it('lets short disjoint segments suppress each other only with plus-one', () => {
    const all = [segment(0.9, 0, 0.1), segment(0.8, 0.2, 0.3), segment(0.7, 1.5, 1.6)];
    expect(nms(all, { threshold: 0.55, overlap: 'plus-one' })).toEqual([all[0], all[2]]);
    expect(nms(all, { threshold: 0.55, overlap: 'seconds' })).toEqual(all);
  });

  it('keeps equal scores in the order given, and what a segment carries', () => {
    const all = [
      { ...segment(0.5, 0, 1), label: 'a' },
      { ...segment(0.5, 5, 6), label: 'b' },
    ];
    expect(nms(all, { threshold: 0.5, overlap: 'seconds' }).map(s => s.label)).toEqual(['a', 'b']);
    expect(nms([], { threshold: 0.5, overlap: 'seconds' })).toEqual([]);
  });
});

describe('softNms', () => {
  const all = [segment(0.9, 0, 10), segment(0.8, 5, 15), segment(0.7, 100, 110)];

  it('decays linearly where the overlap reaches the threshold', () => {
    const kept = softNms(all, { method: 'linear', threshold: 0.3, minScore: 0.001, overlap: 'seconds' });
    expect(kept.map(s => s.start)).toEqual([0, 100, 5]);
    expect(kept[2].score).toBeCloseTo(0.8 * (2 / 3), 12);
    const apart = softNms(all, { method: 'linear', threshold: 0.34, minScore: 0.001, overlap: 'seconds' });
    expect(apart).toEqual(all);
  });

  it('decays by a Gaussian of the overlap and drops what falls below the minimum', () => {
    const decayed = 0.8 * Math.exp(-(1 / 9) / 0.5);
    const kept = softNms(all, { method: 'gaussian', sigma: 0.5, minScore: 0.001, overlap: 'seconds' });
    expect(kept.map(s => s.start)).toEqual([0, 100, 5]);
    expect(kept[2].score).toBeCloseTo(decayed, 12);
    const fewer = suppress(all, { method: 'gaussian', sigma: 0.5, minScore: decayed + 1e-9, overlap: 'seconds' });
    expect(fewer.map(s => s.start)).toEqual([0, 100]);
  });

  it('leaves the input as it was', () => {
    expect(all.map(s => s.score)).toEqual([0.9, 0.8, 0.7]);
  });
});
