/** Where the values of a resolved configuration were written. */

import { relative, sep } from 'node:path';
import { packageConfigs } from './configFile.ts';
import { type ConfigLayer, isMapping, pathKey, valueAt } from './configTree.ts';

/** The place a value comes from. */
export interface ConfigOrigin {
  /** A file (of the package's own: its name among them, such as `localization/base.yaml`), `--set`, or `default` of the schema. */
  readonly source: string;
  /** In a file: the line, from 1. */
  readonly line?: number;
}

/** A value of a resolved configuration that is no mapping, lists included. */
export interface ConfigLeaf {
  readonly path: readonly string[];
  readonly value: unknown;
  readonly origin: ConfigOrigin;
}

/**
 * Where the value at a path comes from: the last layer that says something about it. A list replaces the one before, so it has one
 * origin; so has a list that the schema makes of several keys (`{start, stop, step}`), which is the last that changed one of them.
 */
export function originOf(layers: readonly ConfigLayer[], path: readonly string[]): ConfigOrigin {
  let origin: ConfigOrigin = { source: 'default' };
  for (const layer of layers) {
    if (valueAt(layer.values, path) !== undefined) origin = placeIn(layer, path);
    // A value in the place of a mapping above the path: what was said below it is gone.
    else if (path.some((_, i) => isReplaced(valueAt(layer.values, path.slice(0, i))))) origin = { source: 'default' };
  }
  return origin;
}

function isReplaced(above: unknown): boolean {
  return above !== undefined && !isMapping(above);
}

function placeIn({ file }: ConfigLayer, path: readonly string[]): ConfigOrigin {
  if (!file) return { source: '--set' };
  const own = relative(packageConfigs, file.path);
  const source = own.startsWith('..') ? nearPath(file.path) : own.split(sep).join('/');
  const line = file.lines.get(pathKey(path));
  return line === undefined ? { source } : { source, line };
}

/** Relative to the current directory where it lies below it. */
function nearPath(path: string): string {
  const near = relative(process.cwd(), path);
  return near.startsWith('..') ? path : near;
}

/** Every leaf of a resolved configuration with its origin, in order. */
export function configLeaves(config: unknown, layers: readonly ConfigLayer[], above: readonly string[] = []): ConfigLeaf[] {
  if (!isMapping(config) || Object.keys(config).length === 0)
    return [{ path: above, value: config, origin: originOf(layers, above) }];
  return Object.entries(config).flatMap(([key, value]) => configLeaves(value, layers, [...above, key]));
}

/** `localization/base.yaml:17`. */
export function showOrigin({ source, line }: ConfigOrigin): string {
  return line === undefined ? source : `${source}:${line}`;
}
