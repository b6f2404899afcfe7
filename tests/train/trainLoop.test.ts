import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromNumbers } from '../../src/engine/ndarray.ts';
import { adam, constantRate } from '../../src/nn/index.ts';
import { loadCheckpoint, readPointer } from '../../src/train/checkpoint.ts';
import { type Reporter, silentReporter } from '../../src/train/reporter.ts';
import type { StepReport, Task } from '../../src/train/task.ts';
import { type EpochRecord, type TrainLoopOptions, trainLoop } from '../../src/train/trainLoop.ts';
import { contentsOf } from '../cli/smallRun.ts';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-loop-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** One step an epoch; the test after epoch `e` (from 1) gives `scores[e - 1]`. Epoch `failing` (from 1) fails. */
function scripted(scores: readonly number[], failing = Number.POSITIVE_INFINITY): Task {
  let epoch = 0;
  return {
    classes: ['only'],
    canTest: true,
    init: () => ({ weight: fromNumbers([1, 2], [2]) }),
    epoch: index => {
      epoch = index + 1;
      return {
        count: 1,
        prepare: async () => epoch,
        step: async () => {
          if (epoch === failing) throw new Error('no power');
          return { pieces: { total: epoch }, gradients: { weight: fromNumbers([epoch, -1], [2]) }, correct: 0, samples: 1 };
        },
      };
    },
    evaluate: async () => ({
      metrics: { score: scores[epoch - 1] },
      primary: 'score',
      files: { 'detections.json': `${epoch}` },
      warnings: [],
    }),
    dispose: async () => {},
  };
}

const train = (run: string, task: Task, checkpointEvery: number, options: Partial<TrainLoopOptions> = {}) =>
  trainLoop(task, {
    run,
    seed: 0,
    epochs: 6,
    optimizer: adam(),
    learningRate: constantRate(0.1),
    checkpointEvery,
    evaluation: { start: 0, every: 1, select: 'best-on-test' },
    metadata: {},
    reporter: silentReporter(),
    ...options,
  });

describe('the best checkpoint', () => {
  const scores = [0.3, 0.1, 0.7, 0.5, 0.6, 0.2];

  it('is the first of the highest, with its own detections', async () => {
    const run = await mkdtemp(join(dir, 'run-'));
    const { best, metrics } = await train(run, scripted([0.3, 0.7, 0.1, 0.7, 0.6, 0.2]), 1);
    expect({ best, metrics }).toEqual({ best: { epoch: 2, metric: 'score', value: 0.7 }, metrics: { score: 0.2 } });
    expect(await readFile(join(run, 'best-detections.json'), 'utf8')).toBe('2');
    expect(await readFile(join(run, 'detections.json'), 'utf8')).toBe('6');
  });

  it('is kept beside the last two, and nothing else is', async () => {
    const run = await mkdtemp(join(dir, 'run-'));
    await train(run, scripted([0.3, 0.7, 0.1, 0.7, 0.6, 0.2]), 1);
    expect((await readdir(join(run, 'checkpoints'))).sort()).toEqual([
      'best.json',
      'epoch-0002.safetensors',
      ...[5, 6].flatMap(epoch => [`epoch-000${epoch}.optimizer.safetensors`, `epoch-000${epoch}.safetensors`]),
      'last.json',
      'previous.json',
    ]);
  });

  it.each([1, 2, 4, 6])('stays when a run goes on from before it: a checkpoint every %i epochs', async checkpointEvery => {
    const whole = await mkdtemp(join(dir, 'whole-'));
    await train(whole, scripted(scores), checkpointEvery);
    for (const failing of [3, 4, 5]) {
      const run = await mkdtemp(join(dir, 'run-'));
      await expect(train(run, scripted(scores, failing), checkpointEvery)).rejects.toThrow('no power');
      // As if killed before the file was written: then the best one is newer than its detections.
      const rewritten = (await readPointer(run, 'last'))?.epoch ?? 0;
      const best = await readPointer(run, 'best');
      if (best && best.epoch > rewritten) await rm(join(run, 'best-detections.json'));
      await train(run, scripted(scores), checkpointEvery);
      expect(await contentsOf(run)).toEqual(await contentsOf(whole));
    }
  });

  it('is not given up for an earlier, lesser one when its epochs are done again', async () => {
    const run = await mkdtemp(join(dir, 'run-'));
    await expect(train(run, scripted(scores, 4), 6)).rejects.toThrow('no power');
    await expect(train(run, scripted(scores, 2), 6)).rejects.toThrow('no power');
    expect(await readPointer(run, 'best')).toMatchObject({ epoch: 3, value: 0.7 });
  });
});

