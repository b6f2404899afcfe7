/** The JSON and text files of data sets and runs: annotations, detections, class lists, pointers, records, label CSV, split lists. */
import { isDeepStrictEqual } from 'node:util';
import { parseAnnotations } from '../../src/data/annotations.ts';
import { describeJson } from '../../src/data/describe/describeJson.ts';
import { DataError } from '../../src/data/formats/dataError.ts';
import { decodeText, parseJson } from '../../src/data/formats/json.ts';
import { parseClasses } from '../../src/data/labels.ts';
import { parseLabelsCsv } from '../../src/data/labelsCsv.ts';
import { parseSplit } from '../../src/data/splits.ts';
import { parseDetections } from '../../src/localization/detections.ts';
import { parseEpochRecords } from '../../src/train/epochRecord.ts';
import { parsePointer } from '../../src/train/pointer.ts';
import { parseRunRecord } from '../../src/train/runRecord.ts';
import { sampled } from './elements.ts';
import { ensure, type Format, type Input } from './format.ts';
import { anyJson, changedJson, keyTwice } from './jsonTree.ts';
import { type Material, mutate, tokensOf } from './mutate.ts';
import type { Random } from './random.ts';

const annotations = {
  version: '1.3',
  database: {
    v1: {
      subset: 'training',
      duration: 12.5,
      frames: 300,
      annotations: [{ label: 'Jump', segment: [0.5, 3] }, { label: 'Run' }],
    },
    v2: { subset: 'validation', annotations: [{ label: 'Jump', segment: [1, 2] }] },
    v3: {},
  },
};
const detections = {
  version: 'VERSION 1.3',
  results: {
    v1: [
      { label: 'Jump', score: 0.9, segment: [0, 1.5] },
      { label: 'Run', score: 0.1, segment: [2, 2] },
    ],
    v2: [],
  },
  external_data: { used: true },
};
const classes = ['Jump', 'Run', 'Pole vault'];
const pointer = {
  epoch: 3,
  weights: 'epoch-0003.safetensors',
  optimizer: 'epoch-0003.optimizer.safetensors',
  metric: 'mAP',
  value: 0.25,
};
const record = { format: 1, task: 'localization', method: 'acm-net', classes, from: null };
const csv = 'video,label,subset\nv1,Jump,train\nv1,Run,train\n"v,2","a ""b""",test\n';
const split = 'v1\n v2 \r\n\nv3';
const epochLine = (epoch: number): string =>
  JSON.stringify({ epoch, step: 9, learningRate: 0.1, seconds: 1, train: { total: 0.5 / epoch } });
const records = `${epochLine(1)}\n${epochLine(2)}\n`;

/** An independent walk over annotations that were accepted. */
function checkAnnotations(json: unknown): void {
  const { videos } = parseAnnotations(json, 'x.json');
  const { database } = json as { database: Record<string, { annotations?: { label: string; segment?: number[] | null }[] }> };
  ensure(String([...videos.keys()]) === String(Object.keys(database)), 'other videos');
  for (const [name, { annotations: given = [] }] of Object.entries(database)) {
    const { labels, instances, duration } = videos.get(name)!;
    ensure(instances.length === given.length, 'other instances');
    ensure(labels.length === new Set(given.map(each => each.label)).size, 'other labels');
    ensure(duration === undefined || (duration > 0 && Number.isFinite(duration)), `a duration of ${duration}`);
    for (const { segment, label } of instances) {
      ensure(
        label !== '' && (segment === undefined || (segment.every(Number.isFinite) && segment[0] <= segment[1])),
        'a segment that is none',
      );
    }
  }
}

function checkDetections(json: unknown): void {
  const found = parseDetections(json, 'x.json');
  const { results } = json as { results: Record<string, unknown[]> };
  ensure(isDeepStrictEqual([...found.keys()], Object.keys(results)), 'other videos');
  for (const [video, list] of found) {
    ensure(list.length === results[video].length, 'other detections');
    for (const { score, segment } of list)
      ensure([score, ...segment].every(Number.isFinite) && segment[0] <= segment[1], 'no detection');
  }
}

