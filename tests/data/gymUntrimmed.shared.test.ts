import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { checkData } from '../../src/data/checkData.ts';
import { featureCache } from '../../src/data/features.ts';
import { openVideoDataset } from '../../src/data/videos.ts';

const dir = resolve(process.env.INKLING_SHARED ?? '../shared', 'data', 'gym-untrimmed');

test('gym-untrimmed: every float16 file is read, its rows fit the duration', async () => {
  const cache = featureCache({ maxBytes: 64 * 2 ** 20 });
  const { classes, train, test: testItems } = await openVideoDataset({ dir, featureWidth: 2048, cache });
  expect([classes.length, train.length, testItems.length]).toEqual([12, 132, 60]);
  for (const item of [...train, ...testItems]) {
    const [rows, width] = (await item.load()).shape;
    expect(width).toBe(2048);
    expect(Math.abs(rows * 0.64 - (item.duration ?? 0))).toBeLessThan(0.01);
  }
  expect(testItems.reduce((sum, { instances }) => sum + instances.length, 0)).toBeGreaterThan(200);
  // All of it fits, at the size of the files: about half of what float32 takes.
  expect(cache.bytes()).toBeGreaterThan(40 * 2 ** 20);
  expect(cache.bytes()).toBeLessThan(50 * 2 ** 20);
});

test('gym-untrimmed: checkData finds nothing wrong', async () => {
  const findings = await checkData({ dir, featureWidth: 2048 });
  expect(findings.filter(({ level }) => level !== 'info')).toEqual([]);
  expect(findings[0].message).toBe('132 training and 60 test videos, 12 classes');
});
