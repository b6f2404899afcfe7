import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeNpy } from '../../src/data/formats/npy.ts';
import { encodeSafetensors } from '../../src/data/formats/safetensors.ts';
import { fromNumbers, ndarray } from '../../src/engine/ndarray.ts';
import { runCli } from './runCli.ts';
import { featureDim, oneProcess, smallExperiment, succeed } from './smallRun.ts';

let dir = '';
let remove = async (): Promise<void> => {};
beforeAll(async () => {
  ({ dir, remove } = await smallExperiment());
  await succeed(['train', 'small.yaml', '--set', 'train.epochs=1', '--out', 'run'], dir);
});
afterAll(() => remove());

interface GroundTruth {
  database: Record<string, { duration: number; annotations: { label: string; segment: unknown }[] }>;
}

const zeros = (rows: number, width: number) => encodeNpy(ndarray('float32', [rows, width], new Float32Array(rows * width)));
const features = 'train/synthetic_train_002.npy';
const replace = (content: Uint8Array | string) => (data: string) => writeFile(join(data, features), content);

/** Changes the annotations of the third training video. */
const annotate = (change: (video: GroundTruth['database'][string]) => void) => async (data: string) => {
  const path = join(data, 'gt.json');
  const json = JSON.parse(await readFile(path, 'utf8')) as GroundTruth;
  change(json.database.synthetic_train_002);
  // JSON has no infinity, but numbers too large for a double.
  await writeFile(path, JSON.stringify(json).replaceAll('"infinite"', '1e999').replaceAll('"nan"', 'NaN'));
};

/** A stored `.npz` of one array, whose directory then promises another size. */
async function lyingNpz(data: string): Promise<void> {
  const { zipSync } = await import('fflate');
  const bytes = zipSync({ 'features.npy': [zeros(20, featureDim), { level: 0 }] });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const directory = bytes.findLastIndex((_, i) => i + 4 <= bytes.length && view.getUint32(i, true) === 0x02014b50);
  view.setUint32(directory + 24, 1_000_000_000, true);
  await rm(join(data, features));
  await writeFile(join(data, features.replace('.npy', '.npz')), bytes);
}

/** As {@link lyingNpz}, but the lie is the shape in the header of the array. */
async function lyingArray(data: string): Promise<void> {
  const { zipSync } = await import('fflate');
  const array = zeros(20, featureDim);
  const text = Buffer.from(array).toString('latin1').replace(`(20, ${featureDim})`, `(99, ${featureDim})`);
  await rm(join(data, features));
  await writeFile(join(data, features.replace('.npy', '.npz')), zipSync({ 'features.npy': Buffer.from(text, 'latin1') }));
}

const nanAt = (row: number, column: number): Uint8Array => {
  const values = new Float32Array(20 * featureDim);
  values[row * featureDim + column] = Number.NaN;
  return encodeNpy(ndarray('float32', [20, featureDim], values));
};

const inFeatures = `DATA/${features}: `;
const inVideo = 'DATA/gt.json: video "synthetic_train_002", annotation 1: ';

