import { afterEach, describe, expect, test } from 'vitest';
import { checkData } from '../../src/data/checkData.ts';
import { openVideoDataset, type VideoDatasetOptions } from '../../src/data/videos.ts';
import { fromNumbers } from '../../src/engine/ndarray.ts';
import { counting, folderOf, messageRejected } from './builders.ts';

/** THUMOS14's layout: two training videos, two test videos of which one is listed. */
const layout = {
  'gt.json': {
    database: {
      test1: { duration: 1.3, subset: 'test', annotations: [{ label: 'jump', segment: [0, 1.5] }] },
      train1: {
        duration: 1.9,
        subset: 'validation',
        annotations: [
          { label: 'run', segment: [0, 1] },
          { label: 'jump', segment: [1, 1.5] },
          { label: 'run', segment: [1.5, 1.8] },
        ],
      },
      train2: { subset: 'validation', annotations: [{ label: 'run' }] },
      test2: { duration: 2, subset: 'test', annotations: [{ label: 'run', segment: [0, 1] }] },
    },
  },
  'split_train.txt': 'train2\ntrain1\n',
  'split_test.txt': 'test1\n',
  'train/train1.npy': counting(3, 4),
  'train/train2.npy': counting(2, 4, 50),
  'test/test1.npy': counting(2, 4, 100),
};

const cleanUp: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const remove of cleanUp.splice(0)) await remove();
});

/** The layout with files replaced, added, or (undefined) left out. */
async function dataset(changes: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const files = Object.fromEntries(Object.entries({ ...layout, ...changes }).filter(([, content]) => content !== undefined));
  const { dir, remove } = await folderOf(files);
  cleanUp.push(remove);
  return dir;
}

function withAnnotations(video: string, annotations: unknown): object {
  const { database } = layout['gt.json'];
  return { database: { ...database, [video]: { ...database[video as 'train1'], annotations } } };
}

async function refusal(
  changes: Readonly<Record<string, unknown>>,
  options: Omit<VideoDatasetOptions, 'dir'> = {},
): Promise<string> {
  const dir = await dataset(changes);
  return (await messageRejected(openVideoDataset({ dir, ...options }))).replaceAll(dir, 'DIR');
}

