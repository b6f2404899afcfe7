import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, test } from 'vitest';
import { openVideoDataset, type VideoDataset, type VideoSource } from '../../src/video/datasets.ts';
import { folderOf, messageRejected } from '../data/builders.ts';

const made: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const remove of made.splice(0)) await remove();
});

/** A folder of text files, and of empty files for videos. */
async function folder(texts: Readonly<Record<string, string>>, videos: readonly string[] = []): Promise<string> {
  const empty = Object.fromEntries(videos.map(name => [name, '']));
  const { dir, remove } = await folderOf({ ...texts, ...empty });
  made.push(remove);
  return dir;
}

const open = (dir: string, source: Omit<VideoSource, 'dir'> = {}): Promise<VideoDataset> => openVideoDataset({ dir, ...source });

/** Items as `part label name`. */
const shown = ({ items }: VideoDataset): string[] => items.map(({ name, label, part }) => `${part ?? '-'} ${label} ${name}`);

const thrown = (dir: string, source: Omit<VideoSource, 'dir'> = {}): Promise<string> =>
  messageRejected(open(dir, source)).then(message => message.replaceAll(dir, 'DIR'));

describe('folders', () => {
  test('a class for each folder with videos in it, in alphabetical order', async () => {
    const dir = await folder({ 'notes/readme.txt': 'x', 'b/readme.txt': '' }, [
      'b/2.avi',
      'b/1.MP4',
      'a/deep/3.mkv',
      'loose.avi',
    ]);
    const found = await open(dir);
    expect(found).toMatchObject({ format: 'folders', classes: ['a', 'b'], files: [], warnings: [] });
    expect(shown(found)).toEqual(['- 0 a/deep/3.mkv', '- 1 b/1.MP4', '- 1 b/2.avi']);
    expect(found.items[0].path).toBe(join(dir, 'a/deep/3.mkv'));
  });

  test('parts', async () => {
    const dir = await folder({}, ['train/b/1.avi', 'train/a/2.avi', 'val/b/3.avi', 'val/c/4.avi']);
    const found = await open(dir);
    expect(found.classes).toEqual(['a', 'b', 'c']);
    expect(shown(found)).toEqual(['train 0 train/a/2.avi', 'train 1 train/b/1.avi', 'test 1 val/b/3.avi', 'test 2 val/c/4.avi']);
    // The numbers of classes do not depend on what is asked for.
    expect(shown(await open(dir, { part: 'test' }))).toEqual(['test 1 val/b/3.avi', 'test 2 val/c/4.avi']);
  });

  test('test before val, which is told', async () => {
    const dir = await folder({}, ['train/a/1.avi', 'val/a/2.avi', 'test/a/3.avi']);
    const found = await open(dir);
    expect(shown(found)).toEqual(['train 0 train/a/1.avi', 'test 0 test/a/3.avi']);
    expect(found.warnings).toEqual([`${join(dir, 'val')}: left out; test is the test part`]);
  });

  test('a class called train', async () => {
    const dir = await folder({}, ['train/1.avi', 'ship/2.avi']);
    expect(shown(await open(dir))).toEqual(['- 0 ship/2.avi', '- 1 train/1.avi']);
  });

  test('one folder more around the classes, and links', async () => {
    const dir = await folder({}, ['UCF-101/Archery/1.avi', 'UCF-101/Bowling/2.avi']);
    expect(shown(await open(dir))).toEqual(['- 0 UCF-101/Archery/1.avi', '- 1 UCF-101/Bowling/2.avi']);
    const links = await folder({});
    await symlink(join(dir, 'UCF-101'), join(links, 'videos'));
    expect(shown(await open(links))).toEqual(['- 0 videos/Archery/1.avi', '- 1 videos/Bowling/2.avi']);
  });

  test('a link to a folder above does not go on for ever', async () => {
    const dir = await folder({}, ['a/1.avi', 'b/2.avi']);
    await symlink(dir, join(dir, 'a', 'up'));
    await expect(open(dir)).resolves.toMatchObject({ classes: ['a', 'b'] });
  });

  test('index.json', async () => {
    const items = [
      { file: 'one.avi', label: 'run' },
      { file: 'x/two.avi', label: 'jump' },
      { file: 'gone.avi', label: 'run' },
    ];
    const dir = await folder({ 'index.json': JSON.stringify({ classes: ['walk', 'run', 'jump'], items }) }, [
      'one.avi',
      'x/two.mp4',
    ]);
    const found = await open(dir);
    expect(found).toMatchObject({ format: 'folders', classes: ['walk', 'run', 'jump'], files: [join(dir, 'index.json')] });
    expect(shown(found)).toEqual(['- 1 one.avi', '- 2 x/two.mp4']);
    expect(found.warnings).toEqual([
      `${dir}: listed but not there: 1 of 3 videos: gone.avi`,
      `${dir}: 1 video has another ending than listed: two.mp4 for x/two.avi`,
    ]);
    await writeFile(join(dir, 'index.json'), JSON.stringify({ items: [{ file: 'a.npy', label: 'run' }] }));
    expect(await thrown(dir)).toBe('DIR/index.json: expected videos, found features (a.npy)');
  });

  it.each([
    [['train/a/1.avi', 'test/a/2.avi', 'b/3.avi'], {}, 'DIR: expected classes in train and test only, found videos in b too'],
    [['train/a/1.avi'], { part: 'test' }, 'DIR: expected videos of the test part, found none'],
    [
      ['train/a/1.avi'],
      { format: 'folders', lists: { test: 'x' } },
      'DIR: expected no lists with the format folders, found some',
    ],
  ] as const)('%j %j', async (videos, source, message) => {
    expect(await thrown(await folder({}, videos), source)).toBe(message);
  });
});

