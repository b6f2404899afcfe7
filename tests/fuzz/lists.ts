/** Lists of videos, as the data sets publish them: plain ones, UCF-101's, HMDB-51's, and the CSV of Moments in Time and Kinetics. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { DataError } from '../../src/data/formats/dataError.ts';
import { decodeText } from '../../src/data/formats/json.ts';
import {
  parseClassNames,
  parseHmdb51,
  parseKinetics,
  parseMomentsCategories,
  parseMomentsInTime,
  parseUcf101,
  parseVideoList,
} from '../../src/video/lists.ts';
import { sampled } from './elements.ts';
import { ensure, type Format, type Input } from './format.ts';
import { type Material, mutate, tokensOf } from './mutate.ts';
import type { Random } from './random.ts';

const classes = ['Archery', 'HandstandPushups', 'YoYo'];
const texts = {
  plain: 'Archery/v_1.avi 0\nYoYo/v 2.avi 2\r\n\nHandstandPushups/v_3.avi 1\n',
  paths: 'Archery/v_1.avi\nYoYo/v 2.avi\n',
  classInd: '1 Archery\r\n2 HandstandPushups\r\n3 YoYo\r\n',
  trainlist: 'Archery/v_1.avi 1\r\nHandStandPushups/v_2.avi 2\r\n',
  hmdb: 'a_climb_f_cm_np1.avi 1 \nb!_#4.avi 2 \nc.avi 0 \n',
  categories: 'Archery,0\nadult+male+singing,1\n',
  moments: 'Archery/a.mp4,Archery,3,0\nYoYo/b.mp4,YoYo,2,1\n',
  kinetics: 'label,youtube_id,time_start,time_end,split,is_cc\n"petting animal (not cat)",-3B32lodo2M,59,69,train,0\n',
  test: 'youtube_id,time_start,time_end,split\n--6bJUbfpnQ,17,27.5,test\n',
} as const;

/** No label, or a class number of a list. */
const isNumber = (label: unknown): boolean => Number.isSafeInteger(label) && (label as number) >= 0;

function ensureDistinct(names: readonly string[], what: string): void {
  ensure(new Set(names).size === names.length, `${what} twice`);
}

function checkPlain(text: string): void {
  const videos = parseVideoList(text, 'x.txt');
  const has = videos.map(({ label }) => label !== undefined);
  ensure(new Set(has).size === 1 && videos.length > 0, 'some labels');
  ensureDistinct(
    videos.map(({ path }) => path),
    'a video',
  );
  ensure(
    videos.every(({ label, path }) => path.trim() === path && path !== '' && (label === undefined || isNumber(label))),
    'no label or path',
  );
  const written = videos.map(({ path, label }) => (label === undefined ? path : `${path} ${label}`)).join('\n');
  const again = parseVideoList(written, 'again.txt').map(({ path, label }) => [path, label]);
  ensure(
    isDeepStrictEqual(
      again,
      videos.map(({ path, label }) => [path, label]),
    ),
    'writing and reading the list changes it',
  );
}

function checkNames(
  names: readonly string[],
  write: (name: string, i: number) => string,
  read: (text: string) => string[],
): void {
  ensureDistinct(names, 'a class');
  ensure(names.length > 0 && names.every(name => name !== ''), 'no class');
  ensure(isDeepStrictEqual(read(names.map(write).join('\n')), names), 'writing and reading the classes changes them');
}

function checkUcf(text: string): void {
  for (const { path, label } of parseUcf101(text, classes, 'x.txt'))
    ensure(classes[label as number].toLowerCase() === path.split('/')[0].toLowerCase(), 'another class');
}

