/** Experiment configurations: YAML files that extend each other, overrides, and the schema of the task (Node only). */

import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import type { z } from 'zod';
import { DataError } from '../data/formats/dataError.ts';
import { type FewshotConfig, fewshotConfig } from '../fewshot/config.ts';
import { type LocalizationConfig, localizationConfig } from '../localization/config.ts';
import { type OpensetConfig, opensetConfig } from '../openset/config.ts';
import { findConfig, parseOverride, readConfigLayers, showValue } from './configFile.ts';
import { type ConfigLayer, deepMerge, valueAt } from './configTree.ts';
import { nearestKey } from './nearest.ts';
import { keyPaths, unknownKey } from './schemaPaths.ts';

/** A resolved configuration of any task. */
export type Config = LocalizationConfig | OpensetConfig | FewshotConfig;

/** Schemas by the value of `task`. */
const schemas: Readonly<Record<string, z.ZodType<Config>>> = {
  localization: localizationConfig,
  openset: opensetConfig,
  fewshot: fewshotConfig,
};

/** The file of the resolved configuration in a run folder. */
export const runConfigFile = 'config.yaml';

/** A configuration and what it was made from. */
export interface LoadedConfig {
  readonly config: Config;
  /** Files and overrides, the most general first. */
  readonly sources: readonly string[];
  /** The same with what each of them says: {@link originOf} tells which of them a value comes from. */
  readonly layers: readonly ConfigLayer[];
}

/**
 * Loads a configuration: a file with everything it extends, then overrides in their order.
 * @param name a path, or the name of one of the package's own, such as `localization/thumos14/ftcl`
 * @param options `sets`: overrides such as `train.epochs=5`
 * @throws DataError in one line: no such file, not YAML, an unknown key (naming the nearest one), a value that does not fit
 */
export async function loadConfig(name: string, { sets = [] }: { readonly sets?: readonly string[] } = {}): Promise<LoadedConfig> {
  const layers = [...(await readConfigLayers(await findConfig(name))), ...sets.map(parseOverride)];
  return { config: checkLayers(layers), sources: layers.map(layer => layer.where), layers };
}

/** As {@link loadConfig}, of the task of temporal action localisation. @throws Error as there, and naming the task if it is another */
export async function loadLocalizationConfig(
  name: string,
  options: { readonly sets?: readonly string[] } = {},
): Promise<LoadedConfig & { readonly config: LocalizationConfig }> {
  const loaded = await loadConfig(name, options);
  return { ...loaded, config: requireLocalization(loaded.config, name) };
}

/** A configuration with another data folder. */
export function withDataFolder<C extends Config>(config: C, dir: string): C {
  return { ...config, data: { ...config.data, dir } };
}

/** A configuration whose folders do not depend on the current directory. */
export function withAbsoluteFolders<C extends Config>(config: C): C {
  const placed = withDataFolder(config, resolve(config.data.dir));
  if (placed.task !== 'openset' || !placed.video?.unknown) return placed;
  const { video } = placed;
  return { ...placed, video: { ...video, unknown: { ...placed.video.unknown, dir: resolve(placed.video.unknown.dir) } } };
}

/**
 * Checks a configuration that stands for itself, such as the resolved one of a run.
 * @param where its name, for messages
 * @throws DataError as {@link loadConfig}
 */
export function parseConfig(values: unknown, where: string): Config {
  return checkLayers([{ where, values: values as Record<string, unknown> }]);
}

/**
 * A configuration with some of its keys set anew.
 * @param allowed keys, or beginnings of keys, that may be
 * @throws DataError as {@link loadConfig}, and naming a key that may not be set
 */
export function overriddenConfig<C extends Config>(
  config: C,
  sets: readonly string[],
  allowed: readonly string[],
  where: string,
): C {
  const layers = sets.map(text => {
    const key = text.slice(0, Math.max(0, text.indexOf('=')));
    const isAllowed = allowed.some(beginning => key === beginning || key.startsWith(`${beginning}.`));
    if (key !== '' && !isAllowed)
      throw new DataError(`--set ${text}`, `expected a key that decides about tests alone (${allowed.join(', ')}), found ${key}`);
    return parseOverride(text);
  });
  // The value of `task` is none of the keys.
  return checkLayers([{ where, values: config }, ...layers]) as C;
}

/** A configuration as YAML; {@link parseConfig} gives the same back from it. */
export function dumpConfig(config: Config): string {
  return stringify(config, { lineWidth: 130 });
}

/**
 * The resolved configuration of a run folder.
 * @throws DataError naming the folder if it is no run
 */
export async function loadRunConfig(run: string): Promise<Config> {
  return (await loadConfig(await runConfigPath(run))).config;
}

