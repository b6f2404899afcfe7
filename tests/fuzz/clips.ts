/** `index.json` of folders of clips, and `features.json` of extracted features. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { parseFeatureFolder } from '../../src/data/featureFolder.ts';
import { parseFeatureIndex } from '../../src/data/featureIndex.ts';
import { DataError } from '../../src/data/formats/dataError.ts';
import { parseJson } from '../../src/data/formats/json.ts';
import { sampled } from './elements.ts';
import { ensure, type Format, type Input } from './format.ts';
import { changedJson } from './jsonTree.ts';
import { type Material, mutate, tokensOf } from './mutate.ts';
import type { Random } from './random.ts';

const index = {
  classes: ['walk', 'run', 'jump'],
  items: [
    { file: 'one.npy', label: 'run', shape: [2, 2] },
    { file: 'a/two.npy', label: 'jump' },
  ],
};
const bare = { items: [{ file: 'one.avi', label: 'run' }] };
const folder = {
  extractor: {
    file: 'm.onnx',
    sha256: '00',
    output: 'features',
    size: 224,
    scale: 1 / 255,
    mean: [0, 0, 0],
    std: [1, 1, 1],
    fps: null,
    stride: 8,
    window: 16,
  },
  items: [
    { file: 'one.npy', frames: 30, rows: 2, duration: 1.2, fps: 25, label: 'run' },
    { file: 'two.npy', frames: 1, rows: 1, duration: 0, label: 3, warning: 'x' },
  ],
  failures: [{ video: 'x.mp4', problem: 'y' }],
};

/** A second reading of an index: without schema, one key after the other. */
function checkIndex(json: unknown): void {
  const { classes, items } = parseFeatureIndex(json, 'index.json');
  const given = json as { classes?: string[]; items: { file: string; label: string | number }[] };
  const named = (label: string | number) => (typeof label === 'number' && given.classes ? given.classes[label] : String(label));
  ensure(
    isDeepStrictEqual(
      items.map(({ file, label }) => [file, label]),
      given.items.map(({ file, label }) => [file, named(label)]),
    ),
    'other items',
  );
  ensure(
    new Set(classes).size === classes.length && classes.every(name => typeof name === 'string' && name !== ''),
    'no classes',
  );
  const found = new Set(items.map(({ label }) => label));
  // Without a list they are sorted, by the alphabet or as numbers.
  ensure(given.classes ? isDeepStrictEqual(classes, given.classes) : isDeepStrictEqual(new Set(classes), found), 'other classes');
  ensure(new Set(items.map(({ file }) => file)).size === items.length, 'a file twice');
  const known = new Set(classes);
  for (const { file, label } of items) {
    ensure(known.has(label), 'a label that is no class');
    ensure(!file.startsWith('/') && !/(^|[\\/])\.\.([\\/]|$)/.test(file), () => `a file elsewhere: ${JSON.stringify(file)}`);
  }
}

/** A value without keys that no schema keeps. */
const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (key, each) => (key === '__proto__' ? undefined : each));

function checkFolder(json: unknown): void {
  const found = parseFeatureFolder(json, 'features.json');
  ensure(isDeepStrictEqual(plain(found), plain(json)), 'another content');
  const { stride, window, size, mean, std, fps } = found.extractor;
  ensure([stride, window, size, ...mean, ...std, fps ?? 1].every(Number.isFinite), 'an extractor without numbers');
  for (const { file, frames, rows, duration } of found.items)
    ensure(
      [frames, rows].every(Number.isSafeInteger) && Number.isFinite(duration) && typeof file === 'string',
      'an item without numbers',
    );
}

/** One that accepts is enough; what the other throws is looked at. */
function read(bytes: Uint8Array): unknown {
  const json = parseJson(bytes, 'index.json');
  const refusals: DataError[] = [];
  for (const check of [checkIndex, checkFolder]) {
    try {
      check(json);
    } catch (thrown) {
      if (!(thrown instanceof DataError)) throw thrown;
      refusals.push(thrown);
    }
  }
  if (refusals.length === 2) throw refusals[0];
  return json;
}

