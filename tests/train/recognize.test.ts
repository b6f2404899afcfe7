import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFeatures } from '../../src/data/features.ts';
import { readArrays } from '../../src/data/files.ts';
import { encodeNpy } from '../../src/data/formats/npy.ts';
import { parseOnnxModel } from '../../src/data/formats/onnxModel.ts';
import { readBytes } from '../../src/data/index.ts';
import { ndarray, random } from '../../src/engine/index.ts';
import { loadConfig } from '../../src/train/config.ts';
import { loadExportedModel } from '../../src/train/exportedModel.ts';
import { exportFile } from '../../src/train/exportFile.ts';
import { loadModel, writeModel } from '../../src/train/model.ts';
import { openOpensetData } from '../../src/train/opensetRun.ts';
import { featureInput } from '../../src/train/predict.ts';
import { type Recognizer, recognizeFiles, recognizer } from '../../src/train/recognize.ts';
import { silentReporter } from '../../src/train/reporter.ts';
import { testRun } from '../../src/train/testRun.ts';
import { trainSilently } from './smallTraining.ts';

const width = 6;
const classes = ['east', 'north', 'up', 'unseen'];

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-recognize-'));
  await mkdir(join(dir, 'data'));
  const items = classes.flatMap((label, c) => Array.from({ length: 20 }, (_, i) => ({ file: `${label}-${i}.npy`, label, c, i })));
  for (const { file, c, i } of items) {
    const rows = 1 + (i % 3);
    const noise = random.normal(random.fold(random.key(c), i), [rows, width]);
    const data = noise.data.map((value, j) => 0.3 * value + (j % width === c ? 2 : 0));
    await writeFile(join(dir, 'data', file), encodeNpy(ndarray('float32', [rows, width], data)));
  }
  await writeFile(join(dir, 'data', 'index.json'), JSON.stringify({ classes, items }));
  await trainSilently(await configOf('psl', 'mahalanobis'), { out: join(dir, 'psl') });
  await trainSilently(await configOf('evidential', 'method'), { out: join(dir, 'evidential') });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const configOf = async (method: string, uncertainty: string, ...sets: readonly string[]) => {
  const small = [
    `data.dir=${join(dir, 'data')}`,
    'data.known=[up, east, north]',
    `method=${method}`,
    `evaluation.uncertainty=${uncertainty}`,
    `model.featureDim=${width}`,
    'model.hiddenDim=8',
    'model.embeddingDim=4',
    'train.epochs=20',
    'train.batchSize=8',
    'train.learningRate=0.1',
    'train.threads=1',
  ];
  const { config } = await loadConfig('openset/base', { sets: [...small, ...sets] });
  if (config.task !== 'openset') throw new Error('not an open-set configuration');
  return config;
};

/** What a recogniser says of the known test clips, then of the unknown ones. */
async function said({ recognize }: Recognizer) {
  const data = await openOpensetData(await configOf('psl', 'method'));
  if (data.kind !== 'features') throw new Error('not features');
  const { split } = data;
  const clips = [...split.test, ...split.unknownTest];
  return Promise.all(clips.map(async clip => recognize(await clip.load())));
}

async function withRecognizer<T>(
  model: Parameters<typeof recognizer>[0],
  options: Parameters<typeof recognizer>[1],
  use: (r: Recognizer) => Promise<T>,
): Promise<T> {
  const opened = await recognizer(model, options);
  try {
    return await use(opened);
  } finally {
    await opened.dispose();
  }
}

describe.each([
  ['psl', 'squared Mahalanobis distance to the training clips', ', each judged by the others'],
  ['evidential', 'vacuity', ''],
])('a recogniser of a %s run', (method, measure, judged) => {
  it('says of test clips what the test said, and finds the unknown ones', async () => {
    const scores = await readArrays(join(dir, method, 'scores.npz'));
    const numbers = (name: string) =>
      [scores[`ind_${name}`], scores[`ood_${name}`]].flatMap(({ data }) => Array.from(data as ArrayLike<number>, Number));
    await withRecognizer(await loadModel(join(dir, method)), { accept: 0.9, top: 3 }, async opened => {
      expect(opened.measure).toBe(measure);
      expect(opened.threshold.rule).toBe(`accepts 90 % of the 42 training clips${judged}`);
      const found = await said(opened);
      expect(found.map(({ classes: [{ label }] }) => ['up', 'east', 'north'].indexOf(label))).toEqual(numbers('pred'));
      for (const [i, { uncertainty, classes: each }] of found.entries()) {
        expect(uncertainty / numbers('unctt')[i]).toBeCloseTo(1, 3);
        expect(each.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 5);
      }
      const unknown = found.map(({ isUnknown }) => isUnknown);
      expect(unknown.slice(0, 18).filter(Boolean).length).toBeLessThan(5);
      expect(unknown.slice(18).filter(Boolean).length).toBeGreaterThan(15);
      expect(unknown).toEqual(found.map(({ uncertainty }) => uncertainty > (opened.threshold.value as number)));
    });
  });

  it('is the same from the model file and from ONNX', async () => {
    const model = await loadModel(join(dir, method));
    const out = join(dir, `${method}.onnx`);
    const { check } = await exportFile(model, { format: 'onnx', out, threads: 1 });
    expect(check?.largestDifference).toBeLessThan(1e-5);
    const copy = join(dir, `${method}.safetensors`);
    await exportFile(model, { format: 'safetensors', out: copy });
    expect(await loadModel(copy)).toMatchObject({ params: model.params, calibration: model.calibration });
    expect((await loadModel(join(dir, method, 'model.safetensors'))).calibration).toEqual(model.calibration);
    const everything = (opened: Recognizer) => said(opened).then(answers => ({ answers, threshold: opened.threshold }));
    const expected = await withRecognizer(model, { top: 3 }, everything);
    expect(await withRecognizer(await loadModel(copy), { top: 3 }, everything)).toEqual(expected);
    const exported = await withRecognizer(await loadExportedModel(out), { top: 3, threads: 1 }, everything);
    expect(exported.threshold).toEqual(expected.threshold);
    for (const [i, { classes: each, uncertainty, isUnknown }] of exported.answers.entries()) {
      expect([each[0].label, isUnknown]).toEqual([expected.answers[i].classes[0].label, expected.answers[i].isUnknown]);
      expect(uncertainty / expected.answers[i].uncertainty).toBeCloseTo(1, 4);
    }
  });
});

