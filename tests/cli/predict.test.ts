import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeNpy } from '../../src/data/formats/npy.ts';
import { ndarray, random } from '../../src/engine/index.ts';
import { loadModel, writeModel } from '../../src/train/model.ts';
import { runCli } from './runCli.ts';
import { oneProcess, succeed } from './smallRun.ts';

const config = `extends: openset/base
data: { dir: data, known: [east, north] }
model: { featureDim: 4, hiddenDim: 6, embeddingDim: 3 }
train: { epochs: 12, batchSize: 8, learningRate: 0.1, threads: 1 }
evaluation: { uncertainty: mahalanobis }
`;

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-predict-'));
  await mkdir(join(dir, 'data'));
  const items = ['east', 'north', 'new'].flatMap((label, c) =>
    Array.from({ length: 20 }, (_, i) => ({ file: `${label}-${String(i).padStart(2, '0')}.npy`, label, c, i })),
  );
  for (const { file, c, i } of items) {
    const noise = random.normal(random.fold(random.key(c), i), [2, 4]);
    const data = noise.data.map((value, j) => 0.2 * value + (j % 4 === c ? 2 : 0));
    await writeFile(join(dir, 'data', file), encodeNpy(ndarray('float32', [2, 4], data)));
  }
  await writeFile(join(dir, 'data', 'index.json'), JSON.stringify({ items }));
  await writeFile(join(dir, 'openset.yaml'), config);
  await succeed(['train', 'openset.yaml', '--out', 'run'], dir);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const fail = async (...args: readonly string[]): Promise<string> => {
  const { code, stdout, stderr } = await runCli(args, dir, oneProcess);
  expect([code, stdout]).toEqual([1, '']);
  return stderr.trim();
};

describe.concurrent('predict of an open-set run', () => {
  it('prints class, probability, uncertainty and verdict of each clip, and how the threshold was chosen', async () => {
    const { stdout } = await succeed(['predict', 'run', 'data/east-00.npy', 'data/new-03.npy', '--top', '2'], dir);
    const lines = stdout.split('\n');
    expect(lines[0]).toMatch(/^input {13}class {2,}probability {2}uncertainty {2}verdict$/);
    expect(lines[1]).toMatch(/^data\/east-00\.npy {2}east +\d\d\.\d\d % +\d\S* {2}known$/);
    expect(lines[2]).toMatch(/^ {18}north +\d+\.\d\d %$/);
    expect(lines[3]).toMatch(/^data\/new-03\.npy {3}(east|north) +\d\d\.\d\d % +\d\S* {2}UNKNOWN$/);
    expect(lines.slice(5)).toEqual([
      '',
      'uncertainty: squared Mahalanobis distance to the training clips',
      expect.stringMatching(
        /^threshold: \d\S*, which accepts 95 % of the 28 training clips, each judged by the others \(--accept RATE chooses another\)$/,
      ),
      '2 clips, 1 unknown',
      '',
    ]);
  });

  it('takes folders and lists, another rate, and prints or writes JSON', async () => {
    await mkdir(join(dir, 'lists'));
    await writeFile(join(dir, 'lists/some.txt'), '../data/east-01.npy 0\n../data/new-01.npy 1\n');
    const { stdout } = await succeed(['predict', 'run', 'lists/some.txt', 'data', '--accept', '0.5', '--json'], dir);
    const result = JSON.parse(stdout);
    expect(result).toEqual({
      model: 'run',
      uncertainty: 'squared Mahalanobis distance to the training clips',
      threshold: { value: expect.any(Number), rule: 'accepts 50 % of the 28 training clips, each judged by the others' },
      clips: expect.any(Array),
    });
    expect(result.clips).toHaveLength(62);
    expect(result.clips[0]).toEqual({
      input: 'data/east-01.npy',
      classes: [{ label: 'east', probability: expect.any(Number) }],
      uncertainty: expect.any(Number),
      unknown: result.clips[0].uncertainty > result.threshold.value,
    });
    expect(result.clips[2].input).toBe('data/east-00.npy');
    const written = await succeed(['predict', 'run', 'lists/some.txt', 'data', '--accept', '0.5', '--out', 'said.json'], dir);
    const unknown = result.clips.filter((clip: { unknown: boolean }) => clip.unknown).length;
    expect(written.stdout).toBe(`said.json: 62 clips, ${unknown} unknown\n`);
    expect(JSON.parse(await readFile(join(dir, 'said.json'), 'utf8'))).toEqual(result);
  });

  it('of weights without training clips says that there is no threshold', async () => {
    const { params, classes, config: its } = await loadModel(join(dir, 'run'));
    await writeModel(join(dir, 'bare.safetensors'), { params, classes, config: its });
    const { stdout } = await succeed(['predict', 'bare.safetensors', 'data/new-00.npy'], dir);
    expect(stdout).toMatch(/^data\/new-00\.npy .* -$/m);
    expect(stdout.split('\n').slice(2)).toEqual([
      '',
      'uncertainty: 1 - largest probability',
      'threshold: none: no training clips were judged by these weights (inkling test RUN does that)',
      '1 clip',
      '',
    ]);
    const json = JSON.parse((await succeed(['predict', 'bare.safetensors', 'data/new-00.npy', '--json'], dir)).stdout);
    expect([json.threshold.value, json.clips[0].unknown]).toEqual([null, null]);
  });

  it('exports what predict takes, with the same verdicts', async () => {
    const { stdout } = await succeed(['export', 'run', '--out', 'model.onnx'], dir);
    expect(stdout.split('\n').slice(1)).toEqual([
      '  input   features [batch, 4]',
      '  outputs probabilities [batch, 2], embeddings [batch, 3], uncertainty [batch]',
      expect.stringMatching(/^ {2}checked against the trained model at batches of 1, 2, 7, 16: largest difference \d\.\de-\d+$/),
      '',
    ]);
    const table = async (model: string) => (await succeed(['predict', model, 'data'], dir)).stdout;
    expect(await table('model.onnx')).toBe(await table('run'));
  });

  it.each([
    [
      ['run', 'data', '--accept', '1'],
      "error: option '--accept <rate>' argument '1' is invalid. expected a number between 0 and 1.",
    ],
    [['run', 'nothing.npy'], 'error: nothing.npy: no such file or folder'],
    [['run', 'lists'], 'error: lists: expected feature files (.npy, .npz), found none'],
    [['run', 'openset.yaml'], 'error: openset.yaml: '],
  ])('is refused in one line: %j', async (args, message) => {
    const stderr = await fail('predict', ...args);
    expect(stderr.startsWith(message)).toBe(true);
    expect(stderr.split('\n')).toHaveLength(1);
  });
});
