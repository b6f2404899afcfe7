import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readArrays } from '../../src/data/files.ts';
import { loadExportedModel } from '../../src/train/exportedModel.ts';
import { exportFile } from '../../src/train/exportFile.ts';
import { loadModel } from '../../src/train/model.ts';
import { featureInput } from '../../src/train/predict.ts';
import { recognizeFiles } from '../../src/train/recognize.ts';
import { silentReporter } from '../../src/train/reporter.ts';
import { trainSilently } from './smallTraining.ts';
import { turnsConfig, writeTurns } from './turns.ts';

let dir = '';
let run = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-recognize-video-'));
  run = join(dir, 'run');
  await writeTurns(join(dir, 'turns'), { train: 8, test: 4 });
  // Few dimensions: of a Gaussian that 16 clips hardly determine, rounding decides.
  const few = ['train.epochs=2', 'train.batchSize=8', 'evaluation.start=1', 'model.embeddingDim=4'];
  // Three crops, which a square has in one place, and two views.
  const views = ['video.test.crops=3', 'video.test.views=2', 'evaluation.uncertainty=mahalanobis'];
  await trainSilently(await turnsConfig(join(dir, 'turns'), ...few, ...views), { out: run });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const testVideo = (name: string) => featureInput(join(dir, 'turns', 'test', name));
const reporter = silentReporter();

describe('a recogniser of videos', () => {
  it('says of test videos what the test said, as a run and as an ONNX model', async () => {
    const scores = await readArrays(join(run, 'scores.npz'));
    const inputs = ['anticlockwise', 'clockwise'].flatMap(c => [0, 1, 2, 3].map(i => testVideo(`${c}/${i}.mkv`)));
    const model = await loadModel(run);
    const { clips, threshold, failures } = await recognizeFiles(model, inputs, { reporter });
    const expected = Array.from(scores.ind_unctt.data as Float64Array);
    const confidence = scores.ind_conf.data as Float32Array;
    for (const [i, { uncertainty, classes }] of clips.entries()) {
      expect(classes[0].probability).toBeCloseTo(confidence[i], 5);
      // Distances to a Gaussian of 16 clips after two epochs: the graphs round differently, and its narrow axes enlarge that.
      expect(Math.abs(uncertainty / expected[i] - 1)).toBeLessThan(1e-3);
    }
    const predicted = clips.map(({ classes: [{ label }] }) => model.classes.indexOf(label));
    expect(predicted).toEqual(Array.from(scores.ind_pred.data as BigInt64Array, Number));
    expect(threshold.rule).toMatch(/^accepts 95 % of the 16 training clips/);
    expect(failures).toEqual([]);

    const out = join(dir, 'turns.onnx');
    const { check } = await exportFile(model, { format: 'onnx', out });
    expect(check?.inputs[0].name).toBe('clips');
    expect(check?.largestDifference).toBeLessThan(1e-5);
    const again = await recognizeFiles(await loadExportedModel(out), inputs, { reporter });
    expect(again.threshold).toEqual(threshold);
    for (const [i, { uncertainty, isUnknown }] of again.clips.entries()) {
      expect(Math.abs(uncertainty / clips[i].uncertainty - 1)).toBeLessThan(1e-3);
      expect(isUnknown).toBe(clips[i].isUnknown);
    }
  });

  it('goes on after a video that cannot be read, and refuses what is no video', async () => {
    const broken = join(dir, 'broken.mp4');
    await writeFile(broken, 'no video');
    const inputs = [featureInput(broken), testVideo('clockwise/0.mkv')];
    const { clips, failures } = await recognizeFiles(await loadModel(run), inputs, { reporter });
    expect(clips.map(({ input }) => input)).toEqual([join(dir, 'turns', 'test', 'clockwise', '0.mkv')]);
    expect(failures).toEqual([
      {
        input: broken,
        problem: `${broken}: expected a video, found a damaged or unknown file (Invalid data found when processing input)`,
      },
    ]);
    const features = recognizeFiles(await loadModel(run), [featureInput('x.npy')], { reporter });
    await expect(features).rejects.toThrow('x.npy: expected a video, which the model reads, found another file');
  });
});
