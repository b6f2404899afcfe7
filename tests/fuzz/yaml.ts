/** YAML of configurations: aliases that multiply, tags that want objects, nesting without end; and overrides of the command line. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { stringify } from 'yaml';
import { decodeText } from '../../src/data/formats/json.ts';
import { dumpConfig, parseConfig } from '../../src/train/config.ts';
import { parseOverride, parseYaml } from '../../src/train/configFile.ts';
import { isMapping } from '../../src/train/configTree.ts';
import { sampled } from './elements.ts';
import { ensure, type Format, type Input } from './format.ts';
import { anyJson, changedJson } from './jsonTree.ts';
import { type Material, mutate, tokensOf } from './mutate.ts';
import type { Random } from './random.ts';

/** @throws Wrong unless a value is what JSON could hold, NaN and infinities aside */
function checkPlain(value: unknown, budget = { left: 5_000_000 }): void {
  ensure(--budget.left > 0, 'a tree of millions of values');
  if (Array.isArray(value)) for (const each of value) checkPlain(each, budget);
  else if (typeof value === 'object' && value !== null) {
    ensure(Object.getPrototypeOf(value) === Object.prototype, () => `it holds ${Object.prototype.toString.call(value)}`);
    for (const key of Object.keys(value)) checkPlain((value as Record<string, unknown>)[key], budget);
  } else ensure(['string', 'number', 'boolean'].includes(typeof value) || value === null, () => `it holds a ${typeof value}`);
}

function read(bytes: Uint8Array): unknown {
  const text = decodeText(bytes, 'x.yaml');
  const value = parseYaml(text, 'x.yaml');
  checkPlain(value);
  const equals = text.indexOf('=');
  if (equals > 0) {
    const { values } = parseOverride(text);
    checkPlain(values);
  }
  if (!isMapping(value) || !Object.hasOwn(value, 'task')) return value;
  const config = parseConfig(value, 'x.yaml');
  const again = parseConfig(parseYaml(dumpConfig(config), 'again.yaml'), 'again.yaml');
  ensure(isDeepStrictEqual(again, config), 'writing and reading the configuration changes it');
  return value;
}

const configs = join(import.meta.dirname, '../../configs');
const layer = (name: string): Record<string, unknown> => {
  const { extends: _, ...values } = parseYaml(readFileSync(join(configs, name), 'utf8'), name) as Record<string, unknown>;
  return values;
};
const [base, own] = ['base.yaml', 'localization/base.yaml'].map(layer);
/** A whole configuration, with every key. */
const whole: Readonly<Record<string, unknown>> = { ...own, train: { ...(base.train as object), ...(own.train as object) } };

const accepted = (name: string, text: string): Input => ({
  name,
  bytes: new Uint8Array(Buffer.from(text)),
  expected: 'accepted',
});
const seeds: readonly Input[] = [
  accepted('flow', '{ task2: x, train: { epochs: 5, betas: [0.9, 0.999] }, deep: { a: { b: [1, { c: null }] } } }'),
  accepted('block', 'a: 1\nb:\n  - x\n  - y: 2.5e3\n    z: ~\nc: |\n  text\n  more\nd: >-\n  folded\n  text\ne: "q\\u0041\\n"\n'),
  accepted('anchors', 'base: &base { a: 1, b: [1, 2] }\none: *base\ntwo: [*base, *base]\n'),
  accepted('scalars', '- 0x1f\n- 0o17\n- .inf\n- -.inf\n- .nan\n- 1_000\n- yes\n- 2001-01-01\n- "1"\n- true\n- null\n- -0\n'),
  accepted('merge keys', 'a: &a { x: 1 }\nb:\n  <<: *a\n  y: 2\n'),
  accepted('comments', '# one\n%YAML 1.2\n---\na: 1 # two\n...\n'.replace('# one\n', '')),
  accepted('an override', 'train.epochs=5'),
  accepted('an override of a list', 'evaluation.tious=[0.3, 0.5]'),
  accepted('nothing', ''),
  accepted('a text', 'just text'),
];
const wholeText = JSON.stringify(whole);

function generate(random: Random): Input {
  const value = sampled(anyJson, random);
  const text = stringify(value, random.once(2) ? { collectionStyle: 'flow' } : {});
  // JSON has no -0.
  const plain = (each: unknown): unknown => JSON.parse(JSON.stringify(each));
  const check = (found: unknown): void => ensure(isDeepStrictEqual(plain(found), plain(value)), 'another value than was written');
  return { ...accepted('generated', text), expected: undefined, check };
}

/** Configurations with every key and one of them changed; JSON is YAML too. */
function restructure(random: Random, material: Material): Uint8Array {
  if (random.once(8)) return mutate(new Uint8Array(Buffer.from(wholeText)), material, random);
  const part = random.pick(['data', 'model', 'loss', 'train', 'inference', 'evaluation'] as const);
  if (random.once(3)) return new Uint8Array(Buffer.from(`${part}.x${random.int(3)}=${changedJson(own[part], random)}`));
  const changed = `${JSON.stringify({ ...whole, [part]: undefined }).slice(0, -1)},"${part}":${changedJson(whole[part], random)}}`;
  return new Uint8Array(
    Buffer.from(random.once(4) ? changed : `{"task":"localization","${part}":${changedJson(whole[part], random)}}`),
  );
}