const accepted = (name: string, tree: unknown): Input => ({
  name,
  bytes: new Uint8Array(Buffer.from(JSON.stringify(tree))),
  expected: 'accepted',
});
const trees = { index, bare, folder };
const seeds: readonly Input[] = Object.entries(trees).map(([name, tree]) => accepted(name, tree));

const anyName = fc.stringMatching(/^[a-z]{1,6}$/);

function generate(random: Random): Input {
  const items = sampled(fc.dictionary(anyName, anyName, { minKeys: 1, maxKeys: 5, noNullPrototype: true }), random);
  return accepted('generated', { items: Object.entries(items).map(([file, label]) => ({ file: `${file}.npy`, label })) });
}

function restructure(random: Random, material: Material): Uint8Array {
  const tree = random.pick(Object.values(trees));
  if (random.once(4)) return mutate(new Uint8Array(Buffer.from(JSON.stringify(tree))), material, random);
  return new Uint8Array(Buffer.from(changedJson(tree, random)));
}

const attack = (name: string, tree: unknown, expected: Input['expected'] = 'rejected'): Input => ({
  ...accepted(name, tree),
  expected,
});
const text = (name: string, content: string, expected: Input['expected'] = 'rejected'): Input => ({
  name,
  bytes: new Uint8Array(Buffer.from(content)),
  expected,
});
const item = (file: string, label = 'a') => ({ items: [{ file, label }] });
const attacks = (): readonly Input[] => [
  attack('a file elsewhere', item('../x.npy')),
  attack('a file elsewhere, on Windows', item('a\\..\\..\\x.npy')),
  attack('a whole path', item('/etc/passwd')),
  attack('dots that are no path', item('a..b/...npy'), 'accepted'),
  attack('a file twice', { items: [...item('x').items, ...item('x').items] }),
  attack('a class twice', { classes: ['a', 'a'], ...item('x') }),
  attack(
    'classes by the names of the prototype',
    { classes: ['__proto__', 'constructor'], ...item('x', '__proto__') },
    'accepted',
  ),
  text('a prototype', '{"items":[{"file":"x","label":"a","__proto__":{"polluted":1}}],"__proto__":{"polluted":1}}', 'accepted'),
  attack(
    '50,000 files of 50,000 classes',
    { items: Array.from({ length: 50_000 }, (_, i) => ({ file: `${i}`, label: `c${i}` })) },
    'accepted',
  ),
  attack(
    '50,000 classes and files',
    {
      classes: Array.from({ length: 50_000 }, (_, i) => `c${i}`),
      items: Array.from({ length: 50_000 }, (_, i) => ({ file: `${i}`, label: `c${49_999 - i}` })),
    },
    'accepted',
  ),
  attack('a long label that is no class', { classes: ['b'], ...item('x', 'a'.repeat(100_000)) }),
  attack('a long file without a label', { items: [{ file: 'x'.repeat(100_000) }] }),
  attack('a name that clears the screen', { items: [{ file: '\u001b[2J\n\u009b' }] }),
  attack('half a frame', { ...folder, items: [{ ...folder.items[0], frames: 0.5 }] }, 'either'),
  text(
    '1e400 rows',
    JSON.stringify({ ...folder, items: [{ ...folder.items[0], label: undefined }] }).replace('"rows":2', '"rows":1e400'),
  ),
  text('1e400 seconds', JSON.stringify({ ...folder, items: [{ ...folder.items[0], label: undefined }] }).replace('1.2', '1e400')),
  text('a deep item', `{"items":[{"file":"x","label":${'['.repeat(100_000)}1${']'.repeat(100_000)}}]}`),
  text('a key of several lines', '{"items":[{"file":"x","label":"a"}],"extractor":{"a\\nb":1}}', 'accepted'),
];

export const clipsFormat: Format = {
  name: 'clips',
  seeds,
  attacks,
  tokens: tokensOf(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '"items":',
    '"classes":',
    '"file":"x"',
    '"label":"run"',
    '"extractor":',
    'null',
    '1e400',
    '-1',
    '../',
    '"__proto__":',
    '\\u0000',
  ),
  generate,
  restructure,
  read,
};
