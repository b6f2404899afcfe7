import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFeatures } from '../../src/data/features.ts';
import { encodeNpy } from '../../src/data/formats/npy.ts';
import { ndarray } from '../../src/engine/ndarray.ts';
import { runCli } from './runCli.ts';
import { contentsOf, featureDim, metricsOf, oneProcess, phase2, smallExperiment, succeed } from './smallRun.ts';

interface TrainJson {
  run: string;
  epochs: number;
  interrupted: boolean;
  metrics: Record<string, number>;
  best?: { epoch: number; metric: string; value: number };
}
interface DetectionsFile {
  results: Record<string, { label: string; score: number; segment: [number, number] }[]>;
}

let dir = '';
let remove = async (): Promise<void> => {};
let trained = { stdout: '', stderr: '' };
let summary: TrainJson;
beforeAll(async () => {
  ({ dir, remove } = await smallExperiment());
  trained = await succeed(['train', 'small.yaml', '--out', 'run', '--set', 'evaluation.select=best-on-test', '--json'], dir);
  summary = JSON.parse(trained.stdout) as TrainJson;
});
afterAll(() => remove());

const text = (path: string): Promise<string> => readFile(join(dir, path), 'utf8');
const json = async <T>(path: string): Promise<T> => JSON.parse(await text(path)) as T;
const videos = ['synthetic_test_000', 'synthetic_test_001', 'synthetic_test_002'];

