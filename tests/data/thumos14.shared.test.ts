import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { pastDurationWarning } from '../../src/data/annotations.ts';
import { readText } from '../../src/data/files.ts';
import { classesOf, multiHotLabel } from '../../src/data/labels.ts';
import { videoPairs } from '../../src/data/pairs.ts';
import { guessSubsets, parseSplit } from '../../src/data/splits.ts';
import { readAnnotations } from '../../src/data/videos.ts';
import { THUMOS14_CLASSES } from '../../src/localization/classes.ts';

const folder = resolve(process.env.INKLING_SHARED ?? '../shared', 'data', 'thumos14');

test('THUMOS14: videos, classes, segments past the duration, pairs', async () => {
  const annotations = await readAnnotations(join(folder, 'gt.json'));
  const { videos, pastDuration } = annotations;
  expect(videos.size).toBe(412);
  expect([...videos.values()].reduce((sum, { instances }) => sum + instances.length, 0)).toBe(3007 + 3358);
  expect(classesOf(videos.values()).sort()).toEqual(THUMOS14_CLASSES);
  expect(guessSubsets(annotations)).toEqual({ train: 'validation', test: 'test' });

  expect(pastDuration.filter(({ subset }) => subset === 'validation')).toHaveLength(30);
  expect(pastDuration.filter(({ subset }) => subset === 'test')).toHaveLength(62);
  const warning = pastDurationWarning(pastDuration) ?? '';
  expect(warning).toMatch(/^92 segments end after the stated duration/);
  for (const { video } of pastDuration) expect(warning).toContain(video);

  const train = parseSplit(await readText(join(folder, 'split_train.txt')), 'split_train.txt');
  expect(parseSplit(await readText(join(folder, 'split_test.txt')), 'split_test.txt')).toHaveLength(210);
  const labels = train.map(name => {
    const video = videos.get(name);
    if (!video) throw new Error(`${name} is not annotated`);
    return multiHotLabel(video, THUMOS14_CLASSES, 'gt.json');
  });
  const pairs = videoPairs(labels);
  expect([pairs.positive.length, pairs.negativeCandidates.length, pairs.excluded]).toEqual([861, 18772, 267]);
});
