import { DataError } from './dataError.ts';
import type { Pickled } from './pickle.ts';
import { PickleGlobal } from './pickleClass.ts';

/** Deeper nesting is refused, so that whoever walks the result may do so recursively. */
const maxDepth = 1000;

/** One container on the way from the root: what it holds, and what is known of the part that was seen. */
interface Level {
  readonly container: object;
  readonly children: readonly unknown[];
  next: number;
  height: number;
  size: number;
}

/**
 * Checks that a value is a tree of plain values, whose branches may be shared: nothing holds itself, nothing is nested deeper than
 * 1000 levels, and walking it, shared branches each time anew, is no more work than a small multiple of `length`.
 * @param length bytes it was read from
 * @throws DataError saying which of it is not so
 */
export function checkTree<Leaf>(
  root: unknown,
  length: number,
  isLeaf: (value: unknown) => value is Leaf,
  where: string,
): Pickled<Leaf> {
  const largest = 10 * length + 2 ** 20;
  // Finished containers with the height and the expanded size of what they hold; undefined while under way.
  const known = new Map<object, { readonly height: number; readonly size: number } | undefined>();
  const path: Level[] = [];

  /** Counts a value in its parent; containers that are not known yet are entered instead. */
  const visit = (value: unknown, parent: Level): void => {
    let seen: { readonly height: number; readonly size: number } | undefined;
    if (isContainer(value)) {
      if (!known.has(value)) {
        known.set(value, undefined);
        path.push({ container: value, children: childrenOf(value), next: 0, height: 0, size: 1 });
        if (path.length > maxDepth + 1) throw tooDeep(where);
        return;
      }
      seen = known.get(value);
      if (!seen) throw new DataError(where, 'a list or dictionary of the pickle holds itself');
    } else seen = { height: 0, size: leafSize(value, isLeaf, where) };
    parent.height = Math.max(parent.height, seen.height + 1);
    if (parent.height > maxDepth) throw tooDeep(where);
    parent.size += seen.size;
    if (parent.size > largest)
      throw new DataError(where, 'a few parts of the pickle, used again and again, make up a huge whole');
  };

  path.push({ container: {}, children: [root], next: 0, height: -1, size: 0 });
  for (;;) {
    const level = path[path.length - 1];
    if (level.next < level.children.length) {
      visit(level.children[level.next++], level);
      continue;
    }
    path.pop();
    if (path.length === 0) return root as Pickled<Leaf>;
    known.set(level.container, { height: level.height, size: level.size });
    // Now known: its parent takes it in by visiting it once more.
    path[path.length - 1].next--;
  }
}

function tooDeep(where: string): DataError {
  return new DataError(where, `the pickle is nested deeper than ${maxDepth} levels`);
}

function isContainer(value: unknown): value is readonly unknown[] | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown> {
  return Array.isArray(value) || value instanceof Map || value instanceof Set;
}

function childrenOf(value: readonly unknown[] | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>): readonly unknown[] {
  if (value instanceof Map) return [...value.keys(), ...value.values()];
  return value instanceof Set ? [...value] : (value as readonly unknown[]);
}

/** What a value that holds no others counts: long texts are work too. */
function leafSize<Leaf>(value: unknown, isLeaf: (value: unknown) => value is Leaf, where: string): number {
  if (typeof value === 'string') return 1 + value.length / 64;
  const plain = value === null || typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint';
  if (plain || value instanceof PickleGlobal || isLeaf(value)) return 1;
  if (value instanceof Uint8Array) return 1 + value.length / 64;
  throw new DataError(where, 'the pickle holds an object that is not complete (a bare storage, or one without its state)');
}
