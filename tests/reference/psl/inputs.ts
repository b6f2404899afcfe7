/** What the PSL adapters read of a case. */

import { astype, type NDArray } from '../../../src/engine/ndarray.ts';
import type { Precision, ReferenceCase } from '../case.ts';

/** A number among the hyperparameters. @throws Error if it is none */
export function numberOf(c: ReferenceCase, name: string): number {
  const value = c.hyperparameters[name];
  if (typeof value !== 'number') throw new Error(`${c.name}: expected hyperparameters.${name}, a number`);
  return value;
}

/** An array in a precision. */
export function asPrecision(array: NDArray, precision: Precision): NDArray {
  return astype(array, precision);
}
