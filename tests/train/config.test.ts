import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { acmLossPresets } from '../../src/localization/acmLoss.ts';
import { acmNetPresets } from '../../src/localization/acmNet.ts';
import {
  acmLossOptions,
  acmNetOptions,
  evaluationOptions,
  localizeOptions,
  sequenceLossOptions,
} from '../../src/localization/config.ts';
import { ACTIVITYNET_EVALUATION, THUMOS14_EVALUATION } from '../../src/localization/evaluate.ts';
import { sequenceLossPreset } from '../../src/localization/ftclLoss.ts';
import { ACTIVITYNET_LOCALIZE, THUMOS14_LOCALIZE } from '../../src/localization/localize.ts';
import { dumpConfig, loadConfig, loadLocalizationConfig, loadRunConfig, parseConfig } from '../../src/train/config.ts';
import { packageConfigs } from '../../src/train/configFile.ts';
import { editDistance, nearestKey } from '../../src/train/nearest.ts';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-config-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Writes a configuration; gives its path. */
async function file(name: string, text: string): Promise<string> {
  await writeFile(join(dir, name), text);
  return join(dir, name);
}

/** The one line that loading is rejected with. */
async function problem(name: string, sets: string[] = []): Promise<string> {
  const error = await loadLocalizationConfig(name, { sets }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Error)) throw new Error('nothing was thrown');
  expect(error.message).not.toContain('\n');
  return error.message;
}

const thumos = 'localization/thumos14/acm-net';

describe('the configurations of the package', () => {
  it('all load, and survive a dump unchanged', async () => {
    const names = (await readdir(packageConfigs, { recursive: true })).filter(name =>
      /^(localization|openset)\/[^/]+\/[^/]+\.yaml$/.test(name),
    );
    expect(names.sort()).toEqual(
      [
        'activitynet/acm-net',
        'activitynet/ftcl',
        'features/acm-net',
        'features/ftcl',
        'gym-untrimmed/acm-net',
        'gym-untrimmed/ftcl',
        'synthetic/acm-net',
      ]
        .concat('thumos14/acm-net', 'thumos14/ftcl')
        .map(name => `localization/${name}.yaml`)
        .concat(
          ['base', 'bayesian', 'cosine', 'cross-entropy', 'dropout', 'evidential', 'psl', 'rpl'].map(
            name => `openset/gym-i3d/${name}.yaml`,
          ),
        )
        .concat(
          [
            'base',
            'finetune',
            ...['bayesian', 'cross-entropy', 'dropout', 'evidential', 'psl', 'rpl'].flatMap(name => [name, `${name}-finetune`]),
          ]
            .map(name => `openset/ucf101/${name}.yaml`)
            .sort(),
          ['base', 'cross-entropy', 'psl'].map(name => `openset/videos/${name}.yaml`),
        ),
    );
    for (const name of names) {
      const { config } = await loadConfig(name);
      expect(parseConfig(parse(dumpConfig(config)), 'dump')).toEqual(config);
    }
  });

  it('resolve THUMOS14 to the published options', async () => {
    const { config } = await loadLocalizationConfig(thumos);
    expect(acmNetOptions(config, 20)).toEqual({ fsdBackground: 'published', ...acmNetPresets.thumos14 });
    // The published criteria of the two phases differ in what they add inside the logarithm.
    expect(acmLossOptions(config)).toEqual({ ...acmLossPresets.thumos14, logEpsilon: 1e-45 });
    expect(acmLossOptions((await loadLocalizationConfig('localization/thumos14/ftcl')).config)).toEqual(acmLossPresets.thumos14);
    expect(sequenceLossOptions(config)).toEqual({ ...sequenceLossPreset, contrast: 'difference', zeroRows: 'zero' });
    expect(localizeOptions(config)).toEqual(THUMOS14_LOCALIZE);
    expect(evaluationOptions(config, [])).toEqual({ ...THUMOS14_EVALUATION, subset: 'test', videos: undefined });
    expect(config.data.classes).toHaveLength(20);
    expect([config.train.epochs, config.loss.sequence.terms]).toEqual([500, 'in-batch']);
  });

  it('resolve ActivityNet to the published options', async () => {
    const { config } = await loadLocalizationConfig('localization/activitynet/ftcl');
    expect(acmNetOptions(config, 200)).toEqual({ fsdBackground: 'published', ...acmNetPresets.activitynet });
    expect(acmLossOptions(config)).toEqual(acmLossPresets.activitynet);
    expect(localizeOptions(config)).toEqual(ACTIVITYNET_LOCALIZE);
    expect(evaluationOptions(config, [])).toEqual({
      ...ACTIVITYNET_EVALUATION,
      average: [0.5, 0.95],
      subset: undefined,
      videos: undefined,
    });
    expect(config.data.classes?.[4]).toBe('BMX');
    expect([config.train.epochs, config.train.batchSize, config.train.weightDecay]).toEqual([25, 16, 0.001]);
  });

  it('train gym-untrimmed without sequence terms first', async () => {
    const phase1 = (await loadLocalizationConfig('localization/gym-untrimmed/acm-net')).config;
    const phase2 = (await loadLocalizationConfig('localization/gym-untrimmed/ftcl')).config;
    expect([phase1.loss.sequence.terms, phase1.train.epochs, phase1.data.samples]).toEqual(['none', 40, 64]);
    expect([phase2.loss.sequence.terms, phase2.train.epochs, phase2.method]).toEqual(['pairs', 3, 'ftcl']);
  });
});

