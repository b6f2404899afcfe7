import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { type FewshotPart, fewshotClassNames, parseFewshotList } from '../../src/video/fewshotLists.ts';

const splits = resolve(process.env.INKLING_SHARED ?? '../shared', 'data', 'fewshot-splits');

/** Classes, videos, and the first class's name of each published list. */
const published: readonly (readonly [dataset: string, part: FewshotPart, classes: number, videos: number, first: string])[] = [
  ['kinetics100', 'train', 64, 6400, 'air_drumming'],
  ['kinetics100', 'val', 12, 1200, 'baking_cookies'],
  ['kinetics100', 'test', 24, 2400, 'blasting_sand'],
  ['ssv2_full', 'train', 64, 67013, 'train0'],
  ['ssv2_full', 'val', 12, 1926, 'val0'],
  ['ssv2_full', 'test', 24, 2857, 'test0'],
  ['ssv2_small', 'train', 64, 6400, 'train0'],
  ['ssv2_small', 'val', 12, 1200, 'val0'],
  ['ssv2_small', 'test', 24, 2400, 'test0'],
  ['ucf101', 'train', 70, 9154, 'ApplyEyeMakeup'],
  ['ucf101', 'val', 10, 1421, 'ApplyLipstick'],
  ['ucf101', 'test', 21, 2745, 'BlowingCandles'],
  ['hmdb51', 'train', 31, 4280, 'brush_hair'],
  ['hmdb51', 'val', 10, 1194, 'cartwheel'],
  ['hmdb51', 'test', 10, 1292, 'fencing'],
  ['epic_kitchens', 'train', 60, 66056, 'train0'],
  ['epic_kitchens', 'test', 20, 10646, 'test0'],
];

test.each(published)('%s %s: %i classes, %i videos', async (dataset, part, classes, videos, first) => {
  const path = join(splits, dataset, `${part}_few_shot.txt`);
  const listed = parseFewshotList(await readFile(path, 'utf8'), part, path);
  const names = fewshotClassNames(listed, part);
  expect([names.length, listed.length, names[0]]).toEqual([classes, videos, first]);
});