describe('lists', () => {
  const train = 'a/1.avi 0\nb/2.avi 1\n';
  const videos = ['videos/a/1.avi', 'videos/b/2.avi', 'videos/b/3.avi'];

  test('found by their names, of the split, with classes named by folders', async () => {
    const texts = {
      'ucf101_train_split_1_videos.txt': train,
      'ucf101_val_split_1_videos.txt': 'b/3.avi 1\n',
      'ucf101_val_split_2_videos.txt': 'a/1.avi 0\n',
      'ucf101_train_split_1_rawframes.txt': 'a/1 30 0\n',
    };
    const dir = await folder(texts, videos);
    const found = await open(dir);
    expect(found).toMatchObject({ format: 'lists', classes: ['a', 'b'], warnings: [] });
    expect(found.files).toEqual(['train', 'val'].map(part => join(dir, `ucf101_${part}_split_1_videos.txt`)));
    expect(shown(found)).toEqual(['train 0 videos/a/1.avi', 'train 1 videos/b/2.avi', 'test 1 videos/b/3.avi']);
    expect(shown(await open(dir, { split: 2 }))).toEqual(['test 0 videos/a/1.avi']);
    expect(shown(await open(dir, { part: 'test' }))).toEqual(['test 1 videos/b/3.avi']);
  });

  test('named, with videos anywhere', async () => {
    const elsewhere = await folder({}, ['4.avi']);
    const dir = await folder({ 'annotations/mine': `${train}${elsewhere}/4.avi 3\n` }, videos);
    const found = await open(dir, { lists: { train: 'annotations/mine' } });
    expect(found.classes.slice(0, 3)).toEqual(['a', 'b', 'class 2']);
    expect(found.items[2]).toEqual({ name: `${elsewhere}/4.avi`, path: `${elsewhere}/4.avi`, label: 3, part: 'train' });
    expect(await thrown(dir, { lists: { train: 'other.txt' } })).toBe('DIR/other.txt: no such file');
  });

  test('class names from a file; else numbers, where folders do not agree with them', async () => {
    const dir = await folder({ 'train.txt': 'a/1.avi 0\na/2.avi 1\n' }, ['a/1.avi', 'a/2.avi']);
    expect((await open(dir)).classes).toEqual(['class 0', 'class 1']);
    await writeFile(join(dir, 'classes.txt'), 'run\njump\nfly\n');
    expect(await open(dir)).toMatchObject({
      classes: ['run', 'jump', 'fly'],
      files: [join(dir, 'classes.txt'), join(dir, 'train.txt')],
    });
  });

  test('test before val, which is told', async () => {
    const dir = await folder({ 'test.txt': 'a/1.avi 0\n', 'val.txt': 'b/2.avi 0\n' }, ['a/1.avi', 'b/2.avi']);
    const found = await open(dir);
    expect(shown(found)).toEqual(['test 0 a/1.avi']);
    expect(found.warnings).toEqual([`${dir}/val.txt: left out; ${dir}/test.txt is the list of the test part`]);
  });

  it.each([
    [
      { 'classes.txt': 'run\n', 'train.txt': train },
      'DIR/train.txt, line 2: expected a class from 0 to 0, as in DIR/classes.txt, found 1',
    ],
    [{ 'train.txt': 'a/1.avi 0\na/1.avi 0\n' }, 'DIR/train.txt, line 2: "a/1.avi" is on line 1 already'],
    [
      { 'train.txt': train, 'test.txt': 'a/1.avi 0\n' },
      'DIR/test.txt: a/1.avi is the same file as a/1.avi (train): DIR/videos/a/1.avi',
    ],
    [
      { 'train.txt': 'a/1.avi 0\na/./1.avi 0\n' },
      'DIR/train.txt: a/./1.avi is the same file as a/1.avi (train): DIR/videos/a/1.avi',
    ],
    [{ 'train.txt': 'a/1.avi\n' }, 'DIR/train.txt: expected lines "path label", found no labels'],
    [{ 'train.txt': 'a/1.avi 123456789\n' }, 'DIR/train.txt, line 1: expected a class below 100000, found 123456789'],
    [
      { 'train_a.txt': train, 'train_b.txt': train },
      'DIR: expected one list of the train part, found train_a.txt, train_b.txt; say which by lists',
    ],
    [
      { 'train.txt': 'x/8.avi 0\nx/9.avi 0\n' },
      'DIR/train.txt: expected its 2 videos in DIR, found none of them (looked for x/8.avi in ., videos/train, videos/training, ' +
        'videos_train, videos_training, train, training, UCF-101, UCF101, hmdb51_org, hmdb51, HMDB51, videos)',
    ],
  ])('%j', async (texts, message) => {
    expect(await thrown(await folder(texts, videos))).toBe(message);
  });
});

