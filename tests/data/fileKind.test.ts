import { describe, expect, it } from 'vitest';
import { seemsToBe } from '../../src/data/formats/fileKind.ts';
import { encodeSafetensors, parseTorchCheckpoint } from '../../src/data/index.ts';
import { fromNumbers } from '../../src/engine/index.ts';

const bytes = (text: string): Uint8Array => Uint8Array.from(text, character => character.charCodeAt(0));

describe('what a file seems to be', () => {
  it.each([
    ['', 'an empty file'],
    ['\x89PNG\r\n', 'a PNG picture'],
    ['\0\0\0\x20ftypisom', 'a video (MP4 or MOV)'],
    ['version https://git-lfs.github.com/spec/v1', 'a pointer of Git LFS, not the file itself (git lfs pull gets it)'],
    ['\n  extends: base.yaml\nx: 1\n', 'text ("extends: base.yaml")'],
    ['\x01\x02abcdefgh', 'something else (it begins with 01 02 61 62 63 64 65 66)'],
    ['\xff\xfeab', 'something else (it begins with ff fe 61 62)'],
  ])('%j', (start, what) => {
    expect(seemsToBe(bytes(start))).toBe(what);
  });

  it('weights under another name', () => {
    const file = Buffer.concat(encodeSafetensors({ weight: fromNumbers([1], [1]) }));
    expect(seemsToBe(file)).toBe('a .safetensors file (it lacks that ending)');
  });

  it('is said of what was given for a checkpoint', () => {
    const text = `# Notes\n${'nothing that a pickle would hold\n'.repeat(4)}`;
    expect(() => parseTorchCheckpoint(bytes(text), 'notes.pth')).toThrow(
      'notes.pth: expected a checkpoint of PyTorch or a pickle, found text ("# Notes")',
    );
    // A pickle that is damaged stays one.
    expect(() => parseTorchCheckpoint(bytes(`\x80\x02${text}`), 'w.pth')).toThrow('w.pth: damaged pickle at byte 2');
  });
});