/** Trains on one weight without tests; `steps[e][i]` makes the report of step i of epoch e. */
function stepping(steps: readonly (readonly (() => Partial<StepReport>)[])[]): Task {
  return {
    ...scripted([]),
    canTest: false,
    init: () => ({ weight: fromNumbers([1], [1]) }),
    epoch: index => ({
      count: steps[index].length,
      prepare: async i => i,
      step: async (_, i) => ({ ...good(), ...steps[index][i as number]() }),
    }),
  };
}
const good = (): StepReport => ({ pieces: { total: 2 }, gradients: { weight: fromNumbers([1], [1]) }, correct: 1, samples: 2 });
const withGradient = (value: number) => () => ({ gradients: { weight: fromNumbers([value], [1]) } });
const withLoss = (total: number) => () => ({ pieces: { total } });

describe('a step that is not finite', () => {
  /** Trains these epochs; what came of it, and the warnings. */
  async function outcome(...steps: Parameters<typeof stepping>[0]) {
    const run = await mkdtemp(join(dir, 'run-'));
    const warnings: string[] = [];
    const reporter: Reporter = { ...silentReporter(), warn: line => warnings.push(line) };
    await train(run, stepping(steps), 1, { epochs: steps.length, reporter });
    const lines = (await readFile(join(run, 'metrics.jsonl'), 'utf8')).trim().split('\n');
    const [weight] = (await loadCheckpoint(run, 'last')).params.weight.data;
    return { warnings, weight, records: lines.map(line => JSON.parse(line) as EpochRecord) };
  }

  it.each([
    ['gradients that are NaN', withGradient(Number.NaN)],
    ['infinite gradients', withGradient(Number.NEGATIVE_INFINITY)],
    ['a loss that is NaN', withLoss(Number.NaN)],
  ])('is left out, counted and warned of: %s', async (_, bad) => {
    const { warnings, weight, records } = await outcome([good, bad, good, bad], [good]);
    expect(warnings).toEqual(['epoch 1: 2 of 4 steps had a loss or gradients that are not finite and were skipped']);
    // As if the two steps had not been: neither the weights nor the optimiser saw them.
    expect(weight).toBe((await outcome([good, good], [good])).weight);
    expect(records.map(({ step }) => step)).toEqual([2, 3]);
    expect(records.map(({ train: { skipped } }) => skipped)).toEqual([2, undefined]);
    expect(records[0].train.accuracy).toBe(0.5);
  });

  it('ends a training where an epoch has no other', async () => {
    const bad = withGradient(Number.NaN);
    await expect(outcome([good], [bad, bad])).rejects.toThrow(
      'epoch 2: no step had a finite loss and finite gradients; training cannot go on (lower the learning rate?)',
    );
  });
});

describe('after a request to stop', () => {
  it('the run ends at the next step, at its last checkpoint', async () => {
    const run = await mkdtemp(join(dir, 'run-'));
    const { signal, stop } = stopper();
    const steps = [[good], [good, stop], [good]];
    const summary = await train(run, stepping(steps), 1, { epochs: 3, signal });
    // The request came in the last step of epoch 2: it is finished, the next one is not begun.
    expect(summary).toMatchObject({ interrupted: true, epochs: 2 });
    expect((await readPointer(run, 'last'))?.epoch).toBe(2);
  });

  it('an error is an error still', async () => {
    const run = await mkdtemp(join(dir, 'run-'));
    const { signal, stop } = stopper();
    const failing = (): never => {
      stop();
      throw new Error('no space left on device');
    };
    await expect(train(run, stepping([[good], [failing]]), 1, { epochs: 2, signal })).rejects.toThrow('no space left on device');
  });

  it('also an error of the test that follows', async () => {
    const run = await mkdtemp(join(dir, 'run-'));
    const { signal, stop } = stopper();
    const task: Task = {
      ...stepping([[stop]]),
      canTest: true,
      evaluate: () => Promise.reject(new Error('a feature file is gone')),
    };
    await expect(train(run, task, 1, { epochs: 1, signal })).rejects.toThrow('a feature file is gone');
  });
});

/** A signal, and a step that gives it. */
function stopper(): { signal: AbortSignal; stop: () => Partial<StepReport> } {
  const controller = new AbortController();
  const stop = () => {
    controller.abort();
    return {};
  };
  return { signal: controller.signal, stop };
}