describe('UCF-101', () => {
  const texts = {
    'ucfTrainTestlist/classInd.txt': '1 Archery\r\n2 HandstandPushups\r\n',
    'ucfTrainTestlist/trainlist01.txt': 'Archery/v_1.avi 1\r\nHandStandPushups/v_2.avi 2\r\n',
    'ucfTrainTestlist/testlist01.txt': 'Archery/v_3.avi\r\n',
    'ucfTrainTestlist/testlist02.txt': 'Archery/v_1.avi\r\n',
  };
  const videos = ['UCF-101/Archery/v_1.avi', 'UCF-101/Archery/v_3.avi', 'UCF-101/HandstandPushups/v_2.avi'];

  test('where the archives put it', async () => {
    const dir = await folder(texts, videos);
    const found = await open(dir);
    expect(found).toMatchObject({ format: 'ucf101', classes: ['Archery', 'HandstandPushups'], warnings: [] });
    expect(shown(found)).toEqual([
      'train 0 UCF-101/Archery/v_1.avi',
      'train 1 UCF-101/HandstandPushups/v_2.avi',
      'test 0 UCF-101/Archery/v_3.avi',
    ]);
    expect(found.files.map(file => file.slice(dir.length + 1))).toEqual(Object.keys(texts).slice(0, 3));
    expect(shown(await open(dir, { split: 2, format: 'ucf101' }))).toEqual(['test 0 UCF-101/Archery/v_1.avi']);
    expect(await thrown(dir, { split: 3 })).toBe('DIR/ucfTrainTestlist: expected {train,test}list03.txt, found none');
    expect(await thrown(dir, { split: 2, part: 'train' })).toBe(
      'DIR/ucfTrainTestlist: expected {train,test}list02.txt of the train part, found none',
    );
  });

  test('without the videos of one part', async () => {
    const dir = await folder(texts, videos.slice(1, 2));
    expect(await thrown(dir)).toBe(
      'DIR/ucfTrainTestlist/trainlist01.txt: expected its 2 videos in DIR, found none of them (looked for Archery/v_1.avi in ., UCF-101, UCF101, videos)',
    );
    expect(shown(await open(dir, { part: 'test' }))).toEqual(['test 0 UCF-101/Archery/v_3.avi']);
  });
});

