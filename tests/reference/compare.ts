/** Checks compared quantities against their bounds. */

import { showShape, sizeOf } from '../../src/engine/ndarray.ts';
import type { Compared, ReferenceCase, Tolerance } from './case.ts';

/** The worst element of one quantity. */
export interface Check {
  readonly key: string;
  readonly pass: boolean;
  /** |got - want| at the element with the largest error relative to its bound, and that bound. */
  readonly error: number;
  readonly allowed: number;
  /** error / allowed; 0 for equal values, Infinity for an error where none is allowed. */
  readonly ratio: number;
  /** Why a comparison was impossible: shapes that differ. */
  readonly problem?: string;
}

/** Compares one quantity element by element: NaN equals NaN, an infinity one of the same sign, shapes must be equal where known. */
export function check(c: ReferenceCase, compared: Compared): Check {
  const { key } = compared;
  const got = listed(compared.got);
  const want = listed(compared.want);
  const failed = (problem: string): Check => ({ key, pass: false, error: Number.NaN, allowed: 0, ratio: Infinity, problem });
  const { gotShape, wantShape } = compared;
  if (gotShape && wantShape && showShape(gotShape) !== showShape(wantShape)) {
    return failed(`shape ${showShape(gotShape)}, expected ${showShape(wantShape)}`);
  }
  if (got.length !== want.length) return failed(`${got.length} values, expected ${want.length}`);
  if (wantShape && sizeOf(wantShape) !== want.length) return failed(`${want.length} values for shape ${showShape(wantShape)}`);
  const bound = boundOf(compared.tolerance ?? c.tolerance(key), want);
  let worst: Check = { key, pass: true, error: 0, allowed: want.length > 0 ? bound(Number(want[0])) : 0, ratio: 0 };
  for (let i = 0; i < want.length; i++) {
    const [g, w] = [Number(got[i]), Number(want[i])];
    if (g === w || (Number.isNaN(g) && Number.isNaN(w))) continue;
    const allowed = bound(w);
    const error = Math.abs(g - w);
    // An infinite expectation has an infinite relative bound, and a NaN compares as neither: both only pass as equals, above.
    const pass = Number.isFinite(g) && Number.isFinite(w) && error <= allowed;
    const ratio = pass ? (allowed > 0 ? error / allowed : 0) : Math.max(allowed > 0 ? error / allowed : Infinity, 1 + 1e-9);
    const rank = Number.isNaN(ratio) ? Infinity : ratio;
    if (rank > worst.ratio || (!pass && worst.pass)) worst = { key, pass: pass && worst.pass, error, allowed, ratio: rank };
  }
  return worst;
}

function boundOf(tolerance: Tolerance, want: ArrayLike<number | bigint>): (value: number) => number {
  if (tolerance.relativeToMax === undefined) return value => tolerance.atol + tolerance.rtol * Math.abs(value);
  let largest = 0;
  for (let i = 0; i < want.length; i++) largest = Math.max(largest, Math.abs(Number(want[i])));
  const allowed = tolerance.relativeToMax * largest;
  return () => allowed;
}

function listed(values: ArrayLike<number | bigint> | number): ArrayLike<number | bigint> {
  return typeof values === 'number' ? [values] : values;
}
