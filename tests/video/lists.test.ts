import { expect, test } from 'vitest';
import { parseHmdb51, parseKinetics, parseMomentsInTime, parseUcf101, parseVideoList } from '../../src/video/lists.ts';

test('plain lists', () => {
  expect(parseVideoList('a/b.avi 3\r\nc d.avi 0\n\n', 'list')).toEqual([
    { path: 'a/b.avi', label: 3 },
    { path: 'c d.avi', label: 0 },
  ]);
  expect(parseVideoList('a.avi\nb.avi\n', 'list')).toEqual([{ path: 'a.avi' }, { path: 'b.avi' }]);
  expect(() => parseVideoList('a.avi 1\nb.avi\n', 'list.txt')).toThrow(
    'list.txt: expected a label on every line, found none after "b.avi"',
  );
  expect(() => parseVideoList('\n', 'list.txt')).toThrow('list.txt: expected lines "path label", found none');
});

test('UCF-101', () => {
  const classes = '1 ApplyEyeMakeup\n2 Archery\n';
  expect(parseUcf101('Archery/v_1.avi 2\nApplyEyeMakeup/v_2.avi 1\n', classes, 'train')).toEqual([
    { path: 'Archery/v_1.avi', label: 1 },
    { path: 'ApplyEyeMakeup/v_2.avi', label: 0 },
  ]);
  expect(parseUcf101('Archery/v_1.avi\n', classes, 'test')).toEqual([{ path: 'Archery/v_1.avi', label: 1 }]);
  expect(() => parseUcf101('Archery/v_1.avi 1\n', classes, 'train')).toThrow('its class is 1 here and 2 in classInd.txt');
  expect(() => parseUcf101('Bowling/v_1.avi 1\n', classes, 'train')).toThrow('classInd.txt has no class "Bowling"');
});

test('HMDB-51', () => {
  const files = {
    'wave_test_split1.txt': 'w1.avi 1 \nw2.avi 2 \nw3.avi 0 \n',
    'brush_hair_test_split1.txt': 'b1.avi 2 \n',
    'brush_hair_test_split2.txt': 'b1.avi 1 \n',
  };
  expect(parseHmdb51(files, 1, 'test', 'splits')).toEqual([
    { path: 'brush_hair/b1.avi', label: 0 },
    { path: 'wave/w2.avi', label: 1 },
  ]);
  expect(parseHmdb51(files, 1, 'train', 'splits')).toEqual([{ path: 'wave/w1.avi', label: 1 }]);
  expect(() => parseHmdb51(files, 3, 'train', 'splits')).toThrow('splits: expected files *_test_split3.txt, found none');
});

test('Moments in Time', () => {
  const categories = 'clapping,0\nwashing,14\n';
  expect(parseMomentsInTime('washing/a.mp4,washing,3,0\n', categories, 'v.csv')).toEqual([{ path: 'washing/a.mp4', label: 14 }]);
  expect(() => parseMomentsInTime('x/a.mp4,x\n', categories, 'v.csv')).toThrow('v.csv, line 1: the categories have no class "x"');
});

test('Kinetics', () => {
  const csv = 'label,youtube_id,time_start,time_end,split\n"abseiling",-3B32lodo2M,59,69,train\n';
  expect(parseKinetics(csv, 'train.csv')).toEqual([{ path: 'abseiling/-3B32lodo2M_000059_000069.mp4', label: 'abseiling' }]);
  expect(parseKinetics('youtube_id,time_start,time_end\nx,0,10\n', 'test.csv')).toEqual([{ path: 'x_000000_000010.mp4' }]);
  expect(() => parseKinetics('a,b\n', 'x.csv')).toThrow(
    'x.csv: expected the columns youtube_id, time_start and time_end, found a, b',
  );
});
