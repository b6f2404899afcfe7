import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromNumbers } from '../../src/engine/ndarray.ts';
import { adam, constantRate } from '../../src/nn/index.ts';
import { type EpochRecord, epochScalars, parseEpochRecords } from '../../src/train/epochRecord.ts';
import { silentReporter } from '../../src/train/reporter.ts';
import type { Task } from '../../src/train/task.ts';
import { openEventLog } from '../../src/train/tensorboard.ts';
import { encodeEvent } from '../../src/train/tensorboardEvents.ts';
import { type TrainLoopOptions, trainLoop } from '../../src/train/trainLoop.ts';
import { wallClock } from '../../src/train/wallClock.ts';
import { decodeEvent, readEvents } from './eventReader.ts';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-events-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('an event', () => {
  it('of a number has the bytes of its message', () => {
    // wall_time (1, double) 1.5; step (2) 300; summary (5) { value (1) { tag (1) "a"; simple_value (2, float) 0.5 } }
    expect(hex(encodeEvent({ wallTime: 1.5, step: 300, content: { scalars: { a: 0.5 } } }))).toBe(
      `09000000000000f83f${'10ac02'}${'2a0a'}${'0a08'}${'0a0161'}${'150000003f'}`,
    );
  });

  it('of a session start and of a version too', () => {
    expect(hex(encodeEvent({ wallTime: 0, step: 7, content: { sessionStart: true } }))).toBe(
      `090000000000000000${'1007'}${'3a02'}${'0801'}`,
    );
    const version = encodeEvent({ wallTime: 2, step: 0, content: { fileVersion: 'brain.Event:2' } });
    expect(decodeEvent(version)).toMatchObject({ wallTime: 2, step: 0, fileVersion: 'brain.Event:2', scalars: {} });
  });

  it('keeps texts, several numbers and what is not finite', () => {
    const scalars = { 'test/mAP@0.1:0.7': 0.25, 'train/total': Number.NaN, rate: Number.POSITIVE_INFINITY };
    expect(decodeEvent(encodeEvent({ wallTime: 1, step: 1, content: { scalars } })).scalars).toEqual(scalars);
    const texts = { config: '    a: 1\n    ü: 2\n' };
    expect(decodeEvent(encodeEvent({ wallTime: 1, step: 1, content: { texts } })).texts).toEqual(texts);
  });
});

describe('a clock', () => {
  it('that is set back stands still until the old time is reached', () => {
    const times = [1000, 2000, 500, 1999, 2001];
    const clock = wallClock(() => times.shift() ?? 0);
    expect([1, 2, 3, 4, 5, 6].map(() => clock.now())).toEqual([1000, 2000, 2000, 2000, 2001, 2001]);
  });

  it('can be told of a later time, not of an earlier one', () => {
    const clock = wallClock(() => 10);
    clock.notBefore(50);
    clock.notBefore(20);
    expect(clock.now()).toBe(50);
  });
});

describe('event files', () => {
  it('are read in the order in which they were written, whatever the clock says', async () => {
    const run = await mkdtemp(join(dir, 'run-'));
    for (const now of [5_000_000, 5_000_400, 3_000_000]) {
      const log = await openEventLog(run, { step: 0, clock: wallClock(() => now), texts: { config: 'x' } });
      log.add(1, { now });
      await log.flush();
      await log.close();
    }
    const { files } = await readEvents(join(run, 'tensorboard'));
    expect(files.map(({ name }) => name.split('.').slice(0, 4).join('.'))).toEqual([
      'events.out.tfevents.0000005000',
      'events.out.tfevents.0000005001',
      'events.out.tfevents.0000005002',
    ]);
    expect(files.map(({ events }) => events.at(-1)?.scalars.now)).toEqual([5_000_000, 5_000_400, 3_000_000]);
    const times = files.flatMap(({ events }) => events.map(({ wallTime }) => wallTime));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    // The configuration is said once.
    expect(files.map(({ events }) => events.filter(({ texts }) => texts.config === 'x').length)).toEqual([1, 0, 0]);
  });

  it('hold what was flushed, and nothing else', async () => {
    const run = await mkdtemp(join(dir, 'run-'));
    const log = await openEventLog(run, { step: 0, clock: wallClock() });
    log.add(1, { a: 1 });
    await log.flush();
    log.add(2, { a: 2 });
    await log.close();
    const { scalars } = await readEvents(join(run, 'tensorboard'));
    expect(scalars.get('a')?.map(({ step }) => step)).toEqual([1]);
  });

  it('name the file where they cannot be written', async () => {
    const run = await mkdtemp(join(dir, 'run-'));
    const file = join(run, 'tensorboard');
    await writeFile(file, '');
    await expect(openEventLog(run, { step: 0, clock: wallClock() })).rejects.toThrow(
      new RegExp(`^${file}/events\\.out\\.tfevents\\.[^:]*: cannot be written \\(`),
    );
  });
});

/** Two steps an epoch; a step of an epoch in `stopped` asks for the end. */
function task(perEpoch: number, stop?: { epoch: number; controller: AbortController }): Task {
  let [epoch, evaluated] = [0, 0];
  return {
    classes: ['only'],
    canTest: true,
    init: () => ({ weight: fromNumbers([1], [1]) }),
    epoch: index => {
      epoch = index + 1;
      return {
        count: perEpoch,
        prepare: async i => i,
        step: async (_, i) => {
          if (stop?.epoch === epoch) stop.controller.abort();
          return {
            pieces: { total: epoch + (i as number) / 8 },
            gradients: { weight: fromNumbers([1], [1]) },
            correct: 1,
            samples: 4,
          };
        },
      };
    },
    evaluate: async () => ({ metrics: { score: ++evaluated / 16 }, primary: 'score', files: {}, warnings: [] }),
    dispose: async () => {},
  };
}