describe.concurrent('train', () => {
  it('prints one JSON object and nothing else, with the metrics of the last test', async () => {
    expect(trained.stdout.trim().split('\n')).toHaveLength(1);
    expect(Object.keys(summary).sort()).toEqual(['best', 'epochs', 'interrupted', 'metrics', 'run']);
    expect(summary).toMatchObject({ run: 'run', epochs: 3, interrupted: false });
    const records = (await metricsOf(join(dir, 'run'))) as { epoch: number; test: Record<string, number> }[];
    expect(records.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    expect(summary.metrics).toEqual(records[2].test);
  });

  it('keeps the best on the test set, and its log names that', async () => {
    const records = (await metricsOf(join(dir, 'run'))) as { epoch: number; test: Record<string, number> }[];
    const values = records.map(({ test }) => test['mAP@0.1:0.7']);
    const value = Math.max(...values);
    expect(summary.best).toEqual({ epoch: values.indexOf(value) + 1, metric: 'mAP@0.1:0.7', value });
    expect(trained.stderr).toContain(
      `epoch ${summary.best?.epoch} is the best on the test set so far (selected on the test set, as in the papers)\n`,
    );
    const best = JSON.parse((await succeed(['test', 'run', '--checkpoint', 'best', '--json'], dir)).stdout) as {
      average: unknown;
    };
    expect(best.average).toEqual({ range: '0.1:0.7', value });
    expect(await text('run/test-best-detections.json')).toBe(await text('run/best-detections.json'));
  });

  it('takes overrides and a seed, which decide the outcome', async () => {
    const sets = ['--set', 'train.epochs=2', '--set', 'train.seed=7'];
    await succeed(['train', 'small.yaml', '--out', 'sets', ...sets], dir);
    await succeed(['train', 'small.yaml', '--out', 'seed', '--set', 'train.epochs=2', '--seed', '7'], dir);
    await succeed(['train', 'small.yaml', '--out', 'other', '--set', 'train.epochs=2', '--seed', '8'], dir);
    expect(await text('sets/config.yaml')).toMatch(/^ {2}epochs: 2$/m);
    expect(await text('sets/config.yaml')).toMatch(/^ {2}seed: 7$/m);
    const sevens = await contentsOf(join(dir, 'sets'));
    expect(await contentsOf(join(dir, 'seed'))).toEqual(sevens);
    expect((await metricsOf(join(dir, 'other')))[1]).not.toEqual((await metricsOf(join(dir, 'sets')))[1]);
  });

  it('starts phase 2 from a run or a model file alike, and says what it took', async () => {
    const options = [...phase2, '--set', 'train.epochs=1', '--set', 'train.learningRate=1e-30'];
    const fromRun = await succeed(['train', 'small.yaml', '--out', 'phase2', '--from', 'run', ...options], dir);
    expect(fromRun.stderr).toMatch(/^starting from run: \d+ parameters$/m);
    expect(await json('phase2/run.json')).toMatchObject({ method: 'ftcl', from: join(dir, 'run') });
    // With steps too small to change anything the outcome is that of the weights it started from.
    const { test } = await json<{ test: Record<string, number> }>('phase2/metrics.jsonl');
    expect(test['mAP@0.1:0.7']).toBe(summary.best?.value);
    expect(await text('phase2/detections.json')).toBe(await text('run/best-detections.json'));

    await succeed(['train', 'small.yaml', '--out', 'start', '--set', 'train.epochs=1'], dir);
    await succeed(['train', 'small.yaml', '--out', 'of-run', '--from', 'start', ...options], dir);
    await succeed(['train', 'small.yaml', '--out', 'of-model', '--from', 'start/model.safetensors', ...options], dir);
    const { 'run.json': record, ...ofModel } = await contentsOf(join(dir, 'of-model'));
    expect({ ...(await contentsOf(join(dir, 'of-run'))), 'run.json': record }).toEqual({ ...ofModel, 'run.json': record });

    const fresh = await runCli(['train', 'small.yaml', '--out', 'unfounded', ...options], dir, oneProcess);
    expect(fresh.stderr).toContain('warning: FTCL is the second phase: without --from RUN it starts from random weights');
    expect(await text('unfounded/detections.json')).not.toBe(await text('run/best-detections.json'));
  });
});

describe.concurrent('test', () => {
  it('gives what training measured last, as JSON of a known form', async () => {
    const { stdout } = await succeed(['test', 'run', '--checkpoint', 'last', '--json'], dir);
    expect(stdout.trim().split('\n')).toHaveLength(1);
    const result = JSON.parse(stdout) as { mAP: Record<string, number>; metrics: Record<string, number> };
    const tious = ['0.1', '0.2', '0.3', '0.4', '0.5', '0.6', '0.7', '0.8', '0.9'];
    expect(result).toEqual({
      run: 'run',
      checkpoint: 'last',
      epoch: 3,
      mAP: Object.fromEntries(tious.map(tiou => [tiou, summary.metrics[`mAP@${tiou}`]])),
      average: { range: '0.1:0.7', value: summary.metrics['mAP@0.1:0.7'] },
      metrics: summary.metrics,
      detections: 'run/test-last-detections.json',
    });
    expect(await text('run/test-last-detections.json')).toBe(await text('run/detections.json'));
  });

  it('runs where it is told to, with the same result', async () => {
    const { stdout } = await succeed(['test', 'run', '--device', 'cpu', '--threads', '1', '--checkpoint', 'last', '--json'], dir);
    expect((JSON.parse(stdout) as TrainJson).metrics).toEqual(summary.metrics);
    const refused = await runCli(['test', 'run', '--threads', '0'], dir, oneProcess);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/^error: option '--threads <n>' argument '0' is invalid\. [^\n]*\n$/),
    ]);
  });

  it('prints percent otherwise', async () => {
    const { stdout } = await succeed(['test', 'run', '--checkpoint', 'last'], dir);
    expect(stdout).toContain(`\nmAP@0.1:0.7: ${(100 * summary.metrics['mAP@0.1:0.7']).toFixed(2)} %\n`);
    expect(stdout).toMatch(/\ndetections: run\/test-last-detections\.json\n$/);
  });
});

describe.concurrent('check-data', () => {
  it('says of a configuration what a test on its data would stumble over', async () => {
    const strange = { database: { other: { annotations: [{ label: 'x', segment: [0, 1] }] } } };
    await writeFile(join(dir, 'data/strange.json'), JSON.stringify(strange));
    const args = ['check-data', 'small.yaml', '--set', 'data.groundTruth=strange.json', '--json'];
    const { code, stdout } = await runCli(args, dir, oneProcess);
    const { ok, findings } = JSON.parse(stdout) as { ok: boolean; findings: { level: string; message: string }[] };
    expect([code, ok]).toEqual([1, false]);
    // The data set itself is right.
    expect(findings.map(({ level }) => level)).toEqual(['error', 'info', 'info', 'info']);
    expect(findings[0].message).toMatch(
      /^\/.*data\/strange\.json: expected segments of the test videos \(synthetic_test_000, …\), found none$/,
    );
    expect(findings[1].message).toBe('6 training and 3 test videos, 2 classes');
  });
});

