import { describe, expect, test } from 'vitest';
import { parseAnnotations, pastDurationWarning } from '../../src/data/annotations.ts';
import { classesOf, multiHotLabel, parseClasses, stackLabels } from '../../src/data/labels.ts';
import { parseLabelsCsv } from '../../src/data/labelsCsv.ts';
import { guessSubsets, parseSplit } from '../../src/data/splits.ts';
import { messageThrown } from './builders.ts';

function database(video: unknown): unknown {
  return { database: { v: video } };
}

function annotated(...annotations: unknown[]): unknown {
  return database({ subset: 'test', duration: 10, annotations });
}

describe('parseAnnotations', () => {
  test('reads videos in order, with distinct labels in order of appearance', () => {
    const { videos, pastDuration } = parseAnnotations(
      {
        database: {
          b: {
            duration: 9.5,
            frames: 285,
            subset: 'test',
            annotations: [
              { label: 'run', segment: [1, 2.5] },
              { label: 'jump', segment: [0, 9.5] },
              { label: 'run', segment: [3, 4] },
            ],
          },
          a: { annotations: [{ label: 'jump' }] },
          empty: { subset: 'testing' },
        },
      },
      'gt.json',
    );
    expect([...videos.keys()]).toEqual(['b', 'a', 'empty']);
    expect(videos.get('b')).toEqual({
      name: 'b',
      subset: 'test',
      duration: 9.5,
      frames: 285,
      labels: ['run', 'jump'],
      instances: [
        { label: 'run', segment: [1, 2.5] },
        { label: 'jump', segment: [0, 9.5] },
        { label: 'run', segment: [3, 4] },
      ],
    });
    expect(videos.get('a')).toEqual({ name: 'a', labels: ['jump'], instances: [{ label: 'jump' }] });
    expect(videos.get('empty')?.labels).toEqual([]);
    expect(pastDuration).toEqual([]);
  });

  test('keeps segments past the duration, and counts them', () => {
    const parsed = parseAnnotations(
      annotated({ label: 'a', segment: [9, 11] }, { label: 'a', segment: [1, 10] }, { label: 'b', segment: [12, 13] }),
      'gt.json',
    );
    expect(parsed.videos.get('v')?.instances).toHaveLength(3);
    expect(parsed.pastDuration).toEqual([
      { video: 'v', subset: 'test', label: 'a', segment: [9, 11], duration: 10 },
      { video: 'v', subset: 'test', label: 'b', segment: [12, 13], duration: 10 },
    ]);
    expect(pastDurationWarning(parsed.pastDuration)).toBe(
      '2 segments end after the stated duration of the video (kept in evaluation), in 1 video: v',
    );
    expect(pastDurationWarning([])).toBeUndefined();
  });

  test.each([
    [
      'inverted',
      annotated({ label: 'a', segment: [1, 2] }, { label: 'a', segment: [5, 2] }),
      'annotation 2: segment [5, 2] ends before its start',
    ],
    [
      'infinite',
      annotated({ label: 'a', segment: [5, Number.POSITIVE_INFINITY] }),
      'annotation 1: segment [5, Infinity] is not finite',
    ],
    ['NaN', annotated({ label: 'a', segment: [Number.NaN, 5] }), 'annotation 1: segment [NaN, 5] is not finite'],
    [
      'of text',
      annotated({ label: 'a', segment: ['1', 5] }),
      'annotation 1: expected segment [start, end] in seconds, found ["1",5]',
    ],
    [
      'of three',
      annotated({ label: 'a', segment: [1, 2, 3] }),
      'annotation 1: expected segment [start, end] in seconds, found [1,2,3]',
    ],
  ])('refuses a segment that is %s', (_, json, problem) => {
    expect(messageThrown(() => parseAnnotations(json, 'gt.json'))).toBe(`gt.json: video "v", ${problem}`);
  });

  test.each([
    ['no object', [], /^gt\.json: expected an object with the key "database"/],
    ['no database', { videos: {} }, /^gt\.json: expected an object with the key "database"/],
    ['a list as video', database([]), /^gt\.json: video "v": expected an object, found \[\]/],
    ['no label', annotated({ segment: [1, 2] }), /^gt\.json: video "v", annotation 1: expected a label, found nothing/],
    ['a text as annotation', annotated('x'), /annotation 1: expected an object with a label, found "x"/],
    ['annotations that are no list', database({ annotations: {} }), /expected a list of annotations, found \{\}/],
    ['a duration of 0', database({ duration: 0 }), /expected a positive number as duration, found 0/],
    ['a number as subset', database({ subset: 3 }), /expected a name as subset, found 3/],
  ])('refuses %s', (_, json, message) => {
    expect(messageThrown(() => parseAnnotations(json, 'gt.json'))).toMatch(message);
  });
});