/**
 * As {@link loadConfig}; a folder means the resolved configuration of that run.
 * @throws Error as {@link loadConfig}, and for a folder that is no run
 */
export async function loadConfigOrRun(name: string, options: { readonly sets?: readonly string[] } = {}): Promise<LoadedConfig> {
  const isFolder = (await stat(name).catch(() => undefined))?.isDirectory() === true;
  return loadConfig(isFolder ? await runConfigPath(name) : name, options);
}

async function runConfigPath(run: string): Promise<string> {
  const path = join(run, runConfigFile);
  const found = await stat(path).catch(() => undefined);
  if (!found) throw new DataError(run, `expected a run folder with ${runConfigFile}, found none`);
  return path;
}

/**
 * A configuration as one of temporal action localisation.
 * @param what cannot do any other task, such as `predict`
 * @throws Error naming the task
 */
export function requireLocalization(config: Config, what: string): LocalizationConfig {
  if (config.task === 'localization') return config;
  throw new Error(`${what}: expected task localization, found ${config.task}`);
}

/** As {@link requireLocalization}, of open-set recognition. */
export function requireOpenset(config: Config, what: string): OpensetConfig {
  if (config.task === 'openset') return config;
  throw new Error(`${what}: expected task openset, found ${config.task}`);
}

/** As {@link requireLocalization}, of few-shot recognition. */
export function requireFewshot(config: Config, what: string): FewshotConfig {
  if (config.task === 'fewshot') return config;
  throw new Error(`${what}: expected task fewshot, found ${config.task}`);
}

function checkLayers(layers: readonly ConfigLayer[]): Config {
  const merged = layers.reduce<unknown>((base, { values }) => deepMerge(base, values), {});
  const last = layers[layers.length - 1].where;
  const task = valueAt(merged, ['task']);
  const schema = typeof task === 'string' && Object.hasOwn(schemas, task) ? schemas[task] : undefined;
  if (!schema) {
    const hint = task === undefined ? ' (configurations usually begin with "extends: localization/base")' : '';
    const where = sourceOf(layers, ['task']) ?? last;
    throw new DataError(where, `task: expected one of ${Object.keys(schemas).join(', ')}, found ${showValue(task)}${hint}`);
  }
  return checkAgainst(schema, layers);
}

/**
 * Layers merged and checked against a schema.
 * @throws DataError in one line: an unknown key (naming the nearest one), a value that does not fit
 */
export function checkAgainst<C>(schema: z.ZodType<C>, layers: readonly ConfigLayer[]): C {
  const merged = layers.reduce<unknown>((base, { values }) => deepMerge(base, values), {});
  const last = layers[layers.length - 1].where;
  for (const { where, values } of layers) {
    const unknown = unknownKey(schema, values);
    if (unknown !== undefined) {
      throw new DataError(where, `unknown key "${unknown}"; the nearest is "${nearestKey(unknown, keyPaths(schema))}"`);
    }
  }
  const result = schema.safeParse(merged);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const where = sourceOf(layers, issue.path) ?? last;
  const key = issue.path.length > 0 ? `${issue.path.map(String).join('.')}: ` : '';
  throw new DataError(where, `${key}expected ${expectation(issue)}, found ${showValue(valueAt(merged, issue.path))}`);
}

/** The last layer that says something about a path. */
function sourceOf(layers: readonly ConfigLayer[], path: readonly PropertyKey[]): string | undefined {
  return layers.findLast(({ values }) => valueAt(values, path) !== undefined)?.where;
}

const typeNames: Readonly<Record<string, string>> = {
  int: 'an integer',
  number: 'a number',
  string: 'a text',
  boolean: 'true or false',
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
  tuple: 'a list',
};

/** What a schema wanted, in words. */
function expectation(issue: z.core.$ZodIssue): string {
  // A schema may bring its own words; these are the library's.
  if (!/^(Invalid|Too) /.test(issue.message)) return issue.message;
  switch (issue.code) {
    case 'invalid_type':
      return typeNames[issue.expected] ?? issue.expected;
    case 'invalid_value':
      return `${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return bound(issue.origin, issue.inclusive === false ? 'more than' : 'at least', issue.minimum);
    case 'too_big':
      return bound(issue.origin, issue.inclusive === false ? 'less than' : 'at most', issue.maximum);
    default:
      return issue.message;
  }
}

function bound(origin: string, relation: string, limit: number | bigint): string {
  if (origin === 'string') return 'a text that is not empty';
  if (origin === 'array') return `${relation} ${limit} elements`;
  return `${origin === 'int' ? 'an integer of ' : ''}${relation} ${limit}`;
}
