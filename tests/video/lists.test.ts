import { describe, expect, it, test } from 'vitest';
import {
  parseClassNames,
  parseHmdb51,
  parseKinetics,
  parseMomentsCategories,
  parseMomentsInTime,
  parseUcf101,
  parseVideoList,
} from '../../src/video/lists.ts';
import { messageThrown } from '../data/builders.ts';

describe('plain lists', () => {
  test('paths and class numbers, or paths alone', () => {
    expect(parseVideoList('a/b.avi 3\r\nc d.avi\t0\n\n', 'list')).toEqual([
      { path: 'a/b.avi', label: 3, line: 1 },
      { path: 'c d.avi', label: 0, line: 2 },
    ]);
    expect(parseVideoList('\uFEFFa.avi\n\nb.avi\n', 'list')).toEqual([
      { path: 'a.avi', line: 1 },
      { path: 'b.avi', line: 3 },
    ]);
  });

  it.each([
    ['a.avi 1\nb.avi\n', 'list.txt, line 2: expected a label as on other lines, found none after "b.avi"'],
    ['\n', 'list.txt: expected lines "path label", found none'],
    ['a.avi 1\nb.avi 0\n\na.avi 2\n', 'list.txt, line 4: "a.avi" is on line 1 already'],
    ['a.avi 99999999999999999\n', 'list.txt, line 1: expected a class number, found 99999999999999999'],
  ])('%j', (text, message) => {
    expect(messageThrown(() => parseVideoList(text, 'list.txt'))).toBe(message);
  });
});

describe('class names', () => {
  test('numbered from 1 or 0 in any order, or a name a line', () => {
    expect(parseClassNames('1 Apply Lipstick\r\n2 Archery\r\n', 'classInd.txt')).toEqual(['Apply Lipstick', 'Archery']);
    expect(parseClassNames('1 b\n0 a\n', 'classes.txt')).toEqual(['a', 'b']);
    expect(parseClassNames('3 point throw\nrun\n', 'classes.txt')).toEqual(['3 point throw', 'run']);
  });

  it.each([
    ['', 'c.txt: expected a class a line, found none'],
    ['1 a\n3 b\n', 'c.txt, line 2: expected the classes numbered 1, 2, ...; found 3'],
    ['1 a\n1 b\n', 'c.txt, line 2: expected the classes numbered 1, 2, ...; found 1'],
    ['2 a\n1 a\n', 'c.txt, line 2: the class "a" is listed twice'],
    ['a\nb\na\n', 'c.txt, line 3: the class "a" is listed twice'],
  ])('%j', (text, message) => {
    expect(messageThrown(() => parseClassNames(text, 'c.txt'))).toBe(message);
  });
});

describe('UCF-101', () => {
  const classes = ['ApplyEyeMakeup', 'HandstandPushups'];
  const [eye, hand] = ['ApplyEyeMakeup/v_2.avi', 'HandstandPushups/v_1.avi'];

  test('training lists with numbers from 1, test lists without', () => {
    expect(parseUcf101(`${hand} 2\n${eye} 1\n`, classes, 'train')).toEqual([
      { path: hand, label: 1, line: 1 },
      { path: eye, label: 0, line: 2 },
    ]);
    expect(parseUcf101(hand, classes, 'test')).toEqual([{ path: hand, label: 1, line: 1 }]);
  });

  test('a class in other letters, as in some lists', () => {
    expect(parseUcf101('HandStandPushups/v_1.avi 2', classes, 'train')[0].label).toBe(1);
  });

  it.each([
    [`${hand} 1\n`, `train, line 1: ${hand}: its class is 1 here and 2 in classInd.txt`],
    [`${eye} 1\nBowling/v_1.avi 1\n`, 'train, line 2: Bowling/v_1.avi: classInd.txt has no class "Bowling"'],
    [`${eye}\n${eye}\n`, `train, line 2: "${eye}" is on line 1 already`],
  ])('%j', (text, message) => {
    expect(messageThrown(() => parseUcf101(text, classes, 'train'))).toBe(message);
  });
});

