import { describe, expect, it } from 'vitest';
import { calibrateRejection, rejectionShare } from '../../src/fewshot/rejection.ts';

/** Clips as points on a line. */
const on = (points: readonly number[]) => (i: number, j: number) => Math.abs(points[i] - points[j]);

describe('the threshold of supports', () => {
  it('lies half-way from clips left out to the nearest other class', () => {
    const found = calibrateRejection({ classDistance: 'mean', labels: [0, 0, 1, 1, 2], between: on([0, 2, 10, 11, 30]) });
    // Own: 2, 2, 1, 1. Others: 10.5, 8.5 (class 1), 9, 10 (class 0), 19.5 (class 1).
    expect(found).toEqual({ own: 1.5, other: 11.5, threshold: 6.5, source: 'leave-one-out', clips: 4 });
  });

  it('counts the nearest clips of classes, where these are what queries are compared with', () => {
    const found = calibrateRejection({ classDistance: 'nearest', labels: [0, 0, 0, 1], between: on([0, 1, 5, 11]) });
    // Own: 1, 1, 4. Others: 11, 10, 6, 6.
    expect(found).toEqual({ own: 2, other: 8.25, threshold: 5.125, source: 'leave-one-out', clips: 3 });
  });

  it('lies nearer to the others where only views of single clips tell of their own class', () => {
    const views = (i: number) => [1 + i, 3 + i];
    const found = calibrateRejection({ classDistance: 'nearest', labels: [1, 0], between: on([0, 12]), views });
    expect(found).toEqual({ own: 2.5, other: 12, threshold: 2.5 + rejectionShare.views * 9.5, source: 'views', clips: 2 });
    expect(rejectionShare.views).toBeGreaterThan(rejectionShare['leave-one-out']);
  });

  it('needs two classes, and views where there are only single clips', () => {
    expect(() => calibrateRejection({ classDistance: 'mean', labels: [0, 0], between: on([0, 1]) })).toThrow(
      'at least 2 classes, found 1',
    );
    expect(() => calibrateRejection({ classDistance: 'mean', labels: [0, 1], between: on([0, 1]) })).toThrow(
      'needs views of the clips',
    );
  });
});