describe.concurrent('predict', () => {
  it('gives the detections of the test, from the run folder and from the best model file', async () => {
    // best-on-test was asked for, so the best one is what the run folder and the exported model stand for.
    await succeed(['predict', 'run', 'data/test', '--out', 'of-run.json'], dir);
    const ofRun = await json<DetectionsFile>('of-run.json');
    expect(Object.keys(ofRun.results)).toEqual(videos);
    expect(ofRun.results).toEqual((await json<DetectionsFile>('run/best-detections.json')).results);
    expect(Object.values(ofRun.results).flat().length).toBeGreaterThan(3);

    const { stdout } = await succeed(['predict', 'run/model.safetensors', 'data/test', '--json'], dir);
    expect(stdout.trim().split('\n')).toHaveLength(1);
    expect((JSON.parse(stdout) as DetectionsFile).results).toEqual(
      (await json<DetectionsFile>('run/best-detections.json')).results,
    );
  });

  it('gives the same from the run folder and from the model file that ends a plain run', async () => {
    await succeed(['train', 'small.yaml', '--out', 'plain', '--set', 'train.epochs=1'], dir);
    const input = `data/test/${videos[1]}.npy`;
    const [run, model] = await Promise.all(
      ['plain', 'plain/model.safetensors'].map(source => succeed(['predict', source, input, '--json'], dir)),
    );
    expect(model.stdout).toBe(run.stdout);
    const { results } = await json<DetectionsFile>('plain/detections.json');
    expect((JSON.parse(run.stdout) as DetectionsFile).results).toEqual({ [videos[1]]: results[videos[1]] });
  });

  it('puts the streams of a folder with rgb/ and flow/ side by side', async () => {
    for (const [stream, from] of [
      ['rgb', 0],
      ['flow', 3],
    ] as const) {
      await mkdir(join(dir, 'streams', stream), { recursive: true });
      for (const video of videos.slice(0, 2)) {
        const { shape, data } = await readFeatures([join(dir, 'data/test', `${video}.npy`)]);
        const width = stream === 'rgb' ? 3 : featureDim - 3;
        const part = Float32Array.from(
          { length: shape[0] * width },
          (_, i) => data[Math.floor(i / width) * featureDim + from + (i % width)],
        );
        await writeFile(join(dir, 'streams', stream, `${video}.npy`), encodeNpy(ndarray('float32', [shape[0], width], part)));
      }
    }
    const { stdout } = await succeed(['predict', 'run', 'streams', '--checkpoint', 'last', '--json'], dir);
    const { results } = await json<DetectionsFile>('run/detections.json');
    expect((JSON.parse(stdout) as DetectionsFile).results).toEqual({
      [videos[0]]: results[videos[0]],
      [videos[1]]: results[videos[1]],
    });

    await rm(join(dir, 'streams/flow', `${videos[1]}.npy`));
    const { code, stderr } = await runCli(['predict', 'run', 'streams'], dir, oneProcess);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^error: streams\/flow\/synthetic_test_001\.npy: .*\n$/)]);
  });

  // Where the runtime is built for CUDA but the machine has none of its libraries, too.
  it.skipIf(existsSync('/dev/nvidia0'))('names a device that is not there in one line', async () => {
    const input = `data/test/${videos[0]}.npy`;
    const { code, stdout, stderr } = await runCli(['predict', 'run', input, '--device', 'cuda', '--json'], dir, oneProcess);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^error: [^\n]*cuda[^\n]*\n$/i);
  });

  it('prints one line a detection otherwise, the surest first', async () => {
    const { stdout } = await succeed(['predict', 'run', `data/test/${videos[0]}.npy`], dir);
    const found = (await json<DetectionsFile>('run/best-detections.json')).results[videos[0]].toSorted(
      (a, b) => b.score - a.score,
    );
    const lines = found.map(({ label, score, segment: [start, end] }) =>
      [videos[0], start.toFixed(2), end.toFixed(2), label, score.toFixed(4)].join('\t'),
    );
    expect(stdout.trim().split('\n')).toEqual(lines);
  });
});

describe.concurrent('eval localization', () => {
  it('scores the detections of a run as the run did', async () => {
    await writeFile(join(dir, 'copy.json'), await text('run/detections.json'));
    const args = ['eval', 'localization', '--detections', 'copy.json', '--ground-truth', 'data/gt.json', '--json'];
    const { stdout } = await succeed(args, dir);
    const tious = ['0.1', '0.2', '0.3', '0.4', '0.5', '0.6', '0.7'];
    const mAP = Object.fromEntries(tious.map(tiou => [tiou, summary.metrics[`mAP@${tiou}`]]));
    expect(stdout).toBe(`${JSON.stringify({ mAP, average: { range: '0.1:0.7', value: summary.metrics['mAP@0.1:0.7'] } })}\n`);
  });
});