describe('openVideoDataset', () => {
  test("reads THUMOS14's layout, in the order of the split lists", async () => {
    const dir = await dataset();
    const { classes, train, test: testItems, testSubset, warnings } = await openVideoDataset({ dir });
    expect(classes).toEqual(['jump', 'run']);
    expect(train.map(({ name, label, duration }) => [name, Array.from(label), duration])).toEqual([
      ['train2', [0, 1], undefined],
      ['train1', [1, 1], 1.9],
    ]);
    expect(await train[0].load()).toEqual(counting(2, 4, 50));
    expect(testItems.map(item => item.name)).toEqual(['test1']);
    expect(testItems[0].instances).toEqual([{ label: 'jump', segment: [0, 1.5] }]);
    expect(await testItems[0].load()).toEqual(counting(2, 4, 100));
    expect(testSubset).toBe('test');
    expect(warnings.map(text => text.replace(dir, 'DIR'))).toEqual([
      'DIR/gt.json: 1 segment ends after the stated duration of the video (kept in evaluation), in 1 video: test1',
    ]);
  });

  test('training items do not depend on, or hold, training segments', async () => {
    const altered = [{ label: 'jump', segment: [0.2, 0.3] }, { label: 'run' }];
    const [a, b] = await Promise.all([
      openVideoDataset({ dir: await dataset(), classes: ['run', 'jump'] }),
      openVideoDataset({ dir: await dataset({ 'gt.json': withAnnotations('train1', altered) }), classes: ['run', 'jump'] }),
    ]);
    const plain = (item: (typeof a.train)[number]): object => ({ ...item, load: undefined });
    expect(a.train.map(plain)).toEqual(b.train.map(plain));
    expect(Object.keys(a.train[0]).sort()).toEqual(['duration', 'label', 'load', 'name']);
    expect(await a.train[1].load()).toEqual(await b.train[1].load());
  });

  test('takes subsets where there are no split lists', async () => {
    const changes = { 'split_train.txt': undefined, 'split_test.txt': undefined, 'test/test2.npy': counting(3, 4) };
    const dir = await dataset(changes);
    const opened = await openVideoDataset({ dir });
    expect(opened.train.map(item => item.name)).toEqual(['train1', 'train2']);
    expect(opened.test.map(item => item.name)).toEqual(['test1', 'test2']);
    const turned = await openVideoDataset({
      dir,
      trainSubset: 'test',
      testSubset: 'validation',
      trainFeatures: 'test',
      testFeatures: 'train',
    });
    expect(turned.train.map(item => item.name)).toEqual(['test1', 'test2']);
    expect(turned.testSubset).toBe('validation');
  });

  test('takes a CSV of labels and a flat folder; without any division everything trains', async () => {
    const { dir, remove } = await folderOf({
      'labels.csv': 'video,label\nb,run\na,jump\nb,jump\n',
      'a.npy': counting(2, 4),
      'b.npy': counting(3, 4),
    });
    cleanUp.push(remove);
    const { train, test: testItems, classes, warnings } = await openVideoDataset({ dir });
    expect(classes).toEqual(['run', 'jump']);
    expect(train.map(({ name, label }) => [name, Array.from(label)])).toEqual([
      ['b', [1, 1]],
      ['a', [0, 1]],
    ]);
    expect(await train[1].load()).toEqual(counting(2, 4));
    expect(testItems).toEqual([]);
    expect(warnings).toEqual([`${dir}: no test videos`]);
  });

  test('classes come from the options, else classes.json, else the labels', async () => {
    const dir = await dataset({ 'classes.json': ['run', 'jump', 'swim'] });
    expect((await openVideoDataset({ dir })).classes).toEqual(['run', 'jump', 'swim']);
    expect(Array.from((await openVideoDataset({ dir, classes: ['x', 'jump', 'run'] })).train[0].label)).toEqual([0, 0, 1]);
  });

  test('names both parts a video is in', async () => {
    const dir = await dataset({ 'split_test.txt': 'test1\ntrain1\n', 'test/train1.npy': counting(1, 4) });
    expect((await openVideoDataset({ dir })).warnings).toContain(`${dir}: 1 videos both train and test: train1`);
  });

  test.each([
    [
      'no annotations',
      { 'gt.json': undefined },
      {},
      'DIR: expected annotations in gt.json, labels.csv, index.json, features.json, found none of them',
    ],
    [
      'a split naming a strange video',
      { 'split_test.txt': 'ghost\n' },
      {},
      'DIR/split_test.txt: video "ghost" is not in DIR/gt.json',
    ],
    [
      'an unknown class',
      {},
      { classes: ['run', 'swim'] },
      'DIR/gt.json: video "train1" has the unknown class "jump"; the 2 classes are run, swim',
    ],
    ['no label', { 'gt.json': withAnnotations('train1', []) }, {}, 'DIR/gt.json: training video "train1" has no label'],
    [
      'a missing feature file',
      { 'train/train1.npy': undefined },
      {},
      'features of "train1" in DIR/train: no such file: looked for train1.npy, train1.npz, and rgb/train1.npy with flow/train1.npy',
    ],
    ['a missing split', {}, { splitTrain: 'other.txt' }, 'DIR/other.txt: no such file'],
    ['a missing annotation file', {}, { annotations: 'other.json' }, 'DIR/other.json: no such file'],
    [
      'an inverted segment',
      { 'gt.json': withAnnotations('train1', [{ label: 'run', segment: [3, 1] }]) },
      {},
      'DIR/gt.json: video "train1", annotation 1: segment [3, 1] ends before its start',
    ],
    ['an empty subset', { 'split_test.txt': undefined }, { testSubset: 'tset' }, 'DIR/gt.json: no video is in testSubset "tset"'],
  ])('refuses %s', async (_, changes, options, message) => {
    expect(await refusal(changes, options)).toBe(message);
  });

  test('counts further missing features, and checks the width when loading', async () => {
    expect(await refusal({ 'train/train1.npy': undefined, 'train/train2.npy': undefined })).toMatch(
      /^features of "train2" .*: and so for 1 more video$/,
    );
    const { train } = await openVideoDataset({ dir: await dataset(), featureWidth: 2048 });
    expect(await messageRejected(train[0].load())).toMatch(/train2\.npy: expected features of width 2048, found 4$/);
    expect(await messageRejected(openVideoDataset({ dir: '/no/such/folder' }))).toBe('/no/such/folder: no such folder');
  });
});