describe('parseLabelsCsv', () => {
  test('reads video,label rows, quoted or not', () => {
    const text = '\uFEFFvideo,label\r\nv1,run\r\n"v,2","say ""hi"""\n\nv1, jump \r\nv3,"two\nlines"';
    const { videos } = parseLabelsCsv(text, 'l.csv');
    expect([...videos.values()].map(({ name, labels, subset }) => [name, labels, subset])).toEqual([
      ['v1', ['run', 'jump'], undefined],
      ['v,2', ['say "hi"'], undefined],
      ['v3', ['two\nlines'], undefined],
    ]);
    expect(videos.get('v1')?.instances).toEqual([{ label: 'run' }, { label: 'jump' }]);
  });

  test('reads a subset column, and columns in any order', () => {
    const { videos } = parseLabelsCsv('label,subset,video\nrun,train,a\nrun,test,b\njump,train,a\n', 'l.csv');
    expect(videos.get('a')).toMatchObject({ subset: 'train', labels: ['run', 'jump'] });
    expect(videos.get('b')).toMatchObject({ subset: 'test', labels: ['run'] });
  });

  test.each([
    ['', /^l\.csv: expected the header "video,label" .*found ""/],
    ['v1,run\n', /expected the header "video,label" .*found "v1,run"/],
    ['video,label\nv1\n', /^l\.csv, line 2: expected 2 fields, found 1/],
    ['video,label\nv1,run\nv2,\n', /line 3: expected a video and a label, found "v2,"/],
    ['video,label\nv1,run\nv1,run\n', /line 3: video "v1" has the label "run" twice/],
    ['video,label\n"v\n1",a\nv1,"open\n', /^l\.csv, line 4: a quote/],
    ['video,label\nv"1,a\n', /line 2: a quote/],
    ['video,label,subset\nv,a,train\nv,b,test\n', /line 3: video "v" is in subset train above and test here/],
  ])('refuses %j', (text, message) => {
    expect(messageThrown(() => parseLabelsCsv(text, 'l.csv'))).toMatch(message);
  });
});

describe('parseSplit', () => {
  test('strips white space and skips empty lines', () => {
    expect(parseSplit('  a \r\nb\n\n\tc d\n', 's.txt')).toEqual(['a', 'b', 'c d']);
  });

  test('refuses a repeated name and an empty list', () => {
    expect(messageThrown(() => parseSplit('a\nb\n\na \n', 's.txt'))).toBe('s.txt: "a" is on line 1 and again on line 4');
    expect(messageThrown(() => parseSplit(' \n', 's.txt'))).toBe('s.txt: expected one video name a line, found none');
  });
});

test.each([
  [['validation', 'test'], { train: 'validation', test: 'test' }],
  [['training', 'validation', 'testing'], { train: 'training', test: 'validation' }],
  [['train', 'val'], { train: 'train', test: 'val' }],
  [['odd'], {}],
])('guessSubsets of %j', (subsets, expected) => {
  const json = { database: Object.fromEntries(subsets.map((subset, i) => [`v${i}`, { subset }])) };
  expect(guessSubsets(parseAnnotations(json, 'gt'))).toEqual(expected);
});

describe('labels', () => {
  test('classesOf lists labels by first appearance', () => {
    const { videos } = parseLabelsCsv('video,label\nv1,run\nv2,jump\nv2,run\n', 'l');
    expect(classesOf(videos.values())).toEqual(['run', 'jump']);
  });

  test('multiHotLabel marks every class of the video', () => {
    expect(multiHotLabel({ name: 'v', labels: ['c', 'a'] }, ['a', 'b', 'c'], 'gt')).toEqual(Float32Array.of(1, 0, 1));
    expect(messageThrown(() => multiHotLabel({ name: 'v', labels: ['d'] }, ['a', 'b'], 'gt.json'))).toBe(
      'gt.json: video "v" has the unknown class "d"; the 2 classes are a, b',
    );
    expect(stackLabels([Float32Array.of(1, 0), Float32Array.of(0, 1)])).toEqual({
      dtype: 'float32',
      shape: [2, 2],
      data: Float32Array.of(1, 0, 0, 1),
    });
  });

  test('parseClasses wants different names', () => {
    expect(parseClasses(['b', 'a'], 'c.json')).toEqual(['b', 'a']);
    expect(messageThrown(() => parseClasses(['b', 'b'], 'c.json'))).toBe('c.json: the class "b" is listed twice');
    expect(messageThrown(() => parseClasses({ a: 1 }, 'c.json'))).toBe('c.json: expected a list of class names');
  });
});
