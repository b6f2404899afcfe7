import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readArrays } from '../../src/data/files.ts';
import { random } from '../../src/engine/index.ts';
import type { OpensetConfig } from '../../src/openset/config.ts';
import { type Config, loadRunConfig } from '../../src/train/config.ts';
import { loadModel } from '../../src/train/model.ts';
import { silentReporter } from '../../src/train/reporter.ts';
import { testRun } from '../../src/train/testRun.ts';
import { trainRun } from '../../src/train/trainRun.ts';
import { writeVideo } from '../video/writeVideo.ts';
import { trainSilently } from './smallTraining.ts';
import { frames, side, turnsConfig, writeTurn, writeTurns } from './turns.ts';

/** Videos of each class. */
const sets = { turns: { train: 32, test: 16 }, few: { train: 8, test: 4 } } as const;

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-openset-video-'));
  for (const [name, counts] of Object.entries(sets)) await writeTurns(join(dir, name), counts);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const configOf = (...more: readonly string[]): Promise<Config> => turnsConfig(join(dir, 'turns'), ...more);

describe('a TSM trained from scratch on videos whose classes differ in the order of the frames alone', () => {
  it('tells the classes apart', async () => {
    const run = join(dir, 'shifted');
    const { metrics, lines } = await trainSilently(await configOf(), { out: run });
    expect(lines[0]).toBe(`training psl on 64 videos, testing on 32, 2 classes; run folder ${run}`);
    expect(metrics.accuracy).toBeGreaterThanOrEqual(0.95);
  });

  it('is at chance without the shift', async () => {
    const { metrics } = await trainSilently(await configOf('video.backbone.shift=false'), { out: join(dir, 'still') });
    // A test video and its reverse get the same answer, but for the rounding of a mean.
    expect(metrics.accuracy).toBeGreaterThanOrEqual(0.4);
    expect(metrics.accuracy).toBeLessThanOrEqual(0.6);
  });
});

