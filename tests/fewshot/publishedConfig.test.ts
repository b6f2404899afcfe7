import { describe, expect, it } from 'vitest';
import { resolvePublished, type Tree } from '../../src/fewshot/publishedConfig.ts';
import { importPublished } from '../../src/fewshot/publishedKeys.ts';

const files: Readonly<Record<string, Tree>> = {
  'configs/pool/base.yaml': { TASK: 'a', TRAIN: { LR: 0.1, SIZES: [1, 2] }, OPT: { DECAY: '1e-3', BASE_LR: 1 }, EMPTY: null },
  'configs/pool/run.yaml': { TRAIN: { LR: 0.2, EVERY: 5 }, FLAG_BASE: 7 },
  'configs/pool/model.yaml': { MODEL: { NAME: 'm', WIDTH: 64 }, TRAIN: { EVERY: 9 } },
  'configs/p/project.yaml': { _BASE_RUN: '../pool/run.yaml', _BASE_MODEL: '../pool/model.yaml', TRAIN: { SIZES: [3] } },
  'configs/p/d/leaf.yaml': { _BASE: '../project.yaml', TRAIN: { LR: '2e-4', NEW: 'x' } },
  'configs/p/d/near.yaml': { _BASE: './leaf.yaml' },
  'configs/p/circle.yaml': { _BASE: '../p/circle.yaml' },
  'configs/p/strange.yaml': { _BASE: 3 },
};
const read = (path: string): Tree => {
  if (!Object.hasOwn(files, path)) throw new Error(`no file ${path}`);
  return files[path];
};
const leaf = 'configs/p/d/leaf.yaml';

describe('resolvePublished', () => {
  it('puts run over model, the file over both, and all over the defaults', async () => {
    const whole = {
      TASK: 'a',
      TRAIN: { LR: 0.0002, SIZES: [3], EVERY: 5, NEW: 'x' },
      OPT: { DECAY: 0.001, BASE_LR: 1 },
      EMPTY: null,
      MODEL: { NAME: 'm', WIDTH: 64 },
    };
    expect(await resolvePublished(leaf, { read })).toEqual({ ...whole, FLAG_BASE: 7 });
    expect(await resolvePublished(leaf, { read, rules: 'published' })).toEqual(whole);
    expect(await resolvePublished('configs/p/d/near.yaml', { read, rules: 'published' })).toEqual(whole);
  });

  it('takes overrides as values for any key, or as texts for keys of every file, as published', async () => {
    const overridden = (rules: 'intended' | 'published', ...overrides: string[]) =>
      resolvePublished(leaf, { read, rules, overrides });
    expect(await overridden('intended', 'TRAIN.NEW', 'true', 'TRAIN.EVERY', '7')).toMatchObject({
      TRAIN: { NEW: true, EVERY: 7 },
    });
    expect(await overridden('published', 'TRAIN.EVERY', '7')).toMatchObject({ TRAIN: { EVERY: '7' } });
    await expect(overridden('published', 'TRAIN.NEW', '7')).rejects.toThrow('overrides: no such key: TRAIN.NEW');
    await expect(overridden('intended', 'TRAIN.OLD', '7')).rejects.toThrow('overrides: no such key: TRAIN.OLD');
    await expect(overridden('intended', 'TRAIN.EVERY')).rejects.toThrow(
      'overrides: expected pairs of keys and values, found 1 words',
    );
    await expect(overridden('intended', 'A.B.C.D.E', '1')).rejects.toThrow('expected a key of at most 4 levels, found A.B.C.D.E');
  });

  it('says what is wrong with a chain', async () => {
    await expect(resolvePublished('configs/p/circle.yaml', { read })).rejects.toThrow(
      'configs/p/circle.yaml: files start from each other in a circle: configs/p/circle.yaml -> configs/p/circle.yaml',
    );
    await expect(resolvePublished('configs/p/strange.yaml', { read })).rejects.toThrow(
      'configs/p/strange.yaml: _BASE: expected a path, found 3',
    );
  });
});

