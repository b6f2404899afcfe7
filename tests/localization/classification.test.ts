import { describe, expect, it } from 'vitest';
import { fromNumbers } from '../../src/engine/ndarray.ts';
import { ACTIVITYNET_CLASSES, THUMOS14_CLASSES } from '../../src/localization/classes.ts';
import { classificationMAP, exactMatchAccuracy, exactMatches } from '../../src/localization/classification.ts';

describe('classificationMAP', () => {
  it('averages the precision at every positive video', () => {
    const scores = fromNumbers([0.9, 0.1, 0.8, 0.2, 0.7, 0.6, 0.1, 0.3], [4, 2]);
    const labels = fromNumbers([1, 0, 0, 0, 1, 1, 0, 1], [4, 2]);
    const { ap, mAP } = classificationMAP(scores, labels);
    expect(ap[0]).toBeCloseTo((1 + 2 / 3) / 2, 15);
    expect(ap[1]).toBe(1);
    expect(mAP).toBeCloseTo((5 / 6 + 1) / 2, 15);
  });

  it('leaves out classes that no video has, and a background column', () => {
    const scores = fromNumbers([0.1, 0.5, 9, 0.6, 0.5, 9], [2, 3]);
    const { ap, mAP } = classificationMAP(scores, fromNumbers([1, 0, 0, 0], [2, 2], 'uint8'));
    expect(ap).toEqual([0.5, Number.NaN]);
    expect(mAP).toBe(0.5);
  });

  it('names shapes and values that do not fit', () => {
    const labels = fromNumbers([1, 0], [1, 2]);
    expect(() => classificationMAP(fromNumbers([1], [1, 1]), labels)).toThrow('got [1, 1] and [1, 2]');
    expect(() => classificationMAP(fromNumbers([1, Number.NaN], [1, 2]), labels)).toThrow('video 0, class 1 is NaN');
    expect(() => classificationMAP(fromNumbers([1, 1], [1, 2]), fromNumbers([0, 0], [1, 2]))).toThrow('no video has a label');
  });
});

describe('exactMatchAccuracy', () => {
  it('asks for every class, at or above the threshold', () => {
    const scores = fromNumbers([0.25, 0.1, 0.65, 0.5, 0.3, 0.2, 0.1, 0.1, 0.8], [3, 3]);
    const labels = fromNumbers([1, 0, 1, 0, 0, 0], [3, 2]);
    expect(Array.from(exactMatches(scores, labels, 0.25))).toEqual([1, 0, 1]);
    expect(exactMatchAccuracy(scores, labels, 0.25)).toBeCloseTo(2 / 3, 15);
    expect(exactMatchAccuracy(fromNumbers([0.1], [1, 1]), fromNumbers([1], [1, 1]), 0.1)).toBe(1);
  });
});

describe('class lists', () => {
  it('have the order of published checkpoints', () => {
    expect(THUMOS14_CLASSES).toHaveLength(20);
    expect([THUMOS14_CLASSES[0], THUMOS14_CLASSES[19]]).toEqual(['BaseballPitch', 'VolleyballSpiking']);
    expect(new Set(ACTIVITYNET_CLASSES).size).toBe(200);
    expect(ACTIVITYNET_CLASSES.indexOf('BMX')).toBeLessThan(ACTIVITYNET_CLASSES.indexOf('Baking cookies'));
  });
});