describe('a run on videos', () => {
  const few = async (...more: readonly string[]) =>
    configOf(`data.dir=${join(dir, 'few')}`, 'train.epochs=2', 'train.batchSize=8', 'evaluation.start=9', ...more);

  it('that was interrupted goes on to the same bits, whatever number of threads decodes', async () => {
    const config = await few('train.epochs=3', 'video.training.flip=0.5', 'video.training.colour.probability=1');
    const [whole, resumed] = [join(dir, 'whole'), join(dir, 'resumed')];
    await trainSilently(config, { out: whole });
    const stop = new AbortController();
    const progress = ({ label, done }: { label: string; done: number }) => {
      if (label === 'epoch 2/3' && done === 3) stop.abort();
    };
    const first = await trainRun(config, { out: resumed, reporter: { ...silentReporter(), progress }, signal: stop.signal });
    expect(first).toMatchObject({ interrupted: true, epochs: 1 });
    const { task, video, ...rest } = (await loadRunConfig(resumed)) as OpensetConfig;
    await trainSilently({ ...rest, task, video: { ...video!, workers: 0 } }, { out: resumed, resume: true });
    const [a, b] = [await loadModel(whole), await loadModel(resumed)];
    expect(b.params).toEqual(a.params);
    const stem = a.params['backbone.base_model.bn1.running_mean'].data as Float32Array;
    expect(stem.every(value => value !== 0)).toBe(true);
    // Batches of 8 of 16 videos: two an epoch.
    expect(Number(a.params['backbone.base_model.bn1.num_batches_tracked'].data[0])).toBe(6);
  });

  it('of other classes starts from the backbone alone, which has to fit', async () => {
    const other = await few('train.epochs=1', 'evaluation.start=0', 'data.known=[clockwise, anticlockwise]');
    const from = join(dir, 'whole');
    const { lines } = await trainSilently(other, { out: join(dir, 'tuned'), from });
    const head = 'head.mlp.linear_a.weight, head.mlp.linear_a.bias, head.mlp.linear_a_bn.weight and 7 more';
    expect(lines.slice(0, 2)).toEqual([
      `${from}: ${head}: not there, or of other classes; fresh to start with`,
      `starting from ${from}: 120 parameters of the backbone`,
    ]);
    const narrow = few('video.backbone.width=4', 'data.known=[clockwise, anticlockwise]');
    await expect(trainSilently(await narrow, { out: join(dir, 'never'), from })).rejects.toThrow(
      `${from}: it has no backbone.base_model.conv1.weight that fits this model (another model.featureDim or video.backbone?)`,
    );
    const fresh = await few('train.start=pretrained', 'train.epochs=1', 'evaluation.start=0');
    const told = (await trainSilently(fresh, { out: join(dir, 'fresh') })).lines;
    expect(told[0]).toBe('train.start is pretrained, but there is no --from: training begins with random weights');
  });

  it('takes another data set as the unknown one, and again another in a test', async () => {
    await mkdir(join(dir, 'other', 'noise'), { recursive: true });
    await mkdir(join(dir, 'other', 'clockwise'), { recursive: true });
    const noise = random.uniform(random.key(3), [frames * side * side]).data;
    for (let i = 0; i < 3; i++)
      await writeVideo(join(dir, 'other', 'noise', `${i}.mkv`), {
        frames,
        height: side,
        width: side,
        pixel: (t, y, x) => [200 * noise[(t * side + y) * side + x], 50 * i, 100],
      });
    await writeTurn(join(dir, 'other', 'clockwise', '0.mkv'), 1, 'clockwise');
    const run = join(dir, 'two');
    const unknown = `video.unknown={dir: ${relative(process.cwd(), join(dir, 'other'))}, format: folders, split: 1, exclude: [clockwise]}`;
    const { metrics } = await trainSilently(await few(unknown), { out: run });
    expect(Object.keys(metrics)).toEqual(['AUROC', 'AUPR', 'AUPR.trapezoid', 'FPR95', 'accuracy']);
    const scores = await readArrays(join(run, 'scores.npz'));
    expect([scores.train_unctt.shape, scores.ind_unctt.shape, scores.ood_unctt.shape]).toEqual([[16], [8], [3]]);
    // Labels are those of the other data set, whose first class is left out.
    expect(Array.from(scores.ood_label.data as BigInt64Array, Number)).toEqual([1, 1, 1]);
    const elsewhere = await loadRunConfig(run);
    expect(elsewhere.task === 'openset' && elsewhere.video?.unknown?.dir).toBe(join(dir, 'other'));
    const tested = await testRun(run, { reporter: silentReporter(), sets: ['video.unknown.exclude=[]', 'video.test.views=2'] });
    const more = await readArrays(tested.resultFile);
    expect(more.ood_unctt.shape).toEqual([4]);
    const width = testRun(run, { reporter: silentReporter(), sets: ['video.backbone.width=4'] });
    await expect(width).rejects.toThrow(
      '--set video.backbone.width=4: expected a key that decides about tests alone (data, video.format, video.split, video.unknown, video.test, video.workers, evaluation), found video.backbone.width',
    );
    const strange = few(`video.unknown={dir: ${join(dir, 'other')}, format: folders, split: 1, exclude: [nose]}`);
    await expect(trainSilently(await strange, { out: join(dir, 'never') })).rejects.toThrow(
      `${join(dir, 'other')}: video.unknown.exclude: expected classes of the data set (clockwise, …), found nose`,
    );
  });

  it('goes on without a video that cannot be read, and says so once', async () => {
    const folder = join(dir, 'damaged');
    for (const part of ['train', 'test']) {
      for (const direction of ['clockwise', 'anticlockwise'] as const) {
        await mkdir(join(folder, part, direction), { recursive: true });
        for (let i = 0; i < 4; i++) await writeTurn(join(folder, part, direction, `${i}.mkv`), i, direction);
      }
      await writeFile(join(folder, part, 'clockwise', '1.mkv'), 'no video');
    }
    const run = join(dir, 'damaged-run');
    const { lines } = await trainSilently(await few(`data.dir=${folder}`), { out: run });
    const bad = (part: string) => join(folder, part, 'clockwise', '1.mkv');
    const problem = 'expected a video, found a damaged or unknown file (Invalid data found when processing input)';
    expect(lines.filter(line => line.includes('1.mkv'))).toEqual([
      `${bad('train')}: ${problem}; another video of the batch stands for it`,
      `${bad('train')}: ${problem}; it is left out of the test`,
      `${bad('test')}: ${problem}; it is left out of the test`,
    ]);
    const scores = await readArrays(join(run, 'scores.npz'));
    expect([scores.train_pred.shape, scores.ind_pred.shape]).toEqual([[7], [7]]);
  });

  it('needs a method that has use for a second clip', async () => {
    await expect(configOf('method=rpl')).rejects.toThrow(
      'video.training.clips: expected 1, since rpl has no use for a second clip, found 2',
    );
  });
});
