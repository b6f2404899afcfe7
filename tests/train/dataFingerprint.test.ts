import { describe, expect, it } from 'vitest';
import { dataChanges, dataCollector, digestLines, parseDigestLines } from '../../src/train/dataFingerprint.ts';

const text = (content: string): Uint8Array => new TextEncoder().encode(content);
/** SHA-256 of "abc" (FIPS 180-2) and of nothing. */
const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

describe('a fingerprint', () => {
  it('holds each file once by its path in the folder, in the order of the names', () => {
    const collector = dataCollector('/data');
    collector.add('/data/train/b.npy', text('abc'));
    collector.add('/data/a.json', text(''));
    collector.add('/data/train/b.npy', text('changed since'));
    collector.add('/truth.json', text('abc'));
    const { files, bytes, sha256 } = collector.end();
    expect([...files]).toEqual([
      ['../truth.json', abc],
      ['a.json', empty],
      ['train/b.npy', abc],
    ]);
    expect(bytes).toBe(6);
    expect(digestLines(files)).toBe(`${abc}  ../truth.json\n${empty}  a.json\n${abc}  train/b.npy\n`);
    collector.add('/data/late.npy', text('x'));
    expect(collector.end().sha256).toBe(sha256);
  });

  it('depends on names and contents, not on the order of reading', () => {
    const of = (...files: readonly (readonly [string, string])[]): string => {
      const collector = dataCollector('.');
      for (const [name, content] of files) collector.add(name, text(content));
      return collector.end().sha256;
    };
    expect(of(['a', '1'], ['b', '2'])).toBe(of(['b', '2'], ['a', '1']));
    expect(new Set([of(['a', '1'], ['b', '2']), of(['a', '2'], ['b', '1']), of(['a', '1']), of(['c', '1'])]).size).toBe(4);
  });

  it('is read back as it was written, whatever the names', () => {
    const files = new Map([
      ['a b', abc],
      ['back\\slash', empty],
      ['two\nlines\r', abc],
    ]);
    const lines = digestLines(files);
    expect(lines).toBe(`${abc}  a b\n\\${empty}  back\\\\slash\n\\${abc}  two\\nlines\\r\n`);
    expect(parseDigestLines(lines)).toEqual(files);
    expect(parseDigestLines('nonsense\n')).toEqual(new Map());
  });

  it('says what changed', () => {
    const before = new Map(['a', 'b', 'c'].map(name => [name, abc]));
    expect(dataChanges(before, before)).toBe('');
    const after = new Map([
      ['a', empty],
      ['b', abc],
      ...['d', 'e', 'f', 'g', 'h', 'i', 'j'].map(name => [name, abc] as const),
    ] as const);
    expect(dataChanges(before, after)).toBe('changed: a; new: d, e, f, g, h and 2 more; no longer read: c');
  });
});
