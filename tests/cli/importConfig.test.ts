import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { folderOf } from '../data/builders.ts';
import { runCli } from './runCli.ts';

let dir = '';
let remove = async (): Promise<void> => {};
beforeAll(async () => {
  ({ dir, remove } = await folderOf({
    'configs/pool/base.yaml': 'TASK_TYPE: classification\nNUM_GPUS: 4\nTRAIN: {BATCH_SIZE: 4}\nOPTIMIZER: {WEIGHT_DECAY: 1e-3}\n',
    'configs/one.yaml': `TASK_TYPE: few_shot_action
TRAIN: {WAY: 5, SHOT: 1, SHTO: 2, QUERY_PER_CLASS: 7, QUERY_PER_CLASS_TEST: 1, NUM_TRAIN_TASKS: 400, NUM_TEST_TASKS: 100, VAL_FRE_ITER: 40,
  BATCH_SIZE_PER_TASK: 4, DATASET_FEW: HMDB_few_shot}
DATA: {NUM_INPUT_FRAMES: 8, SAMPLING_MODE: interval_based, SAMPLING_RATE: 35, TARGET_FPS: 12, TRAIN_JITTER_SCALES: [64, 64],
  TEST_SCALE: 64, TRAIN_CROP_SIZE: 56, TEST_CROP_SIZE: 56, MEAN: [0.5, 0.5, 0.5], STD: [0.2, 0.2, 0.2]}
VIDEO: {HEAD: {NAME: CNN_OTAM, BACKBONE_NAME: resnet50}}
SOLVER: {OPTIM_METHOD: adam, LR_POLICY: cosine, MAX_EPOCH: 10, STEPS_ITER: 100, WARMUP_EPOCHS: 1, WARMUP_START_LR: 1e-5, BASE_LR: 1e-4,
  WEIGHT_DECAY: 5e-4}
`,
  }));
});
afterAll(() => remove());

describe.concurrent('import of a published configuration', () => {
  it('writes one of ours and says what differs', async () => {
    const { code, stdout, stderr } = await runCli(
      ['import', 'configs/one.yaml', '--to', 'ours.yaml', '--set', 'TRAIN.SHOT=3'],
      dir,
    );
    expect(stdout + stderr).toBe(`configs/one.yaml: otam, 5-way 3-shot, 400 iterations
  NUM_GPUS 4: the published processes all drew the same episodes; here one episode an iteration (train.parallel)
  SOLVER.WEIGHT_DECAY 0.0005 is used; the published program used that of OPTIMIZER, 0.001
  not understood and left out: TRAIN.SHTO
wrote the configuration ours.yaml: inkling train ours.yaml
`);
    expect(code).toBe(0);
    expect(await readFile(join(dir, 'ours.yaml'), 'utf8')).toContain('\nextends: fewshot/video\n');
    const again = await runCli(['import', 'configs/one.yaml', '--to', 'ours.yaml'], dir);
    expect(again.code).toBe(1);
    expect(again.stderr).toMatch(/^error: ours\.yaml: [^\n]*--force[^\n]*\n$/);
  });

  it('shows what the program does with --published, as JSON too', async () => {
    const { stdout } = await runCli(['import', 'configs/one.yaml', '--published', '--json'], dir);
    expect(JSON.parse(stdout)).toMatchObject({
      written: null,
      config: { train: { weightDecay: 0.001, groups: 'published' }, evaluation: { split: 'test', episodes: 100 } },
      unknown: ['TRAIN.SHTO'],
    });
  });

  it.each([
    [
      ['configs/one.yaml', '--model', 'psl'],
      'error: configs/one.yaml: --model is for weights; a configuration takes --to, --set and --published\n',
    ],
    [['configs/one.yaml', '--to', 'x.pth'], 'error: x.pth: a configuration becomes a file ending in .yaml\n'],
    [['configs/one.yaml', '--set', 'TRAIN.WAYS=3'], 'error: overrides: no such key: TRAIN.WAYS\n'],
    [['x.pth', '--model', 'psl', '--published'], 'error: x.pth: --published is for configurations (.yaml)\n'],
  ])('%j', async (args, message) => {
    const { code, stderr } = await runCli(['import', ...args], dir);
    expect([code, stderr]).toEqual([1, message]);
    expect(existsSync(join(dir, 'x.pth'))).toBe(false);
  });
});
