import { afterEach, describe, expect, it } from 'vitest';
import { openFewshotVideos } from '../../src/video/fewshotDataset.ts';
import { fewshotClassNames, parseFewshotList } from '../../src/video/fewshotLists.ts';
import { folderOf, messageRejected } from '../data/builders.ts';

describe('parseFewshotList', () => {
  it('reads lists with paths, whose folders name the classes', () => {
    const videos = parseFewshotList(
      'train0//videos/run/a (1).avi\r\ntrain1//videos/jump/b.avi\n\ntrain0//videos/run/c.avi\n',
      'train',
      'l',
    );
    expect(videos).toEqual([
      { path: 'videos/run/a (1).avi', label: 0, line: 1 },
      { path: 'videos/jump/b.avi', label: 1, line: 2 },
      { path: 'videos/run/c.avi', label: 0, line: 4 },
    ]);
    expect(fewshotClassNames(videos, 'train')).toEqual(['run', 'jump']);
  });

  it('reads lists of numbers, and of classes without folders of their own', () => {
    const videos = parseFewshotList('test1/195025\ntest0/19977\n', 'test', 'l');
    expect(videos.map(({ path }) => path)).toEqual(['195025.mp4', '19977.mp4']);
    expect(fewshotClassNames(videos, 'test')).toEqual(['test0', 'test1']);
    const clips = parseFewshotList('val0//clips_256/P01_1.MP4\nval1//clips_256/P01_2.MP4\n', 'val', 'l');
    expect(fewshotClassNames(clips, 'val')).toEqual(['val0', 'val1']);
  });

  it.each([
    ['', 'l: expected lines "train<class>//<path>", found none'],
    ['train0//a\nrun b\n', 'l, line 2: expected "train<class>//<path>" or "train<class>/<number>", found "run b"'],
    ['train0/a/b.avi', 'l, line 1: expected "train<class>//<path>" or "train<class>/<number>", found "train0/a/b.avi"'],
    ['train0//a//b.avi', 'l, line 1: expected "train<class>//<path>" or "train<class>/<number>", found "train0//a//b.avi"'],
    ['train0///a/b.avi', 'l, line 1: expected "train<class>//<path>" or "train<class>/<number>", found "train0///a/b.avi"'],
    ['train0//', 'l, line 1: expected "train<class>//<path>" or "train<class>/<number>", found "train0//"'],
    ['train0//a\ntest1//b\n', 'l, line 2: expected a video of the part train, found test1'],
    ['train0//a\ntrain1//a\n', 'l, line 2: "a" is on line 1 already'],
    ['train0//a\ntrain2//b\n', 'l: expected classes 0 to 2 without gaps, found none numbered 1'],
  ])('%j', (text, message) => {
    expect(() => parseFewshotList(text, 'train', 'l')).toThrow(message);
  });
});

describe('openFewshotVideos', () => {
  const made: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const remove of made.splice(0)) await remove();
  });
  const folder = async (texts: Readonly<Record<string, string>>, videos: readonly string[]): Promise<string> => {
    const { dir, remove } = await folderOf({ ...texts, ...Object.fromEntries(videos.map(name => [name, ''])) });
    made.push(remove);
    return dir;
  };
  const lists = {
    'annotations/train_few_shot.txt': 'train0//videos/run/1.avi\ntrain1//videos/jump/2.avi\n',
    'annotations/val_few_shot.txt': 'val0//videos/sit/3.avi\n',
    'annotations/test_few_shot.txt': 'test1//videos/eat/4.avi\ntest0//videos/fall/5.avi\n',
  };
  const all = ['videos/run/1.avi', 'videos/jump/2.mp4', 'videos/sit/3.avi', 'videos/eat/4.avi'];

  it('finds lists and videos; what is missing or has another ending is told', async () => {
    const dir = await folder(lists, all);
    const found = (await openFewshotVideos({ dir }))!;
    expect(found.parts.map(({ part, classes }) => [part, classes])).toEqual([
      ['train', ['run', 'jump']],
      ['val', ['sit']],
      ['test', ['fall', 'eat']],
    ]);
    expect(found.parts[0].items.map(({ name, label }) => [name, label])).toEqual([
      ['videos/run/1.avi', 0],
      ['videos/jump/2.mp4', 1],
    ]);
    expect(found.parts[2].items.map(({ name, label }) => [name, label])).toEqual([['videos/eat/4.avi', 1]]);
    expect(found.warnings.map(text => text.replace(dir, 'DIR'))).toEqual([
      'DIR: 1 video has another ending than listed: 2.mp4 for videos/jump/2.avi',
      'DIR: listed but not there: 1 of 2 videos: videos/fall/5.avi',
    ]);
    expect(found.files).toHaveLength(3);
    const only = (await openFewshotVideos({ dir, parts: ['test'] }))!;
    expect(only.parts.map(({ part }) => part)).toEqual(['test']);
  });

  it('finds videos by number, without the folders of the list, and by lists elsewhere', async () => {
    const dir = await folder(
      { 'train_few_shot.txt': 'train0/7\n', 'my/test.txt': 'test0//train_256/run/x.mp4\n', 'my/train.txt': 'train0/7\n' },
      ['20bn-something-something-v2/7.webm', 'run/x.mp4'],
    );
    const found = (await openFewshotVideos({ dir, lists: { train: 'my/train.txt', test: 'my/test.txt' } }))!;
    expect(found.parts.map(({ items }) => items[0].name)).toEqual(['20bn-something-something-v2/7.webm', 'run/x.mp4']);
    const message = await messageRejected(openFewshotVideos({ dir }));
    expect(message.replace(dir, 'DIR')).toBe('DIR: expected test_few_shot.txt, found train_few_shot.txt');
  });

  it('knows when there are none, and when a video is in two parts', async () => {
    const dir = await folder({ 'a.txt': '' }, ['run/x.mp4']);
    expect(await openFewshotVideos({ dir })).toBeUndefined();
    const both = await folder({ 'train_few_shot.txt': 'train0//run/x.mp4\n', 'test_few_shot.txt': 'test0//run/x.mp4\n' }, [
      'run/x.mp4',
    ]);
    const message = await messageRejected(openFewshotVideos({ dir: both }));
    expect(message.replace(both, 'DIR')).toBe('DIR/test_few_shot.txt, line 1: "run/x.mp4" is in the part train already');
  });
});
