import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadConfig, loadLocalizationConfig, parseConfig } from '../../src/train/config.ts';
import { packageConfigs } from '../../src/train/configFile.ts';
import { configLeaves, originOf, showOrigin } from '../../src/train/configOrigins.ts';
import { configLines } from '../../src/train/configPrint.ts';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-print-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** The origin of each key, as it is shown. */
async function originsOf(name: string, sets: readonly string[] = []): Promise<(key: string) => string> {
  const { layers } = await loadLocalizationConfig(name, { sets });
  return key => showOrigin(originOf(layers, key.split('.')));
}

describe('originOf', () => {
  it('names file and line, override or default', async () => {
    const path = join(dir, 'mine.yaml');
    await writeFile(
      path,
      'extends: localization/thumos14/ftcl\n\ntrain:\n  epochs: 7\n  betas:\n    - 0.5\n    - 0.6\nevaluation: {average: null}\n',
    );
    const origin = await originsOf(path, ['train.seed=3', 'evaluation.tious.step=0.2']);
    expect(origin('train.epochs')).toBe(`${path}:4`);
    expect(origin('train.betas')).toBe(`${path}:5`);
    expect(origin('evaluation.average')).toBe(`${path}:8`);
    expect(origin('train.seed')).toBe('--set');
    // The list is made of three keys, of which the last change counts.
    expect(origin('evaluation.tious')).toBe('--set');
    expect(origin('method')).toBe('localization/thumos14/ftcl.yaml:4');
    expect(origin('data.classes')).toBe('localization/thumos14/acm-net.yaml:8');
    expect(origin('model.topKDivisors.context')).toBe('localization/base.yaml:30');
    expect(origin('train.checkpointEvery')).toBe('base.yaml:7');
  });

  it('is the default where no layer speaks, or what it said was replaced', () => {
    const layers = [
      { where: 'a', values: { list: { start: 1 }, kept: { x: 1 } } },
      { where: 'b', values: { list: null } },
    ];
    expect(originOf(layers, ['list', 'start'])).toEqual({ source: 'default' });
    expect(originOf(layers, ['nothing'])).toEqual({ source: 'default' });
    expect(originOf(layers, ['kept', 'x'])).toEqual({ source: '--set' });
  });

  it('shows a key that no file has', async () => {
    const path = join(dir, 'whole.yaml');
    const { config, layers } = await loadLocalizationConfig('localization/base');
    const { synthetic: _, ...data } = config.data;
    await writeFile(path, configLines(configLeaves({ ...config, data }, layers)).join('\n'));
    expect((await originsOf(path))('data.synthetic')).toBe('default');
    expect((await loadLocalizationConfig(path)).config).toEqual(config);
  });
});

describe('configLines', () => {
  it('is a configuration that loads to the same values, for every configuration of the package', async () => {
    const names = (await readdir(packageConfigs, { recursive: true })).filter(name =>
      /^(localization|openset)\/[^/]+\/[^/]+\.yaml$/.test(name),
    );
    expect(names.length).toBeGreaterThan(8);
    for (const name of names) {
      const { config, layers } = await loadConfig(name);
      for (const comments of [true, false]) {
        const text = configLines(configLeaves(config, layers), { comments }).join('\n');
        expect(parseConfig(parse(text), 'print')).toEqual(config);
        expect(text.includes(' # ')).toBe(comments);
      }
    }
  });

  it('keeps texts that look like something else', async () => {
    const strange = ['a, b', 'yes', 'null', '1e3', ' # no comment', '{x}', "it's", 'line\nbreak', '[', 'é: ü', '-', '12:30'];
    const sets = [
      `data.classes=${JSON.stringify(strange)}`,
      'data.extractor={"a, b": {"x#": [1, {y: "2"}], z: {}}, "k.l": null}',
    ];
    const { config, layers } = await loadLocalizationConfig('localization/features/acm-net', { sets });
    const lines = configLines(configLeaves(config, layers));
    expect(parseConfig(parse(lines.join('\n')), 'print')).toEqual(config);
  });

  it('aligns the comments and breaks long lists into lines', () => {
    const leaf = (key: string, value: unknown) => ({ path: key.split('.'), value, origin: { source: 'f.yaml', line: 2 } });
    const long = Array.from({ length: 30 }, (_, i) => `class ${i}`);
    expect(configLines([leaf('task', 'x'), leaf('data.width', 8), leaf('data.deep.classes', long)])).toEqual([
      'task: x         # f.yaml:2',
      'data:',
      '  width: 8      # f.yaml:2',
      '  deep:',
      '    classes: [  # f.yaml:2',
      `      ${long.slice(0, 11).join(', ')},`,
      `      ${long.slice(11, 21).join(', ')},`,
      `      ${long.slice(21).join(', ')}]`,
    ]);
  });
});
