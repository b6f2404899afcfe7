import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readArrays } from '../../src/data/files.ts';
import { encodeNpy } from '../../src/data/formats/npy.ts';
import { ndarray, random } from '../../src/engine/index.ts';
import { fewshotMethods } from '../../src/fewshot/config.ts';
import { type Config, dumpConfig, loadConfig, loadRunConfig, parseConfig } from '../../src/train/config.ts';
import { packageConfigs } from '../../src/train/configFile.ts';
import { loadModel } from '../../src/train/model.ts';
import { silentReporter } from '../../src/train/reporter.ts';
import { testRun } from '../../src/train/testRun.ts';
import { trainRun } from '../../src/train/trainRun.ts';
import { trainSilently } from './smallTraining.ts';

const width = 16;
const signal = 6;
const classes = Array.from({ length: 14 }, (_, i) => `class ${i}`);
const perClass = 12;

/** The first columns tell classes apart; the others are loud, and the same for all: what matters has to be learnt. */
function clipOf(label: number, i: number, rows: number, columns = width) {
  const own = random.normal(random.key(1000 + label), [signal]).data;
  const noise = random.normal(random.fold(random.key(label), i), [rows, columns]).data;
  const data = noise.map((value, j) => (j % columns < signal ? own[j % columns] + 0.2 * value : 2 * value));
  return encodeNpy(ndarray('float32', [rows, columns], data));
}

interface Item {
  readonly file: string;
  readonly label: string;
  readonly subset?: string;
}
let dir = '';
let items: Item[] = [];
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-fewshot-'));
  await mkdir(join(dir, 'data'));
  items = classes.flatMap((label, c) => Array.from({ length: perClass }, (_, i) => ({ file: `${c}-${i}.npy`, label })));
  for (const [at, { file }] of items.entries())
    await writeFile(join(dir, 'data', file), clipOf(Math.floor(at / perClass), at % perClass, 2 + (at % 5)));
  await writeFile(join(dir, 'data', 'index.json'), JSON.stringify({ classes, items }));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const configOf = async (...sets: readonly string[]): Promise<Config> => {
  const small = [
    `data.dir=${join(dir, 'data')}`,
    'data.classes={train: 8, val: 0, test: 6}',
    'episode.queries=3',
    'model.frames=4',
    `model.featureDim=${width}`,
    'model.attentionHeads=2',
    'model.trx={tupleSizes: [2], width: 16}',
    'model.crosstransformer.width=16',
    'train.epochs=2',
    'train.iterations=4',
    'train.accumulate=2',
    'train.learningRate=0.003',
    'train.schedule.kind=constant',
    'train.schedule.warmupEpochs=0',
    'train.threads=1',
    'evaluation.split=test',
    'evaluation.episodes=40',
    'evaluation.final.episodes=60',
  ];
  return (await loadConfig('fewshot/base', { sets: [...small, ...sets] })).config;
};

/** A copy of the data with another index and other files. */
async function dataWith(
  name: string,
  change: (items: readonly Item[]) => readonly Item[],
  files: Readonly<Record<string, Uint8Array>> = {},
) {
  const to = join(dir, name);
  await mkdir(to);
  for (const { file } of items) await writeFile(join(to, file), await readFile(join(dir, 'data', file)));
  for (const [file, content] of Object.entries(files)) await writeFile(join(to, file), content);
  await writeFile(join(to, 'index.json'), JSON.stringify({ classes, items: change(items) }));
  return `data.dir=${to}`;
}

