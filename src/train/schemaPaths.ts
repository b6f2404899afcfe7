/** The keys a schema knows. */

import { z } from 'zod';
import { isMapping } from './configTree.ts';

/** What a schema says about a path: a tree of its keys; `open` where any key may stand below. */
interface KeyTree {
  readonly keys: ReadonlyMap<string, KeyTree>;
  readonly open: boolean;
}

/** The keys of a schema, of what it reads (before transforms). */
function keyTree(schema: z.ZodType): KeyTree {
  return treeOf(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }));
}

function treeOf(node: unknown): KeyTree {
  if (!isMapping(node)) return { keys: new Map(), open: false };
  const alternatives = [node.anyOf, node.oneOf, node.allOf].filter(list => Array.isArray(list)).flat();
  const keys = new Map<string, KeyTree>();
  let open = node.type === 'object' && node.additionalProperties !== false;
  for (const [key, below] of Object.entries(isMapping(node.properties) ? node.properties : {})) keys.set(key, treeOf(below));
  for (const tree of alternatives.map(treeOf)) {
    for (const [key, below] of tree.keys) keys.set(key, below);
    open ||= tree.open;
  }
  return { keys, open };
}

/** Every key path of a schema, e.g. `train` and `train.epochs`, outer ones before inner ones. */
export function keyPaths(schema: z.ZodType): string[] {
  const paths: string[] = [];
  const walk = ({ keys }: KeyTree, prefix: string): void => {
    for (const [key, below] of keys) {
      paths.push(prefix + key);
      walk(below, `${prefix}${key}.`);
    }
  };
  walk(keyTree(schema), '');
  return paths;
}

/** The path of the first key of `values` that the schema does not know; undefined if it knows them all. */
export function unknownKey(schema: z.ZodType, values: unknown): string | undefined {
  const walk = ({ keys, open }: KeyTree, value: unknown, prefix: string): string | undefined => {
    // A mapping where the schema has a plain value is a wrong value, not an unknown key.
    if (!isMapping(value) || (keys.size === 0 && !open)) return undefined;
    for (const [key, below] of Object.entries(value)) {
      const tree = keys.get(key);
      if (!tree && !open) return prefix + key;
      const found = tree && walk(tree, below, `${prefix}${key}.`);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return walk(keyTree(schema), values, '');
}
