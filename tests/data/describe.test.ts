import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeFile } from '../../src/data/describe/describeFile.ts';
import { describeFeatureFolder } from '../../src/data/describe/describeFolder.ts';
import { type Entry, filterEntries, tensorStats, totalsOf } from '../../src/data/describe/description.ts';
import { readBytes } from '../../src/data/files.ts';
import { encodeNpy } from '../../src/data/formats/npy.ts';
import { encodeNpz } from '../../src/data/formats/npz.ts';
import { encodeSafetensors } from '../../src/data/formats/safetensors.ts';
import { fromNumbers, ndarray, zeros } from '../../src/engine/index.ts';
import { encodeModel, GraphBuilder } from '../../src/engine/onnx.ts';

const text = (value: unknown): Uint8Array => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(pieces.flatMap(piece => [...piece]));
}

/** Entries as lines, for comparison. */
function lines(entries: readonly Entry[], margin = ''): string[] {
  return entries.flatMap(entry => {
    if (entry.kind === 'value') return [`${margin}${entry.name} = ${entry.text}`];
    if (entry.kind === 'tensor') return [`${margin}${entry.name}: ${entry.dtype} [${entry.shape}] ${entry.bytes}`];
    return [`${margin}${entry.name} (${entry.what})`, ...lines(entry.entries, `${margin}  `)];
  });
}