const attack = (name: string, text: string, expected: Input['expected'] = 'rejected'): Input => ({
  ...accepted(name, text),
  expected,
});
const laughs = Array.from({ length: 10 }, (_, i) => `a${i}: &a${i} [${i === 0 ? 'lol' : `*a${i - 1},`.repeat(10)}]`).join('\n');
const config = (key: string, value: string): string => {
  const [part, name] = key.split('.');
  const text = JSON.stringify({ ...whole, [part]: { ...(whole as Record<string, Record<string, unknown>>)[part], [name]: '@' } });
  return text.replace('"@"', value);
};
const attacks = (): readonly Input[] => [
  accepted('every key', wholeText),
  attack('a billion laughs', laughs),
  attack('an anchor of itself', 'a: &a [*a]\n'),
  attack('an alias of nothing', 'a: *b\n'),
  attack('flow lists 100,000 deep', '['.repeat(100_000)),
  attack('flow lists 10,000 deep that end', '['.repeat(10_000) + ']'.repeat(10_000)),
  attack('flow mappings 10,000 deep', '{a: '.repeat(10_000)),
  attack('block lists 50,000 deep', '- '.repeat(50_000)),
  attack('block mappings 700 deep', Array.from({ length: 700 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')),
  attack('question marks', '? '.repeat(50_000)),
  attack('a function', 'a: !!js/function "function () { return 1 }"\n'),
  attack('an object of Python', 'a: !!python/object/apply:os.system ["true"]\n'),
  attack('binary', 'a: !!binary "AAAA"\n'),
  attack('a set', 'a: !!set { x, y }\n'),
  attack('an ordered map', 'a: !!omap [x: 1]\n'),
  attack('a time', 'a: !!timestamp 2001-01-01\n'),
  attack('a tag of no meaning', 'a: !mine 1\n'),
  attack('a key twice', 'a: 1\na: 2\n'),
  attack('a key twice, as text and number', '1: a\n"1": b\n'),
  attack('a list as key', '? [a, b]\n: 1\n'),
  attack('null as key', '~: 1\n'),
  attack('two documents', 'a: 1\n---\nb: 2\n'),
  attack('a prototype', `{"__proto__": {"polluted": 1}, "task": "localization"}`),
  attack('a constructor', `{"constructor": {"prototype": {"polluted": 1}}, "task": "localization"}`),
  attack('a prototype in an override', '__proto__.polluted=1', 'accepted'),
  attack('an override of 50,000 levels', `${'a.'.repeat(50_000)}a=1`),
  attack('a key of several lines', '{"task": "localization", "a\\nb\\u001b[2J": 1}'),
  attack('a very long key', `{"task": "localization", "${'k'.repeat(50_000)}": 1}`),
  attack('thresholds without end', config('evaluation.tious', '{ start: 0.1, stop: 0.9, step: 1.0e-12 }')),
  attack('a step below all doubles', config('evaluation.tious', '{ start: 0.1, stop: 0.9, step: 1.0e-320 }')),
  attack('an infinite learning rate', config('train.learningRate', '.inf')),
  attack('1e400', config('train.learningRate', '1e400')),
  attack('half an epoch', config('train.epochs', '0.5')),
  attack('an epoch too many', config('train.epochs', '9007199254740993')),
  attack('NaN', config('model.dropout', '.nan')),
  attack('20,000 keys', Array.from({ length: 20_000 }, (_, i) => `k${i}: 1`).join('\n'), 'accepted'),
  attack('a megabyte', 'a: 1\n'.repeat(200_000)),
  attack('250,000 dots', '.'.repeat(250_000), 'either'),
  attack('250,000 digits', '9'.repeat(250_000), 'either'),
  attack('100,000 colons', `[${':'.repeat(100_000)}`, 'either'),
  attack('50,000 aliases', `a: &a 1\nb: [${'*a,'.repeat(50_000)}]`, 'either'),
  attack('100,000 comments', '#\n'.repeat(100_000), 'either'),
  attack('100,000 line breaks in a text', `"${'\n'.repeat(100_000)}"`, 'either'),
  attack('blanks', ' '.repeat(250_000), 'either'),
  attack('tabs', `a:\n${'\t'.repeat(250_000)}b`, 'either'),
  attack('50,000 documents', '---\n'.repeat(50_000), 'either'),
  attack('50,000 tags', '!a '.repeat(50_000), 'either'),
];

export const yamlFormat: Format = {
  name: 'yaml',
  seeds,
  attacks,
  tokens: tokensOf(
    '&a ',
    '*a',
    '<<: ',
    '!!js/function ',
    '!!binary ',
    '!!set ',
    '!',
    '- ',
    '? ',
    ': ',
    '[',
    ']',
    '{',
    '}',
    '|\n',
    '>\n',
    '---\n',
    '...\n',
    '%YAML 1.1\n',
    '#',
    '"',
    "'",
    '\n  ',
    '\t',
    '\xef\xbb\xbf',
    '__proto__',
    '1e400',
    '.nan',
    'task: localization\n',
    '=',
  ),
  generate,
  restructure,
  read,
};
