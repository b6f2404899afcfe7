import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exists } from '../../src/data/files.ts';
import { copyOf } from '../../src/engine/index.ts';
import { mapParams } from '../../src/nn/index.ts';
import { loadCheckpoint, saveBest } from '../../src/train/checkpoint.ts';
import { loadLocalizationConfig, loadRunConfig } from '../../src/train/config.ts';
import { loadModel } from '../../src/train/model.ts';
import { silentReporter } from '../../src/train/reporter.ts';
import { testRun } from '../../src/train/testRun.ts';
import { trainRun } from '../../src/train/trainRun.ts';
import { contentsOf, smallExperiment } from '../cli/smallRun.ts';
import { readDatabase, smallConfig, trainSilently, writeDatabase } from './smallTraining.ts';

let dir = '';
let remove = async (): Promise<void> => {};
beforeAll(async () => {
  ({ dir, remove } = await smallExperiment());
  await trainSilently(await smallConfig(dir, 'data', 'train.epochs=1'), { out: join(dir, 'run') });
});
afterAll(() => remove());

const messageOf = (training: Promise<unknown>): Promise<string> =>
  training.then(
    () => 'nothing was thrown',
    (thrown: Error) => thrown.message,
  );

describe('a resumed run', () => {
  const [one, two] = ['synthetic action 1', 'synthetic action 2'];

  /** A data set without a class list, and a run on it that was interrupted in the second of three epochs. */
  async function interrupted(name: string) {
    const [data, run] = [join(dir, name), join(dir, `${name}-run`)];
    await cp(join(dir, 'data'), data, { recursive: true });
    await rm(join(data, 'classes.json'));
    const stop = new AbortController();
    const progress = ({ label, done }: { label: string; done: number }): void => {
      if (label === 'epoch 2/3' && done === 3) stop.abort();
    };
    const config = await smallConfig(dir, name);
    const summary = await trainRun(config, { out: run, reporter: { ...silentReporter(), progress }, signal: stop.signal });
    expect(summary).toMatchObject({ interrupted: true, epochs: 1 });
    const path = join(data, 'gt.json');
    const resume = async () => trainSilently(await loadRunConfig(run), { out: run, resume: true });
    return { run, path, database: await readDatabase(path), resume };
  }

  it('keeps its classes in their order, whatever order the annotations have now', async () => {
    const { run, path, database, resume } = await interrupted('reordered');
    await trainSilently(await smallConfig(dir, 'reordered'), { out: join(dir, 'whole') });
    // By first appearance the classes would now be the other way round.
    const [first, ...others] = Object.entries(database);
    await writeDatabase(path, Object.fromEntries([...others, first]));
    await trainSilently(await smallConfig(dir, 'reordered', 'train.epochs=1'), { out: join(dir, 'rotated') });
    expect((await loadModel(join(dir, 'rotated'))).classes).toEqual([two, one]);

    expect(await resume()).toMatchObject({ interrupted: false, epochs: 3 });
    expect((await loadModel(run)).classes).toEqual([one, two]);
    expect(await contentsOf(run)).toEqual(await contentsOf(join(dir, 'whole')));
  });

  it('is refused where a label is none of its classes, and stays as it is', async () => {
    const { run, path, database, resume } = await interrupted('renamed');
    const rename = (label: string) => (label === two ? 'another action' : label);
    await writeDatabase(path, database, video => ({
      ...video,
      annotations: video.annotations.map(({ label, ...rest }) => ({ ...rest, label: rename(label) })),
    }));
    const before = await contentsOf(run);
    expect(await messageOf(resume())).toMatch(/^.*renamed\/gt\.json: .*"another action".*$/);
    expect(await contentsOf(run)).toEqual(before);
  });
});

