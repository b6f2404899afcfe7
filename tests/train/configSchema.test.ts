import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { packageConfigs } from '../../src/train/configFile.ts';
import {
  fewshotConfigSchema,
  localizationConfigSchema,
  localizationSchemaFile,
  opensetConfigSchema,
  schemaText,
} from '../../src/train/configSchema.ts';

const schemaPath = fileURLToPath(new URL(`../../${localizationSchemaFile}`, import.meta.url));

/** Every property of a JSON Schema by its path, with what it says. */
function properties(node: unknown, prefix = ''): [path: string, description: unknown][] {
  if (typeof node !== 'object' || node === null) return [];
  if (Array.isArray(node)) return node.flatMap(each => properties(each, prefix));
  const below = node as Record<string, unknown>;
  const own = Object.entries((below.properties ?? {}) as Record<string, Record<string, unknown>>).flatMap(([name, value]) => [
    [prefix + name, value.description] as [string, unknown],
    ...properties(value, `${prefix}${name}.`),
  ]);
  return [...own, ...properties(below.anyOf, prefix)];
}

describe('the schema for editors', () => {
  it('is the one in the repository (npx tsx src/cli.ts print-config --schema localization > schemas/localization-config.json)', async () => {
    expect(await readFile(schemaPath, 'utf8')).toBe(schemaText(localizationConfigSchema()));
  });

  it('of few-shot recognition is, too', async () => {
    const path = join(dirname(schemaPath), 'fewshot-config.json');
    expect(await readFile(path, 'utf8')).toBe(schemaText(fewshotConfigSchema()));
    const all = properties(fewshotConfigSchema());
    expect(all.map(([key]) => key)).toContain('train.schedule.doubled');
    expect(all.filter(([, description]) => typeof description !== 'string' || description.length < 4)).toEqual([]);
  });

  it('of open-set recognition is the one in the repository (npm run schemas), and describes every key', async () => {
    const path = join(dirname(schemaPath), 'openset-config.json');
    expect(await readFile(path, 'utf8')).toBe(schemaText(opensetConfigSchema()));
    const all = properties(opensetConfigSchema());
    expect(all.map(([key]) => key)).toContain('loss.psl.prototypeTarget');
    expect(all.filter(([, description]) => typeof description !== 'string' || description.length < 8)).toEqual([]);
  });

  it('describes every key in a sentence', () => {
    const all = properties(localizationConfigSchema());
    expect(all.length).toBeGreaterThan(70);
    expect(all.map(([path]) => path)).toContain('inference.proposals.casThresholds.step');
    expect(all.filter(([, description]) => typeof description !== 'string' || description.length < 8)).toEqual([]);
  });

  it('asks for nothing and assumes nothing', () => {
    const text = schemaText(localizationConfigSchema());
    expect(text).not.toMatch(/"required":|"default":/);
  });

  const schema = z.fromJSONSchema(localizationConfigSchema() as Parameters<typeof z.fromJSONSchema>[0]);

  it('accepts every configuration of the package, each of which names the schema of its task in its first line', async () => {
    const files = (await readdir(packageConfigs, { recursive: true })).filter(name => name.endsWith('.yaml'));
    expect(files.length).toBeGreaterThan(14);
    const of = (json: object) => z.fromJSONSchema(json as Parameters<typeof z.fromJSONSchema>[0]);
    const others = { openset: of(opensetConfigSchema()), fewshot: of(fewshotConfigSchema()) };
    for (const file of files) {
      const path = join(packageConfigs, file);
      const text = await readFile(path, 'utf8');
      const other = (['openset', 'fewshot'] as const).find(task => file.startsWith(task));
      const problems = (other ? others[other] : schema).safeParse(parse(text)).error?.issues ?? [];
      expect({ file, problems }).toEqual({ file, problems: [] });
      const named = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text);
      const own = other ? join(dirname(schemaPath), `${other}-config.json`) : schemaPath;
      expect(resolve(dirname(path), named?.[1] ?? '')).toBe(own);
    }
  });

  it.each([
    [{ train: { epochs: 3 } }, true],
    [{ extends: ['a.yaml', 'b'] }, true],
    [{ evaluation: { tious: { step: 0.1 } } }, true],
    [{ data: { classes: 'thumos14', extractor: { name: 'i3d' } } }, true],
    [{ extends: 3 }, false],
    [{ train: { epoch: 3 } }, false],
    [{ train: { epochs: 1.5 } }, false],
    [{ train: { device: 'tpu' } }, false],
    [{ data: { classes: 'kinetics' } }, false],
    [{ inference: { suppression: { threshold: 2 } } }, false],
  ])('%j: %j', (values, valid) => {
    expect(schema.safeParse(values).success).toBe(valid);
  });
});
