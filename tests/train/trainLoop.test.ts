import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromNumbers } from '../../src/engine/ndarray.ts';
import { readPointer } from '../../src/train/checkpoint.ts';
import { silentReporter } from '../../src/train/reporter.ts';
import type { Task } from '../../src/train/task.ts';
import { trainLoop } from '../../src/train/trainLoop.ts';
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

const train = (run: string, task: Task, checkpointEvery: number) =>
  trainLoop(task, {
    run,
    seed: 0,
    epochs: 6,
    learningRate: 0.1,
    weightDecay: 0,
    betas: [0.9, 0.999],
    checkpointEvery,
    evaluation: { start: 0, every: 1, select: 'best-on-test' },
    metadata: {},
    reporter: silentReporter(),
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
