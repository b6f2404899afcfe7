/** What the HyRSM adapters read of a case. */

import { astype, type NDArray } from '../../../src/engine/ndarray.ts';
import { type Adapter, type Compared, compareArray, type Precision, type ReferenceCase } from '../case.ts';

/** A number among the hyperparameters. @throws Error if it is none */
export function numberOf(c: ReferenceCase, name: string): number {
  const value = c.hyperparameters[name];
  if (typeof value !== 'number') throw new Error(`${c.name}: expected hyperparameters.${name}, a number`);
  return value;
}

/** The numbers of an array. @throws Error naming one that the case lacks */
export function numbersOf(c: ReferenceCase, key: string): number[] {
  const array = c.arrays[key];
  if (!array) throw new Error(`${c.name} has no array "${key}"`);
  return Array.from(array.data as ArrayLike<number>, Number);
}

/** The rows of an array `[rows, width]`. */
export function rowsOf(c: ReferenceCase, key: string): number[][] {
  const all = numbersOf(c, key);
  const [rows] = c.arrays[key].shape;
  const width = all.length / rows;
  return Array.from({ length: rows }, (_, i) => all.slice(i * width, (i + 1) * width));
}

/** An adapter of one kind. */
export function adapterOf(kind: string, run: Adapter['run']): Adapter {
  return { matches: c => c.kind === kind, run };
}

/** Arrays whose key begins with `prefix`, under the rest of it; floating ones in a precision. */
export function arraysOf(c: ReferenceCase, prefix: string, precision: Precision): Record<string, NDArray> {
  const chosen = Object.entries(c.arrays).filter(([key]) => key.startsWith(prefix));
  return Object.fromEntries(
    chosen.map(([key, array]) => [key.slice(prefix.length), array.dtype.startsWith('float') ? astype(array, precision) : array]),
  );
}

/** An expected array against what was computed in a precision; only the float64 one is called by its plain key. */
export function compareIn(c: ReferenceCase, key: string, got: NDArray, precision: Precision): Compared {
  const compared = compareArray(c, key, got, c.tolerance(key, precision));
  return precision === 'float32' ? { ...compared, key: `${key} (float32)` } : compared;
}