function checkHmdb(text: string): void {
  const files = { 'wave_test_split1.txt': text, 'climb_test_split1.txt': 'x.avi 1', 'wave_test_split2.txt': '?' };
  const [train, test] = (['train', 'test'] as const).map(part => parseHmdb51(files, 1, part, 'splits'));
  ensure(
    isDeepStrictEqual(
      [train.classes, test.classes],
      [
        ['climb', 'wave'],
        ['climb', 'wave'],
      ],
    ),
    'other classes',
  );
  ensureDistinct(
    [...train.videos, ...test.videos].map(({ path }) => path),
    'a video',
  );
  ensure(
    test.videos.every(({ path, label }) => label === 1 && path.startsWith('wave/')),
    'another class',
  );
}

function checkMoments(text: string): void {
  for (const { path, label } of parseMomentsInTime(text, classes, 'x.csv'))
    ensure(path !== '' && isNumber(label) && text.includes(classes[label as number]), 'another class');
}

const quoted = (field: string): string => `"${field.replaceAll('"', '""')}"`;

function checkKinetics(text: string): void {
  const clips = parseKinetics(text, 'x.csv');
  ensure(
    clips.every(({ name, id }) => name.startsWith(`${id}_`) && /^_\d{6}_\d{6}$/.test(name.slice(id.length)) && id !== ''),
    'another name',
  );
  ensure(new Set(clips.map(({ label }) => label === undefined)).size === 1, 'some labels');
  const rows = clips.map(({ label, id, name }) => [label ?? '-', id, ...name.slice(id.length + 1).split('_')].map(quoted).join());
  const again = parseKinetics(['label,youtube_id,time_start,time_end', ...rows].join('\n'), 'again.csv');
  ensure(
    isDeepStrictEqual(
      again.map(({ label, name }) => [label, name]),
      clips.map(({ label, name }) => [label ?? '-', name]),
    ),
    'writing and reading the clips changes them',
  );
}

const checks: readonly ((text: string) => void)[] = [
  checkUcf,
  checkHmdb,
  checkMoments,
  checkKinetics,
  text =>
    checkNames(
      parseMomentsCategories(text, 'x.txt'),
      (name, i) => `${name},${i}`,
      again => parseMomentsCategories(again, 'again.txt'),
    ),
];

/** Every reader of lists. Nearly any text is a plain list or a list of classes: of themselves they are no success. */
function read(bytes: Uint8Array): unknown {
  const text = decodeText(bytes, 'x.txt');
  const refusals: DataError[] = [];
  let accepted = 0;
  const attempt = (run: (text: string) => void): void => {
    try {
      run(text);
      accepted++;
    } catch (thrown) {
      if (!(thrown instanceof DataError)) throw thrown;
      refusals.push(thrown);
    }
  };
  attempt(checkPlain);
  attempt(each =>
    checkNames(
      parseClassNames(each, 'x.txt'),
      (name, i) => `${i} ${name}`,
      again => parseClassNames(again, 'again.txt'),
    ),
  );
  accepted = 0;
  for (const check of checks) attempt(check);
  // The longest message is the one to be looked at.
  if (accepted === 0 || refusals.some(bad))
    throw refusals.sort((a, b) => Number(bad(b)) - Number(bad(a)) || b.message.length - a.message.length)[0];
  return text;
}

const bad = ({ message }: Error): boolean => message.length > 1000 || /[\r\n]/.test(message);

const accepted = (name: string, text: string): Input => ({
  name,
  bytes: new Uint8Array(Buffer.from(text)),
  expected: 'accepted',
});
const [plain, paths, classInd, ...others] = Object.entries(texts).map(([name, text]) => accepted(name, text));
const seeds: readonly Input[] = [...[plain, paths, classInd].map(each => ({ ...each, expected: undefined })), ...others];

const anyWord = fc.string({ minLength: 1, maxLength: 8, unit: fc.constantFrom(...'abcXYZ0129 _-()"\'') });

function generate(random: Random): Input {
  const rows = sampled(
    fc.array(fc.tuple(anyWord, anyWord, fc.nat(999_999), fc.nat(999_999)), { minLength: 1, maxLength: 6 }),
    random,
  );
  const lines = rows.map(([label, id, start, end], i) =>
    [`l${label.trim()}`, `i${id.trim()}${i}`, start, end].map(String).map(quoted),
  );
  return accepted('generated', `label,youtube_id,time_start,time_end\n${lines.map(line => line.join()).join('\n')}`);
}