describe('extends and overrides', () => {
  it('merges mappings, replaces lists, and lets later ones win', async () => {
    await file('a.yaml', 'extends: localization/thumos14/acm-net\ntrain: { epochs: 7, betas: [0.5, 0.6] }');
    await file('b.yaml', 'train: { epochs: 8, batchSize: 3 }');
    const path = await file('c.yaml', 'extends: [a.yaml, b]\ntrain: { seed: 4 }');
    const { config, sources } = await loadLocalizationConfig(path, {
      sets: ['train.seed=5', 'data.classes=[x, y]', 'data.extractor={a: 1}'],
    });
    expect(config.train).toMatchObject({ epochs: 8, batchSize: 3, betas: [0.5, 0.6], seed: 5, learningRate: 1e-4 });
    expect(config.data.classes).toEqual(['x', 'y']);
    expect(config.data.extractor).toEqual({ a: 1 });
    expect(sources.slice(-3)).toEqual(['--set train.seed=5', '--set data.classes=[x, y]', '--set data.extractor={a: 1}']);
  });

  it('names a circle', async () => {
    await file('x.yaml', 'extends: y.yaml');
    const path = await file('y.yaml', 'extends: x.yaml');
    expect(await problem(path)).toBe(
      `${path}: files extend each other in a circle: ${path} -> ${join(dir, 'x.yaml')} -> ${path}`,
    );
  });

  it('takes what each method of suppression needs', async () => {
    const options = async (...sets: string[]) =>
      localizeOptions((await loadLocalizationConfig(thumos, { sets })).config).suppression;
    expect(await options('inference.suppression.method=gaussian', 'inference.suppression.sigma=0.3')).toEqual({
      method: 'gaussian',
      sigma: 0.3,
      minScore: 0.001,
      overlap: 'plus-one',
    });
  });
});

