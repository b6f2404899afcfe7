import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  blockIndices,
  denseIndices,
  fittedIntervalIndices,
  intervalIndices,
  multiView,
  segmentIndices,
} from '../../src/video/sampling.ts';

describe('segmentIndices', () => {
  test('testing takes the middles of the segments, halves rounded to even', () => {
    // L = 20, n = 8: middles 1.25, 3.75, 6.25, 8.75, 11.25, 13.75, 16.25, 18.75.
    expect([...segmentIndices(20, { frames: 8 })]).toEqual([1, 4, 6, 9, 11, 14, 16, 19]);
    // L = 8: 0.5, 1.5, 2.5, ... go to 0, 2, 2, 4, 4, 6, 6, and 7.5, clamped to 7.
    expect([...segmentIndices(8, { frames: 8 })]).toEqual([0, 2, 2, 4, 4, 6, 6, 7]);
  });

  test('training takes each frame where its uniform says; short videos repeat frames', () => {
    expect([...segmentIndices(40, { frames: 4, uniforms: [0, 0.5, 0.99, 0.25] })]).toEqual([0, 15, 30, 32]);
    expect([...segmentIndices(1, { frames: 3, uniforms: [0.1, 0.9, 0.5] })]).toEqual([0, 0, 0]);
  });

  test('stays within the video and never goes back, whatever the draws', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5000 }),
        fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1, maxLength: 32 }),
        (length, uniforms) => {
          const indices = [...segmentIndices(length, { frames: uniforms.length, uniforms })];
          expect(indices.every((index, k) => index >= 0 && index < length && (k === 0 || index >= indices[k - 1]))).toBe(true);
        },
      ),
    );
  });

  test('says what does not fit', () => {
    expect(() => segmentIndices(0, { frames: 8 })).toThrow('segmentIndices: expected a video of at least 1 frame, found 0');
    expect(() => segmentIndices(9, { frames: 8, view: { view: 3, views: 3 } })).toThrow('expected a view below 3, found 3');
  });
});

test('intervalIndices covers its stretch, in the middle of the video or from the drawn start', () => {
  // Span 8 x 8 = 64 frames at 30 frames a second; the middle of 100 frames starts at 18.
  const options = { frames: 8, interval: 8, framesPerSecond: 30 };
  expect([...intervalIndices(100, options)]).toEqual([18, 26, 34, 42, 50, 58, 66, 74]);
  expect([...intervalIndices(100, { ...options, uniform: 0 })]).toEqual([0, 8, 16, 24, 32, 40, 48, 56]);
  expect([...intervalIndices(20, options)].at(-1)).toBe(19);
});

test('denseIndices begins at evenly spread places and wraps in short videos', () => {
  const options = { frames: 8, within: 64 };
  expect([...denseIndices(100, { ...options, uniform: 0.5 })]).toEqual([18, 26, 34, 42, 50, 58, 66, 74]);
  expect([...denseIndices(100, { ...options, view: { view: 9, views: 10 } })][0]).toBe(36);
  expect([...denseIndices(10, options)]).toEqual([0, 8, 6, 4, 2, 0, 8, 6]);
});

test('multiView counts crops before views', () => {
  expect([0, 1, 2, 3, 4].map(index => multiView(index, 3))).toEqual([
    { view: 0, crop: 0 },
    { view: 0, crop: 1 },
    { view: 0, crop: 2 },
    { view: 1, crop: 0 },
    { view: 1, crop: 1 },
  ]);
});

describe('fittedIntervalIndices', () => {
  // 8 frames 4 apart at 30 a second: a stretch of 32 frames.
  const options = { frames: 8, interval: 4, framesPerSecond: 30 };

  test('takes the stretch where it fits, with one more place for its beginning than there is room', () => {
    expect([...fittedIntervalIndices(64, { ...options, uniform: 0 })]).toEqual([0, 4, 8, 12, 16, 20, 24, 28]);
    expect([...fittedIntervalIndices(64, options)][0]).toBe(16);
    expect([...fittedIntervalIndices(32, { ...options, uniform: 0.999 })]).toEqual([0, 4, 8, 12, 16, 20, 24, 28]);
  });

  test('shrinks stretch and interval in short videos, where the published code runs backwards', () => {
    // 20 frames: a stretch of 16, two apart.
    expect([...fittedIntervalIndices(20, { ...options, uniform: 0 })]).toEqual([0, 2, 4, 6, 8, 10, 12, 14]);
    const short = { ...options, interval: 35, targetFramesPerSecond: 12, uniform: 0.5 };
    const published = [...fittedIntervalIndices(20, { ...short, short: 'published' })];
    expect(published).toEqual([2, 0, 0, 0, 0, 0, 0, 0]);
    expect([...fittedIntervalIndices(20, short)]).toEqual([2, 4, 6, 8, 10, 12, 14, 16]);
    expect([...fittedIntervalIndices(3, short)]).toEqual([0, 0, 1, 1, 1, 1, 2, 2]);
  });
});

describe('blockIndices', () => {
  test('takes any frame of each block, or the middle one, and none of what is left over', () => {
    expect([...blockIndices(19, { frames: 4, uniforms: [0, 0.99, 0.5, 0.26] })]).toEqual([0, 7, 10, 13]);
    expect([...blockIndices(19, { frames: 4 })]).toEqual([2, 6, 10, 14]);
  });

  test('a video of fewer frames than blocks repeats them', () => {
    expect([...blockIndices(3, { frames: 5, uniforms: [0.9, 0.9, 0.9, 0.9, 0.9] })]).toEqual([0, 1, 1, 2, 2]);
    expect([...blockIndices(1, { frames: 3 })]).toEqual([0, 0, 0]);
  });
});