describe('checkData', () => {
  test('does not judge the number of rows where features.json says what made them', async () => {
    const items = [{ file: 'a.npy', frames: 250, rows: 5, duration: 10, label: 'run' }];
    const { dir, remove } = await folderOf({ 'a.npy': counting(5, 4), 'features.json': { items } });
    cleanUp.push(remove);
    const found = await checkData(dir);
    expect(found.filter(({ message }) => message.includes('rows of'))).toEqual([]);
    const stated = await checkData(dir, { snippetSeconds: 0.64 });
    expect(stated.map(({ message }) => message)).toContain('a: 5 rows of 0.64 s are 3.2 s, the annotations state 10.0 s');
  });

  test('describes a sound data set', async () => {
    const dir = await dataset();
    expect(await checkData(dir)).toEqual([
      {
        level: 'warning',
        message: `${dir}/gt.json: 1 segment ends after the stated duration of the video (kept in evaluation), in 1 video: test1`,
      },
      { level: 'info', message: '2 training and 1 test videos, 2 classes' },
      { level: 'info', message: 'videos per class (training/test): jump 1/1, run 2/0' },
      { level: 'info', message: 'videos of subset test that are not in the test split: test2' },
      { level: 'info', message: 'features: width 4, 2 / 2 / 3 rows (fewest / median / most)' },
    ]);
  });

  test('finds every problem, errors first', async () => {
    const dir = await dataset({
      'classes.json': ['run', 'jump', 'swim'],
      'gt.json': withAnnotations('test1', [{ label: 'jump' }]),
      'split_test.txt': 'test1\ntest2\n',
      'train/train1.npy': counting(9, 4),
      'train/train2.npy': fromNumbers([1, Number.NaN], [1, 2]),
      'test/test1.npy': counting(2, 5),
    });
    const found = await checkData(dir);
    expect(found.map(({ level, message }) => `${level}: ${message.replaceAll(dir, 'DIR')}`)).toEqual([
      'error: DIR/train/train2.npy: the features hold NaN in row 0, column 1',
      'error: test1: expected features of width 4 (as the videos before it), found 5',
      'error: features of "test2" in DIR/test: no such file: looked for test2.npy, test2.npz, and rgb/test2.npy with flow/test2.npy',
      'warning: classes without a training video: swim',
      'warning: 1 test videos have labels without segments: mAP cannot be computed from them',
      'warning: train1: 9 rows of 0.64 s are 5.8 s, the annotations state 1.9 s',
      'info: 2 training and 2 test videos, 3 classes',
      'info: videos per class (training/test): run 2/1, jump 1/1, swim 0/0',
      'info: features: width 4, 2 / 9 / 9 rows (fewest / median / most)',
    ]);
  });

  test('reports a data set that cannot be opened', async () => {
    const dir = await dataset({ 'gt.json': '{' });
    const [finding, ...others] = await checkData({ dir });
    expect(finding.level).toBe('error');
    expect(finding.message).toContain(`${dir}/gt.json: expected JSON`);
    expect(others).toEqual([]);
  });
});

describe('an index as annotations', () => {
  const features = { 'walk/a.npy': counting(3, 4), 'b.npy': counting(2, 4, 50), 'train/c.npy': counting(2, 4, 100) };
  const items = [
    { file: 'walk/a.npy', label: 'run', duration: 3.5 },
    { file: 'b.npy', label: 'jump', subset: 'test' },
    { file: 'train/c.npy', label: 'jump', subset: 'train' },
  ];
  const open = async (files: Readonly<Record<string, unknown>>) => {
    const { dir, remove } = await folderOf({ ...features, ...files });
    cleanUp.push(remove);
    return openVideoDataset({ dir });
  };

  test.each(['index.json', 'features.json'])('%s: files are where it says, whatever folders there are', async file => {
    const set = await open({ [file]: { classes: ['sit', 'jump', 'run'], items } });
    expect(set.classes).toEqual(['sit', 'jump', 'run']);
    expect(set.train.map(({ name, label }) => [name, [...label]])).toEqual([['train/c', [0, 1, 0]]]);
    expect(set.test.map(({ name, label, instances }) => [name, [...label], instances])).toEqual([
      ['b', [0, 1, 0], [{ label: 'jump' }]],
    ]);
    expect((await set.train[0].load()).data[0]).toBe(100);
  });

  test('without subsets everything trains; a split list divides', async () => {
    const plain = items.map(({ subset, ...item }) => item);
    const all = await open({ 'index.json': { items: plain } });
    expect([all.classes, all.train.map(({ name }) => name), all.test.length]).toEqual([
      ['jump', 'run'],
      ['walk/a', 'b', 'train/c'],
      0,
    ]);
    expect(all.train.map(({ duration }) => duration)).toEqual([3.5, undefined, undefined]);
    const divided = await open({
      'index.json': { items: plain },
      'split_test.txt': 'b\n',
      'split_train.txt': 'walk/a\ntrain/c\n',
    });
    expect([divided.train.length, divided.test.map(({ name }) => name)]).toEqual([2, ['b']]);
  });

  test('other annotations come first', async () => {
    const set = await open({ 'labels.csv': 'video,label\nc,sit\n', 'features.json': { items: [{ file: 'b.npy' }] } });
    expect([set.classes, set.train.map(({ name }) => name)]).toEqual([['sit'], ['c']]);
  });

  test.each([
    ['no label', [{ file: 'b.npy' }], 'items[0]: expected a label for b.npy, found none'],
    [
      'two files of a video',
      [
        { file: 'b.npy', label: 'a' },
        { file: 'b.npz', label: 'a' },
      ],
      'the video "b" has two files',
    ],
    [
      'a missing file',
      [{ file: 'no.npy', label: 'a' }],
      'features of "no" in DIR: no such file: looked for no.npy, no.npz, and rgb/no.npy with flow/no.npy',
    ],
  ])('%s is named', async (_, wrong, message) => {
    const { dir, remove } = await folderOf({ ...features, 'index.json': { items: wrong } });
    cleanUp.push(remove);
    const said = (await messageRejected(openVideoDataset({ dir }))).replaceAll(dir, 'DIR');
    expect(said).toBe(message.startsWith('features of') ? message : `DIR/index.json: ${message}`);
  });
});