test('HMDB-51, encoded anew', async () => {
  const texts = {
    'testTrainMulti_7030_splits/climb_stairs_test_split1.txt': 's1.avi 1 \ns2.avi 2 \n',
    'testTrainMulti_7030_splits/climb_test_split1.txt': 'c1.avi 2 \nc2.avi 0 \nc3.avi 1 \n',
    'testTrainMulti_7030_splits/climb_test_split2.txt': 'c1.avi 1 \n',
  };
  const dir = await folder(texts, ['climb_stairs/s1.mp4', 'climb_stairs/s2.mp4', 'climb/c1.mp4', 'climb/c3.txt']);
  const found = await open(dir);
  expect(found).toMatchObject({ format: 'hmdb51', classes: ['climb', 'climb_stairs'] });
  expect(shown(found)).toEqual(['train 1 climb_stairs/s1.mp4', 'test 0 climb/c1.mp4', 'test 1 climb_stairs/s2.mp4']);
  expect(found.warnings).toEqual([
    `${dir}: listed but not there: 1 of 2 train videos: climb/c3.avi`,
    `${dir}: 3 videos have another ending than listed: s1.mp4 for climb_stairs/s1.avi, and 2 more`,
  ]);
  expect(found.files).toHaveLength(2);
  expect(await thrown(dir, { format: 'hmdb51', lists: { train: 'x.txt' } })).toBe(
    'DIR: lists of HMDB-51 are a folder of files; choose one by split instead of lists',
  );
});

test('Moments in Time', async () => {
  const texts = {
    'moments_categories.txt': 'washing,0\nadult+male+singing,1\n',
    'trainingSet.csv': 'washing/a.mp4,washing,3,0\nwashing/a.mp4,washing,3,0\nwashing/b.mp4,washing,3,0\n',
    'validationSet.csv': 'adult+male+singing/c.mp4,adult+male+singing,3,0\n',
  };
  const dir = await folder(texts, ['training/washing/a.mp4', 'training/washing/b.mp4', 'validation/adult+male+singing/c.mp4']);
  const found = await open(dir);
  expect(found).toMatchObject({ format: 'moments-in-time', classes: ['washing', 'adult+male+singing'] });
  expect(shown(found)).toEqual([
    'train 0 training/washing/a.mp4',
    'train 0 training/washing/b.mp4',
    'test 1 validation/adult+male+singing/c.mp4',
  ]);
  expect(found.warnings).toEqual([`${dir}/trainingSet.csv: 1 row is there twice, and counted once`]);
});