describe('an exported recogniser', () => {
  it('tells other programs its classes, thresholds and preprocessing', async () => {
    const out = join(dir, 'told.onnx');
    const model = await loadModel(join(dir, 'psl'));
    await exportFile(model, { format: 'onnx', out, threads: 1 });
    const { inputs, outputs, metadata } = parseOnnxModel(await readBytes(out), out);
    expect([...inputs, ...outputs].map(({ name, shape }) => [name, shape])).toEqual([
      ['features', ['batch', 6]],
      ['probabilities', ['batch', 3]],
      ['embeddings', ['batch', 4]],
      ['uncertainty', ['batch']],
    ]);
    const json = (name: string) => JSON.parse(metadata.get(name) as string);
    expect(json('classes')).toEqual(['up', 'east', 'north']);
    expect(json('preprocessing')).toEqual({ input: 'features', width: 6, extractor: null, rows: 'mean of the rows of a clip' });
    const uncertainty = Array.from(model.calibration?.uncertainty.data as Float64Array);
    // Of 42 clips, 0.95 are 39: the threshold is the third largest.
    expect(json('thresholds')['0.95']).toBe(uncertainty[39]);
    expect(json('calibration')).toEqual({ uncertainty });
  });
});

describe('a recogniser without a calibration', () => {
  it('names classes and uncertainties, and says that it has no threshold', async () => {
    const { calibration: _, ...model } = await loadModel(join(dir, 'psl'));
    const path = join(dir, 'bare.safetensors');
    await writeModel(path, model);
    await withRecognizer(await loadModel(path), {}, async opened => {
      expect(opened.threshold).toEqual({
        value: undefined,
        rule: 'none: no training clips were judged by these weights (inkling test RUN does that)',
      });
      expect(opened.measure).toBe('1 - largest probability');
      for (const { uncertainty, isUnknown, classes: each } of await said(opened)) {
        expect(uncertainty).toBeCloseTo(1 - each[0].probability, 6);
        expect(isUnknown).toBeUndefined();
      }
    });
  });
});

describe('the calibration of a run', () => {
  it('is that of its weights, or none: other weights, a damaged file', async () => {
    const run = join(dir, 'other');
    await cp(join(dir, 'psl'), run, { recursive: true });
    const own = (await loadModel(run)).calibration;
    expect(Object.keys(own ?? {}).sort()).toEqual(['center', 'uncertainty', 'whitening']);
    await trainSilently(await configOf('psl', 'mahalanobis', 'train.epochs=1'), { out: join(dir, 'short') });
    await cp(join(dir, 'short/calibration.safetensors'), join(run, 'calibration.safetensors'));
    expect((await loadModel(run)).calibration).toBeUndefined();
    // A test makes one anew, from the same clips.
    await testRun(run, { reporter: silentReporter() });
    expect((await loadModel(run)).calibration).toEqual(own);
    const lines: string[] = [];
    const file = join(run, 'calibration.safetensors');
    await writeFile(file, 'short');
    expect((await loadModel(run, undefined, { warn: line => lines.push(line) })).calibration).toEqual(own);
    expect(lines).toEqual([`${file}: expected a .safetensors file, found only 5 bytes; it is left out`]);
  });
});

describe('recognizeFiles', () => {
  it('answers in the order of the inputs, and refuses what it cannot read', async () => {
    const model = await loadModel(join(dir, 'psl'));
    const options = { reporter: silentReporter() };
    const file = (name: string) => featureInput(join(dir, 'data', name));
    const inputs = [file('up-3.npy'), file('unseen-2.npy'), file('up-3.npy')];
    const { clips } = await recognizeFiles(model, inputs, options);
    expect(clips.map(({ input, classes: [{ label }] }) => [input, label])).toEqual([
      [join(dir, 'data/up-3.npy'), 'up'],
      [join(dir, 'data/unseen-2.npy'), expect.any(String)],
      [join(dir, 'data/up-3.npy'), 'up'],
    ]);
    expect(clips[2]).toEqual(clips[0]);
    await expect(recognizeFiles(model, [featureInput('a.mp4')], options)).rejects.toThrow('a.mp4: a video needs the backbone');
    await writeFile(join(dir, 'narrow.npy'), encodeNpy(ndarray('float32', [2, 3], new Float32Array(6))));
    await expect(recognizeFiles(model, [featureInput(join(dir, 'narrow.npy'))], options)).rejects.toThrow(
      `${join(dir, 'narrow.npy')}: expected features of width 6, found 3`,
    );
    await withRecognizer(model, {}, async ({ recognize }) => {
      const features = await readFeatures([join(dir, 'narrow.npy')]);
      await expect(recognize(features)).rejects.toThrow('features: expected features of width 6, found 3');
    });
    await expect(recognizer(model, { accept: 1 })).rejects.toThrow('between 0 and 1, found 1');
  });
});