function checkPointer(json: unknown): void {
  const { weights, optimizer, epoch } = parsePointer(json, 'x.json');
  for (const name of [weights, optimizer ?? 'none'])
    ensure(!/[\\/\0]|^\.\.?$|^$/.test(name), () => `a path: ${JSON.stringify(name)}`);
  ensure(Number.isSafeInteger(epoch) && epoch >= 0, 'no epoch');
}

function checkRecord(json: unknown): void {
  const found = parseRunRecord(json, 'x.json');
  ensure(found.classes.every(name => typeof name === 'string') && found.classes.length > 0, 'no classes');
}

function checkClasses(json: unknown): void {
  const found = parseClasses(json, 'x.json');
  ensure(
    new Set(found).size === found.length && found.every(name => typeof name === 'string' && name !== ''),
    'no list of classes',
  );
}

const quoted = (field: string): string => `"${field.replaceAll('"', '""')}"`;

function checkCsv(text: string): void {
  const { videos } = parseLabelsCsv(text, 'x.csv');
  const rows = [...videos.values()].flatMap(({ name, labels, subset }) =>
    labels.map(label => [name, label, subset ?? ''].map(quoted).join()),
  );
  const again = parseLabelsCsv(['video,label,subset', ...rows].join('\n'), 'again.csv');
  ensure(isDeepStrictEqual(again.videos, videos), 'writing and reading the labels changes them');
}

function checkSplit(text: string): void {
  const names = parseSplit(text, 'x.txt');
  ensure(new Set(names).size === names.length && names.length > 0, 'names twice');
  ensure(isDeepStrictEqual(parseSplit(names.join('\n'), 'again.txt'), names), 'writing and reading the list changes it');
}

/** Every reader there is of JSON and of text. One that accepts is enough; what each of them throws is looked at. */
function read(bytes: Uint8Array): unknown {
  const text = decodeText(bytes, 'x.json');
  const refusals: DataError[] = [];
  let accepted = 0;
  const attempt = (run: () => void): void => {
    try {
      run();
      accepted++;
    } catch (thrown) {
      if (!(thrown instanceof DataError)) throw thrown;
      refusals.push(thrown);
    }
  };
  attempt(() => checkCsv(text));
  // A list of names is nearly any text: of itself it is no success.
  attempt(() => checkSplit(text));
  accepted = 0;
  attempt(() => {
    const { records, problems } = parseEpochRecords(text, 'x.jsonl');
    for (const problem of problems) ensure(problem.length <= 1000 && !problem.includes('\n'), () => `a long problem: ${problem}`);
    if (records.length === 0) throw new DataError('x.jsonl', problems[0] ?? 'no records');
  });
  let json: unknown;
  attempt(() => {
    json = parseJson(bytes, 'x.json');
    ensure(keyTwice(text.replace(/^\uFEFF/, '')) === undefined, 'a key twice');
  });
  if (json !== undefined) {
    for (const check of [checkAnnotations, checkDetections, checkPointer, checkRecord, checkClasses]) attempt(() => check(json));
    attempt(() => describeJson(json, 'x.json'));
  }
  // The longest message is the one to be looked at.
  if (accepted === 0 || refusals.some(bad))
    throw refusals.sort((a, b) => Number(bad(b)) - Number(bad(a)) || b.message.length - a.message.length)[0];
  return json;
}

const bad = ({ message }: Error): boolean => message.length > 1000 || /[\r\n]/.test(message);

const accepted = (name: string, text: string): Input => ({
  name,
  bytes: new Uint8Array(Buffer.from(text)),
  expected: 'accepted',
});
const trees = { annotations, detections, classes, pointer, record };
const seeds: readonly Input[] = [
  ...Object.entries(trees).map(([name, tree]) => accepted(name, JSON.stringify(tree))),
  { ...accepted('csv', csv), expected: undefined },
  { ...accepted('split', split), expected: undefined },
  accepted('records', records),
  accepted('with a byte-order mark', `\uFEFF${JSON.stringify(classes)}`),
];

