import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFeatures } from '../../src/data/features.ts';
import { ndarray } from '../../src/engine/index.ts';
import { localizeOptions } from '../../src/localization/config.ts';
import type { Detection } from '../../src/localization/detections.ts';
import { sampledVideo } from '../../src/localization/inferVideo.ts';
import { localize } from '../../src/localization/localize.ts';
import { loadConfig, requireLocalization } from '../../src/train/config.ts';
import { exportFile } from '../../src/train/exportFile.ts';
import { loadModel } from '../../src/train/model.ts';
import { silentReporter } from '../../src/train/reporter.ts';
import { testRun } from '../../src/train/testRun.ts';
import { trainRun } from '../../src/train/trainRun.ts';

const data = join(resolve(process.env.INKLING_SHARED ?? '../shared'), 'data', 'gym-untrimmed');

describe('the ONNX model of a run on gym-untrimmed', () => {
  let dir = '';
  let run = '';
  let tested: Record<string, Detection[]> = {};
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'inkling-export-'));
    run = join(dir, 'run');
    // One epoch is not enough to be sure of anything: thresholds near what an untrained network says give detections to compare.
    const thresholds = [
      'inference.proposals.casThresholds=[0.0765, 0.077, 0.0775]',
      'inference.proposals.attentionThresholds={start: 0.001, stop: 0.02, step: 0.001}',
    ];
    const sets = [`data.dir=${data}`, 'train.epochs=1', ...thresholds];
    const { config } = await loadConfig('localization/gym-untrimmed/acm-net', { sets });
    await trainRun(config, { out: run, reporter: silentReporter() });
    const { resultFile } = await testRun(run, { reporter: silentReporter() });
    tested = (JSON.parse(await readFile(resultFile, 'utf8')) as { results: Record<string, Detection[]> }).results;
  }, 300_000);
  afterAll(() => rm(dir, { recursive: true, force: true }));

  it('gives the detections of test under plain onnxruntime, for videos of every length', async () => {
    const model = await loadModel(run);
    const file = join(dir, 'model.onnx');
    const { check } = await exportFile(model, { format: 'onnx', out: file });
    expect(check?.largestDifference).toBeLessThan(1e-6);
    const session = await InferenceSession.create(file);
    const config = requireLocalization(model.config, run);
    const { samples } = config.data;
    const lengths = new Set<number>();
    let worst = 0;
    for (const [name, expected] of Object.entries(tested)) {
      const features = await readFeatures([join(data, 'test', `${name}.npy`)]);
      const input = sampledVideo(features, samples);
      lengths.add(input.shape[1]);
      const output = await session.run({ features: new Tensor('float32', input.data as Float32Array, input.shape) });
      const first = (key: string) => ndarray('float32', output[key].dims.slice(1), output[key].data as Float32Array);
      const prediction = {
        classScores: first('classScores'),
        attention: first('attention'),
        cas: first('cas'),
        snippets: features.shape[0],
      };
      const detections = localize(prediction, model.classes, localizeOptions(config));
      expect(detections.map(({ label }) => label)).toEqual(expected.map(({ label }) => label));
      for (const [i, { score, segment }] of detections.entries()) {
        worst = Math.max(worst, Math.abs(score - expected[i].score));
        for (const [k, time] of segment.entries()) expect(time).toBeCloseTo(expected[i].segment[k], 6);
      }
    }
    await session.release();
    expect(Object.keys(tested)).toHaveLength(60);
    expect(lengths.size).toBeGreaterThanOrEqual(3);
    expect(Object.values(tested).flat().length).toBeGreaterThan(1000);
    expect(worst).toBeLessThan(1e-5);
  });
});