describe('HMDB-51', () => {
  const files = {
    'wave_test_split1.txt': 'w1.avi 1 \nw 2.avi 2 \nw3.avi 0 \n',
    'climb_stairs_test_split1.txt': 's1.avi 2 \n',
    'climb_test_split1.txt': 'c1.avi 2 \n',
    'climb_test_split2.txt': 'c1.avi 1 \n',
  };

  test('classes in the order of their names, which is not that of the files', () => {
    expect(parseHmdb51(files, 1, 'test', 'splits')).toEqual({
      classes: ['climb', 'climb_stairs', 'wave'],
      videos: [
        { path: 'climb/c1.avi', label: 0, line: 1 },
        { path: 'climb_stairs/s1.avi', label: 1, line: 1 },
        { path: 'wave/w 2.avi', label: 2, line: 2 },
      ],
    });
    expect(parseHmdb51(files, 1, 'train', 'splits').videos).toEqual([{ path: 'wave/w1.avi', label: 2, line: 1 }]);
    expect(parseHmdb51(files, 2, 'train', 'splits').classes).toEqual(['climb']);
  });

  it.each([
    [{}, 'splits: expected files *_test_split1.txt, found none'],
    [
      { 'a_test_split1.txt': 'x.avi 1\nx.avi 3\n' },
      'splits/a_test_split1.txt, line 2: expected "video.avi 0|1|2", found "x.avi 3"',
    ],
    [{ 'a_test_split1.txt': 'x.avi 1\nx.avi 2\n' }, 'splits/a_test_split1.txt, line 2: "a/x.avi" is on line 1 already'],
  ])('%j', (texts, message) => {
    expect(messageThrown(() => parseHmdb51(texts as Record<string, string>, 1, 'train', 'splits'))).toBe(message);
  });
});

test('Moments in Time', () => {
  const classes = parseMomentsCategories('washing,1\r\nadult+male+singing,0\r\n', 'moments_categories.txt');
  expect(classes).toEqual(['adult+male+singing', 'washing']);
  expect(parseMomentsInTime('washing/a.mp4,washing,3,0\n', classes, 'v.csv')).toEqual([
    { path: 'washing/a.mp4', label: 1, line: 1 },
  ]);
  const thrown = (csv: string): string => messageThrown(() => parseMomentsInTime(csv, classes, 'v.csv'));
  expect(thrown('washing/a.mp4,washing\nx/a.mp4,x\n')).toBe('v.csv, line 2: the categories have no class "x"');
  expect(thrown('')).toBe('v.csv: expected rows "class/video.mp4,class,...", found none');
  const categories = (text: string): string => messageThrown(() => parseMomentsCategories(text, 'c'));
  expect(categories('a,0\nb\n')).toBe('c, line 2: expected "class,number", found "b"');
  expect(categories('a,0\na,1\n')).toBe('c, line 2: the class "a" is listed twice');
  expect(categories('a,0\nb,2\n')).toBe('c, line 2: expected the classes numbered 0, 1, ...; found 2');
});

test('Kinetics', () => {
  const csv = 'label,youtube_id,time_start,time_end,split,is_cc\n"petting animal (not cat)",-3B32lodo2M,59,69,train,0\n';
  const [id, name] = ['-3B32lodo2M', '-3B32lodo2M_000059_000069'];
  expect(parseKinetics(csv, 'train.csv')).toEqual([{ label: 'petting animal (not cat)', id, name, line: 2 }]);
  expect(parseKinetics('youtube_id,time_start,time_end\nx,0,10.5\n', 'test.csv')).toEqual([
    { id: 'x', name: 'x_000000_000010', line: 2 },
  ]);
  const thrown = (text: string): string => messageThrown(() => parseKinetics(text, 'x.csv'));
  expect(thrown('a,b\n')).toBe('x.csv: expected the columns youtube_id, time_start and time_end, found a, b');
  expect(thrown('label,youtube_id,time_start,time_end\n')).toBe('x.csv: expected a clip a row, found none');
  expect(thrown('label,youtube_id,time_start,time_end\na,x,0\n')).toBe('x.csv, line 2: expected a time, found none');
  expect(thrown('label,youtube_id,time_start,time_end\na,x,0,1e99\n')).toBe('x.csv, line 2: expected seconds, found "1e99"');
  expect(thrown('label,youtube_id,time_start,time_end\n,x,0,1\n')).toBe('x.csv, line 2: expected a label, found none');
});