function generate(random: Random): Input {
  return accepted('generated', JSON.stringify(sampled(anyJson, random)));
}

function restructure(random: Random, material: Material): Uint8Array {
  if (random.once(4)) return mutate(new Uint8Array(Buffer.from(random.pick([csv, split, records]))), material, random);
  return new Uint8Array(Buffer.from(changedJson(random.pick(Object.values(trees)), random)));
}

const attack = (name: string, text: string, expected: Input['expected'] = 'rejected'): Input => ({
  ...accepted(name, text),
  expected,
});
const deep = (depth: number): string => `${'['.repeat(depth)}1${']'.repeat(depth)}`;
const attacks = (): readonly Input[] => [
  attack('lists 1,000,000 deep', deep(1_000_000)),
  attack('lists that do not end', '['.repeat(1_000_000)),
  attack('objects 200,000 deep', `${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}`),
  attack('annotations of a deep list', `{"database":{"v":{"annotations":${deep(100_000)}}}}`),
  attack('a deep subset', `{"database":{"v":{"subset":${deep(100_000)}}}}`),
  attack('a deep score', `{"results":{"v":[{"label":"a","score":${deep(100_000)},"segment":[0,1]}]}}`),
  attack('deep results', `{"results":${deep(100_000)}}`),
  attack('a key twice', '{"database":{"v":{},"v":{}}}'),
  attack('a key twice, once escaped', '{"database":{"v":{},"\\u0076":{}}}'),
  accepted('a key twice in different objects', '{"database":{"v":{"subset":"a"},"w":{"subset":"a"}}}'),
  accepted('quotes and colons in texts', '{"a\\":\\"b":": : {[","c":"\\\\"}'),
  attack('a prototype of annotations', '{"__proto__":{"database":{}},"a":{"__proto__":{"polluted":1}}}', 'accepted'),
  attack(
    'a video named after the prototype',
    '{"database":{"__proto__":{"annotations":[{"label":"__proto__"}]},"constructor":{}}}',
    'accepted',
  ),
  attack('lone surrogates', '{"database":{"\\ud800":{"annotations":[{"label":"\\udfff"}]}}}', 'accepted'),
  attack('a weights file elsewhere', '{"epoch":1,"weights":"../../../etc/passwd"}', 'either'),
  attack('a long name of a damaged video', `{"database":{"${'v'.repeat(100_000)}":1}}`, 'either'),
  attack('a name that clears the screen', '{"database":{"\\u001b[2J\\n\\u009b":1}}', 'either'),
  attack('100,000 classes', JSON.stringify(Array.from({ length: 100_000 }, (_, i) => `c${i}`)), 'accepted'),
  attack('100,000 labels of a video', `video,label\n${Array.from({ length: 100_000 }, (_, i) => `v,c${i}`).join('\n')}`),
  attack('a quoted field of 20 MB', `video,label\n"${'x'.repeat(20_000_000)}",a`),
  attack('a quoted field of quotes', `video,label\n"${'""'.repeat(1_000_000)}",a`),
  attack('a quote that is not closed', `video,label\n"${'""'.repeat(500_000)}`),
  attack('blanks before a quote', `video,label\n${' '.repeat(1_000_000)}x"`),
  attack('100,000 columns', `video,label${',x'.repeat(100_000)}`),
  attack('500,000 commas', ','.repeat(500_000)),
  attack('a million names', Array.from({ length: 500_000 }, (_, i) => `v${i}`).join('\n')),
  attack('no UTF-8', '', 'either'),
  { name: 'half a character', bytes: Uint8Array.from([0x22, 0xc3, 0x22]), expected: 'rejected' },
];

export const jsonFormat: Format = {
  name: 'json',
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
    'null',
    '1e400',
    '-',
    '"__proto__":',
    '"database":',
    '"results":',
    '"annotations":',
    '"segment":[0,1]',
    '"label":"a"',
    '\\ud800',
    '\\u0000',
    '\xef\xbb\xbf',
    '\r\n',
    '\n',
    '""',
    'video,label\n',
    '../',
  ),
  generate,
  restructure,
  read,
};
