import { describe, expect, it } from 'vitest';
import { fromNumbers } from '../../src/engine/ndarray.ts';
import {
  ACTIVITYNET_LOCALIZE,
  localize,
  proposeVideo,
  secondsPerStep,
  selectClasses,
  THUMOS14_LOCALIZE,
} from '../../src/localization/localize.ts';

/** Ten snippets, classes a and b and a background; a acts in snippets 3 to 6. */
const active = [0, 0, 0, 1, 1, 1, 1, 0, 0, 0];
const prediction = {
  classScores: fromNumbers([0.6, 0.1, 0.3], [3]),
  attention: fromNumbers(
    active.flatMap(a => [a, 0, 1 - a]),
    [10, 3],
  ),
  cas: fromNumbers(
    active.flatMap(a => [a * 0.8, 0.1, 0.9 - 0.8 * a]),
    [10, 3],
  ),
  snippets: 10,
};

describe('selectClasses', () => {
  it('takes all above the threshold, else the best', () => {
    expect(selectClasses([0.3, 0.25, 0.4], 3, 0.25)).toEqual([0, 2]);
    expect(selectClasses([0.1, 0.2, 0.2], 3, 0.25)).toEqual([1]);
    expect(selectClasses([0.1, 0.2, 0.9], 2, 0.25)).toEqual([1]);
  });

  it('compares float32 scores with the threshold in float32', () => {
    expect(selectClasses(Float32Array.of(0.1, 0.9), 2, 0.1)).toEqual([1]);
    expect(selectClasses([0.10000000149011612, 0.9], 2, 0.1)).toEqual([0, 1]);
  });
});

describe('localize', () => {
  it('has the time base of 16 frames at 25 fps', () => {
    expect(secondsPerStep(750, 750, THUMOS14_LOCALIZE)).toBeCloseTo(0.032, 15);
    expect(secondsPerStep(1500, 750, THUMOS14_LOCALIZE)).toBeCloseTo(0.064, 15);
    expect(secondsPerStep(10, 10, { snippetFrames: 32, framesPerSecond: 8, upsampling: 4 })).toBe(1);
  });

  it('finds the action where it is', () => {
    const found = localize(prediction, ['a', 'b'], THUMOS14_LOCALIZE);
    expect(found.length).toBeGreaterThan(0);
    expect(new Set(found.map(d => d.label))).toEqual(new Set(['a']));
    expect(found[0].segment[0]).toBeCloseTo(2.5 * 0.64, 0);
    expect(found[0].segment[1]).toBeCloseTo(6.5 * 0.64, 0);
    expect(found[0].score).toBeGreaterThan(0.5);
    expect(found.map(d => d.score)).toEqual(found.map(d => d.score).sort((x, y) => y - x));
  });

  it('proposes at every threshold and accepts the instance attention alone', () => {
    const [proposed] = proposeVideo(prediction, 2, THUMOS14_LOCALIZE);
    expect(proposed.classIndex).toBe(0);
    // One run of a at each of the 2 + 17 thresholds.
    expect(proposed.proposals).toHaveLength(19);
    const alone = proposeVideo({ ...prediction, attention: fromNumbers(active, [10]) }, 2, THUMOS14_LOCALIZE);
    expect(alone).toEqual([proposed]);
  });

  it('adds the class score to attention proposals on ActivityNet', () => {
    const without = { ...ACTIVITYNET_LOCALIZE.proposals, attentionClassScoreWeight: 0 };
    const scored = proposeVideo(prediction, 2, ACTIVITYNET_LOCALIZE)[0].proposals;
    const plain = proposeVideo(prediction, 2, { ...ACTIVITYNET_LOCALIZE, proposals: without })[0].proposals;
    const bonus = scored.map((p, i) => p.score - plain[i].score);
    expect(bonus[0]).toBe(0);
    expect(bonus[bonus.length - 1]).toBeCloseTo(0.25 * 0.6, 6);
  });

  it('names predictions that do not fit', () => {
    const run = (change: object) => () => localize({ ...prediction, ...change }, ['a', 'b'], THUMOS14_LOCALIZE);
    expect(run({ classScores: fromNumbers([1], [1]) })).toThrow('expected class scores [2] or [3], got [1]');
    expect(run({ cas: fromNumbers([1, 1], [1, 2]) })).toThrow('expected attention [1, 3] or [1], got [10, 3]');
    expect(run({ snippets: 0 })).toThrow('positive number of snippets, got 0');
    expect(run({ classScores: fromNumbers([0.5, Number.NaN], [2]) })).toThrow('class scores hold NaN at element 1');
    expect(run({ classScores: fromNumbers([1, 2], [2], 'int32') })).toThrow('got int32');
  });
});
