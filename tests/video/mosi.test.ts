import { expect, test } from 'vitest';
import { mosiLabels, mosiMotions } from '../../src/video/mosi.ts';

test('motions along one axis at a time, and their labels', () => {
  const motions = mosiMotions({ speeds: 3, axes: 'xy', decoupled: true, still: true });
  expect(motions).toEqual([
    [-1, 0],
    [1, 0],
    [0, -1],
    [0, 1],
    [0, 0],
  ]);
  expect(mosiLabels(motions, 3)).toEqual({ joint: [0, 1, 2, 3, 4], x: [0, 2, 1, 1, 1], y: [1, 1, 0, 2, 1] });
});

test('along y alone, and pairs without standing still', () => {
  expect(mosiMotions({ speeds: 3, axes: 'y', decoupled: false, still: false })).toEqual([
    [0, -1],
    [0, 1],
  ]);
  expect(mosiMotions({ speeds: 5, axes: 'xy', decoupled: false, still: false })).toHaveLength(24);
  expect(() => mosiMotions({ speeds: 4, axes: 'x', decoupled: true, still: true })).toThrow(
    'an odd number of at least 3 speeds, found 4',
  );
});