/** What is done to a good data set, and the one line that training on it says. `DATA` stands for the folder. */
const badData: readonly (readonly [string, (data: string) => Promise<void>, string | RegExp])[] = [
  [
    'a missing feature file',
    data => rm(join(data, features)),
    /^features of "synthetic_train_002" in \S+DATA\/train: no such file: looked for synthetic_train_002\.npy, /,
  ],
  ['wrong width', replace(zeros(20, 5)), `${inFeatures}expected features of width ${featureDim}, found 5`],
  ['NaN in features', replace(nanAt(7, 3)), `${inFeatures}the features hold NaN in row 7, column 3`],
  ['an empty video', replace(zeros(0, featureDim)), `${inFeatures}the video is empty: its features have no rows`],
  ['a truncated .npy', replace(zeros(20, featureDim).subarray(0, 300)), /^\S+DATA\/train\/synthetic_train_002\.npy: .*bytes/],
  ['a .npy cut within its header', replace(zeros(20, featureDim).subarray(0, 30)), /^\S+DATA\/train\/synthetic_train_002\.npy: /],
  ['an empty file', replace(''), /^\S+DATA\/train\/synthetic_train_002\.npy: /],
  ['a .npz whose directory lies about its size', lyingNpz, /^\S+DATA\/train\/synthetic_train_002\.npz.*: .*1000000000/],
  ['a .npz whose array lies about its size', lyingArray, /^\S+DATA\/train\/synthetic_train_002\.npz.*: .*99/],
  [
    'an inverted segment',
    annotate(video => Object.assign(video.annotations[0], { segment: [3, 2] })),
    `${inVideo}segment [3, 2] ends before its start`,
  ],
  [
    'a segment that is not finite',
    annotate(video => Object.assign(video.annotations[0], { segment: [3, 'infinite'] })),
    `${inVideo}segment [3, Infinity] is not finite`,
  ],
  [
    'a segment with NaN, as Python writes it',
    annotate(video => Object.assign(video.annotations[0], { segment: ['nan', 2] })),
    /^DATA\/gt\.json: expected JSON \(.*NaN/,
  ],
  [
    'an unknown class',
    annotate(video => Object.assign(video.annotations[0], { label: 'synthetic acton 1' })),
    /^DATA\/gt\.json: .*"synthetic_train_002".*"synthetic acton 1"/,
  ],
  [
    'a split naming a video that is not there',
    data => writeFile(join(data, 'split_train.txt'), 'synthetic_train_001\nsynthetic_train_999\n'),
    'DATA/split_train.txt: video "synthetic_train_999" is not in DATA/gt.json',
  ],
  [
    'no annotations',
    data => rm(join(data, 'gt.json')),
    'DATA: expected annotations in gt.json, labels.csv, index.json, features.json, found none of them',
  ],
  [
    'a subset without videos',
    async data => {
      await rm(join(data, 'split_train.txt'));
      const text = await readFile(join(data, 'gt.json'), 'utf8');
      await writeFile(join(data, 'gt.json'), text.replaceAll('"validation"', '"other"'));
    },
    'DATA: the data set has no training videos',
  ],
];

describe('train', () => {
  it.concurrent.each(badData)('says in one line, and leaves nothing behind: %s', async (name, spoil, message) => {
    const data = name.replaceAll(/\W+/g, '-');
    await cp(join(dir, 'data'), join(dir, data), { recursive: true });
    await spoil(join(dir, data));
    const out = `run-${data}`;
    const { code, stdout, stderr } = await runCli(['train', 'small.yaml', '--data', data, '--out', out], dir, oneProcess);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expectOneLine(stderr.replaceAll(data, 'DATA'), message);
    expect(await readdir(dir)).not.toContain(out);
  });
});

function expectOneLine(stderr: string, message: string | RegExp): void {
  expect(stderr).toMatch(/^error: [^\n]+\n$/);
  const line = stderr.slice('error: '.length, -1);
  if (typeof message === 'string') expect(line.endsWith(message), `${line}\nshould end with\n${message}`).toBe(true);
  else expect(line).toMatch(message);
}

describe('the command line', () => {
  beforeAll(async () => {
    const put = (name: string, content: string | Uint8Array) => writeFile(join(dir, name), content);
    await put('misspelt.yaml', 'extends: small.yaml\ntrain: { epocs: 3 }\n');
    await put('clip.mp4', '');
    await put('notes.safetensors', 'these are no weights');
    await put('alone.safetensors', Buffer.concat(encodeSafetensors({ w: fromNumbers([1], [1]) })));
    const model = await readFile(join(dir, 'run/model.safetensors'));
    await put('cut.safetensors', model.subarray(0, model.length - 8));
    await mkdir(join(dir, 'no-run'));
    await put('no-run/notes.txt', 'mine');
    await put('broken.json', '{"results": {"a": [');
    await put('list.json', '[]');
    await put('narrow.npy', zeros(20, 5));
    await put('infinite.npy', nanAt(0, 0));
  });

  const video = 'data/test/synthetic_test_000.npy';
  const evaluate = ['eval', 'localization', '--ground-truth', 'data/gt.json', '--detections'];
  const begin = ['train', 'small.yaml', '--out', 'none'];
  it.concurrent.each<[readonly string[], string | RegExp]>([
    [['train', 'misspelt.yaml', '--out', 'none'], 'misspelt.yaml: unknown key "train.epocs"; the nearest is "train.epochs"'],
    [[...begin, '--set', 'train.epochs=many'], '--set train.epochs=many: train.epochs: expected a number, found "many"'],
    [[...begin, '--set', 'train.epochs=0'], /^--set train\.epochs=0: train\.epochs: expected .*more than 0, found 0$/],
    [[...begin, '--set', 'train.epochs'], '--set train.epochs: expected key=value, such as train.epochs=5'],
    [[...begin, '--set', 'model.featureDim=9'], `expected features of width 9, found ${featureDim}`],
    [[...begin, '--from', 'nothing'], 'nothing: expected a run folder or a model file, found nothing'],
    [[...begin, '--from', 'notes.safetensors'], /^notes\.safetensors: /],
    [['train', 'small.yaml', '--out', 'notes.safetensors'], 'notes.safetensors: expected a new or empty folder, found a file'],
    [['train', 'small.yaml', '--out', 'no-run'], 'no-run: expected a new or empty folder, found 1 file'],
    [['predict', 'run', video, '--out', 'none/none.json'], 'none/none.json: there is no folder none to write it to'],
    [['train', 'nowhere.yaml'], /^nowhere\.yaml: no such configuration/],
    [['train', '--resume', 'no-run'], 'no-run: expected a run folder with config.yaml, found none'],
    [['predict', 'run', 'clip.mp4', '--out', 'none.json'], /^clip\.mp4: a video needs the backbone/],
    [
      ['predict', 'run', video, 'narrow.npy', '--out', 'none.json'],
      `narrow.npy: expected features of width ${featureDim}, found 5`,
    ],
    [['predict', 'run', video, 'infinite.npy', '--json'], 'infinite.npy: the features hold NaN in row 0, column 0'],
    [['predict', 'notes.safetensors', video, '--out', 'none.json'], /^notes\.safetensors: .*safetensors/],
    [['predict', video, video, '--out', 'none.json'], /^data\/test\/synthetic_test_000\.npy: .*safetensors/],
    [['predict', 'cut.safetensors', video, '--out', 'none.json'], /^cut\.safetensors: /],
    [
      ['predict', 'alone.safetensors', video, '--out', 'none.json'],
      'alone.safetensors: expected a model (weights with a description of task and classes), found weights alone (import makes a model of them)',
    ],
    [['predict', 'no-run', video, '--out', 'none.json'], /^no-run: /],
    [['predict', 'nothing', video, '--out', 'none.json'], 'nothing: expected a run folder or a model file, found nothing'],
    [['test', 'no-run', '--json'], /^no-run: /],
    [['test', 'nothing', '--json'], /^nothing: expected a run folder/],
    [['test', 'run/model.safetensors', '--json'], /^run\/model\.safetensors: expected a run folder/],
    [
      ['test', 'run', '--checkpoint', 'best'],
      'run: the run has no best checkpoint (a best one is kept when evaluation.select is best-on-test)',
    ],
    [[...evaluate, 'broken.json', '--json'], /^broken\.json: expected JSON \(/],
    [[...evaluate, 'list.json'], 'list.json: expected {"results": {video: [detections]}}, found []'],
  ])('says in one line what is wrong, and writes nothing: %j', async (args, message) => {
    const { code, stdout, stderr } = await runCli(args, dir, oneProcess);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expectOneLine(stderr, message);
    expect(await readdir(dir)).not.toContain('none');
    expect(await readdir(dir)).not.toContain('none.json');
    expect(await readdir(join(dir, 'no-run'))).toEqual(['notes.txt']);
    expect((await readdir(join(dir, 'run'))).filter(file => /^test-|tmp$/.test(file))).toEqual([]);
  });
});

describe('segments past the stated duration', () => {
  it('are a counted warning that names the videos, and count in the evaluation', async () => {
    await cp(join(dir, 'data'), join(dir, 'past'), { recursive: true });
    const path = join(dir, 'past/gt.json');
    const json = JSON.parse(await readFile(path, 'utf8')) as GroundTruth;
    const video = json.database.synthetic_test_001;
    const { label } = video.annotations[0];
    video.annotations = [
      { label, segment: [video.duration - 1, video.duration + 3] },
      { label, segment: [video.duration + 5, video.duration + 9] },
    ];
    await writeFile(path, JSON.stringify(json));
    const warning =
      'warning: past/gt.json: 2 segments end after the stated duration of the video (kept in evaluation), in 1 video: synthetic_test_001\n';

    const trained = await runCli(
      ['train', 'small.yaml', '--data', 'past', '--out', 'run-past', '--set', 'train.epochs=1'],
      dir,
      oneProcess,
    );
    expect([trained.code, trained.stderr.startsWith(warning)]).toEqual([0, true]);

    const results = { synthetic_test_001: video.annotations.map(({ segment }) => ({ label, segment, score: 0.5 })) };
    await writeFile(join(dir, 'past.json'), JSON.stringify({ results }));
    await writeFile(join(dir, 'past.txt'), 'synthetic_test_001\n');
    const args = ['--ground-truth', 'past/gt.json', '--detections', 'past.json', '--split', 'past.txt', '--tiou', '0.5'];
    const evaluated = await runCli(['eval', 'localization', ...args], dir, oneProcess);
    expect(evaluated.stderr).toBe(warning);
    expect(evaluated.stdout).toMatch(/^2 detections, 2 instances of 1 classes of subset test\n/);
    expect(evaluated.stdout).toMatch(/mAP@0\.5: 100\.00 %\n$/);
  });
});