describe('Kinetics', () => {
  const head = 'label,youtube_id,time_start,time_end,split\n';
  const clip = (label: string, id: string): string => `"${label}",${id},5,15,x\n`;
  const file = (id: string): string => `${id}_000005_000015.mp4`;

  test('folders of classes by all their names, or none', async () => {
    const petting = 'petting animal (not cat)';
    const texts = {
      'annotations/kinetics-400_train.csv': head + clip('archery', 'a') + clip(petting, 'b') + clip(petting, 'c'),
      'annotations/kinetics-400_val.csv': head + clip(petting, 'd') + clip("person's head", 'e') + clip('archery', 'f'),
      'annotations/kinetics-400_test.csv': 'youtube_id,time_start,time_end,split\nz,5,15,test\n',
    };
    const dir = await folder(texts, [
      `videos_train/archery/${file('a')}`,
      `videos_train/petting_animal_(not_cat)/${file('b')}`,
      `videos_train/petting_animal_not_cat/${file('c')}`,
      `videos_val/${petting}/${file('d')}`,
      `videos_val/${file('e')}`,
    ]);
    const found = await open(dir);
    expect(found).toMatchObject({ format: 'kinetics', classes: ['archery', "person's head", petting] });
    expect(shown(found)).toEqual([
      `train 0 videos_train/archery/${file('a')}`,
      `train 2 videos_train/petting_animal_(not_cat)/${file('b')}`,
      `train 2 videos_train/petting_animal_not_cat/${file('c')}`,
      `test 2 videos_val/${petting}/${file('d')}`,
      `test 1 videos_val/${file('e')}`,
    ]);
    expect(found.warnings).toEqual([`${dir}: listed but not there: 1 of 3 test videos: archery/${file('f')}`]);
    expect(shown(await open(dir, { part: 'test' }))[1]).toBe(`test 1 videos_val/${file('e')}`);
  });

  test('validate.csv in the archive of Kinetics-700; lists by name', async () => {
    const dir = await folder({ 'validate.csv': head + clip('a', 'x'), 'test.csv': head + clip('b', 'y') }, [
      `validate/${file('x')}`,
      `test/${file('y')}`,
    ]);
    expect(shown(await open(dir))).toEqual([`test 0 validate/${file('x')}`]);
    const named = await open(dir, { format: 'kinetics', lists: { test: 'test.csv' } });
    expect([named.classes, shown(named)]).toEqual([['b'], [`test 0 test/${file('y')}`]]);
  });

  it.each([
    [
      { 'train.csv': head + clip('a', 'x') + clip('b', 'x') },
      'DIR/train.csv, line 3: "x_000005_000015" is on line 2 already, with another class',
    ],
    [
      { 'a_val.csv': head + clip('a', 'x'), 'b_val.csv': head + clip('a', 'x') },
      'DIR: expected one list of the test part, found a_val.csv, b_val.csv; say which by lists',
    ],
  ])('%j', async (texts, message) => {
    expect(await thrown(await folder(texts, [file('x')]))).toBe(message);
  });

  test('a list without labels', async () => {
    const dir = await folder({ 'test.csv': 'youtube_id,time_start,time_end\nx,5,15\n' }, [file('x')]);
    expect(await thrown(dir, { format: 'kinetics', lists: { test: 'test.csv' } })).toBe(
      'DIR/test.csv: expected a column "label", found none (test lists may have none)',
    );
  });
});

describe('no data set', () => {
  test('says all that was looked for', async () => {
    const dir = await folder({}, ['1.avi', '2.avi']);
    await mkdir(join(dir, 'empty'));
    expect(await thrown(dir)).toBe(
      'DIR: expected ucfTrainTestlist/classInd.txt with trainlist0N.txt, testlist0N.txt (ucf101); or testTrainMulti_7030_splits/<class>_test_splitN.txt (hmdb51); or moments_categories.txt with trainingSet.csv, validationSet.csv (moments-in-time); or train.csv, val.csv (or validate.csv) with a column youtube_id (kinetics); or text lists such as ucf101_train_split_1_videos.txt or test.txt (lists); or a folder of videos for each class (also in train/ and test/), or index.json (folders); found 2 videos in the folder itself and 1 folder, such as DIR/empty',
    );
    expect(await thrown(dir, { format: 'hmdb51' })).toBe(
      'DIR: expected testTrainMulti_7030_splits/<class>_test_splitN.txt (hmdb51); found 2 videos in the folder itself and 1 folder, such as DIR/empty',
    );
    await rename(join(dir, '1.avi'), join(dir, 'empty', '1.avi'));
    expect((await open(dir)).classes).toEqual(['empty']);
  });

  test('no folder', async () => {
    const dir = await folder({}, ['1.avi']);
    const [none, file] = ['none', '1.avi'].map(name => join(dir, name));
    expect(await messageRejected(open(none))).toBe(`${none}: no such folder`);
    expect(await messageRejected(open(file))).toBe(`${file}: expected the folder of a data set, found a file`);
  });
});
