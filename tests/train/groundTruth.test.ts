import { cp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { random } from '../../src/engine/index.ts';
import { openDataset, openTask } from '../../src/train/localizationRun.ts';
import { smallExperiment } from '../cli/smallRun.ts';
import { type AnnotatedVideo, type Database, readDatabase, smallConfig, trainSilently, writeDatabase } from './smallTraining.ts';

let dir = '';
let remove = async (): Promise<void> => {};
let database: Database = {};
beforeAll(async () => {
  ({ dir, remove } = await smallExperiment());
  database = await readDatabase(join(dir, 'data/gt.json'));
});
afterAll(() => remove());

/** The metrics of an untrained model. */
async function evaluate(data: string, ...sets: readonly string[]) {
  const config = await smallConfig(dir, data, ...sets);
  const task = await openTask(config, await openDataset(config));
  try {
    return await task.evaluate(task.init(random.key(1)), () => {});
  } finally {
    await task.dispose();
  }
}

const isTest = ({ subset }: AnnotatedVideo): boolean => subset === 'test';
const first = ({ annotations, ...video }: AnnotatedVideo): AnnotatedVideo => ({ ...video, annotations: annotations.slice(0, 1) });

describe('evaluation.restrictToSplit', () => {
  it('counts only the videos of the test split, otherwise all of the subset', async () => {
    const data = join(dir, 'shorter-split');
    await cp(join(dir, 'data'), data, { recursive: true });
    await writeFile(join(data, 'split_test.txt'), 'synthetic_test_000\nsynthetic_test_002\n');
    const [all, listed] = [await evaluate('shorter-split'), await evaluate('shorter-split', 'evaluation.restrictToSplit=true')];
    // 4 instances in each of the 3 videos; the third is in no list.
    expect([all.detection?.counts.instances, listed.detection?.counts.instances]).toEqual([12, 8]);
    expect(listed.metrics['classification.mAP']).toBe(all.metrics['classification.mAP']);
  });
});

describe('data.groundTruth', () => {
  it('is what detections are judged by, in the place of the annotations', async () => {
    await writeDatabase(join(dir, 'data/first.json'), database, video => (isTest(video) ? first(video) : video));
    const [own, other] = [await evaluate('data'), await evaluate('data', 'data.groundTruth=first.json')];
    expect([own.detection?.counts.instances, other.detection?.counts.instances]).toEqual([12, 3]);
    expect(other.metrics['mAP@0.1']).not.toBe(own.metrics['mAP@0.1']);
    expect(other.files).toEqual(own.files);
  });

  it('may be without subsets: then it is the tested videos that count', async () => {
    const without = ({ subset: _, ...video }: AnnotatedVideo): AnnotatedVideo => video;
    await writeDatabase(join(dir, 'data/first.json'), database, video => (isTest(video) ? first(video) : video));
    await writeDatabase(join(dir, 'data/no-subsets.json'), database, video => without(isTest(video) ? first(video) : video));
    const [whole, bare] = [
      await evaluate('data', 'data.groundTruth=first.json'),
      await evaluate('data', 'data.groundTruth=no-subsets.json'),
    ];
    expect(bare.detection).toEqual(whole.detection);
  });
});

describe('what a test would stumble over is found before anything is written', () => {
  /** Trains on a copy of the data; gives the one line it fails with. */
  async function problem(name: string, change: (data: string) => Promise<void>, ...sets: readonly string[]): Promise<string> {
    const data = join(dir, name);
    await cp(join(dir, 'data'), data, { recursive: true });
    await change(data);
    const before = await readdir(dir, { recursive: true });
    const config = await smallConfig(dir, name, ...sets);
    const error = await trainSilently(config, { out: join(dir, 'never') }).then(
      () => new Error('nothing was thrown'),
      (thrown: Error) => thrown,
    );
    expect(error.message).not.toContain('\n');
    expect(await readdir(dir, { recursive: true })).toEqual(before);
    return error.message;
  }
  const truth = (change: (video: AnnotatedVideo, name: string) => AnnotatedVideo | undefined) => (data: string) =>
    writeDatabase(join(data, 'truth.json'), database, change);
  const given = 'data.groundTruth=truth.json';

  it('a ground truth of other videos', async () => {
    const others = truth(video => (isTest(video) ? undefined : video));
    expect(await problem('other-videos', others, given)).toMatch(
      /other-videos\/truth\.json: expected segments of the test videos \(synthetic_test_000, …\), found none$/,
    );
  });

  it('a ground truth of other classes', async () => {
    const renamed = truth(video => ({ ...video, annotations: video.annotations.map(each => ({ ...each, label: 'Jumping' })) }));
    expect(await problem('other-classes', renamed, given)).toMatch(
      /truth\.json: none of its labels \(Jumping, …\) is a class of the data set \(synthetic action 1, …\)$/,
    );
  });

  it('a ground truth that is not there', async () => {
    expect(await problem('no-truth', async () => {}, given)).toMatch(/no-truth\/truth\.json: /);
  });

  const unsegmented = ({ annotations, ...video }: AnnotatedVideo): AnnotatedVideo => ({
    ...video,
    annotations: annotations.map(({ label }) => ({ label })),
  });

  it('segments of only some test videos', async () => {
    const some = (data: string) =>
      writeDatabase(join(data, 'gt.json'), database, (video, name) => (/test_001/.test(name) ? unsegmented(video) : video));
    expect(await problem('some-segments', some)).toMatch(
      /some-segments: mAP needs segments: instance 0 \("synthetic action 2"\) of video "synthetic_test_001" has none$/,
    );
  });

  it('a checkpoint to be selected on a test set that is not there', async () => {
    const trainOnly = async (data: string): Promise<void> => {
      await writeDatabase(join(data, 'gt.json'), database, video => (isTest(video) ? undefined : video));
      await rm(join(data, 'split_test.txt'));
    };
    expect(await problem('no-test', trainOnly, 'evaluation.select=best-on-test')).toMatch(
      /no-test: evaluation\.select: best-on-test needs test videos with labels or segments, found none$/,
    );
  });
});
