import { isNDArray, type NDArray } from './ndarray.ts';
import { type Aval, Tensor } from './tensor.ts';

/** Arrays in nested records and lists, beside plain values that stay as they are. */
export type Tree =
  | Tensor
  | NDArray
  | number
  | string
  | boolean
  | null
  | undefined
  | readonly Tree[]
  | { readonly [key: string]: Tree };

/** What a traced function's argument or result is outside of the trace: each Tensor is an NDArray. */
export type Concrete<T> = T extends Tensor
  ? NDArray
  : T extends readonly unknown[] | object
    ? { [K in keyof T]: Concrete<T[K]> }
    : T;

/** What is known of a traced function's argument before it has values: each Tensor is its element type and shape. */
export type Described<T> = T extends Tensor
  ? Aval
  : T extends readonly unknown[] | object
    ? { [K in keyof T]: Described<T[K]> }
    : T;

/** True for the leaves that hold arrays; every other leaf is static. */
export type IsLeaf<L> = (value: unknown) => value is L;

export const isTensor: IsLeaf<Tensor> = (value): value is Tensor => value instanceof Tensor;
export const isArray: IsLeaf<NDArray> = isNDArray;
/** An array counts as what it is like. */
export const isAval: IsLeaf<Aval> = (value): value is Aval =>
  typeof value === 'object' && value !== null && 'dtype' in value && 'shape' in value;

/** Calls `f` on every array leaf, with its path (`params.att_branch.weight`); everything else is kept. */
export function mapTree<L>(tree: unknown, isLeaf: IsLeaf<L>, f: (leaf: L, path: string) => unknown, path = ''): unknown {
  if (isLeaf(tree)) return f(tree, path);
  const child = (key: string | number) => (path === '' ? String(key) : `${path}.${key}`);
  if (Array.isArray(tree)) return tree.map((value, i) => mapTree(value, isLeaf, f, child(i)));
  if (typeof tree === 'object' && tree !== null) {
    if (Object.getPrototypeOf(tree) !== Object.prototype && Object.getPrototypeOf(tree) !== null) {
      throw new TypeError(
        `${path || 'argument'}: expected arrays, plain objects, lists or scalars, found ${tree.constructor?.name ?? 'an object'}`,
      );
    }
    return Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, mapTree(value, isLeaf, f, child(key))]));
  }
  return tree;
}

/** The array leaves in order, with their paths. */
export function leavesOf<L>(tree: unknown, isLeaf: IsLeaf<L>): { leaf: L; path: string }[] {
  const leaves: { leaf: L; path: string }[] = [];
  mapTree(tree, isLeaf, (leaf, path) => {
    leaves.push({ leaf, path });
    return undefined;
  });
  return leaves;
}

/** A text that is equal for trees of equal structure, static values, element types and shapes. */
export function signatureOf(tree: unknown): string {
  if (isNDArray(tree)) return `${tree.dtype}[${tree.shape}]`;
  if (Array.isArray(tree)) return `(${tree.map(signatureOf).join()})`;
  if (typeof tree === 'object' && tree !== null) {
    return `{${Object.entries(tree)
      .map(([key, value]) => `${JSON.stringify(key)}:${signatureOf(value)}`)
      .join()}}`;
  }
  return typeof tree === 'number' ? String(tree) : (JSON.stringify(tree) ?? 'undefined');
}
