import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  episodesPerStep,
  iterationRate,
  learningRate,
  lossTerms,
  optimizerOf,
  stepsPerEpoch,
  testEpisodes,
  trainingEpisodes,
} from '../../src/fewshot/config.ts';
import { fewshotTestPlans, fewshotTrainingPlan } from '../../src/fewshot/videoConfig.ts';
import { loadFewshotConfig } from '../../src/train/fewshotConfig.ts';
import { importPublishedConfig, writeImportedConfig } from '../../src/train/publishedConfigFile.ts';
import { messageRejected } from '../data/builders.ts';

const shots = [1, 2, 3, 4, 5];
const datasets = ['kinetics100', 'ssv2-full', 'ssv2-small', 'ucf101', 'hmdb51', 'epic-kitchens'];

describe('the configurations of the package', () => {
  it.each(datasets)('%s: every shot', async dataset => {
    for (const shot of shots) {
      const { config } = await loadFewshotConfig(`fewshot/${dataset}/${shot}-shot`);
      expect([config.episode.shot, config.episode.queries]).toEqual([shot, 8 - shot]);
      expect(config.model.references).toBe(shot === 1 ? 'supports' : 'prototypes');
      expect(config.data.dir).toMatch(dataset.startsWith('ssv2') ? /ssv2$/ : new RegExp(`${dataset}$`));
    }
  });

  /** What is published for the two whose files are not among the reference cases. */
  it.each([
    [
      'hmdb51',
      { classes: 31, positions: { attenuation: 50, weight: 1 } },
      { classification: { weight: 0.15 }, coherence: { weight: 0.2, window: 1, balance: 51, farWeight: 20 } },
      { iterations: 2000, rate: 5e-5, decay: 5e-4, every: 300, steps: [0, 2, 3, 7], factors: [1, 0.5, 0.1, 0.01], from: 1e-5 },
      [256, 256],
    ],
    [
      'epic-kitchens',
      { classes: 60, positions: { attenuation: 2048, weight: 0.1 } },
      { classification: { weight: 0.5 }, coherence: { weight: 0.1, window: 3, balance: 23, farWeight: 10 } },
      { iterations: 2000, rate: 5e-5, decay: 5e-5, every: 400, steps: [0, 4, 7], factors: [1, 0.1, 0.01], from: 1e-5 },
      [256, 320],
    ],
  ])('%s is as published', async (dataset, model, loss, training, scaled) => {
    const { config } = await loadFewshotConfig(`fewshot/${dataset}/3-shot`);
    expect(config).toMatchObject({ model, loss, video: { scaled, sampling: 'blocks' } });
    const { epochs, iterations, learningRate: rate, weightDecay: decay, schedule, seed } = config.train;
    const { iterations: every, steps, factors, warmupFrom: from } = schedule;
    expect({ iterations: epochs * iterations, rate, decay, every, steps, factors, from }).toEqual(training);
    expect([iterations, seed, schedule.doubled]).toEqual([100, 18, true]);
  });

  it('say what is wrong in one line', async () => {
    const wrong = (set: string) => messageRejected(loadFewshotConfig('fewshot/hmdb51/1-shot', { sets: [set] }));
    expect(await wrong('loss.coherence.windw=2')).toBe(
      '--set loss.coherence.windw=2: unknown key "loss.coherence.windw"; the nearest is "loss.coherence.window"',
    );
    expect(await wrong('data.classes={train: [a, b], val: 0, test: [b]}')).toContain(
      'data.classes.test: expected names that train lacks (not b)',
    );
    expect(await wrong('train.iterations=21')).toContain(
      'train.iterations: expected a multiple of train.accumulate (4), found 21',
    );
    expect(await wrong('video.frames=9')).toContain('video.frames: expected model.frames (8)');
    expect(await wrong('train.schedule.steps=[0, 1]')).toContain('train.schedule.factors: expected 2 factors, one for each step');
    expect(await wrong('model.metric=cosine')).toContain('model.metric: expected one of bi-mhm,');
  });
});

