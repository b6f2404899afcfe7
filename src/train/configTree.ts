/** Configuration values before they are checked against a schema: plain trees of what YAML can hold. */

/** A part of a configuration and where it was written, for messages. */
export interface ConfigLayer {
  /** A file, or `--set a.b=value`. */
  readonly where: string;
  readonly values: Readonly<Record<string, unknown>>;
  /** Of a file: its absolute path, and the line (from 1) of each key by its {@link pathKey}. */
  readonly file?: { readonly path: string; readonly lines: ReadonlyMap<string, number> };
}

/** A path of keys as one text; a dot within a key does not divide it. */
export function pathKey(path: readonly string[]): string {
  return path.join('\0');
}

/** True for a mapping: not a list, not null. */
export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `over` merged into `base`: mappings key by key, everything else (lists too) replaced. Neither is changed. */
export function deepMerge(base: unknown, over: unknown): unknown {
  if (!isMapping(base) || !isMapping(over)) return over;
  const merged = new Map(Object.entries(base));
  for (const [key, value] of Object.entries(over)) merged.set(key, merged.has(key) ? deepMerge(merged.get(key), value) : value);
  // fromEntries defines keys, so a key such as __proto__ stays a key.
  return Object.fromEntries(merged);
}

/** The value at a path, undefined if there is none. */
export function valueAt(tree: unknown, path: readonly PropertyKey[]): unknown {
  let value = tree;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

/** A tree with one value: `nested(['a', 'b'], 1)` is `{a: {b: 1}}`. */
export function nested(path: readonly string[], value: unknown): Record<string, unknown> {
  return path.reduceRight<unknown>((below, key) => Object.fromEntries([[key, below]]), value) as Record<string, unknown>;
}