describe('a few-shot run', () => {
  it('learns what tells classes apart, and tells apart others by it', async () => {
    const run = join(dir, 'learns');
    const config = await configOf('train.epochs=15', 'train.iterations=40', 'evaluation.every=100', 'evaluation.episodes=300');
    const { metrics, lines } = await trainSilently(config, { out: run });
    const untrained = join(dir, 'untrained');
    const base = await trainSilently(await configOf('method=otam', 'train.epochs=1', 'evaluation.episodes=300'), {
      out: untrained,
    });
    expect(lines[0]).toBe(`training hyrsm++ on 96 clips, testing on 72, 8 classes; run folder ${run}`);
    expect(base.lines[0]).toBe('otam has no parameters on features: there is nothing to train, only to test');
    expect(metrics.accuracy - metrics.interval).toBeGreaterThan(base.metrics.accuracy + base.metrics.interval + 0.1);
    expect(metrics.interval).toBeGreaterThan(0);
    expect((await loadModel(run)).classes).toHaveLength(8);
    expect(Object.keys((await loadModel(untrained)).params)).toEqual([]);
  });

  it.each(['hyrsm', 'trx', 'crosstransformer', 'hyrsm++-semi'])('of %s changes all of its weights', async method => {
    const run = join(dir, method);
    const sets =
      method === 'hyrsm++-semi' ? ['episode.unlabelled={perClass: 2, distractors: 1}', 'model.semi.threshold=0.2'] : [];
    const config = await configOf(`method=${method}`, ...sets);
    const { metrics } = await trainSilently(config, { out: run });
    expect(metrics.accuracy).toBeGreaterThan(0.1);
    const [before, after] = [await loadModel(join(run), 'last'), await trainedFrom(run, config)];
    const unused = /pe\.pe$|norm_v/;
    for (const [name, { data }] of Object.entries(after))
      if (!unused.test(name)) expect([name, String(data) !== String(before.params[name].data)]).toEqual([name, true]);
  });

  /** The weights after going on from a run. */
  async function trainedFrom(run: string, config: Config) {
    await trainSilently(config, { out: `${run}-on`, from: run });
    return (await loadModel(`${run}-on`)).params;
  }

  it('that was interrupted goes on to the same bits, dropout and unlabelled clips included', async () => {
    const config = await configOf('method=hyrsm++-semi', 'episode.unlabelled={perClass: 1, distractors: 1}', 'train.epochs=4');
    const [whole, resumed] = [join(dir, 'whole'), join(dir, 'resumed')];
    await trainSilently(config, { out: whole });
    const stop = new AbortController();
    const progress = ({ label, done }: { label: string; done: number }) => {
      if (label === 'epoch 3/4' && done === 5) stop.abort();
    };
    const first = await trainRun(config, { out: resumed, reporter: { ...silentReporter(), progress }, signal: stop.signal });
    expect(first).toMatchObject({ interrupted: true, epochs: 2 });
    const continued = await loadRunConfig(resumed);
    await trainSilently(continued, { out: resumed, resume: true });
    expect((await loadModel(resumed)).params).toEqual((await loadModel(whole)).params);
    expect(await readFile(join(resumed, 'episodes.npz'))).toEqual(await readFile(join(whole, 'episodes.npz')));
  });

  it('is tested by evaluation.final, the same every time, and with other shots', async () => {
    const run = join(dir, 'tested');
    await trainSilently(await configOf(), { out: run });
    const test = (...sets: string[]) => testRun(run, { sets, reporter: silentReporter() });
    const [one, again] = [await test(), await test()];
    expect(again.metrics).toEqual(one.metrics);
    expect([one.results, one.resultFile, one.otherFiles]).toEqual([
      'episodes',
      join(run, 'test-last-episodes.npz'),
      [join(run, 'test-last-accuracy.json')],
    ]);
    const { accuracy, scores } = await readArrays(one.resultFile);
    expect([accuracy.shape, scores.shape]).toEqual([[60], [60, 5, 5]]);
    const mean = (accuracy.data as Float64Array).reduce((a, b) => a + b, 0) / 60;
    expect(one.metrics.accuracy).toBeCloseTo(mean, 12);
    await test('episode.shot=5', 'evaluation.final.seed=9', 'evaluation.final.episodes=20');
    const summary = JSON.parse(await readFile(join(run, 'test-last-accuracy.json'), 'utf8'));
    expect(summary).toMatchObject({ split: 'test', shot: 5, queries: 1, way: 5, seed: 9, episodes: 20 });
    expect(summary.classes).toHaveLength(6);
  });

  it('takes the parts that an index states', async () => {
    const subset = ({ label }: Item) => (classes.indexOf(label) < 8 ? 'train' : 'test');
    const data = await dataWith('stated', all => all.map(item => ({ ...item, subset: subset(item) })));
    const run = join(dir, 'stated-run');
    await trainSilently(await configOf(data, 'data.classes=null'), { out: run });
    expect((await loadModel(run)).classes).toEqual(classes.slice(0, 8));
  });
});

