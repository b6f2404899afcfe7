import { expect, it } from 'vitest';
import { alignColumns } from '../../src/cli/output.ts';
import { padLeft, padRight, textWidth } from '../../src/cli/textWidth.ts';

it.each([
  ['plain', 5],
  ['ünïcode', 7],
  ['u\u0308', 1],
  ['場所', 4],
  ['ﾊﾝ', 2],
  ['Ａ１', 4],
  ['한글', 4],
  ['👍', 2],
  ['⣀⠤ ┤', 4],
])('%s takes %i columns', (text, width) => {
  expect(textWidth(text)).toBe(width);
  expect([padRight(text, width + 2), padLeft(text, width + 1), padLeft(text, 0)]).toEqual([`${text}  `, ` ${text}`, text]);
});

it('columns are aligned as they are seen', () => {
  expect(
    alignColumns([
      ['場', '1'],
      ['abc', '場所'],
    ]),
  ).toEqual(['場      1', 'abc  場所']);
});
