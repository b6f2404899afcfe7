/** What the fuzzer found, each as small as it gets, and what comes of it now. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAnnotations } from '../../src/data/annotations.ts';
import { parseFeatureIndex } from '../../src/data/featureIndex.ts';
import { readJson } from '../../src/data/files.ts';
import { DataError } from '../../src/data/formats/dataError.ts';
import { parseJson } from '../../src/data/formats/json.ts';
import { encodeNpy, parseNpy } from '../../src/data/formats/npy.ts';
import { parseNpz } from '../../src/data/formats/npz.ts';
import { parseOnnxModel } from '../../src/data/formats/onnxModel.ts';
import { encodeSafetensors, parseSafetensors } from '../../src/data/formats/safetensors.ts';
import { parseTorchCheckpoint } from '../../src/data/formats/torchCheckpoint.ts';
import { readZip } from '../../src/data/formats/zip.ts';
import { parseClasses } from '../../src/data/labels.ts';
import { parseLabelsCsv } from '../../src/data/labelsCsv.ts';
import { fromNumbers, type NDArray, sizeOf } from '../../src/engine/ndarray.ts';
import { parseDetections } from '../../src/localization/detections.ts';
import { scoresFromArrays } from '../../src/openset/scoreFile.ts';
import { loadLast } from '../../src/train/checkpoint.ts';
import { loadConfig, parseConfig } from '../../src/train/config.ts';
import { parseOverride, parseYaml } from '../../src/train/configFile.ts';
import { parseEpochRecords } from '../../src/train/epochRecord.ts';
import { nearestKey } from '../../src/train/nearest.ts';
import { parsePointer } from '../../src/train/pointer.ts';
import { silentReporter } from '../../src/train/reporter.ts';
import { parseFewshotList } from '../../src/video/fewshotLists.ts';
import { parseClassNames, parseHmdb51, parseKinetics, parseVideoList } from '../../src/video/lists.ts';
import { folderOf, messageRejected, messageThrown } from '../data/builders.ts';
import { zipOf } from './archive.ts';
import { pickleOf, storageCode, torchLegacy } from './checkpoint.ts';
import { joined } from './mutate.ts';
import { npyFile } from './npy.ts';
import { op, times } from './pickleCode.ts';
import { safetensorsFile } from './safetensors.ts';

const none = new Uint8Array(0);
const text = (value: string): Uint8Array => new Uint8Array(Buffer.from(value));

describe('messages', () => {
  test('control characters are spelt out: a file must not write to the terminal', () => {
    expect(new DataError('a\x1b[2Jb', 'c\r\nd\x9b\u2028\0').message).toBe('a\\u001b[2Jb: c d\\u009b\\u2028\\u0000');
  });

  test('the middle of a long one is left out', () => {
    const { message } = new DataError('x.npy', `${'a'.repeat(5000)} the end`);
    expect(message).toHaveLength(605);
    expect(message).toMatch(/^x\.npy: a+ \.\.\. a+ the end$/);
    expect(new DataError('x', '\0'.repeat(900)).message).toHaveLength(1000);
  });
});

describe('npy', () => {
  const header = (shape: string): string => `{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }`;

  test('a header of white space, on which a pattern took hours', () => {
    expect(messageThrown(() => parseNpy(npyFile(header(`(${' '.repeat(1_000_000)}x)`), none, 2), 'x.npy'))).toBe(
      'x.npy: expected a .npy header of at most 10000 bytes, found one of 1000056',
    );
  });

  test('no elements, of a shape whose other extents multiply to infinity', () => {
    const shape = [...new Array<number>(30).fill(2 ** 53 - 1), 0];
    expect(sizeOf(shape)).toBe(0);
    const { data, shape: found } = parseNpy(npyFile(header(`(${shape.join(', ')})`), none), 'x.npy');
    expect([data.length, found]).toEqual([0, shape]);
  });

  test('white space that is none of Python', () => {
    expect(messageThrown(() => parseNpy(npyFile(header('(\v1,)'), new Uint8Array(4)), 'x.npy'))).toMatch(
      /^x\.npy: expected plain ASCII text in the \.npy header/,
    );
  });
});

describe('zip', () => {
  const array = { name: 'a.npy', content: encodeNpy(fromNumbers([1], [1])) };
  const parse = (...[files, options]: Parameters<typeof zipOf>): string =>
    messageThrown(() => parseNpz(zipOf(files, options), 'x.npz'));

  test('many entries over the same compressed data, of which 8 KB made 8 GB', () => {
    expect(parse([array, { ...array, name: 'b.npy', sameDataAs: 0 }])).toBe('x.npz: damaged zip archive: its entries overlap');
  });

  test('fewer entries stated than there are', () => {
    expect(parse([array, { ...array, name: 'b.npy' }], { count: 1 })).toBe(
      'x.npz: damaged zip archive: it states 1 entries, but 51 bytes of its directory follow',
    );
  });

  test('an archive behind another, of which one half of the readers sees the first', () => {
    const bytes = joined(zipOf([array]), zipOf([]));
    expect(messageThrown(() => readZip(bytes, 'x.zip'))).toMatch(
      /^x\.zip: damaged zip archive: a directory of 0 entries in 0 bytes at 0/,
    );
  });

  test('two names for one file', () => {
    expect(parse([{ ...array, localName: 'b.npy' }])).toBe(
      'x.npz: a.npy: damaged zip archive: its header states the name "b.npy"',
    );
  });

  test('names are names, never paths', () => {
    const names = ['../../a.npy', '/etc/a.npy', 'C:\\a.npy', 'a\0.npy', '__proto__.npy'];
    const arrays = parseNpz(zipOf(names.map(name => ({ ...array, name }))), 'x.npz');
    expect(Object.keys(arrays)).toEqual(names.map(name => name.slice(0, -'.npy'.length)));
  });
});

describe('safetensors', () => {
  const entry = '{"dtype":"U8","shape":[1],"data_offsets":[0,1]}';
  const parse = (header: string): string =>
    messageThrown(() => parseSafetensors(safetensorsFile(header, new Uint8Array(1)), 'x'));

  test('a tensor twice, of which the first was dropped', () => {
    expect(parse(`{"a":${entry},"\\u0061":${entry}}`)).toBe(
      'x: its .safetensors header: the key "a" is there twice in an object',
    );
  });

  test('metadata that are a list', () => {
    expect(parse(`{"__metadata__":["a"],"a":${entry}}`)).toBe('x: expected __metadata__ to map names to strings');
  });

  test('what is named __proto__ is neither lost nor a prototype', () => {
    const file = safetensorsFile(`{"__metadata__":{"__proto__":"m"},"__proto__":${entry}}`, new Uint8Array([7]));
    const { tensors, metadata } = parseSafetensors(file, 'x');
    expect([Object.keys(tensors), Object.entries(metadata)]).toEqual([['__proto__'], [['__proto__', 'm']]]);
    const again = parseSafetensors(joined(...encodeSafetensors(tensors, metadata)), 'again');
    expect(Object.entries(again.tensors)).toEqual(Object.entries(tensors));
  });

  test('nesting that printing could not follow, and a hundred thousand axes', () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    expect(parse(`{"a":{"dtype":${deep}}}`)).toBe('x: its .safetensors header: expected JSON of at most 100 levels, found more');
    expect(parse(`{"a":{"dtype":"U8","shape":[${'1,'.repeat(100_000)}1],"data_offsets":[0,1]}}`)).toMatch(
      /^x: tensor "a": impossible shape/,
    );
  });

  test('white space before the header', () => {
    expect(parse(` {"a":${entry}}`)).toBe('x: expected a JSON object as .safetensors header');
  });
});

describe('pickle', () => {
  const parse = (...code: readonly Uint8Array[]): string => messageThrown(() => parseTorchCheckpoint(pickleOf(...code), 'x.pkl'));
  const memoized = (index: number, ...code: readonly Uint8Array[]): Uint8Array => joined(...code, op.put(index), op.pop);
  const call = joined(op.get1(0), op.get1(1), op.reduce, op.pop);
  const missing = joined(op.global('no', 'such'), op.pop);

  test('names put together of the memo, of which a megabyte made a hundred gigabytes', () => {
    expect(parse(memoized(0, op.text('m'.repeat(600))), op.get1(0), op.get1(0), op.stackGlobal)).toBe(
      'x.pkl: damaged pickle at byte 617: a name of 1200 characters; at most 1000 are supported',
    );
    const names = Array.from({ length: 1001 }, (_, i) => joined(op.global('m', `n${i}`), op.pop));
    expect(parse(...names, op.none)).toMatch(
      /^x\.pkl: the checkpoint needs m\.n0, m\.n1, .* and 980 more, which are not on the list/,
    );
  });

  test.each([
    [
      'the parts of a sparse tensor',
      op.global('torch._utils', '_rebuild_sparse_tensor'),
      joined(op.none, op.mark, times(9, op.emptyTuple), op.tuple),
      /expected the parts of a sparse tensor$/,
    ],
    ['a NumPy type', op.global('numpy', 'dtype'), op.text(`f${'1'.repeat(100)}`), /expected the code of a NumPy type$/],
    [
      'the type of a NumPy scalar',
      op.global('numpy.core.multiarray', 'scalar'),
      joined(op.text(`<U${'0'.repeat(100)}1`), op.bytes(new Uint8Array(4))),
      /expected the type and the bytes of a NumPy scalar$/,
    ],
    [
      'the type of a NumPy array',
      op.global('numpy.core.numeric', '_frombuffer'),
      joined(op.none, op.text('x'.repeat(100)), op.emptyTuple, op.text('C')),
      /expected the type of a NumPy array$/,
    ],
  ])('%s of any length, looked through at every use', (_, callee, args, message) => {
    expect(parse(callee, op.mark, args, op.tuple, op.reduce)).toMatch(message);
  });

  test.each([
    ['bytes', op.global('builtins', 'bytes'), joined(op.mark, op.mark, times(20_000, op.int(1)), op.none, op.tuple, op.tuple)],
    ['paths', op.global('pathlib', 'Path'), joined(op.mark, times(20_000, op.text('')), op.none, op.tuple)],
  ])(
    '%s of a long list, made again and again where something else is missing, are paid for before they are looked at',
    (_, callee, args) => {
      expect(parse(missing, memoized(0, callee), memoized(1, args), times(20_000, call), op.none)).toMatch(
        /^x\.pkl: the checkpoint needs no\.such,/,
      );
    },
  );

  test('a million empty dictionaries in a megabyte, which took more than half a gigabyte', () => {
    expect(parse(op.emptyList, op.mark, times(1_000_000, op.emptyDict), op.appends)).toMatch(
      /^x\.pkl: damaged pickle at byte 256075: more lists, tuples, dictionaries and sets than any honest file of its length holds$/,
    );
  });

  test('a tensor of negative size', () => {
    const size = joined(op.mark, op.int(-1), op.tuple);
    const args = joined(op.mark, op.global('torch', 'float32'), size, op.false, op.tuple);
    expect(parse(op.global('torch._utils', '_rebuild_meta_tensor_no_storage'), args, op.reduce)).toMatch(
      /expected a tuple of sizes$/,
    );
  });

  test('a storage of the type "constructor", which every object has', () => {
    const id = joined(
      op.mark,
      op.text('storage'),
      op.text('constructor'),
      op.text('0'),
      op.text('cpu'),
      op.int(1),
      op.tuple,
      op.persistent,
    );
    const file = torchLegacy(pickleOf(id), [{ count: 1, content: new Uint8Array(4) }]);
    expect(messageThrown(() => parseTorchCheckpoint(file, 'x.pth'))).toMatch(
      /expected the type, key, place and size of a storage$/,
    );
  });

  test('an id of a million parts, copied at every use', () => {
    const id = joined(
      op.mark,
      op.text('storage'),
      op.global('torch', 'FloatStorage'),
      op.text('0'),
      op.text('cpu'),
      op.int(1),
      times(9, op.none),
      op.tuple,
      op.persistent,
    );
    const file = torchLegacy(pickleOf(id), [{ count: 1, content: new Uint8Array(4) }]);
    expect(messageThrown(() => parseTorchCheckpoint(file, 'x.pth'))).toMatch(/expected the id of a storage$/);
  });

  test('a tensor of no elements, of a shape beyond all doubles', () => {
    const sizes = (value: bigint, last: number): Uint8Array => joined(op.mark, times(30, op.long(value)), op.int(last), op.tuple);
    const tensor = joined(
      op.global('torch._utils', '_rebuild_tensor_v2'),
      op.mark,
      storageCode('float32', '0', 1),
      op.int(0),
      sizes(2n ** 53n - 1n, 0),
      sizes(1n, 1),
      op.tuple,
      op.reduce,
    );
    const found = parseTorchCheckpoint(torchLegacy(pickleOf(tensor), [{ count: 1, content: new Uint8Array(4) }]), 'x.pth');
    expect((found as { read(): { data: Float32Array } }).read().data).toHaveLength(0);
  });
});

describe('ONNX', () => {
  const parse = (...bytes: readonly number[]): string =>
    messageThrown(() => parseOnnxModel(Uint8Array.from([8, 8, ...bytes]), 'x.onnx'));

  test('a length of 2^63, of which the lower half is 0', () => {
    expect(parse(0x3a, 128, 128, 128, 128, 128, 128, 128, 128, 128, 1)).toMatch(/a field runs past its end\)$/);
  });

  test('groups, which would nest without end', () => {
    expect(parse(0x3a, 0, 0x7b, 0x7c)).toMatch(/wire type 3 is not supported\)$/);
  });
});

describe('YAML', () => {
  const parse = (source: string): string => messageThrown(() => parseYaml(source, 'x.yaml'));

  test.each([
    [
      'flow lists, at which the whole process ended',
      '['.repeat(10_000) + ']'.repeat(10_000),
      'x.yaml:1:101: expected YAML of at most 100 levels, found more',
    ],
    [
      'aliases that multiply',
      `a: &a [1]\nb: &b [${'*a,'.repeat(30)}]\nc: [${'*b,'.repeat(30)}]`,
      'x.yaml: not YAML (Excessive alias count indicates a resource exhaustion attack)',
    ],
    ['a list of itself', 'a: &a [*a]', 'x.yaml: *a stands for what holds it'],
    ['binary data', 'a: !!binary AAAA', 'x.yaml:1:4: not YAML (Unresolved tag: tag:yaml.org,2002:binary)'],
    [
      'a function, which became a text',
      'a: !!js/function "x"',
      'x.yaml:1:4: not YAML (Unresolved tag: tag:yaml.org,2002:js/function)',
    ],
    ['keys that are one as texts', '1: a\n"1": b', 'x.yaml:1:1: expected a text as key (in quotes, if need be)'],
    ['a key twice', 'a: 1\na: 2', 'x.yaml:2:1: the key "a" is there twice'],
    ['a megabyte', 'a'.repeat(1_000_000), 'x.yaml: expected a configuration of at most 262144 characters, found 1000000'],
  ])('%s', (_, source, message) => {
    expect(parse(source)).toBe(message);
  });

  test('20,000 keys, which took a minute to compare with each other', () => {
    const source = Array.from({ length: 20_000 }, (_, i) => `k${i}: ${i}`).join('\n');
    expect(Object.keys(parseYaml(source, 'x.yaml') as object)).toHaveLength(20_000);
  });

  test('an unknown key of several lines, and a long one', () => {
    const config = (key: string) => () => parseConfig({ task: 'localization', [key]: 1 }, 'x.yaml');
    expect(messageThrown(config('a\nb'))).toMatch(/^x\.yaml: unknown key "a b"; the nearest is /);
    expect(messageThrown(config('k'.repeat(50_000)))).toMatch(/^x\.yaml: unknown key "k+ \.\.\. k+"; the nearest is "\w+"$/);
    expect(nearestKey(`model.dropout${'t'.repeat(200)}`, ['model.dropout', 'train.epochs'])).toBe('model.dropout');
  });

  test('an override of thousands of levels', () => {
    expect(messageThrown(() => parseOverride(`${'a.'.repeat(50_000)}a=1`))).toMatch(
      /: expected key=value, such as train\.epochs=5$/,
    );
    expect(parseOverride('__proto__.polluted=1').values).toEqual(JSON.parse('{"__proto__":{"polluted":1}}'));
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  test('more thresholds than anyone counts', async () => {
    const sets = ['evaluation.tious={ start: 0.1, stop: 0.9, step: 1.0e-12 }'];
    expect(await messageRejected(loadConfig('localization/synthetic/acm-net', { sets }))).toBe(
      `--set ${sets[0]}: evaluation.tious: expected at most 10000 thresholds, found {"start":0.1,"stop":0.9,"step":1e-12}`,
    );
  });
});

describe('JSON and text', () => {
  const deep = `${'['.repeat(100_000)}1${']'.repeat(100_000)}`;

  test('values too deep to be printed in a message', () => {
    expect(messageThrown(() => parseJson(`{"database":{"v":${deep}}}`, 'x.json'))).toBe(
      'x.json: expected JSON of at most 100 levels, found more',
    );
    expect(parseJson(`${'['.repeat(100)}${']'.repeat(100)}`, 'x.json')).toHaveLength(1);
  });

  test('a video twice, of which the first was dropped', () => {
    expect(messageThrown(() => parseJson('{"database":{"v":{},"w":{},"v":{}}}', 'x.json'))).toBe(
      'x.json: the key "v" is there twice in an object',
    );
    expect(parseJson('{"v":{"a":":","b":"\\"a"},"w":{"a":"v"}}', 'x.json')).toEqual({ v: { a: ':', b: '"a' }, w: { a: 'v' } });
  });

  test('a video named __proto__', () => {
    const json = parseJson('{"database":{"__proto__":{"annotations":[{"label":"a"}]}}}', 'x.json');
    expect([...parseAnnotations(json, 'x.json').videos.keys()]).toEqual(['__proto__']);
  });

  test('detections: a long name in a message', () => {
    const json = { results: { ['v'.repeat(5000)]: 1 } };
    expect(messageThrown(() => parseDetections(json, 'x.json'))).toHaveLength(605);
  });

  test('pointers name files beside them, and none elsewhere', () => {
    expect(parsePointer({ epoch: 1, weights: 'epoch-0001.safetensors' }, 'last.json').weights).toBe('epoch-0001.safetensors');
    for (const weights of ['../../secret', '/etc/passwd', 'a\\b', '..', '.', '', 'a\0']) {
      expect(messageThrown(() => parsePointer({ epoch: 1, weights }, 'last.json'))).toBe(
        'last.json: expected {epoch, weights} with names of files beside it, found something else',
      );
    }
  });

  test('metrics.jsonl with half a line', () => {
    const line = (epoch: number) => JSON.stringify({ epoch, step: 9, learningRate: 0.1, seconds: 1, train: { total: 1 } });
    const { records, problems } = parseEpochRecords(`${line(1)}\n\nnull\n${line(2)}\n{"epo`, 'metrics.jsonl');
    expect(records.map(({ epoch }) => epoch)).toEqual([1, 2]);
    expect(problems).toEqual([
      'metrics.jsonl: line 3: expected the record of an epoch, found "null" (expected object, found null)',
      'metrics.jsonl: line 5: expected the record of an epoch, found "{\\"epo"',
    ]);
  });

  test('labels: a quoted field of many megabytes, and very many labels of one video', () => {
    const name = 'x'.repeat(20_000_000);
    expect([...parseLabelsCsv(`video,label\n"${name}",a`, 'x.csv').videos.keys()][0]).toHaveLength(20_000_000);
    const rows = Array.from({ length: 100_000 }, (_, i) => `v,c${i}`);
    expect(parseLabelsCsv(['video,label', ...rows].join('\n'), 'x.csv').videos.get('v')?.labels).toHaveLength(100_000);
    expect(parseClasses(rows, 'x.json')).toHaveLength(100_000);
    expect(messageThrown(() => parseClasses([...rows, 'v,c0'], 'x.json'))).toBe('x.json: the class "v,c0" is listed twice');
  });
});

describe('a run from somebody else', () => {
  let dir = '';
  let remove = async (): Promise<void> => {};
  beforeAll(async () => {
    ({ dir, remove } = await folderOf({}));
    const folder = join(dir, 'checkpoints');
    await mkdir(folder);
    const weights = { w: fromNumbers([1], [1]) };
    await writeFile(join(folder, 'w.safetensors'), joined(...encodeSafetensors(weights)));
    await writeFile(
      join(folder, 'o.safetensors'),
      joined(...encodeSafetensors({ '__proto__/polluted': weights.w }, { step: '1' })),
    );
    await writeFile(
      join(folder, 'last.json'),
      JSON.stringify({ epoch: 1, weights: 'w.safetensors', optimizer: 'o.safetensors' }),
    );
    await writeFile(join(dir, 'bytes.json'), text('"\xff'));
  });
  afterAll(() => remove());

  test('an optimiser slot named __proto__ does not change all objects', async () => {
    const state = await loadLast(dir, 1, silentReporter());
    expect(Object.keys(state!.optimizer.slots)).toEqual(['__proto__']);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test('a JSON file that is cut off names itself', async () => {
    await expect(readJson(join(dir, 'bytes.json'))).rejects.toThrow(/bytes\.json: expected JSON \(/);
  });
});

describe('lists of videos', () => {
  test('half a million blanks in a line, which a pattern went over again and again', () => {
    const line = `a${' '.repeat(500_000)}b`;
    expect(messageThrown(() => parseHmdb51({ 'x_test_split1.txt': line }, 1, 'train', 'splits'))).toMatch(
      /^splits\/x_test_split1\.txt, line 1: expected "video\.avi 0\|1\|2", found "a/,
    );
    expect(parseVideoList(line, 'x.txt')).toEqual([{ path: line, line: 1 }]);
  });

  test('a class of HMDB-51 with an empty list', () => {
    expect(messageThrown(() => parseHmdb51({ 'x_test_split1.txt': '\n' }, 1, 'train', 'splits'))).toBe(
      'splits/x_test_split1.txt: expected lines "video.avi 0|1|2", found none',
    );
  });

  test('times in other notations', () => {
    for (const time of ['0x10', '1e1', ' ', '-1', '']) {
      const csv = `label,youtube_id,time_start,time_end\na,b,"${time}",20\n`;
      expect(messageThrown(() => parseKinetics(csv, 'x.csv'))).toMatch(/^x\.csv, line 2: expected (seconds|a time), found/);
    }
  });

  test('a line separator of Unicode within the name of a class', () => {
    expect(parseClassNames('1 a\u2028b', 'x.txt')).toEqual(['a\u2028b']);
  });
});

test('a list of a few-shot data set with an empty folder, which became the name of a class', () => {
  expect(messageThrown(() => parseFewshotList('train0////a.avi', 'train', 'x.txt'))).toMatch(/^x\.txt, line 1: expected "train/);
});

test('a class twice in an index of clips', () => {
  const index = { classes: ['a', 'a'], items: [{ file: 'x', label: 'a' }] };
  expect(messageThrown(() => parseFeatureIndex(index, 'index.json'))).toBe('index.json: classes: "a" is listed twice');
});

describe('score files', () => {
  const numbers = (values: number[], width?: number): NDArray =>
    fromNumbers(values, width === undefined ? [values.length] : [values.length / width, width]);
  const labels = { ind_label: numbers([0, 1]), ood_label: numbers([5]) };

  test('logits of two clips a video, which gave twice as many scores as videos', () => {
    const arrays = { ...labels, ind_logits: numbers(new Array(12).fill(1), 3), ood_logits: numbers([1, 2, 3], 3) };
    expect(messageThrown(() => scoresFromArrays(arrays, 'x.npz'))).toMatch(/^x\.npz: ind_logits: expected 2 rows/);
  });

  test('logits that are integers of 64 bits', () => {
    const integers = fromNumbers([1, 0, 0, 3], [2, 2], 'int64');
    const { known } = scoresFromArrays({ ...labels, ind_logits: integers, ood_logits: numbers([0, 0], 2) }, 'x.npz');
    expect(known.uncertainty[0]).toBeCloseTo(1 / (1 + Math.E), 15);
    expect(Array.from(known.prediction)).toEqual([0, 1]);
  });

  test('a training sample of no direction, whose OpenMax score was no number and would have set a threshold', () => {
    const classLogits = (...classes: number[]): NDArray =>
      numbers(
        classes.flatMap(c => (c === 0 ? [1, 0] : [0, 1])),
        2,
      );
    const arrays = {
      ...labels,
      ind_features: numbers([1, 2, 2, 1], 2),
      ind_logits: classLogits(0, 1),
      ood_features: numbers([1, 1], 2),
      ood_logits: classLogits(0),
      train_features: numbers([1, 3, 2, 5, 1, 4, 3, 1, 5, 1, 4, 2, 0, 0], 2),
      train_logits: classLogits(0, 0, 0, 1, 1, 1, 0),
      train_label: numbers([0, 0, 0, 1, 1, 1, 1]),
    };
    expect(messageThrown(() => scoresFromArrays(arrays, 'x.npz', { score: 'openmax' }))).toBe(
      'x.npz: score openmax: NaN for training sample 6',
    );
  });
});