/** A whole published configuration, as small as it can be. */
const published = {
  TASK_TYPE: 'few_shot_action',
  NUM_GPUS: 4,
  TRAIN: {
    WAY: 5,
    SHOT: 2,
    QUERY_PER_CLASS: 6,
    QUERY_PER_CLASS_TEST: 1,
    NUM_TRAIN_TASKS: 2500,
    NUM_TEST_TASKS: 10000,
    VAL_FRE_ITER: 100,
    BATCH_SIZE: 4,
    BATCH_SIZE_PER_TASK: 4,
    NUM_CLASS: 70,
    USE_CLASSIFICATION: true,
    USE_CLASSIFICATION_VALUE: 0.6,
    USE_LOCAL: true,
    TEMPORAL_LOSS_WEIGHT: 0.1,
    WINDOW_SIZE: 3,
    TEMPORAL_BALANCE: 23,
    DATASET_FEW: 'HMDB_few_shot',
  },
  TEST: { NUM_SPATIAL_CROPS: 1, NUM_ENSEMBLE_VIEWS: 1 },
  DATA: {
    DATA_ROOT_DIR: '/data/ucf',
    ANNO_DIR: '/data/lists/',
    NUM_INPUT_FRAMES: 8,
    SAMPLING_MODE: 'interval_based',
    SAMPLING_RATE: 50,
    TARGET_FPS: 12,
    TRAIN_JITTER_SCALES: [256, 256],
    TRAIN_CROP_SIZE: 224,
    TEST_SCALE: 256,
    TEST_CROP_SIZE: 224,
    MEAN: [0.45, 0.45, 0.45],
    STD: [0.225, 0.225, 0.225],
  },
  VIDEO: { HEAD: { NAME: 'CNN_HyRSM_plusplus_5shot', BACKBONE_NAME: 'resnet50' } },
  SOLVER: {
    BASE_LR: 5e-5,
    LR_POLICY: 'steps_with_relative_lrs',
    OPTIM_METHOD: 'adam',
    MAX_EPOCH: 10,
    STEPS_ITER: 700,
    STEPS: [0, 3],
    LRS: [1, 0.5],
    WARMUP_EPOCHS: 1,
    WARMUP_START_LR: 1e-5,
    WEIGHT_DECAY: 5e-4,
  },
  OPTIMIZER: { WEIGHT_DECAY: 1e-3, OPTIM_METHOD: 'sgd' },
  AUGMENTATION: { SUPPORT_QUERY_DIFF: true, BRIGHTNESS: 0.5, CONTRAST: 0.4, SATURATION: 0.3, HUE: 0.25, GRAYSCALE: 0.3 },
};
type Values = { readonly [key: string]: Values } & Record<string, unknown>;
const values = (change: (tree: typeof published) => void, options = {}): Values => {
  const tree = structuredClone(published);
  change(tree);
  return importPublished(tree, 'c.yaml', options).values as Values;
};
const changed = (section: keyof typeof published, more: Tree) => (tree: typeof published) => {
  Object.assign(tree[section] as object, more);
};