describe('what training takes from a configuration', () => {
  it('the rate of a step is that of the last of its iterations', async () => {
    const { config } = await loadFewshotConfig('fewshot/kinetics100/1-shot');
    const rate = iterationRate(config);
    // Warm-up to 99, then whole epochs count twice: 100 to 199 are epoch 2, 200 to 299 epoch 4.
    expect([0, 50, 100, 199, 200, 299, 300, 500, 1499].map(i => Number((rate(i) / 2.2e-5).toFixed(6)))).toEqual([
      0.227273, 0.613636, 1, 1, 0.5, 0.5, 0.1, 0.05, 0.05,
    ]);
    const byEpoch = learningRate(config);
    expect([episodesPerStep(config), stepsPerEpoch(config)]).toEqual([4, 5]);
    for (const [epoch, step] of [
      [0, 0],
      [0, 4],
      [2, 3],
      [74, 4],
    ])
      expect(byEpoch(epoch + step / 5)).toBe(rate(20 * epoch + 4 * step + 3));
    const single = { ...config, train: { ...config.train, schedule: { ...config.train.schedule, doubled: false } } };
    expect(iterationRate(single)(399)).toBe(2.2e-5);
  });

  it('episodes, terms of the loss, the optimiser', async () => {
    const sets = ['method=otam', 'episode.testWay=3', 'episode.unlabelled=null', 'train.groups=published'];
    const { config } = await loadFewshotConfig('fewshot/ucf101/2-shot', { sets });
    expect(trainingEpisodes(config)).toEqual({ way: 5, shot: 2, queries: 6 });
    expect(testEpisodes(config)).toEqual({ way: 3, shot: 2, queries: 1 });
    expect(lossTerms(config)).toEqual({ matching: true, classification: null, coherence: null });
    const weights = () => ({ dtype: 'float32', shape: [1], data: Float32Array.of(1) }) as const;
    const params = { 'head.backbone.1.weight': weights(), 'head.backbone.4.0.bn1.weight': weights(), 'head.a.weight': weights() };
    const zero = { dtype: 'float32', shape: [1], data: Float32Array.of(0) } as const;
    const optimizer = optimizerOf(config);
    optimizer.update(params, Object.fromEntries(Object.keys(params).map(name => [name, zero])), optimizer.init(params), 0.1);
    // Only what decays has a gradient; Adam's first step is the rate.
    expect(Object.values(params).map(({ data }) => data[0].toFixed(3))).toEqual(['0.900', '1.000', '0.900']);
  });

  it('plans of clips', async () => {
    const { config } = await loadFewshotConfig('fewshot/epic-kitchens/1-shot', { sets: ['video.testFrames=random'] });
    const video = config.video!;
    expect(fewshotTrainingPlan(video, 'support')).toEqual({
      frames: 8,
      size: 224,
      sampling: { kind: 'blocks' },
      normalize: { mean: [0.45, 0.45, 0.45], std: [0.225, 0.225, 0.225] },
      augment: { crop: { kind: 'fixed', scaled: [256, 320] }, flip: 0 },
    });
    expect(fewshotTrainingPlan(video, 'query').augment).toMatchObject({ flip: 0.5, colour: { hue: 0.25, grayscaleFirst: 0.3 } });
    const three = { ...video, test: { views: 2, crops: 3 as const } };
    expect(fewshotTestPlans(three).map(({ test }) => [test?.view, test?.crop])).toEqual(
      [0, 1].flatMap(view => [0, 1, 2].map(crop => [{ view, views: 2 }, crop])),
    );
    expect(fewshotTestPlans(video)).toMatchObject([{ test: { scaled: [256, 320], crop: 'centre', randomFrames: true } }]);
  });
});