/** Lists of which a line or a part of one is another. */
function restructure(random: Random, material: Material): Uint8Array {
  const text = random.pick(Object.values(texts));
  if (random.once(3)) return mutate(new Uint8Array(Buffer.from(text)), material, random);
  const lines = text.split('\n');
  const at = random.int(lines.length);
  const words = lines[at].split(/([ ,])/);
  const strange = [
    '',
    ' ',
    '-1',
    '1e9',
    '007',
    '99999999999999999999',
    '\u2028',
    '__proto__',
    '"',
    '../..',
    'Archery',
    '2',
    '\t',
  ];
  words[random.int(words.length)] = random.pick(strange);
  lines[at] = words.join('');
  if (random.once(4)) lines.splice(random.int(lines.length), 0, random.pick(lines));
  return new Uint8Array(Buffer.from(lines.join(random.once(4) ? '\r' : '\n')));
}

const attack = (name: string, text: string, expected: Input['expected'] = 'either'): Input => ({
  ...accepted(name, text),
  expected,
});
const many = (count: number, line: (i: number) => string): string => Array.from({ length: count }, (_, i) => line(i)).join('\n');
const attacks = (): readonly Input[] => [
  attack('a line of blanks between two words', `a${' '.repeat(1_000_000)}b`),
  attack('a line of words', 'a '.repeat(500_000)),
  attack('a line of digits', '1'.repeat(1_000_000)),
  attack('a line of digits and blanks', '1 '.repeat(500_000)),
  attack('a number before a million blanks', `1${' '.repeat(1_000_000)}`),
  attack(
    '50,000 videos',
    many(50_000, i => `wave/${i}.avi ${i % 3}`),
  ),
  attack(
    '50,000 classes',
    many(50_000, i => `c${i},${i}`),
    'accepted',
  ),
  attack('classes with numbers beyond all', '9007199254740993 a\n9007199254740992 b\n'),
  attack('a category of an infinite number', `a,${'9'.repeat(400)}\n`, 'rejected'),
  attack('a gap of a billion classes', 'a,0\nb,1000000000\n', 'rejected'),
  attack('a class that is the prototype', '__proto__,0\nconstructor,1\n', 'accepted'),
  attack('a long class that is not there', `${'x'.repeat(100_000)}/v.avi 1\n`),
  attack('a long row that is none', `a.mp4,${'x'.repeat(100_000)}\n`),
  attack('100,000 columns', `label,youtube_id,time_start,time_end${',x'.repeat(100_000)}\n`, 'rejected'),
  attack('no time', 'label,youtube_id,time_start,time_end\na,b,NaN,1\n', 'rejected'),
  attack('an infinite time', 'label,youtube_id,time_start,time_end\na,b,1e400,1\n', 'rejected'),
  attack('a time in hexadecimal', 'label,youtube_id,time_start,time_end\na,b,0x10,1\n', 'rejected'),
  attack('a name that clears the screen', '\u001b[2J/\u009b.avi 1\n'),
  attack('500,000 line breaks', '\n'.repeat(500_000), 'rejected'),
  attack('nothing', '', 'rejected'),
  { name: 'half a character', bytes: Uint8Array.from([0x61, 0xc3, 0x20, 0x31]), expected: 'rejected' },
];

export const listsFormat: Format = {
  name: 'lists',
  seeds,
  attacks,
  tokens: tokensOf(
    ' 0',
    ' 1',
    ' 2\n',
    ',0',
    ',',
    '"',
    '""',
    '\r\n',
    '\n',
    '\t',
    ' ',
    '/',
    '../',
    'Archery/',
    'label,',
    '\xe2\x80\xa8',
    '\xef\xbb\xbf',
    '__proto__',
    '99999999999999999999',
  ),
  generate,
  restructure,
  read,
};