describe('importPublished', () => {
  it('says what was meant, or what the program does', () => {
    const meant = importPublished(published, 'c.yaml');
    expect(meant.values).toMatchObject({
      task: 'fewshot',
      method: 'hyrsm++',
      data: { dir: '/data/ucf' },
      model: { references: 'prototypes', classes: 70, positions: { attenuation: 10, weight: 1 } },
      loss: { classification: { weight: 0.6, of: 'frames' }, coherence: { weight: 0.1, window: 3, balance: 23, farWeight: 1 } },
      video: {
        lists: { train: '/data/lists/train_few_shot.txt', val: '/data/lists/val_few_shot.txt' },
        sampling: 'blocks',
        testFrames: 'middle',
        query: { flip: 0.5, colour: { contrast: 0.4, grayscale: 0.3 } },
        support: { flip: 0, colour: null },
      },
      train: { epochs: 25, iterations: 100, parallel: 1, optimizer: 'adam', weightDecay: 5e-4, groups: 'intended', ema: null },
      evaluation: { split: 'val', every: 1, final: { episodes: 10000 } },
    });
    expect(meant.notes.map(note => note.split(':')[0])).toEqual([
      'tests take the middle frame of each block; the published program draws any (video.testFrames',
      'NUM_GPUS 4',
      'SOLVER.WEIGHT_DECAY 0.0005 is used; the published program used that of OPTIMIZER, 0.001',
    ]);
    const asRun = importPublished(published, 'c.yaml', { behaviour: 'published' }).values;
    expect(asRun).toMatchObject({
      video: { testFrames: 'random', short: 'published' },
      train: { optimizer: 'sgd', weightDecay: 1e-3, groups: 'published' },
      evaluation: { split: 'test', episodes: 10000 },
    });
  });

  it('follows each key', () => {
    expect(values(changed('VIDEO', { HEAD: { NAME: 'CNN_OTAM', BACKBONE_NAME: 'resnet18' } }))).toMatchObject({
      method: 'otam',
      video: { backbone: { network: 'resnet18' } },
    });
    // Coherence goes where the other two are not.
    expect(values(changed('TRAIN', { USE_LOCAL: false })).loss).toMatchObject({
      classification: { of: 'videos' },
      coherence: null,
    });
    expect(values(changed('TRAIN', { USE_CLASSIFICATION: false })).loss).toEqual({
      matching: true,
      classification: null,
      coherence: null,
    });
    expect(values(changed('TRAIN', { USE_CLASSIFICATION_ONLY: true })).loss).toMatchObject({ matching: false, coherence: null });
    // By being there, not by its value.
    expect(values(changed('TRAIN', { NO_POSITION: false })).model.positions).toBeNull();
    expect(values(changed('TRAIN', { NUM_TRAIN_TASKS: 2450, VAL_FRE_ITER: 90 })).train).toMatchObject({
      epochs: 27,
      iterations: 92,
    });
    expect(values(changed('TRAIN', { FIXED_WEIGHTS: ['backbone'], CLIP_GRAD_NORM: 40 }))).toMatchObject({
      video: { backbone: { trained: false } },
      train: { clipNorm: 40 },
    });
    expect(values(changed('DATA', { SAMPLING_RATE: 35 })).video).toMatchObject({ sampling: 'interval', interval: 35 });
    expect(values(changed('DATA', { SAMPLING_MODE: 'segment_based' })).video).toMatchObject({ sampling: 'segments' });
    const erasing = { ENABLE: true, PROB: 0.25, MODE: 'pixel', COUNT: [1, 1], AREA_RANGE: [0.02, 0.33], MIN_ASPECT: 0.3 };
    const erase = { probability: 0.25, area: [0.02, 0.33], minAspect: 0.3, fill: 'value' };
    expect(values(changed('AUGMENTATION', { RANDOM_ERASING: erasing })).video).toMatchObject({
      support: { erase },
      query: { erase },
    });
    const off = { RANDOM_ERASING: erasing, NO_RANDOM_ERASE: true };
    expect(values(changed('AUGMENTATION', off)).video).toMatchObject({ query: { erase: null } });
    expect(values(changed('SOLVER', { LR_POLICY: 'cosine' })).train.schedule).toMatchObject({ kind: 'cosine', epochs: 10 });
  });

  it('does not mirror where left and right tell classes apart', () => {
    const ssv2 = changed('TRAIN', { DATASET_FEW: undefined });
    expect(values(ssv2).video).toMatchObject({ query: { flip: 0, colour: { brightness: 0.5 } } });
    expect(values(ssv2, { behaviour: 'published' }).video).toMatchObject({ query: { flip: 0.5 } });
  });

  it('tests at the end only without a list to validate on', () => {
    expect(values(() => {}, { validation: false })).toMatchObject({
      evaluation: { split: 'test', every: 25 },
      video: { lists: { val: null } },
    });
  });

  it('names keys that it does not know', () => {
    const tree = { ...published, TRAIN: { ...published.TRAIN, SHTO: 1, ENABLE: true }, SOLVER: { ...published.SOLVER, STEP: 3 } };
    expect(importPublished(tree, 'c.yaml', {}, { TRAIN: { ENABLE: false } }).strange).toEqual(['TRAIN.SHTO', 'SOLVER.STEP']);
  });

  it.each([
    [changed('TRAIN', { WAY: '5' }), 'c.yaml: TRAIN.WAY: expected a number, found "5"'],
    [changed('TRAIN', { WAY: undefined }), 'c.yaml: TRAIN.WAY: expected a number, found none'],
    [changed('TRAIN', { SHOT: 0.5 }), 'c.yaml: TRAIN.SHOT: expected a whole number of at least 1, found 0.5'],
    [
      changed('VIDEO', { HEAD: { NAME: 'BaseHead' } }),
      /^c\.yaml: VIDEO\.HEAD\.NAME: expected one of CNN_HyRSM_plusplus_1shot, .*, found "BaseHead"$/,
    ],
    [
      changed('DATA', { TEST_SCALE: [256, 320] }),
      'c.yaml: DATA.TEST_SCALE: expected that of training, 256 x 256, found [256,320]',
    ],
    [
      changed('AUGMENTATION', { CONSISTENT: false }),
      'c.yaml: AUGMENTATION.CONSISTENT: expected true (nothing else can be done here), found false',
    ],
    [
      changed('DATA', { SAMPLING_RATE_TEST: 50 }),
      'c.yaml: DATA.SAMPLING_RATE_TEST: expected no rate but DATA.SAMPLING_RATE, found 50',
    ],
    [
      (tree: typeof published) => {
        tree.TASK_TYPE = 'classification';
      },
      'c.yaml: TASK_TYPE: expected few_shot_action, found "classification"',
    ],
  ])('%#', (change, message) => {
    expect(() => values(change)).toThrow(message);
  });
});
