import { describe, expect, it } from 'vitest';
import { fromNumbers } from '../../src/engine/ndarray.ts';
import {
  classProposals,
  consecutiveRuns,
  contrastProposals,
  indicesAtLeast,
  outerInnerContrast,
  THUMOS14_PROPOSALS,
} from '../../src/localization/proposals.ts';
import { parseThresholds, rangeName, steppedThresholds, thresholdName } from '../../src/localization/thresholds.ts';
import { upsample } from '../../src/localization/upsample.ts';

describe('thresholds', () => {
  it('steps in the doubles of the published lists', () => {
    expect(steppedThresholds(0.1, 0.9, 0.1)).toEqual([
      0.1, 0.2, 0.30000000000000004, 0.4, 0.5, 0.6, 0.7000000000000001, 0.8, 0.9,
    ]);
    expect(THUMOS14_PROPOSALS.casThresholds).toEqual([0.15, 0.2]);
    expect(THUMOS14_PROPOSALS.attentionThresholds).toHaveLength(17);
    expect(THUMOS14_PROPOSALS.attentionThresholds[5]).toBe(0.40000000000000013);
  });

  it('reads ranges, lists and single values', () => {
    expect(parseThresholds('0.1:0.1:0.3')).toEqual([0.1, 0.2, 0.30000000000000004]);
    expect(parseThresholds('0.3, 0.5')).toEqual([0.3, 0.5]);
    expect(parseThresholds('0.7,0.3,0.5,0.3')).toEqual([0.3, 0.5, 0.7]);
    expect(parseThresholds('.75')).toEqual([0.75]);
    expect(parseThresholds('0.1:0.1:1')).toHaveLength(10);
  });

  it.each(['', '0.1:0.7', '0:0.1:0.5', '0.5:-0.1:0.1', '0.5:0:0.7', '1.5', 'a', '0.7:0.1:0.5', '1e-1'])('rejects %j', text => {
    expect(() => parseThresholds(text)).toThrow(`found "${text}"`);
  });

  it('names them without rounding noise', () => {
    expect(thresholdName(0.30000000000000004)).toBe('0.3');
    expect(thresholdName(1)).toBe('1.0');
    expect(thresholdName(0.9999999999999999)).toBe('1.0');
    expect(rangeName(steppedThresholds(0.5, 0.95, 0.05))).toBe('0.5:0.95');
    expect(rangeName([0.5])).toBe('0.5');
  });
});

describe('upsample', () => {
  it('interpolates, and extrapolates past the last step', () => {
    const out = upsample(fromNumbers([0, 1, 0], [3], 'float64'), 4);
    expect(out.shape).toEqual([12]);
    expect(Array.from(out.data)).toEqual([0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25, 0, -0.25, -0.5, -0.75]);
  });

  it('treats columns separately', () => {
    const out = upsample(fromNumbers([0, 10, 2, 20], [2, 2]), 2);
    expect(out.shape).toEqual([4, 2]);
    expect(Array.from(out.data)).toEqual([0, 10, 1, 15, 2, 20, 3, 25]);
  });

  it('names what it cannot use', () => {
    expect(() => upsample(fromNumbers([1], [1]), 2)).toThrow('at least 2 time steps, got shape [1]');
    expect(() => upsample(fromNumbers([1, 2], [2]), 1.5)).toThrow('positive integer factor, got 1.5');
    expect(() => upsample(fromNumbers([1, 2], [2], 'int32'), 2)).toThrow('got int32');
  });
});

describe('proposals', () => {
  it('groups consecutive positions', () => {
    expect(consecutiveRuns([0, 1, 2, 5, 6, 9])).toEqual([
      { first: 0, last: 2 },
      { first: 5, last: 6 },
      { first: 9, last: 9 },
    ]);
    expect(consecutiveRuns([])).toEqual([]);
  });

  it('takes positions at the threshold', () => {
    expect(indicesAtLeast([0.1, 0.2, 0.3], 0.2)).toEqual([1, 2]);
  });

  it('contrasts inside with a margin outside', () => {
    // Run 2..6 of length 5, margin 1: outer positions 1 and 7.
    const scores = [9, 0.2, 1, 1, 1, 1, 1, 0.4, 9];
    expect(outerInnerContrast(scores, { first: 2, last: 6 }, 0.2)).toBeCloseTo(1 - 0.3, 12);
    expect(outerInnerContrast([0.5, 0.7], { first: 0, last: 1 }, 0.2)).toBeCloseTo(0.6, 12);
    // 0.2 * 2 truncates to nothing on the right, and int(4 - 0.4) = 3 reaches one step to the left.
    expect(outerInnerContrast([9, 9, 9, 0.25, 1, 1, 9], { first: 4, last: 5 }, 0.2)).toBeCloseTo(0.75, 12);
  });

  it('drops runs of one and measures in seconds', () => {
    const found = contrastProposals({
      indices: [0, 2, 3],
      scores: [1, 0, 1, 1],
      secondsPerStep: 0.5,
      outerMargin: 0.2,
      bonus: 0.1,
    });
    expect(found).toEqual([{ score: 1 + 0.1, start: 1, end: 2 }]);
  });

  it('zeroes only the sequence that is thresholded', () => {
    const cas = Float64Array.from([0, 0.4, 1, 1, 1, 1, 1, 0.4, 0]);
    const attention = Float64Array.from([0, 0.2, 0.9, 0.9, 0.9, 0.9, 0.9, 0.2, 0]);
    const options = {
      ...THUMOS14_PROPOSALS,
      casThresholds: [0.5],
      attentionThresholds: [0.5],
      casWeight: 0.7,
      attentionWeight: 0.3,
      casClassScoreWeight: 0,
      attentionClassScoreWeight: 0.25,
    };
    const found = classProposals({ cas, attention, classScore: 0.8, secondsPerStep: 1 }, options);
    const inner = 0.7 + 0.3 * 0.9;
    expect(found).toHaveLength(2);
    expect(found.map(p => [p.start, p.end])).toEqual([
      [2, 7],
      [2, 7],
    ]);
    expect(found[0].score).toBeCloseTo(inner - 0.3 * 0.2, 12);
    expect(found[1].score).toBeCloseTo(inner - 0.7 * 0.4 + 0.25 * 0.8, 12);
  });
});
