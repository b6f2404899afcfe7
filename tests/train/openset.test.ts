import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readArrays } from '../../src/data/files.ts';
import { encodeNpy } from '../../src/data/formats/npy.ts';
import { ndarray, random } from '../../src/engine/index.ts';
import { methodNames } from '../../src/openset/methods.ts';
import { rankingMetrics } from '../../src/openset/metrics/rankingMetrics.ts';
import { scoresFromArrays } from '../../src/openset/scoreFile.ts';
import { stochasticScores } from '../../src/openset/scores/stochasticScores.ts';
import { type Config, loadConfig, loadRunConfig } from '../../src/train/config.ts';
import { loadModel } from '../../src/train/model.ts';
import { predictor } from '../../src/train/predict.ts';
import { silentReporter } from '../../src/train/reporter.ts';
import { testRun } from '../../src/train/testRun.ts';
import { trainRun } from '../../src/train/trainRun.ts';
import { trainSilently } from './smallTraining.ts';

const width = 6;
const classes = ['east', 'north', 'up', 'unseen'];

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-openset-'));
  await mkdir(join(dir, 'data'));
  const items = classes.flatMap((label, c) => Array.from({ length: 12 }, (_, i) => ({ file: `${label}-${i}.npy`, label, c, i })));
  for (const { file, c, i } of items) {
    const rows = 1 + (i % 3);
    const noise = random.normal(random.fold(random.key(c), i), [rows, width]);
    const data = noise.data.map((value, j) => 0.3 * value + (j % width === c ? 2 : 0));
    await writeFile(join(dir, 'data', file), encodeNpy(ndarray('float32', [rows, width], data)));
  }
  await writeFile(join(dir, 'data', 'index.json'), JSON.stringify({ classes, items }));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const configOf = async (...sets: readonly string[]): Promise<Config> => {
  const small = [
    `data.dir=${join(dir, 'data')}`,
    'data.known=[up, east, north]',
    `model.featureDim=${width}`,
    'model.hiddenDim=8',
    'model.embeddingDim=4',
    'train.epochs=6',
    'train.batchSize=8',
    'train.learningRate=0.1',
    'train.threads=1',
    'evaluation.every=1',
  ];
  return (await loadConfig('openset/base', { sets: [...small, ...sets] })).config;
};