const options = (run: string): TrainLoopOptions => ({
  run,
  seed: 0,
  epochs: 4,
  optimizer: adam(),
  learningRate: constantRate(0.25),
  checkpointEvery: 2,
  evaluation: { start: 1, every: 2, select: 'last' },
  metadata: {},
  reporter: silentReporter(),
});

const recordsOf = async (run: string): Promise<EpochRecord[]> =>
  parseEpochRecords(await readFile(join(run, 'metrics.jsonl'), 'utf8'), run).records;

/** The curves that the records of a run mean, in float32. */
async function expectedScalars(run: string): Promise<Record<string, [number, number][]>> {
  const curves: Record<string, [number, number][]> = {};
  for (const record of await recordsOf(run)) {
    for (const [tag, value] of Object.entries(epochScalars(record))) {
      curves[tag] ??= [];
      curves[tag].push([record.step, Math.fround(value)]);
    }
  }
  return curves;
}

async function foundScalars(run: string): Promise<Record<string, [number, number][]>> {
  const { scalars } = await readEvents(join(run, 'tensorboard'));
  return Object.fromEntries([...scalars].map(([tag, points]) => [tag, points.map(p => [p.step, p.value])]));
}

describe('a training', () => {
  it('leaves its epochs and its steps', async () => {
    const run = await mkdtemp(join(dir, 'run-'));
    await trainLoop(task(2), { ...options(run), texts: { config: 'seed: 0' } });
    const { 'step/total': steps, ...curves } = await foundScalars(run);
    expect(curves).toEqual(await expectedScalars(run));
    expect(curves['train/total']).toEqual([
      [2, 1.0625],
      [4, 2.0625],
      [6, 3.0625],
      [8, 4.0625],
    ]);
    expect(curves['test/score']).toEqual([
      [4, 0.0625],
      [8, 0.125],
    ]);
    expect(steps).toEqual([
      [1, 1],
      [2, 1.125],
      [3, 2],
      [4, 2.125],
      [5, 3],
      [6, 3.125],
      [7, 4],
      [8, 4.125],
    ]);
    const [record] = await recordsOf(run);
    expect(curves['throughput/samples-per-second'][0][1]).toBe(Math.fround(8 / record.seconds));
    expect(record).toMatchObject({ epoch: 1, step: 2, steps: 2, samples: 8, learningRate: 0.25 });
  });

  it('that was stopped and goes on gives up the steps after its checkpoint', async () => {
    const run = await mkdtemp(join(dir, 'run-'));
    const controller = new AbortController();
    await trainLoop(task(2, { epoch: 4, controller }), { ...options(run), signal: controller.signal });
    // Epoch 3 is recorded, but only epoch 2 has a checkpoint.
    expect((await foundScalars(run))['train/total'].map(([step]) => step)).toEqual([2, 4, 6]);
    await trainLoop(task(2), options(run));
    const { files } = await readEvents(join(run, 'tensorboard'));
    expect(files.map(({ events }) => events.slice(0, 2))).toEqual(
      [1, 5].map(step => [
        expect.objectContaining({ fileVersion: 'brain.Event:2' }),
        expect.objectContaining({ session: 1, step }),
      ]),
    );
    const { 'step/total': steps, ...curves } = await foundScalars(run);
    expect(curves).toEqual(await expectedScalars(run));
    expect(steps.map(([step]) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    // With nothing left to train there is nothing to say.
    await trainLoop(task(2), options(run));
    expect(await readdir(join(run, 'tensorboard'))).toHaveLength(2);
  });

  it('under a clock that goes backwards ends in the same weights, and its times never go back', async () => {
    const run = await mkdtemp(join(dir, 'run-'));
    let now = Date.UTC(2030, 0, 1);
    const backwards = () => wallClock(() => (now -= 60_000));
    const controller = new AbortController();
    await trainLoop(task(2, { epoch: 3, controller }), { ...options(run), signal: controller.signal, clock: backwards() });
    now = Date.UTC(2020, 0, 1);
    await trainLoop(task(2), { ...options(run), clock: backwards() });
    const { files, scalars } = await readEvents(join(run, 'tensorboard'));
    const times = files.flatMap(({ events }) => events.map(({ wallTime }) => wallTime));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect([files.length, times[0] >= Date.UTC(2029, 11, 31) / 1000, scalars.get('train/total')?.length]).toEqual([2, true, 4]);
    const records = await recordsOf(run);
    expect(records.map(({ seconds, testSeconds = 0 }) => seconds >= 0 && testSeconds >= 0)).toEqual([true, true, true, true]);
    const recorded = records.map(({ time = '' }) => time);
    expect(recorded).toEqual(recorded.toSorted());
    expect(recorded[0].slice(0, 4)).toBe('2029');
    const plain = await mkdtemp(join(dir, 'run-'));
    await trainLoop(task(2), options(plain));
    const weights = 'checkpoints/epoch-0004.safetensors';
    expect(hex(await readFile(join(run, weights)))).toBe(hex(await readFile(join(plain, weights))));
  });

  it('of very many steps tells of every n-th', async () => {
    const run = await mkdtemp(join(dir, 'run-'));
    await trainLoop(task(20_001), { ...options(run), epochs: 1 });
    const { 'step/total': steps } = await foundScalars(run);
    expect([steps.length, ...steps.slice(0, 3).map(([step]) => step)]).toEqual([6667, 1, 4, 7]);
  });
});