describe('importing a published configuration', () => {
  let root: string;
  const files = {
    'configs/pool/base.yaml': `TASK_TYPE: classification
NUM_GPUS: 1
RANDOM_SEED: 0
TRAIN: {ENABLE: false, BATCH_SIZE: 4}
TEST: {NUM_SPATIAL_CROPS: 1, NUM_ENSEMBLE_VIEWS: 1}
OPTIMIZER: {WEIGHT_DECAY: 1e-3}
`,
    'configs/pool/run.yaml': 'TRAIN: {ENABLE: true}\n',
    'configs/project.yaml': `_BASE_RUN: ../configs/pool/run.yaml
TASK_TYPE: few_shot_action
TRAIN: {WAY: 5, QUERY_PER_CLASS_TEST: 1, NUM_TEST_TASKS: 100, BATCH_SIZE_PER_TASK: 4}
DATA: {NUM_INPUT_FRAMES: 8, SAMPLING_MODE: interval_based, SAMPLING_RATE: 35, TARGET_FPS: 12, TRAIN_JITTER_SCALES: [64, 64],
  TEST_SCALE: 64, TRAIN_CROP_SIZE: 56, TEST_CROP_SIZE: 56, MEAN: [0.5, 0.5, 0.5], STD: [0.2, 0.2, 0.2]}
VIDEO: {HEAD: {NAME: CNN_HyRSM_1shot, BACKBONE_NAME: resnet18}}
SOLVER: {OPTIM_METHOD: adam, LR_POLICY: cosine, MAX_EPOCH: 10, STEPS_ITER: 100, WARMUP_EPOCHS: 1, WARMUP_START_LR: 1e-5, BASE_LR: 1e-4}
`,
    'configs/d/one.yaml': `_BASE: ../project.yaml
TRAIN: {SHOT: 1, QUERY_PER_CLASS: 7, NUM_TRAIN_TASKS: 400, VAL_FRE_ITER: 40, DATASET_FEW: Kinetics_few_shot, WINDOW: 3}
DATA: {DATA_ROOT_DIR: videos, ANNO_DIR: lists}
RANDOM_SEED: 18
`,
    'lists/train_few_shot.txt': '',
  };
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'inkling-published-'));
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(root, name)), { recursive: true });
      await writeFile(join(root, name), text);
    }
  });
  afterAll(() => rm(root, { recursive: true }));

  it('finds the root, resolves the chain, and writes a file that resolves to the same', async () => {
    const file = join(root, 'configs/d/one.yaml');
    const imported = await importPublishedConfig(file, { overrides: ['TRAIN.SHOT', '2'] });
    expect(imported.strange).toEqual(['TRAIN.WINDOW']);
    expect(imported.config).toMatchObject({
      method: 'hyrsm',
      data: { dir: join(root, 'videos') },
      episode: { shot: 2, queries: 7 },
      model: { references: 'supports', classes: null, attentionHeads: 8 },
      loss: { classification: null, coherence: null },
      train: { epochs: 10, iterations: 40, seed: 18, weightDecay: 1e-3, schedule: { kind: 'cosine', iterations: 100 } },
      video: { lists: { train: join(root, 'lists/train_few_shot.txt'), val: null }, sampling: 'interval', interval: 35 },
      evaluation: { split: 'test', every: 10, final: { episodes: 100 } },
    });
    const to = join(root, 'ours.yaml');
    await writeImportedConfig(to, imported, false);
    expect((await loadFewshotConfig(to)).config).toEqual(imported.config);
    expect(await readFile(to, 'utf8')).toMatch(/^# From configs\/d\/one\.yaml\.\nextends: fewshot\/video\n/);
    expect(await messageRejected(writeImportedConfig(to, imported, false))).toContain('ours.yaml');
  });

  it('says what is missing', async () => {
    const shown = async (run: Promise<unknown>) => (await messageRejected(run)).replaceAll(root, 'ROOT');
    expect(await shown(importPublishedConfig(join(root, 'no.yaml')))).toBe('ROOT/no.yaml: no such file');
    const alone = await mkdtemp(join(tmpdir(), 'inkling-alone-'));
    await writeFile(join(alone, 'a.yaml'), 'TRAIN: {}\n');
    expect((await shown(importPublishedConfig(join(alone, 'a.yaml')))).replace(alone, 'ALONE')).toBe(
      'ALONE/a.yaml: expected configs/pool/base.yaml of the published code in the current directory or above the file, found none',
    );
    await rm(alone, { recursive: true });
    expect(await shown(importPublishedConfig(join(root, 'configs/d/one.yaml'), { overrides: ['TRAIN.WAY', 'many'] }))).toBe(
      'ROOT/configs/d/one.yaml: TRAIN.WAY: expected a number, found "many"',
    );
  });
});
