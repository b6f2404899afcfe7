/** Configuration files on disk: where they are, what they extend (Node only). */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Document, isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import { type ConfigLayer, isMapping, nested, pathKey } from './configTree.ts';

/** The folder of configurations that come with the package. */
export const packageConfigs = fileURLToPath(new URL('../../configs', import.meta.url));

/**
 * The file that a configuration's name means: a path (with or without `.yaml`) relative to `from`, else a name within the
 * package's own configurations, such as `localization/thumos14/ftcl`.
 * @throws Error naming the places that were looked at
 */
export async function findConfig(name: string, from = process.cwd()): Promise<string> {
  const names = /\.ya?ml$/i.test(name) ? [name] : [name, `${name}.yaml`, `${name}.yml`];
  const candidates = [from, packageConfigs].flatMap(folder => names.map(each => resolve(folder, each)));
  for (const path of candidates) if (await isFile(path)) return path;
  throw new Error(`${name}: no such configuration, neither in ${shown(from)} nor in ${packageConfigs}`);
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    found => found.isFile(),
    () => false,
  );
}

/**
 * A file and everything it extends, the most general first, so that later layers override earlier ones. `extends` is a path relative
 * to the file (or a name as in {@link findConfig}) or a list of them, of which later ones override earlier ones.
 * @throws Error naming the file: not YAML, not a mapping, a missing file, files that extend each other in a circle
 */
export async function readConfigLayers(path: string, above: readonly string[] = []): Promise<ConfigLayer[]> {
  const where = shown(path);
  if (above.includes(path)) {
    const circle = [...above.slice(above.indexOf(path)), path].map(shown);
    throw new Error(`${where}: files extend each other in a circle: ${circle.join(' -> ')}`);
  }
  const {
    values: { extends: bases, ...values },
    lines,
  } = await readMapping(path, where);
  const layers: ConfigLayer[] = [];
  for (const base of parseExtends(bases, where)) {
    const file = await findConfig(base, dirname(path)).catch((problem: Error) => {
      throw new Error(`${where}: extends: ${problem.message}`);
    });
    layers.push(...(await readConfigLayers(file, [...above, path])));
  }
  return [...layers, { where, values, file: { path, lines } }];
}

async function readMapping(
  path: string,
  where: string,
): Promise<{ values: Record<string, unknown>; lines: ReadonlyMap<string, number> }> {
  const counter = new LineCounter();
  const document = yamlDocument(await readFile(path, 'utf8'), where, counter);
  const values: unknown = document.toJS() ?? {};
  if (!isMapping(values)) throw new Error(`${where}: expected a mapping of keys to values, found ${showValue(values)}`);
  return { values, lines: keyLines(document.contents, counter) };
}

/** The line of each key below a node, by its path. */
function keyLines(node: unknown, counter: LineCounter, above: readonly string[] = []): Map<string, number> {
  const lines = new Map<string, number>();
  if (!isMap(node)) return lines;
  for (const { key, value } of node.items) {
    if (!isScalar(key) || !key.range) continue;
    const path = [...above, String(key.value)];
    lines.set(pathKey(path), counter.linePos(key.range[0]).line);
    for (const [below, line] of keyLines(value, counter, path)) lines.set(below, line);
  }
  return lines;
}

function parseExtends(value: unknown, where: string): string[] {
  if (value === undefined || value === null) return [];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (list.every(item => typeof item === 'string')) return list;
  throw new Error(`${where}: extends: expected a path or a list of paths, found ${showValue(value)}`);
}

/**
 * A YAML text.
 * @throws Error naming `where`, line and column, in one line
 */
function parseYaml(text: string, where: string): unknown {
  return yamlDocument(text, where).toJS();
}

function yamlDocument(text: string, where: string, lineCounter?: LineCounter): Document {
  const document = parseDocument(text, { prettyErrors: false, lineCounter });
  const problem = document.errors[0];
  if (problem) {
    const before = text.slice(0, problem.pos[0]).split('\n');
    const at = `${before.length}:${(before.at(-1) ?? '').length + 1}`;
    throw new Error(`${where}:${at}: not YAML (${problem.message.replace(/\s*\n\s*/g, ' ')})`);
  }
  return document;
}

/**
 * An override `a.b=value`, its value read as YAML (`5`, `true`, `[1, 2]`, `text`).
 * @throws Error naming the override if it has no `=`, an empty key, or a value that is not YAML
 */
export function parseOverride(text: string): ConfigLayer {
  const where = `--set ${text}`;
  const equals = text.indexOf('=');
  const keys = text.slice(0, Math.max(0, equals)).split('.');
  if (!keys.every(key => /^[^\s]+$/.test(key))) throw new Error(`${where}: expected key=value, such as train.epochs=5`);
  return { where, values: nested(keys, parseYaml(text.slice(equals + 1), where)) };
}

/** A path as messages name it: relative to the current directory where it lies below it. */
function shown(path: string): string {
  const near = relative(process.cwd(), path);
  return near === '' ? '.' : near.startsWith('..') ? path : join(near);
}

/** A value as messages show it. */
export function showValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'number') return String(value);
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
