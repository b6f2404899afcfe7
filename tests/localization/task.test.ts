import { afterAll, describe, expect, it } from 'vitest';
import type { TestVideoItem, VideoDataset } from '../../src/data/videos.ts';
import { type NDArray, ndarray, random } from '../../src/engine/index.ts';
import { acmLossPresets } from '../../src/localization/acmLoss.ts';
import type { InBatchBatch, PairBatch } from '../../src/localization/batches.ts';
import { THUMOS14_EVALUATION } from '../../src/localization/evaluate.ts';
import { sequenceLossPreset } from '../../src/localization/ftclLoss.ts';
import { THUMOS14_LOCALIZE } from '../../src/localization/localize.ts';
import { sequenceParams } from '../../src/localization/steps.ts';
import { type LocalizationTask, type LocalizationTaskOptions, localizationTask } from '../../src/localization/task.ts';
import type { Params } from '../../src/nn/index.ts';
import { numbers } from './tensors.ts';

const classes = ['run', 'jump', 'throw'];
const width = 8;

/** A video of random features that shows some of the classes. */
function video(seed: number, label: readonly number[]): TestVideoItem {
  const { shape, data } = random.normal(random.key(seed), [20 + seed, width]);
  return {
    name: `video${seed}`,
    label: Float32Array.from(label),
    instances: [],
    load: async () => ({ ...ndarray('float32', shape, data), shape: [shape[0], shape[1]] as const }),
  };
}
const [run, jump, none] = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 0],
];

const tasks: LocalizationTask[] = [];
afterAll(() => Promise.all(tasks.map(task => task.dispose())));

/** A small task on these videos. */
function taskOn(
  { train = [], test = [] }: { train?: readonly TestVideoItem[]; test?: readonly TestVideoItem[] },
  options: Partial<LocalizationTaskOptions> = {},
): LocalizationTask {
  const dataset: VideoDataset = {
    classes,
    train,
    test,
    warnings: [],
    annotations: { videos: new Map(), pastDuration: [] },
    files: [],
  };
  const task = localizationTask({
    dataset,
    network: {
      featureDim: width,
      classes: classes.length,
      dropout: 0.5,
      inputDropout: false,
      topKDivisors: { instance: 8, context: 3, background: 3 },
      lcsLength: 4,
      fsdLength: 2,
      projectionDim: 4,
    },
    loss: acmLossPresets.thumos14,
    sequence: sequenceLossPreset,
    terms: 'none',
    samples: 12,
    batchSize: 2,
    pairKey: random.key(9),
    resamplePairs: false,
    localize: THUMOS14_LOCALIZE,
    evaluation: THUMOS14_EVALUATION,
    where: { threads: 1 },
    ...options,
  });
  tasks.push(task);
  return task;
}

describe('pairs', () => {
  const train = [run, run, run, jump, jump, [0, 0, 1], [0, 0, 1], [1, 1, 0]].map((label, i) => video(i, label));

  /** What an epoch's pairs are made of, in an order that does not depend on that of the batches. */
  async function pairsOf(task: LocalizationTask, epoch: number): Promise<string[]> {
    const { count, prepare } = task.epoch(epoch, random.fold(random.key(1), epoch));
    const pairs: string[] = [];
    for (let i = 0; i < count; i++) {
      const { features, labels } = (await prepare(i)) as PairBatch;
      const row = ({ shape, data }: NDArray, p: number) =>
        Array.from(data as Float32Array).slice((p * data.length) / shape[0], ((p + 1) * data.length) / shape[0]);
      for (let p = 0; p < labels[0].shape[0]; p++)
        pairs.push(JSON.stringify([...features, ...labels].map(array => row(array, p))));
    }
    return pairs.sort();
  }

  it('and their snippets are those of the start in every epoch', async () => {
    const task = taskOn({ train }, { terms: 'pairs' });
    const first = await pairsOf(task, 0);
    // 3 + 1 + 1 positive pairs, and as many negative ones.
    expect(first).toHaveLength(10);
    expect(await pairsOf(task, 1)).toEqual(first);
    expect(await pairsOf(taskOn({ train }, { terms: 'pairs', pairKey: random.key(10) }), 0)).not.toEqual(first);
  });

  it('are drawn anew in every epoch if asked for', async () => {
    const task = taskOn({ train }, { terms: 'pairs', resamplePairs: true });
    const first = await pairsOf(task, 0);
    expect(first).toHaveLength(10);
    expect(await pairsOf(task, 0)).toEqual(first);
    // Every snippet is drawn anew, so no pair is the same.
    const second = await pairsOf(task, 1);
    expect(second.filter(pair => first.includes(pair))).toEqual([]);
  });

  it('are needed', () => {
    expect(() => taskOn({ train: [video(0, run), video(1, jump)] }, { terms: 'pairs' })).toThrow(
      'no two training videos have the same labels: there are no pairs to train on',
    );
  });
});

