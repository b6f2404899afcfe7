import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../cli/runCli.ts';
import { contentsOf, metricsOf, oneProcess, phase2, smallExperiment, succeed } from '../cli/smallRun.ts';

interface Annotation {
  label: string;
  segment?: [number, number];
}
interface Video {
  subset: string;
  duration?: number;
  annotations: Annotation[];
}

let dir = '';
let remove = async (): Promise<void> => {};
let database: Record<string, Video> = {};
beforeAll(async () => {
  ({ dir, remove } = await smallExperiment());
  database = (JSON.parse(await readFile(join(dir, 'data/gt.json'), 'utf8')) as { database: typeof database }).database;
});
afterAll(() => remove());

describe.concurrent('labels in a CSV file', () => {
  it('suffice to train; the test is one of classification, and says so', async () => {
    const data = join(dir, 'labels');
    await mkdir(data);
    for (const part of ['train', 'test', 'split_train.txt', 'split_test.txt'])
      await cp(join(dir, 'data', part), join(data, part), { recursive: true });
    const rows = Object.entries(database).flatMap(([name, { annotations }]) =>
      [...new Set(annotations.map(({ label }) => label))].map(label => `${name},${label}`),
    );
    await writeFile(join(data, 'labels.csv'), `video,label\n${rows.join('\n')}\n`);

    const trained = await succeed(['train', 'small.yaml', '--data', 'labels', '--out', 'from-csv', '--json'], dir);
    expect(trained.stderr).toContain(
      'warning: the test videos have no segments: only their classification is tested, there is no detection mAP\n',
    );
    expect(trained.stderr).toMatch(/^epoch 3: classification\.mAP [\d.]+ %$/m);
    const { metrics } = JSON.parse(trained.stdout) as { metrics: Record<string, number> };
    expect(Object.keys(metrics).filter(name => !name.startsWith('loss.'))).toEqual([
      'classification.mAP',
      'classification.accuracy',
    ]);

    const tested = await succeed(['test', 'from-csv'], dir);
    expect(tested.stdout).toMatch(/^the test videos have no segments, so there is no detection mAP\n/);
    const json = JSON.parse((await succeed(['test', 'from-csv', '--json'], dir)).stdout) as Record<string, unknown>;
    expect(Object.keys(json).sort()).toEqual(['checkpoint', 'detections', 'epoch', 'metrics', 'run']);
    expect(json.metrics).toEqual(metrics);

    // The same labels, beside segments, train the same weights.
    await cp(join(dir, 'data'), join(dir, 'with-segments'), { recursive: true });
    await succeed(['train', 'small.yaml', '--data', 'with-segments', '--out', 'from-json'], dir);
    const weights = (run: string) => readTensors(join(dir, run, 'model.safetensors'));
    expect(await weights('from-csv')).toEqual(await weights('from-json'));
  });

  it('and nothing else: a data set without test videos trains too', async () => {
    const data = join(dir, 'flat');
    await cp(join(dir, 'data/train'), data, { recursive: true });
    const train = Object.entries(database).filter(([, { subset }]) => subset === 'validation');
    await writeFile(
      join(data, 'labels.csv'),
      `video,label\n${train.map(([n, v]) => `${n},${v.annotations[0].label}`).join('\n')}`,
    );
    const { code, stdout, stderr } = await runCli(
      ['train', 'small.yaml', '--data', 'flat', '--out', 'untested', '--json'],
      dir,
      oneProcess,
    );
    expect({ code, ...(JSON.parse(stdout) as object) }).toMatchObject({ code: 0, epochs: 3, metrics: {} });
    expect(stderr).toContain('warning: no test videos with labels or segments: the run will be trained without tests\n');
    expect(await metricsOf(join(dir, 'untested'))).toHaveLength(3);
    expect(await runCli(['test', 'untested'], dir, oneProcess)).toEqual({
      code: 1,
      stdout: '',
      stderr: `error: ${join(dir, 'flat')}: the data set has no test videos\n`,
    });
  });
});

/** The part of a safetensors file behind its header. */
async function readTensors(path: string): Promise<Buffer> {
  const bytes = await readFile(path);
  return bytes.subarray(8 + Number(bytes.readBigUInt64LE(0)));
}

const alterations: Readonly<Record<string, (video: Video) => Video>> = {
  deleted: video => ({ ...video, duration: undefined, annotations: video.annotations.map(({ label }) => ({ label })) }),
  altered: video => ({
    ...video,
    annotations: video.annotations.map(({ label }, i) => ({ label, segment: [i, 1.5 * i + 0.25] })),
  }),
};

describe.concurrent('training reads no segment', () => {
  it.each([
    ['acm-net', []],
    ['ftcl', phase2],
    ['in-batch', ['--set', 'loss.sequence.terms=in-batch']],
  ])('whatever is done to those of the training videos, every file is the same: %s', async (method, options) => {
    // The same path each time, since the run folder records it.
    const data = join(dir, `altered-${method}`);
    const train = async (name: string, alter: (video: Video) => Video): Promise<Record<string, unknown>> => {
      await rm(data, { recursive: true, force: true });
      await cp(join(dir, 'data'), data, { recursive: true });
      const changed = Object.entries(database).map(([key, v]) => [key, v.subset === 'validation' ? alter(v) : v] as const);
      await writeFile(join(data, 'gt.json'), JSON.stringify({ database: Object.fromEntries(changed) }));
      await succeed(['train', 'small.yaml', '--data', `altered-${method}`, '--out', `${method}-${name}`, ...options], dir);
      return contentsOf(join(dir, `${method}-${name}`));
    };
    const untouched = await train('untouched', video => video);
    expect(Object.keys(untouched)).toContain('model.safetensors');
    for (const [name, alter] of Object.entries(alterations)) expect(await train(name, alter), name).toEqual(untouched);
  });
});