describe('an open-set run', () => {
  it.each(methodNames)('of %s learns the known classes, and tells the unknown one from them', async method => {
    const run = join(dir, method);
    // One feature decides here: passes that drop it disagree with the others about known clips, while all are unsure of unknown ones.
    const dropout = method === 'dropout' ? ['model.dropout=0.5', 'evaluation.stochastic.uncertainty=aleatoric'] : [];
    const config = await configOf(`method=${method}`, 'train.epochs=20', ...dropout);
    const { metrics, lines } = await trainSilently(config, { out: run });
    expect(metrics.accuracy).toBe(1);
    expect(metrics.AUROC).toBeGreaterThan(0.9);
    expect(lines[0]).toBe(`training ${method} on 24 clips, testing on 24, 3 classes; run folder ${run}`);
    expect((await loadModel(run)).classes).toEqual(['up', 'east', 'north']);
  });

  it('leaves scores of every clip, from which its metrics follow', async () => {
    const run = join(dir, 'scores');
    const { metrics } = await trainSilently(await configOf('evaluation.uncertainty=mahalanobis'), { out: run });
    const scores = await readArrays(join(run, 'scores.npz'));
    const shapes = Object.fromEntries(Object.entries(scores).map(([name, { shape }]) => [name, shape]));
    const of = (subset: string, n: number) =>
      Object.fromEntries(['unctt', 'conf', 'pred', 'label'].map(name => [`${subset}_${name}`, [n]]));
    expect(shapes).toEqual({ ...of('train', 24), ...of('ind', 12), ...of('ood', 12) });
    const numbers = (name: string) => Float64Array.from(scores[name].data as ArrayLike<number>, Number);
    const ranking = rankingMetrics(numbers('ind_unctt'), numbers('ood_unctt'));
    expect([metrics.AUROC, metrics.AUPR, metrics.FPR95]).toEqual([ranking.auroc, ranking.averagePrecision, ranking.fpr95AtLeast]);
    const right = Array.from(numbers('ind_pred')).filter((c, i) => c === numbers('ind_label')[i]).length;
    expect(metrics.accuracy).toBe(right / 12);
    // The mean squared distance of what a Gaussian was fitted to is its rank.
    const distances = numbers('train_unctt');
    expect(distances.reduce((a, b) => a + b, 0) / 24).toBeCloseTo(4, 6);
    const features = await readArrays(join(run, 'features.npz'));
    expect([features.ood_embedding.shape, features.train_probability.shape, features.prototypes.shape]).toEqual([
      [12, 4],
      [24, 3],
      [3, 4],
    ]);
    const tested = await testRun(run, { reporter: silentReporter() });
    expect(await readFile(tested.resultFile)).toEqual(await readFile(join(run, 'scores.npz')));
    expect([tested.results, tested.otherFiles]).toEqual([
      'scores',
      [join(run, 'test-last-features.npz'), join(run, 'test-last-calibration.safetensors')],
    ]);
  });

  it('that was interrupted goes on to the same bits, statistics of batch norms included', async () => {
    const config = await configOf('model.dropout=0.3', 'train.optimizer=lars', 'train.schedule=cosine', 'train.warmupEpochs=2');
    const [whole, resumed] = [join(dir, 'whole'), join(dir, 'resumed')];
    await trainSilently(config, { out: whole });
    const stop = new AbortController();
    const progress = ({ label, done }: { label: string; done: number }) => {
      if (label === 'epoch 4/6' && done === 11) stop.abort();
    };
    const first = await trainRun(config, { out: resumed, reporter: { ...silentReporter(), progress }, signal: stop.signal });
    expect(first).toMatchObject({ interrupted: true, epochs: 3 });
    await trainSilently(await loadRunConfig(resumed), { out: resumed, resume: true });
    const [a, b] = [await loadModel(whole), await loadModel(resumed)];
    expect(b.params).toEqual(a.params);
    expect(Number(a.params['head.mlp.linear_a_bn.num_batches_tracked'].data[0])).toBe(18);
    expect(Array.from(a.params['head.mlp.linear_a_bn.running_mean'].data as Float32Array).every(value => value !== 0)).toBe(true);
    const rates = (await readFile(join(whole, 'metrics.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map(line => JSON.parse(line).learningRate);
    expect(rates[0]).toBe(0.001);
    expect(rates[3]).toBeCloseTo(0.05, 12);
  });

  it.each(['dropout', 'bayesian'])('of %s draws the same noise when it goes on, and in every test', async method => {
    const config = await configOf(`method=${method}`, 'model.dropout=0.3');
    const [whole, resumed] = [join(dir, `${method}-whole`), join(dir, `${method}-resumed`)];
    await trainSilently(config, { out: whole });
    const stop = new AbortController();
    const progress = ({ label, done }: { label: string; done: number }) => {
      if (label === 'epoch 4/6' && done === 11) stop.abort();
    };
    const first = await trainRun(config, { out: resumed, reporter: { ...silentReporter(), progress }, signal: stop.signal });
    expect(first).toMatchObject({ interrupted: true, epochs: 3 });
    await trainSilently(await loadRunConfig(resumed), { out: resumed, resume: true });
    expect((await loadModel(resumed)).params).toEqual((await loadModel(whole)).params);
    for (const file of ['scores.npz', 'features.npz'])
      expect(await readFile(join(resumed, file))).toEqual(await readFile(join(whole, file)));
  });

  it.each([
    ['dropout', 'bald', 10],
    ['dropout', 'variance', 10],
    ['bayesian', 'aleatoric', 11],
    ['bayesian', 'epistemic', 11],
  ] as const)('of %s leaves its passes, from which %s follows', async (method, uncertainty, passes) => {
    const run = join(dir, `${method}-${uncertainty}`);
    const sets = ['model.dropout=0.5', `evaluation.stochastic.uncertainty=${uncertainty}`];
    await trainSilently(await configOf(`method=${method}`, ...sets), { out: run });
    const [scores, features] = [await readArrays(join(run, 'scores.npz')), await readArrays(join(run, 'features.npz'))];
    expect(features.ood_passes.shape).toEqual([12, 3, passes]);
    const stored = scoresFromArrays(scores, 'scores.npz');
    const derived = scoresFromArrays(features, 'features.npz', { score: uncertainty });
    for (const part of ['known', 'unknown'] as const) {
      expect(Math.max(...stored[part].uncertainty)).toBeGreaterThan(0);
      for (const [i, value] of stored[part].uncertainty.entries()) expect(value).toBeCloseTo(derived[part].uncertainty[i], 6);
      expect(derived[part].prediction).toEqual(stored[part].prediction);
      expect(derived[part].label).toEqual(stored[part].label);
    }
    const means = stochasticScores(features.ind_passes).confidence;
    for (const [i, value] of (stored.known.confidence as Float64Array).entries()) expect(value).toBeCloseTo(means[i], 6);
    expect(derived.training?.uncertainty.length).toBe(24);
  });

  it('says what cannot be', async () => {
    const run = join(dir, 'never');
    const strange = trainSilently(await configOf('data.known=[up, down]'), { out: run });
    await expect(strange).rejects.toThrow(
      `${join(dir, 'data')}: data.known: expected classes of the data set (east, …), found down`,
    );
    const wide = trainSilently(await configOf('model.featureDim=7'), { out: run });
    await expect(wide).rejects.toThrow('expected features of width 7, found 6');
    await expect(configOf('method=psi')).rejects.toThrow(
      'expected one of psl, cross-entropy, rpl, evidential, dropout, bayesian, found "psi"',
    );
    await expect(configOf('method=dropout')).rejects.toThrow(
      'model.dropout: expected more than 0 for the method dropout, found 0',
    );
    const debias = 'loss.evidential.debias={weight: 0.1, channels: 4, dropout: 0.5, hsic: none}';
    await expect(configOf('method=evidential', debias)).rejects.toThrow(
      'loss.evidential.debias: expected null, since features have no frames to shuffle, found',
    );
    await expect(predictor(await loadModel(join(dir, 'psl')))).rejects.toThrow(
      'predict: expected task localization, found openset',
    );
  });
});