describe('sequence terms in the batch', () => {
  const step = async (labels: readonly (readonly number[])[]) => {
    const task = taskOn({ train: labels.map((label, i) => video(i, label)) }, { terms: 'in-batch', batchSize: 3 });
    const epoch = task.epoch(0, random.key(1));
    const batch = (await epoch.prepare(0)) as InBatchBatch;
    return { batch, report: await epoch.step(task.init(random.key(2)), batch) };
  };

  it('give what only they train no gradient where the batch has no pair, not a zero one that decays it', async () => {
    const { batch, report } = await step([run, jump, [0, 0, 1]]);
    expect(batch.hasPairs).toBe(false);
    expect(Object.keys(report.gradients)).toContain('att_branch.weight');
    for (const name of sequenceParams) expect(report.gradients[name]).toBeUndefined();
    expect([report.pieces.lcs, report.pieces.fsd, report.samples]).toEqual([0, 0, 3]);
  });

  it('train it where there is one', async () => {
    const { batch, report } = await step([run, run, jump]);
    expect(batch.hasPairs).toBe(true);
    expect(report.pieces.fsd).not.toBe(0);
    const [weight] = sequenceParams.map(name => report.gradients[name]);
    expect(weight && numbers(weight).some(value => value !== 0)).toBe(true);
  });
});

describe('the test', () => {
  const test = [video(1, run), video(2, none), video(3, jump)];
  const metricsOf = async (videos: readonly TestVideoItem[], params?: Params) => {
    const task = taskOn({ test: videos });
    const { metrics, primary } = await task.evaluate(params ?? task.init(random.key(4)), () => {});
    return { metrics, primary };
  };

  it('means the loss over the videos that have a label', async () => {
    const { metrics, primary } = await metricsOf(test);
    const labelled = await metricsOf([test[0], test[2]]);
    expect(primary).toBe('classification.mAP');
    const losses = Object.entries(metrics).filter(([name]) => name.startsWith('loss.'));
    expect(losses.map(([name]) => name)).toEqual(expect.arrayContaining(['loss.total', 'loss.instance', 'loss.sparse']));
    for (const [name, value] of losses) {
      expect(Number.isFinite(value), name).toBe(true);
      expect(value, name).toBeCloseTo(labelled.metrics[name], 5);
    }
  });

  it('says nothing of classification where no video has a label', async () => {
    expect((await metricsOf([test[1]])).metrics).toEqual({});
    expect([taskOn({ test: [test[1]] }).canTest, taskOn({ test }).canTest, taskOn({}).canTest]).toEqual([false, true, false]);
  });
});

describe('samples', () => {
  it('must be enough for the blocks that the sequence terms compare', () => {
    const train = [video(0, run), video(1, run)];
    expect(() => taskOn({ train }, { terms: 'in-batch', samples: 3 })).toThrow('at least 4 snippets');
    expect(taskOn({ train }, { terms: 'none', samples: 3 }).classes).toEqual(classes);
  });
});
