import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesText, countText, flopsText } from '../../src/cli/units.ts';
import { encodeNpy } from '../../src/data/formats/npy.ts';
import { encodeSafetensors } from '../../src/data/formats/safetensors.ts';
import { fromNumbers, zeros } from '../../src/engine/index.ts';
import { loadConfig } from '../../src/train/config.ts';
import { localizationConfigSchema, opensetConfigSchema } from '../../src/train/configSchema.ts';
import { runCli } from './runCli.ts';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-inspect-'));
  const weights = { 'cls.weight': fromNumbers([1, -2, Number.NaN, 4], [2, 2]), 'cls.bias': zeros([2]) };
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`block.${i}`, zeros([i])]));
  await writeFile(join(dir, 'w.safetensors'), Buffer.concat(encodeSafetensors(weights)));
  await writeFile(join(dir, 'many.safetensors'), Buffer.concat(encodeSafetensors(many)));
  await mkdir(join(dir, 'features'));
  await writeFile(join(dir, 'features/a.npy'), encodeNpy(zeros([4, 8])));
  await writeFile(
    join(dir, 'mine.yaml'),
    'extends: localization/features/acm-net\nmodel: { featureDim: 16 }\ntrain:\n  epochs: 2\n',
  );
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const run = (...args: string[]) => runCli(args, dir);
async function out(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

describe.concurrent('inspect', () => {
  it('lists the arrays of a file, their statistics and their sum', async () => {
    expect(await out('inspect', 'w.safetensors', '--stats')).toBe(`w.safetensors: safetensors, 160 bytes

  cls.weight  float32 [2, 2]  -2 to 4, mean 1, 1 NaN
  cls.bias    float32 [2]  0 to 0, mean 0

2 arrays, 6 values, 24 bytes
`);
    const json = JSON.parse(await out('inspect', 'w.safetensors', '--stats', '--filter', 'weight', '--json')) as unknown;
    expect(json).toEqual({
      path: 'w.safetensors',
      format: 'safetensors',
      bytes: 160,
      facts: {},
      entries: [
        {
          name: 'cls.weight',
          dtype: 'float32',
          shape: [2, 2],
          bytes: 16,
          stats: { min: -2, max: 4, mean: 1, nan: 1, infinite: 0 },
        },
      ],
      totals: { tensors: 1, elements: 4, bytes: 16 },
    });
  });

  it('cuts long lists unless asked not to', async () => {
    const short = (await out('inspect', 'many.safetensors')).split('\n');
    expect(short.filter(line => line.includes('float32'))).toHaveLength(40);
    expect(short).toContain('  … 10 more (--all, --filter)');
    const all = (await out('inspect', 'many.safetensors', '--all')).split('\n');
    expect(all.filter(line => line.includes('float32'))).toHaveLength(50);
    expect(short).toContain('50 arrays, 1,225 values, 4.90 kB');
  });

  it('lists a tree down to a depth', async () => {
    const file = resolve('tests/data/torch/training-zip.torch1.pth');
    const lines = (await out('inspect', file, '--depth', '1')).split('\n');
    expect(lines).toContain('  weights  7 under state_dict, all named module.…');
    expect(lines).toContain('  optimizer       mapping of 2');
    expect(lines.some(line => line.includes('exp_avg'))).toBe(false);
    expect(lines).toContain('30 arrays, 159 values, 664 bytes');
    const { entries } = JSON.parse(await out('inspect', file, '--depth', '1', '--json')) as { entries: object[] };
    expect(entries).toContainEqual({ name: 'optimizer', what: 'mapping', size: 2 });
  });

  it('describes a folder of features', async () => {
    const text = await out('inspect', 'features');
    expect(text).toContain('  features  1 file, width 8, rows 4 to 4, float32\n');
    expect(text).toContain('inkling check-data features\n');
  });

  it('shows the layers of a configuration', async () => {
    const text = await out('inspect', 'mine.yaml', '--classes', '3', '--time', '10', '--train');
    const [f, c, t] = [16, 3, 10];
    expect(text).toContain(`acm-net, 3 classes (--classes), features [1, ${t}, ${f}] -> classScores [1, 4]`);
    const row = (name: string) =>
      text
        .split('\n')
        .find(line => line.startsWith(`${name} `))
        ?.split(/ {2,}/);
    expect(row('feature_embedding.0')).toEqual([
      'feature_embedding.0',
      String(3 * f * f + f),
      '[1, 10, 16]',
      flopsText(t * f * (6 * f + 3)).trim(),
    ]);
    expect(row('snippet_cls')).toEqual([
      'snippet_cls',
      String((c + 1) * (f + 1)),
      '[1, 10, 4]',
      flopsText(t * (c + 1) * (2 * f + 1)).trim(),
    ]);
    expect(row('feature_trans')?.[2]).toBe('not used');
    expect(text).toMatch(/^training step {8}[\d.]+ kFLOPs: forward and backward of 16 videos$/m);
    expect(text).toContain('a multiply-add as 2');
  });

  it('shows the layers of an open-set configuration', async () => {
    const text = await out('inspect', 'openset/gym-i3d/psl', '--train');
    const lines = text.split('\n');
    expect(lines[0]).toBe(
      'psl, 14 classes (data.known), features [1, 2048] -> probabilities [1, 14], embeddings [1, 128], uncertainty [1]',
    );
    expect(lines).toContainEqual(expect.stringMatching(/^head\.mlp\.linear_a +2,098,176 +\[1, 1024\] +4\.195 M$/));
    expect(lines).toContain('parameters           2,233,216 (8.93 MB as float32)');
    expect(text).toMatch(/^training step {8}[\d.]+ MFLOPs: forward and backward of 32 clips$/m);
  });

  it('gives the same numbers to machines', async () => {
    const text = await out(
      'inspect',
      'localization/thumos14/ftcl',
      '--train',
      '--json',
      '--set',
      'train.batchSize=2',
      '--time',
      '64',
    );
    const json = JSON.parse(text) as {
      parameters: number;
      flops: number;
      directFlops: number;
      training: Record<string, number>;
      layers: object[];
    };
    expect(json).toMatchObject({
      config: 'localization/thumos14/ftcl',
      method: 'ftcl',
      classes: 20,
      input: [1, 64, 2048],
      parameters: 14732312,
    });
    expect(json.layers).toHaveLength(4);
    expect(json.flops).toBeLessThan(json.directFlops);
    expect(json.training).toMatchObject({ batch: 2, time: 64 });
    expect(json.training.directFlops / (4 * json.directFlops)).toBeGreaterThan(2);
  });

  it.each([
    [['inspect', 'lost.npy'], 'lost.npy: no such file or folder'],
    [['inspect', 'lost'], 'lost: no such configuration, neither in . nor in '],
    [['inspect', 'w.safetensors', '--filter', 'x'], 'w.safetensors: nothing in it contains x\n'],
    [['inspect', 'w.safetensors', '--train'], 'w.safetensors is no configuration; --train goes with a configuration\n'],
    [['inspect', 'mine.yaml', '--stats'], 'mine.yaml is a configuration; --stats goes with a file\n'],
    [
      ['inspect', 'localization/gym-untrimmed/ftcl'],
      'the number of classes is not known: the configuration has no data.classes and',
    ],
    [['print-config'], 'expected a configuration, such as localization/thumos14/acm-net, or a run folder\n'],
    [['print-config', 'features'], 'features: expected a run folder with config.yaml, found none\n'],
    [['print-config', '--schema'], '--schema: expected a task (localization, openset, fewshot) or a configuration\n'],
    [['print-config', 'mine.yaml', '--schema', 'openset'], '--schema is of a task or of a configuration; leave out mine.yaml\n'],
    [['inspect', 'openset/gym-i3d/psl', '--time', '8'], '--time goes with localisation; '],
  ])('fails in one line: %j', async (args, message) => {
    const { code, stdout, stderr } = await run(...args);
    expect([code, stdout, stderr.split('\n').length]).toEqual([1, '', 2]);
    expect(stderr.startsWith(`error: ${message}`)).toBe(true);
  });
});

describe.concurrent('print-config', () => {
  it('shows where each value comes from, as a configuration that loads', async () => {
    const text = await out('print-config', 'mine.yaml', '--set', 'train.seed=4');
    const lines = text.split('\n').map(line => line.split(/ {2,}(?=#)/));
    expect(lines).toContainEqual(['  featureDim: 16', '# mine.yaml:2']);
    expect(lines).toContainEqual(['  epochs: 2', '# mine.yaml:4']);
    expect(lines).toContainEqual(['  seed: 4', '# --set']);
    expect(lines).toContainEqual(['  samples: 200', '# localization/features/acm-net.yaml:6']);
    await writeFile(join(dir, 'printed.yaml'), text);
    const { config } = await loadConfig(join(dir, 'printed.yaml'));
    expect(config).toEqual((await loadConfig(join(dir, 'mine.yaml'), { sets: ['train.seed=4'] })).config);
    const json = JSON.parse(await out('print-config', 'mine.yaml', '--json')) as {
      config: unknown;
      origins: object;
      sources: string[];
    };
    expect(json.config).toEqual((await loadConfig(join(dir, 'mine.yaml'))).config);
    expect(json.origins).toMatchObject({ 'train.epochs': { source: 'mine.yaml', line: 4 }, 'data.dir': { line: 5 } });
    expect(json.sources.at(-1)).toBe('mine.yaml');
    expect(await out('print-config', 'mine.yaml', '--no-sources')).not.toContain('#');
  });

  it('takes a run, and prints the schema', async () => {
    await mkdir(join(dir, 'run'));
    await writeFile(join(dir, 'run/config.yaml'), await out('print-config', 'mine.yaml', '--no-sources'));
    expect(await out('print-config', 'run')).toMatch(/^ {2}featureDim: 16 +# run\/config.yaml:\d+$/m);
    expect(JSON.parse(await out('print-config', 'run', '--schema'))).toEqual(localizationConfigSchema());
    expect(JSON.parse(await out('print-config', '--schema', 'openset'))).toEqual(opensetConfigSchema());
  });
});

describe('units', () => {
  it('are readable', () => {
    expect([0, 999, 1000, 1234567].map(countText)).toEqual(['0', '999', '1,000', '1,234,567']);
    expect([0, 999, 1e3, 12608491520, 1.2e15].map(flopsText)).toEqual(['0 ', '999 ', '1.000 k', '12.61 G', '1.200 P']);
    expect([1, 24, 999, 1500, 58929248, 2e12].map(bytesText)).toEqual([
      '1 byte',
      '24 bytes',
      '999 bytes',
      '1.50 kB',
      '58.9 MB',
      '2.00 TB',
    ]);
  });
});