describe('--from', () => {
  const start = async (name: string, ...sets: readonly string[]) =>
    messageOf(trainSilently(await smallConfig(dir, name, ...sets), { out: join(dir, 'never'), from: join(dir, 'run') }));

  it.each([
    [
      'swapped',
      ['synthetic action 2', 'synthetic action 1'],
      'class 0 is synthetic action 1 there, synthetic action 2 here (2 and 2 classes)',
    ],
    ['longer', ['synthetic action 1', 'synthetic action 2', 'third'], 'class 2 is none there, third here (2 and 3 classes)'],
  ])('refuses a model of other classes: %s', async (name, classes, told) => {
    await cp(join(dir, 'data'), join(dir, name), { recursive: true });
    await writeFile(join(dir, name, 'classes.json'), JSON.stringify(classes));
    expect(await start(name)).toBe(`${join(dir, 'run')}: its classes are not those of the data set: ${told}`);
    expect(await exists(join(dir, 'never'))).toBe(false);
  });

  it('refuses a model that has more classes', async () => {
    const [data, source] = [join(dir, 'more'), join(dir, 'more-run')];
    await cp(join(dir, 'data'), data, { recursive: true });
    await writeFile(join(data, 'classes.json'), JSON.stringify(['synthetic action 1', 'synthetic action 2', 'third']));
    await trainSilently(await smallConfig(dir, 'more', 'train.epochs=1'), { out: source });
    expect(await messageOf(trainSilently(await smallConfig(dir, 'data'), { out: join(dir, 'never'), from: source }))).toBe(
      `${source}: its classes are not those of the data set: class 2 is third there, none here (3 and 2 classes)`,
    );
  });

  it('refuses an embedding that does not fit', async () => {
    expect(await start('data', 'model.inputDropout=true')).toBe(
      `${join(dir, 'run')}: it has no feature_embedding.1.weight that fits this model (another model.featureDim or model.inputDropout?)`,
    );
    expect(await exists(join(dir, 'never'))).toBe(false);
  });

  it('starts what does not fit otherwise afresh, and names it', async () => {
    const config = await smallConfig(dir, 'data', 'train.epochs=1', 'model.projectionDim=6');
    const { lines } = await trainSilently(config, { out: join(dir, 'projection'), from: join(dir, 'run') });
    expect(lines).toEqual(
      expect.arrayContaining([
        `${join(dir, 'run')}: feature_trans.weight has shape [4,8], needed [6,8]; it starts fresh`,
        `starting from ${join(dir, 'run')}: 6 parameters`,
      ]),
    );
  });
});

describe('the selected checkpoint', () => {
  it('is what test, predict and --from take unless another is named', async () => {
    const run = join(dir, 'selecting');
    await trainSilently(await smallConfig(dir, 'data', 'train.epochs=1', 'evaluation.select=best-on-test'), { out: run });
    // A best one of other weights: zeros, which find the same everywhere.
    const { params, metadata } = await loadCheckpoint(run, 'last');
    const zeros = mapParams(params, array => {
      const copy = copyOf(array);
      copy.data.fill(0 as never);
      return copy;
    });
    await saveBest(run, { epoch: 0, params: zeros }, metadata, 'mAP@0.1:0.7', 0.9);

    expect((await loadModel(run)).params).toEqual(zeros);
    expect((await loadModel(run, 'last')).params).toEqual(params);
    const test = async (checkpoint?: 'last' | 'best') => {
      const { resultFile, ...summary } = await testRun(run, { checkpoint, reporter: silentReporter() });
      return { ...summary, detections: await readFile(resultFile, 'utf8') };
    };
    const [chosen, best, last] = [await test(), await test('best'), await test('last')];
    expect(chosen).toEqual(best);
    expect([chosen.checkpoint, last.checkpoint]).toEqual(['best', 'last']);
    expect(chosen.detections).not.toBe(last.detections);
    expect(last.detections).toBe(await readFile(join(run, 'detections.json'), 'utf8'));

    const tiny = await smallConfig(dir, 'data', 'train.epochs=1', 'train.learningRate=1e-30');
    await trainSilently(tiny, { out: join(dir, 'from-selected'), from: run });
    expect(await readFile(join(dir, 'from-selected/detections.json'), 'utf8')).toBe(chosen.detections);
  });

  it('is the last one of a run that keeps no best', async () => {
    expect((await loadModel(join(dir, 'run'))).params).toEqual((await loadCheckpoint(join(dir, 'run'), 'last')).params);
    expect(await testRun(join(dir, 'run'), { reporter: silentReporter() })).toMatchObject({ checkpoint: 'last' });
  });
});

describe('a run folder', () => {
  it('can be used from anywhere: it knows where its data is', async () => {
    const before = process.cwd();
    const run = join(dir, 'moved');
    try {
      process.chdir(dir);
      await trainSilently((await loadLocalizationConfig('small.yaml', { sets: ['train.epochs=1'] })).config, { out: 'moved' });
      expect(JSON.parse(await readFile(join(run, 'run.json'), 'utf8'))).toMatchObject({ from: null });
      await trainSilently((await loadLocalizationConfig('small.yaml', { sets: ['train.epochs=1'] })).config, {
        out: 'second',
        from: 'moved',
      });
    } finally {
      process.chdir(before);
    }
    expect((await loadRunConfig(run)).data.dir).toBe(join(dir, 'data'));
    expect(JSON.parse(await readFile(join(dir, 'second/run.json'), 'utf8'))).toMatchObject({ from: run });
    // There is no epoch left to train, but the data is opened and the run ends as before.
    const whole = await contentsOf(run);
    expect(await trainSilently(await loadRunConfig(run), { out: run, resume: true })).toMatchObject({ epochs: 1 });
    expect(await contentsOf(run)).toEqual(whole);
    const { resultFile } = await testRun(run, { reporter: silentReporter() });
    expect(await readFile(resultFile, 'utf8')).toBe(await readFile(join(run, 'detections.json'), 'utf8'));
  });
});