/** A `.npy` file of another type. */
function npyOf(descr: string, shape: string, bytes: number): Uint8Array {
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }\n`;
  return joined([Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0), text(header), new Uint8Array(bytes)]);
}

describe('describeFile', () => {
  it('names the stored type of NumPy arrays', () => {
    expect(describeFile(encodeNpy(zeros([2, 3], 'float64')), 'a.npy')).toMatchObject({ format: 'NumPy array', bytes: 176 });
    for (const [descr, name, width] of [
      ['<f2', 'float16', 2],
      ['>i4', 'int32', 4],
      ['|u1', 'uint8', 1],
      ['|b1', 'bool', 1],
      ['<c8', 'complex64', 8],
    ] as const) {
      const { entries } = describeFile(npyOf(descr, '(2, 5)', 10 * width), 'a.bin');
      expect(lines(entries)).toEqual([`: ${name} [2,5] ${10 * width}`]);
    }
    expect(() => describeFile(npyOf('<f4', '(2, 5)', 39), 'a.npy')).toThrow('a.npy: shape [2, 5] of type <f4 needs 40 bytes');
  });

  it('lists the arrays of .npz and .safetensors by content, whatever the ending', () => {
    const arrays = { 'a.weight': zeros([2, 3]), steps: zeros([], 'int64') };
    expect(describeFile(encodeNpz(arrays), 'x')).toMatchObject({ format: 'NumPy arrays (.npz)' });
    expect(lines(describeFile(encodeNpz(arrays), 'x').entries)).toEqual(['a.weight: float32 [2,3] 24', 'steps: int64 [] 8']);
    const file = joined(encodeSafetensors(arrays, { epoch: '3', note: 'two\nlines' }));
    const { format, facts, entries } = describeFile(file, 'x.bin');
    expect({ format, facts }).toEqual({ format: 'safetensors', facts: { 'metadata epoch': '3', 'metadata note': 'two lines' } });
    expect(lines(entries)).toEqual(['steps: int64 [] 8', 'a.weight: float32 [2,3] 24']);
    const model = joined(
      encodeSafetensors(arrays, { inkling: JSON.stringify({ classes: ['a', 'b'], config: { method: 'ftcl' } }) }),
    );
    expect(describeFile(model, 'm').facts).toEqual({ model: 'ftcl, 2 classes', classes: 'a, b' });
  });

  it('says what an ONNX model needs and gives', () => {
    const g = new GraphBuilder();
    const y = g.node('MatMul', ['x', g.constant(zeros([2, 3]))]);
    const port = (name: string, extent: number) => ({ name, dtype: 'float32' as const, shape: ['N', extent] });
    const bytes = encodeModel(g, [port('x', 2)], [port(y, 3)], { task: 'features' });
    const { format, facts, entries } = describeFile(bytes, 'model');
    expect(format).toBe('ONNX model');
    expect(facts).toMatchObject({ producer: 'inkling', 'operator sets': ['ai.onnx 21'], nodes: 1, operators: ['MatMul 1'] });
    expect(facts['metadata task']).toBe('features');
    expect(lines(entries)).toEqual([
      'inputs (inputs)',
      '  x = float32 [N, 2]',
      'outputs (outputs)',
      `  ${y} = float32 [N, 3]`,
      'initialisers (initialisers)',
      expect.stringMatching(/^ {2}\w+: float32 \[2,3\] 24$/),
    ]);
  });

  it('counts annotations, labels and detections', () => {
    const database = {
      v1: {
        subset: 'train',
        duration: 9,
        annotations: [
          { label: 'jump', segment: [0, 1] },
          { label: 'run', segment: [2, 10] },
        ],
      },
      v2: { subset: 'train', annotations: [{ label: 'run' }] },
      v3: { subset: 'test', annotations: [] },
    };
    expect(describeFile(text({ database }), 'gt.json')).toMatchObject({
      format: 'annotations (ActivityNet style)',
      facts: {
        videos: 3,
        subsets: ['train 2', 'test 1'],
        labels: 2,
        'videos by label': ['jump 1', 'run 2'],
        segments: '2 in 1 videos',
        'segments past the end of their video': 1,
      },
      entries: [],
    });
    expect(() => describeFile(text({ database: { v: 3 } }), 'gt.json')).toThrow(
      'gt.json: video "v": expected an object, found 3',
    );
    const results = {
      v1: [
        { label: 'a', score: 0.5, segment: [0, 1] },
        { label: 'b', score: 0.25, segment: [0, 1] },
      ],
      v2: [],
    };
    expect(describeFile(text({ results }), 'd.json').facts).toEqual({
      videos: 2,
      detections: 2,
      labels: 2,
      'detections by label': ['a 1', 'b 1'],
      scores: '0.25 to 0.5',
    });
    expect(describeFile(text('video,label\na,x\na,y\nb,x\n'), 'l.csv').facts).toMatchObject({ videos: 2, labels: 2 });
  });

  it('shows the structure of other JSON', () => {
    const value = {
      name: 'x',
      list: [1, 2],
      many: Array.from({ length: 9 }, (_, i) => i),
      deep: { a: { b: { c: 1 } } },
      rows: [[1], {}],
    };
    expect(lines(describeFile(text(value), 'x.json').entries)).toEqual([
      'name = "x"',
      'list = [1,2]',
      'many = [0, 1, 2, 3, …] (9)',
      'deep (mapping)',
      '  a (mapping)',
      '    b = mapping of 1',
      'rows (list)',
      '  0 = [1]',
      '  1 (mapping)',
    ]);
  });

  it('shows the tree of a PyTorch checkpoint, and where its weights are', async () => {
    const path = 'tests/data/torch/training-zip.torch1.pth';
    const { format, facts, entries } = describeFile(await readBytes(path), path);
    expect(format).toBe('PyTorch checkpoint');
    expect(facts).toEqual({ weights: '7 under state_dict, all named module.…' });
    expect(lines(entries)).toEqual(
      expect.arrayContaining([
        'epoch = 3',
        'state_dict (mapping)',
        '  module.0.weight: float32 [3,2,3] 72',
        '    0 (mapping)',
        '      exp_avg_sq: float32 [3] 12',
        'history: float64 [2,3] 48',
        'count = -1152921504606846976',
        '  __proto__ = "harmless"',
        '  [1, 2] = "tuple"',
        'shape = [2, 3]',
      ]),
    );
    const legacy = 'tests/data/torch/dtypes-legacy.torch1.pth';
    expect(lines(describeFile(await readBytes(legacy), 'no-ending').entries)).toEqual(
      expect.arrayContaining(['bfloat16: bfloat16 [6] 12', 'float16: float16 [6] 12', 'bool: bool [2,2] 4']),
    );
  });

  it.each([
    ['empty', new Uint8Array(), 'x: the file is empty'],
    ['an unknown kind', Uint8Array.of(0x7e, 0x45, 0xff, 0x46), 'found something else (it begins with 7e 45 ff 46)'],
    ['a program', Uint8Array.of(0x7f, 0x45, 0x4c, 0x46), 'found a program (ELF)'],
    ['an archive of something else', zipSync({ 'a.txt': text('hello') }), 'x: a zip archive of "a.txt"; expected .npy arrays'],
    ['no JSON', text('{"a": '), 'x: expected JSON'],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => describeFile(bytes, 'x')).toThrow(message);
  });
});

describe('describeFeatureFolder', () => {
  let dir = '';
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'inkling-describe-'));
    await mkdir(join(dir, 'train/rgb'), { recursive: true });
    await mkdir(join(dir, 'empty'));
    await writeFile(join(dir, 'a.npy'), encodeNpy(zeros([7, 4])));
    await writeFile(join(dir, 'b.npz'), encodeNpz({ x: zeros([3, 4]) }));
    await writeFile(join(dir, 'c.npy'), encodeNpy(zeros([5])));
    await writeFile(join(dir, 'train/rgb/d.npy'), npyOf('<f2', '(2, 8)', 32));
    await writeFile(join(dir, 'train/rgb/e.npy'), npyOf('<f2', '(9, 6)', 108));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  it('counts files, widths, rows and types', async () => {
    const { format, entries } = await describeFeatureFolder(dir);
    expect(format).toBe('folder of features');
    expect(lines(entries)).toEqual([
      'features = 3 files, width 4, rows 3 to 7, float32, 1 not [rows, width] ([5])',
      'train/rgb = 2 files, width 8 (1) and 6 (1), rows 2 to 9, float16',
    ]);
  });

  it('refuses a folder without any', async () => {
    await expect(describeFeatureFolder(join(dir, 'empty'))).rejects.toThrow(
      'expected a run folder (with config.yaml) or feature',
    );
  });
});

describe('trees', () => {
  const tensor = (name: string, shape: number[], bytes?: number): Entry => ({
    kind: 'tensor',
    name,
    dtype: 'float32',
    shape,
    bytes,
  });
  const tree: Entry[] = [
    { kind: 'group', name: 'state', what: 'mapping', entries: [tensor('a.weight', [2, 3], 24), tensor('a.bias', [2], 8)] },
    { kind: 'value', name: 'epoch', text: '3' },
    tensor('texts', [5]),
  ];

  it('are summed up', () => {
    expect(totalsOf(tree)).toEqual({ tensors: 3, elements: 13, bytes: 32 });
  });

  it.each([
    ['weight', ['state (mapping)', '  a.weight: float32 [2,3] 24']],
    ['STATE*bias', ['state (mapping)', '  a.bias: float32 [2] 8']],
    ['state', ['state (mapping)', '  a.weight: float32 [2,3] 24', '  a.bias: float32 [2] 8']],
    ['e*o', ['epoch = 3']],
    ['nothing', []],
  ])('are filtered by %s', (pattern, expected) => {
    expect(lines(filterEntries(tree, pattern))).toEqual(expected);
  });
});

describe('tensorStats', () => {
  it('leaves out what is not finite, and counts it', () => {
    const values = fromNumbers([1, Number.NaN, -3, Number.POSITIVE_INFINITY, 5, Number.NaN], [6]);
    expect(tensorStats(values)).toEqual({ min: -3, max: 5, mean: 1, nan: 2, infinite: 1 });
    expect(tensorStats(ndarray('int64', [2], BigInt64Array.of(-5n, 2n)))).toEqual({
      min: -5,
      max: 2,
      mean: -1.5,
      nan: 0,
      infinite: 0,
    });
    expect(tensorStats(zeros([0]))).toEqual({ min: null, max: null, mean: null, nan: 0, infinite: 0 });
  });
});
