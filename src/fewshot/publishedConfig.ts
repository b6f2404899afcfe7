/**
 * How the published code of HyRSM++ puts a configuration together from YAML files and `KEY value` pairs. Pure: files are read by a function that is
 * given. What the keys mean here is in `publishedKeys.ts`.
 */
import { DataError } from '../data/formats/dataError.ts';

/** A mapping of YAML. */
export type Tree = Readonly<Record<string, unknown>>;

/** Keys that name files to start from; there is no other. */
const chainKeys = ['_BASE', '_BASE_RUN', '_BASE_MODEL'] as const;

/** The file of the global defaults, relative to the root of the published code. */
export const publishedDefaults = 'configs/pool/base.yaml';

/** Levels of an override's key. */
const maxLevels = 4;

export interface PublishedConfigOptions {
  /** A file's content by its path, which is relative to the root. @throws DataError if there is none */
  read(path: string): Tree | Promise<Tree>;
  /** Pairs `KEY.SUB value`, one after the other. */
  readonly overrides?: readonly string[];
  /**
   * `intended` (default): keys of a file are all kept, and overrides are values of YAML for keys of the whole configuration. `published`: keys with BASE in them are
   * dropped unless the file below has them, overrides stay texts, and the keys of overrides must be in every file of the chain.
   */
  readonly rules?: 'intended' | 'published';
  /** The value of an override, for `intended`: a reader of YAML. Default: numbers, true, false and null are told from texts. */
  readonly parseValue?: (text: string) => unknown;
}

/**
 * A file with everything that it starts from: `_BASE`, else `_BASE_RUN` over `_BASE_MODEL`, then the file itself, and all of it over the global defaults. Mappings are
 * merged key by key, everything else replaces.
 * @param top path of the file, relative to the root, with slashes
 * @throws DataError naming the file: files that start from each other in a circle, a path that is no text; an override that does not fit
 */
export async function resolvePublished(top: string, options: PublishedConfigOptions): Promise<Tree> {
  const { overrides = [], rules = 'intended' } = options;
  const pairs = pairsOf(overrides);
  const chained = await withBases(top, top, pairs, options, []);
  const whole = overlay(await options.read(publishedDefaults), chained, rules);
  const parse = rules === 'published' ? (text: string) => text : (options.parseValue ?? plainValue);
  return numbersFromText(withOverrides(whole, pairs, parse)) as Tree;
}

async function withBases(
  path: string,
  top: string,
  pairs: readonly Pair[],
  options: PublishedConfigOptions,
  above: readonly string[],
): Promise<Tree> {
  if (above.includes(path))
    throw new DataError(path, `files start from each other in a circle: ${[...above, path].join(' -> ')}`);
  const { rules = 'intended', read } = options;
  const own = await read(path);
  const load = async (key: (typeof chainKeys)[number]): Promise<Tree | undefined> => {
    if (!Object.hasOwn(own, key)) return undefined;
    const named = own[key];
    if (typeof named !== 'string' || named === '')
      throw new DataError(path, `${key}: expected a path, found ${JSON.stringify(named)}`);
    return withBases(pathFrom(named, path, top), top, pairs, options, [...above, path]);
  };
  const base = await load('_BASE');
  const values = Object.fromEntries(Object.entries(own).filter(([key]) => !chainKeys.some(chain => chain === key)));
  let merged: Tree = values;
  if (base) merged = overlay(base, values, rules);
  else {
    const run = await load('_BASE_RUN');
    const model = await load('_BASE_MODEL');
    if (!run && !model) return values;
    if (run) merged = overlay(run, values, rules);
    if (model) merged = overlay(model, merged, rules);
  }
  // The published code applies overrides to every file of the chain, not once at the end.
  return rules === 'published' ? withOverrides(merged, pairs, text => text) : merged;
}

/** `..` is meant from the file that says so, `./` from the top file, anything else from the root. */
function pathFrom(named: string, path: string, top: string): string {
  const from = named.startsWith('..') ? path : named.startsWith('./') ? top : '';
  const parts: string[] = [];
  for (const part of [...from.split('/').slice(0, -1), ...named.split('/')]) {
    if (part === '..' && parts.length > 0 && parts[parts.length - 1] !== '..') parts.pop();
    else if (part !== '.' && (part !== '' || parts.length === 0)) parts.push(part);
  }
  return parts.join('/');
}

function overlay(base: Tree, over: Tree, rules: 'intended' | 'published'): Tree {
  const merged = new Map(Object.entries(base));
  for (const [key, value] of Object.entries(over)) {
    const below = merged.get(key);
    if (isTree(below) && isTree(value)) merged.set(key, overlay(below, value, rules));
    else if (merged.has(key) || rules === 'intended' || !key.includes('BASE')) merged.set(key, value);
  }
  return Object.fromEntries(merged);
}

interface Pair {
  readonly key: string;
  readonly path: readonly string[];
  readonly value: string;
}

function pairsOf(overrides: readonly string[]): Pair[] {
  if (overrides.length % 2 !== 0)
    throw new DataError(
      'overrides',
      `expected pairs of keys and values, found ${overrides.length} words: ${overrides.join(' ')}`,
    );
  return Array.from({ length: overrides.length / 2 }, (_, i) => {
    const [key, value] = overrides.slice(2 * i, 2 * i + 2);
    const path = key.split('.');
    if (path.length > maxLevels || path.includes(''))
      throw new DataError('overrides', `expected a key of at most ${maxLevels} levels, found ${key}`);
    return { key, path, value };
  });
}

function withOverrides(tree: Tree, pairs: readonly Pair[], parse: (text: string) => unknown): Tree {
  return pairs.reduce((whole, { key, path, value }) => replaced(whole, path, parse(value), key), tree);
}

function replaced(tree: Tree, [first, ...rest]: readonly string[], value: unknown, key: string): Tree {
  const below = Object.hasOwn(tree, first) ? tree[first] : undefined;
  if (!Object.hasOwn(tree, first) || (rest.length > 0 && !isTree(below))) throw new DataError('overrides', `no such key: ${key}`);
  return { ...tree, [first]: rest.length > 0 ? replaced(below as Tree, rest, value, key) : value };
}

/** Texts such as `5e-4`, which readers of YAML 1.1 take for texts, as numbers. */
function numbersFromText(value: unknown): unknown {
  if (typeof value === 'string') {
    const number = Number(value);
    return value.slice(1, 3) === 'e-' && Number.isFinite(number) ? number : value;
  }
  if (!isTree(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, below]) => [key, numbersFromText(below)]));
}

function plainValue(text: string): unknown {
  if (/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(text)) return Number(text);
  const words: Readonly<Record<string, unknown>> = { true: true, false: false, null: null };
  return Object.hasOwn(words, text) ? words[text] : text;
}

/** True for a mapping: not a list, not null. */
export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