describe('data that few-shot training cannot use', () => {
  const fails = async (...sets: string[]): Promise<string> => {
    const config = await configOf(...sets);
    const failure = await trainRun(config, { out: join(dir, 'never'), reporter: silentReporter() }).catch(
      (error: Error) => error,
    );
    return (failure as Error).message.replaceAll(dir, '.');
  };

  it('is told in one line: a class with fewer clips than shot + query', async () => {
    const few = await dataWith('few', all => all.filter(({ label, file }) => label !== 'class 3' || /-[012]\.npy$/.test(file)));
    expect(await fails(few, `data.classes={train: [${classes.slice(0, 8).join(', ')}], val: 0, test: 6}`)).toBe(
      './few: train: class "class 3": an episode needs 4 clips (1 shot + 3 queries), found 3',
    );
  });

  it('fewer classes than way', async () => {
    expect(await fails('data.classes={train: 9, val: 0, test: 4}')).toBe('./data: test: 5-way episodes need 5 classes, found 4');
    expect(await fails('data.classes={train: 9, val: 0, test: 6}')).toBe(
      './data: data.classes: 15 classes to draw, found 14 that no part names',
    );
  });

  it('a class in two parts', async () => {
    const data = await dataWith('both', all => all.map((item, i) => ({ ...item, subset: i % 2 === 0 ? 'train' : 'test' })));
    expect(await fails(data, 'data.classes=null')).toBe(
      './both: class "class 0" is in both train and test, and so are 13 more; few-shot classes belong to one part',
    );
  });

  it('clips of zero frames, and of another width', async () => {
    const empty = encodeNpy(ndarray('float32', [0, width], new Float32Array(0)));
    const names = `{train: [${classes.slice(0, 8).join(', ')}], val: 0, test: 6}`;
    const none = await dataWith('none', all => all, { '2-5.npy': empty });
    expect(await fails(none, `data.classes=${names}`)).toBe('./none/2-5.npy: the video is empty: its features have no rows');
    const wide = await dataWith('wide', all => all, { '2-5.npy': clipOf(2, 5, 3, 20) });
    expect(await fails(wide, `data.classes=${names}`)).toBe('./wide/2-5.npy: expected features of width 16, found 20');
  });

  it('options that do not fit it', async () => {
    expect(await fails('model.classes=9')).toBe('./data: model.classes: expected 8, the training classes, found 9');
    expect(await fails('train.ema=0.9')).toContain('train.ema: expected null');
  });
});

describe('the few-shot configurations of the package', () => {
  it.each(['gym-i3d', 'msraction3d'])('of %s train every method, and survive a dump unchanged', async family => {
    const files = (await readdir(join(packageConfigs, 'fewshot', family))).filter(name => name !== 'base.yaml');
    const methods: string[] = [];
    for (const file of files) {
      const { config } = await loadConfig(`fewshot/${family}/${basename(file, '.yaml')}`);
      expect(parseConfig(parse(dumpConfig(config)), 'dump')).toEqual(config);
      methods.push(config.method);
      for (const shot of [1, 5])
        await loadConfig(`fewshot/${family}/${basename(file, '.yaml')}`, { sets: [`episode.shot=${shot}`] });
    }
    expect(methods.sort()).toEqual([...fewshotMethods].sort());
  });
});
