/** Configuration files on disk: where they are, what they extend (Node only). */
import { stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  Lexer,
  LineCounter,
  type Node,
  Parser,
  parseDocument,
  visit,
  type YAMLMap,
} from 'yaml';
import { readText } from '../data/files.ts';
import { DataError, messageOf } from '../data/formats/dataError.ts';
import { type ConfigLayer, isMapping, nested, pathKey } from './configTree.ts';

/** The folder of configurations that come with the package. */
export const packageConfigs = fileURLToPath(new URL('../../configs', import.meta.url));

/**
 * The file that a configuration's name means: a path (with or without `.yaml`) relative to `from`, else a name within the
 * package's own configurations, such as `localization/thumos14/ftcl`.
 * @throws DataError naming the places that were looked at
 */
export async function findConfig(name: string, from = process.cwd()): Promise<string> {
  const names = /\.ya?ml$/i.test(name) ? [name] : [name, `${name}.yaml`, `${name}.yml`];
  const candidates = [from, packageConfigs].flatMap(folder => names.map(each => resolve(folder, each)));
  for (const path of candidates) if (await isFile(path)) return path;
  throw new DataError(name, `no such configuration, neither in ${shown(from)} nor in ${packageConfigs}`);
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
 * @throws DataError naming the file: not YAML, not a mapping, a missing file, files that extend each other in a circle
 */
export async function readConfigLayers(path: string, above: readonly string[] = []): Promise<ConfigLayer[]> {
  const where = shown(path);
  if (above.includes(path)) {
    const circle = [...above.slice(above.indexOf(path)), path].map(shown);
    throw new DataError(where, `files extend each other in a circle: ${circle.join(' -> ')}`);
  }
  const {
    values: { extends: bases, ...values },
    lines,
  } = await readMapping(path, where);
  const layers: ConfigLayer[] = [];
  for (const base of parseExtends(bases, where)) {
    const file = await findConfig(base, dirname(path)).catch((problem: Error) => {
      throw new DataError(where, `extends: ${problem.message}`);
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
  const { document, value } = readYaml(await readText(path), where, counter);
  const values = value ?? {};
  if (!isMapping(values)) throw new DataError(where, `expected a mapping of keys to values, found ${showValue(values)}`);
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
  throw new DataError(where, `extends: expected a path or a list of paths, found ${showValue(value)}`);
}

/** Configurations nest five levels deep; what goes on and on is damaged or hostile. */
const maxDepth = 100;

/** The longest of the package's own has 5000 characters; parts of the library's work grow with the square of the length. */
const maxLength = 2 ** 18;

/**
 * A YAML text, of plain values: mappings by text, lists, texts, numbers, true, false and null.
 * @throws DataError naming `where`, line and column, in one line: what is no YAML, another tag (`!!binary`), a key that is no text,
 *   nesting beyond 100 levels, aliases that multiply out
 */
export function parseYaml(text: string, where: string): unknown {
  return readYaml(text, where).value;
}

function readYaml(text: string, where: string, lineCounter?: LineCounter): { document: Document; value: unknown } {
  const bad = (problem: string, at?: number): DataError => {
    if (at === undefined) return new DataError(where, problem);
    const before = text.slice(0, at).split('\n');
    return new DataError(`${where}:${before.length}:${(before.at(-1) ?? '').length + 1}`, problem);
  };
  if (text.length > maxLength) throw bad(`expected a configuration of at most ${maxLength} characters, found ${text.length}`);
  const deep = deepPlace(text);
  if (deep !== undefined) throw bad(`expected YAML of at most ${maxDepth} levels, found more`, deep);
  try {
    const document = parseDocument(text, { prettyErrors: false, resolveKnownTags: false, uniqueKeys: false, lineCounter });
    // A tag that is not known is only a warning there; but what it asks for would not be done.
    const problem = document.errors[0] ?? document.warnings[0];
    if (problem) throw bad(`not YAML (${problem.message})`, problem.pos[0]);
    const anchors = new Map<string, unknown>();
    visit(document, (_, node, path) => {
      if (isAlias(node) && path.includes(anchors.get(node.source) as Node)) throw bad(`*${node.source} stands for what holds it`);
      if (isNode(node) && !isAlias(node) && node.anchor) anchors.set(node.anchor, node);
      if (isMap(node)) checkKeys(node, bad);
    });
    return { document, value: document.toJS() };
  } catch (thrown) {
    // Aliases that multiply out, or stand for what holds them.
    throw thrown instanceof DataError ? thrown : bad(`not YAML (${messageOf(thrown)})`);
  }
}

/** Keys are texts, each there once. (The library's own check compares each with all others.) */
function checkKeys({ items }: YAMLMap, bad: (problem: string, at?: number) => DataError): void {
  const known = new Set<string>();
  for (const { key } of items) {
    const at = isNode(key) ? key.range?.[0] : undefined;
    // As keys of an object, 1 and "1" would be one.
    if (!isScalar(key) || typeof key.value !== 'string') throw bad('expected a text as key (in quotes, if need be)', at);
    if (known.has(key.value)) throw bad(`the key ${JSON.stringify(key.value)} is there twice`, at);
    known.add(key.value);
  }
}

/**
 * The first place at which YAML is nested deeper than allowed; undefined if there is none. It must be known beforehand: the library goes
 * from level to level by recursion, and a stack that overflows inside a regular expression ends the whole process.
 */
function deepPlace(text: string): number | undefined {
  const parser = new Parser();
  for (const token of new Lexer().lex(text)) {
    for (const _ of parser.next(token));
    if (parser.stack.length > maxDepth) return parser.offset;
  }
  return undefined;
}

/**
 * An override `a.b=value`, its value read as YAML (`5`, `true`, `[1, 2]`, `text`).
 * @throws DataError naming the override if it has no `=`, an empty key, or a value that is not YAML
 */
export function parseOverride(text: string): ConfigLayer {
  const where = `--set ${text}`;
  const equals = text.indexOf('=');
  const keys = text.slice(0, Math.max(0, equals)).split('.');
  if (keys.length > maxDepth || !keys.every(key => /^[^\s]+$/.test(key)))
    throw new DataError(where, 'expected key=value, such as train.epochs=5');
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
