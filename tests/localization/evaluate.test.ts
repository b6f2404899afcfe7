import { describe, expect, it } from 'vitest';
import type { Detection } from '../../src/localization/detections.ts';
import {
  ACTIVITYNET_EVALUATION,
  averagePrecision,
  evaluateDetections,
  type GroundTruth,
  THUMOS14_EVALUATION,
} from '../../src/localization/evaluate.ts';

type Truth = Record<string, { subset?: string; instances: { label: string; segment?: [number, number] }[] }>;
const truth = (videos: Truth): GroundTruth => ({ videos: new Map(Object.entries(videos)) });
const found = (videos: Record<string, Detection[]>) => new Map(Object.entries(videos));
const detection = (label: string, score: number, start: number, end: number): Detection => ({
  label,
  score,
  segment: [start, end],
});
const instance = (label: string, start: number, end: number) => ({ label, segment: [start, end] as [number, number] });

describe('averagePrecision', () => {
  it('interpolates precision from the right', () => {
    expect(averagePrecision([1, 1, 0, 1], 3)).toBeCloseTo(2 / 3 + 0.75 / 3, 15);
    expect(averagePrecision([0, 1, 0, 1, 1, 0], 3)).toBeCloseTo(0.6, 15);
    expect(averagePrecision([1], 4)).toBe(0.25);
    expect(averagePrecision([0, 0], 1)).toBe(0);
    expect(averagePrecision([], 2)).toBe(0);
  });

  it('needs instances', () => {
    expect(() => averagePrecision([1], 0)).toThrow('positive number of instances, got 0');
  });
});

describe('evaluateDetections', () => {
  it('counts a second detection of a taken instance as false', () => {
    const result = evaluateDetections(
      found({ v: [detection('a', 0.9, 0, 10), detection('a', 0.8, 0.5, 10), detection('a', 0.7, 20, 29)] }),
      truth({ v: { instances: [instance('a', 0, 10), instance('a', 20, 30)] } }),
      { tious: [0.5, 0.95] },
    );
    expect(result.ap).toEqual([[0.5 + 0.5 * (2 / 3)], [0.5]]);
    expect(result.average).toEqual({ range: '0.5:0.95', value: (0.5 + 0.5 * (2 / 3) + 0.5) / 2 });
  });

  it('lets a detection take the next best free instance', () => {
    const result = evaluateDetections(
      found({ v: [detection('a', 0.9, 1, 11), detection('a', 0.8, 0.5, 10.5)] }),
      truth({ v: { instances: [instance('a', 0, 10), instance('a', 4, 14)] } }),
      { tious: [0.4, 0.5] },
    );
    // Both overlap the first instance best; the second detection overlaps the free one by 6.5 / 13.5 = 0.48.
    expect(result.ap).toEqual([[1], [0.5]]);
  });

  it('gives equal overlaps to the later instance', () => {
    const result = evaluateDetections(
      found({ v: [detection('a', 0.9, 5, 15), detection('a', 0.8, 6, 15)] }),
      truth({ v: { instances: [instance('a', 0, 10), instance('a', 10, 20)] } }),
      { tious: [0.3] },
    );
    expect(result.mAP).toEqual([0.5]);
  });

  const twoSubsets = truth({
    t1: { subset: 'test', instances: [instance('b', 0, 5), instance('a', 5, 9)] },
    t2: { subset: 'test', instances: [instance('a', 0, 4)] },
    train: { subset: 'validation', instances: [instance('c', 0, 4)] },
  });
  const detections = found({
    train: [detection('a', 0.99, 0, 4)],
    t1: [detection('b', 0.4, 0, 5), detection('c', 0.4, 0, 5), detection('a', 0.6, 5, 9)],
    t2: [detection('a', 0.5, 0, 4)],
  });

  it('restricts ground truth to a subset and says what it left out', () => {
    const result = evaluateDetections(detections, twoSubsets, { tious: [0.5], subset: 'test' });
    expect(result.classes).toEqual(['b', 'a']);
    // The detection in the training video is a false positive of a, ranked first.
    expect(result.ap[0]).toEqual([1, 2 / 3]);
    expect(result.counts).toEqual({ instances: 3, detections: 4, unknownLabels: 1, unlistedVideos: 0 });
    expect(result.warnings).toEqual([
      '1 detections have a label that no ground truth of subset "test" has and are left out: c',
      '1 detections are in videos without ground truth of subset "test", false positives: train',
    ]);
  });

  it('restricts both sides to listed videos', () => {
    const result = evaluateDetections(detections, twoSubsets, { tious: [0.5], videos: ['t2'] });
    expect(result.classes).toEqual(['a']);
    expect(result.mAP).toEqual([1]);
    expect(result.counts).toEqual({ instances: 1, detections: 1, unknownLabels: 0, unlistedVideos: 4 });
  });

  it('averages over a named range', () => {
    const thumos = evaluateDetections(detections, twoSubsets, THUMOS14_EVALUATION);
    expect(thumos.average.range).toBe('0.1:0.7');
    expect(thumos.mAP).toHaveLength(9);
    expect(evaluateDetections(detections, twoSubsets, ACTIVITYNET_EVALUATION).average.range).toBe('0.5:0.95');
    // Overlap 0.4/0.8 = 0.5 passes the first five thresholds of seven.
    const half = evaluateDetections(
      found({ v: [detection('a', 1, 0, 4)] }),
      truth({ v: { instances: [instance('a', 0, 8)] } }),
      THUMOS14_EVALUATION,
    );
    expect(half.average.value).toBeCloseTo(5 / 7, 15);
  });

  it('gives 0 to classes without detections and ranks equal scores in the order given', () => {
    const one = truth({ v: { instances: [instance('a', 0, 4), instance('b', 0, 4)] } });
    const tied = (first: Detection, second: Detection) =>
      evaluateDetections(found({ v: [first, second] }), one, { tious: [0.5] }).ap[0];
    const [hit, miss] = [detection('a', 0.5, 0, 4), detection('a', 0.5, 7, 9)];
    expect(tied(hit, miss)).toEqual([1, 0]);
    expect(tied(miss, hit)).toEqual([0.5, 0]);
  });

  it('names what it cannot evaluate', () => {
    const run = (options: object, d = detections, t = twoSubsets) => evaluateDetections(d, t, { tious: [0.5], ...options });
    expect(() => run({ subset: 'val' })).toThrow('no instances of subset "val" (its subsets: test, validation)');
    expect(() => run({ tious: [] })).toThrow('thresholds in (0, 1], found none');
    expect(() => run({ tious: [0.5, 0] })).toThrow('found 0');
    expect(() => run({ average: [0.6, 0.7] })).toThrow('no tIoU threshold lies in the averaged range 0.6:0.7');
    expect(() => run({}, detections, truth({ v: { instances: [{ label: 'a' }] } }))).toThrow(
      'instance 0 ("a") of video "v" has none',
    );
    expect(() => run({}, found({ t1: [detection('a', Number.NaN, 0, 1)] }))).toThrow('detection 0 of video "t1"');
  });
});