describe('errors', () => {
  it.each([
    ['train.epoch=5', 'unknown key "train.epoch"; the nearest is "train.epochs"'],
    ['epochs=5', 'unknown key "epochs"; the nearest is "train.epochs"'],
    ['trian.epochs=5', 'unknown key "trian"; the nearest is "train"'],
    ['loss.sequence.term=none', 'unknown key "loss.sequence.term"; the nearest is "loss.sequence.terms"'],
    ['evaluation.tious.stpe=0.1', 'unknown key "evaluation.tious.stpe"; the nearest is "evaluation.tious.step"'],
    ['__proto__.x=1', 'unknown key "__proto__"; the nearest is "method"'],
  ])('names an unknown key and the nearest: %s', async (set, message) => {
    expect(await problem(thumos, [set])).toContain(`--set ${set}: ${message.split(';')[0]}`);
    if (!set.startsWith('__')) expect(await problem(thumos, [set])).toBe(`--set ${set}: ${message}`);
  });

  it.each([
    ['train.epochs=many', 'train.epochs: expected a number, found "many"'],
    ['train.epochs=1.5', 'train.epochs: expected an integer, found 1.5'],
    ['train.epochs=0', 'train.epochs: expected more than 0, found 0'],
    ['train.learningRate=.nan', 'train.learningRate: expected a number, found NaN'],
    ['model.dropout=1', 'model.dropout: expected less than 1, found 1'],
    ['train.device=tpu', 'train.device: expected one of cpu, cuda, webgpu, found "tpu"'],
    ['train.resamplePairs=1', 'train.resamplePairs: expected true or false, found 1'],
    ['train.betas=[1, 2, 3]', 'train.betas: expected two numbers in [0, 1), found [1,2,3]'],
    ['model=5', 'model: expected a mapping, found 5'],
    ['data.classes=[a, a]', 'data.classes: expected class names that differ, found ["a","a"]'],
    [
      'evaluation.tious=[0.5, 2]',
      'evaluation.tious: expected a list of thresholds in (0, 1], or {start, stop, step} with start <= stop, found [0.5,2]',
    ],
    [
      'evaluation.tious.step=0',
      'evaluation.tious: expected a list of thresholds in (0, 1], or {start, stop, step} with start <= stop, found {"start":0.1,"stop":0.9,"step":0}',
    ],
    ['task=localisation', 'task: expected one of localization, openset, fewshot, found "localisation"'],
    ['method=ftcl', 'loss.sequence.terms: expected pairs, since method ftcl trains on pairs of videos, found "in-batch"'],
    [
      'loss.sequence.terms=pairs',
      'loss.sequence.terms: expected none or in-batch, since method acm-net trains on single videos (method ftcl takes pairs), found "pairs"',
    ],
    [
      'data.samples=20',
      'data.samples: expected at least 30 snippets, which the sequence terms compare (model.lcsLength, model.fsdLength), found 20',
    ],
  ])('names key, expectation and finding: %s', async (set, message) => {
    expect(await problem(thumos, [set])).toMatch(/^(--set |configs\/)/);
    expect((await problem(thumos, [set])).endsWith(`: ${message}`)).toBe(true);
  });

  it('names the file that holds a key, not the one that extends it', async () => {
    const wrong = await file('wrong.yaml', `extends: ${thumos}\ntrain: { epochs: -1, epohcs: 2 }`);
    const path = await file('over.yaml', 'extends: wrong.yaml');
    expect(await problem(path)).toBe(`${wrong}: unknown key "train.epohcs"; the nearest is "train.epochs"`);
    await file('wrong.yaml', `extends: ${thumos}\ntrain: { epochs: -1 }`);
    expect(await problem(path)).toBe(`${wrong}: train.epochs: expected more than 0, found -1`);
  });

  it('names a missing key, a missing file, and what is not YAML', async () => {
    const bare = await file('bare.yaml', 'train: { epochs: 1 }');
    expect(await problem(bare)).toContain('bare.yaml: task: expected one of localization, openset, fewshot, found nothing');
    const partial = await file('partial.yaml', 'task: localization\nmethod: ftcl');
    expect(await problem(partial)).toBe(`${partial}: data: expected a mapping, found nothing`);
    expect(await problem('no/such')).toContain('no/such: no such configuration, neither in ');
    const lost = await file('lost.yaml', 'extends: nowhere.yaml');
    expect(await problem(lost)).toContain(`${lost}: extends: nowhere.yaml: no such configuration`);
    expect(await problem(await file('bad.yaml', 'a: 1\nb: [1'))).toContain('bad.yaml:2:');
    expect(await problem(await file('twice.yaml', 'a: 1\na: 2'))).toContain('twice.yaml:2:1: the key "a" is there twice');
    expect(await problem(await file('list.yaml', '- 1'))).toContain('list.yaml: expected a mapping of keys to values, found [1]');
    expect(await problem(thumos, ['train.epochs'])).toBe('--set train.epochs: expected key=value, such as train.epochs=5');
  });

  it('names a folder that is no run', async () => {
    await expect(loadRunConfig(dir)).rejects.toThrow(`${dir}: expected a run folder with config.yaml, found none`);
    await file('config.yaml', dumpConfig((await loadLocalizationConfig(thumos)).config));
    expect(await loadRunConfig(dir)).toEqual((await loadLocalizationConfig(thumos)).config);
  });
});

describe('nearestKey', () => {
  it('counts edits', () => {
    expect(editDistance('kitten', 'sitting')).toBe(3);
    expect(editDistance('stpe', 'step')).toBe(1);
    expect(editDistance('', 'abc')).toBe(3);
  });
  it('prefers the same place by one edit', () => {
    expect(nearestKey('a.seedx', ['b.seed', 'a.seed'])).toBe('a.seed');
    expect(nearestKey('a.seedxx', ['b.seedxx', 'a.seed'])).toBe('b.seedxx');
    expect(nearestKey('x', [])).toBeUndefined();
  });
});
