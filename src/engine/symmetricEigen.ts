/** Eigenvalues and eigenvectors of a symmetric matrix. */

/** A = sum_i values[i] v_i v_i^T; eigenvector i is row i of `vectors` [n, n]. In no particular order. */
export interface Eigen {
  readonly values: Float64Array;
  readonly vectors: Float64Array;
}

/**
 * Householder reflections to tridiagonal form, then QL steps with implicit shifts (Golub & Van Loan, chapter 8). All inner loops run along
 * rows. About 9 n^3 operations.
 * @param matrix [n, n]; only its symmetric part is meaningful
 * @throws RangeError if a value is not finite
 */
export function symmetricEigen(matrix: Float64Array, n: number): Eigen {
  if (!matrix.every(Number.isFinite)) throw new RangeError('symmetricEigen: expected finite values');
  const { diagonal, off, vectors } = tridiagonal(matrix.slice(), n);
  for (let first = 0; first < n; first++) {
    // Off-diagonal element i couples i and i + 1; a negligible one splits the matrix.
    for (let last = blockEnd(diagonal, off, first); last > first; last = blockEnd(diagonal, off, first)) {
      qlStep(diagonal, off, vectors, n, first, last);
    }
  }
  return { values: diagonal, vectors };
}

/** Q^T A Q with Q a product of reflections I - 2 u u^T, the k-th acting on coordinates past k; `vectors` holds Q^T. */
function tridiagonal(a: Float64Array, n: number): { diagonal: Float64Array; off: Float64Array; vectors: Float64Array } {
  const reflections: (Float64Array | undefined)[] = [];
  const diagonal = new Float64Array(n);
  const off = new Float64Array(Math.max(n, 1));
  const w = new Float64Array(n);
  for (let k = 0; k < n - 1; k++) {
    const u = new Float64Array(n);
    for (let i = k + 1; i < n; i++) u[i] = a[k * n + i];
    const norm = Math.hypot(...u.subarray(k + 1));
    const head = u[k + 1];
    off[k] = head > 0 ? -norm : norm;
    u[k + 1] -= off[k];
    const length = Math.hypot(...u.subarray(k + 1));
    if (length === 0) {
      reflections.push(undefined);
      continue;
    }
    for (let i = k + 1; i < n; i++) u[i] /= length;
    reflections.push(u);
    // A - 2 u p^T - 2 p u^T + 4 (u.p) u u^T with p = A u, as A - u w^T - w u^T.
    let inner = 0;
    for (let i = k + 1; i < n; i++) {
      let sum = 0;
      for (let j = k + 1; j < n; j++) sum += a[i * n + j] * u[j];
      w[i] = 2 * sum;
      inner += sum * u[i];
    }
    for (let i = k + 1; i < n; i++) w[i] -= 2 * inner * u[i];
    for (let i = k + 1; i < n; i++) {
      for (let j = k + 1; j < n; j++) a[i * n + j] -= u[i] * w[j] + w[i] * u[j];
    }
  }
  for (let i = 0; i < n; i++) diagonal[i] = a[i * n + i];

  // The last reflection first: what is multiplied is then still the identity outside its lower right block.
  const vectors = new Float64Array(n * n);
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1;
  for (let k = n - 2; k >= 0; k--) {
    const u = reflections[k];
    if (!u) continue;
    for (let i = k + 1; i < n; i++) {
      let sum = 0;
      for (let j = k + 1; j < n; j++) sum += vectors[i * n + j] * u[j];
      for (let j = k + 1; j < n; j++) vectors[i * n + j] -= 2 * sum * u[j];
    }
  }
  return { diagonal, off, vectors };
}

/** The last index of the unsplit block that begins at `first`. */
function blockEnd(diagonal: Float64Array, off: Float64Array, first: number): number {
  let last = first;
  while (last < diagonal.length - 1) {
    if (Math.abs(off[last]) <= Number.EPSILON * (Math.abs(diagonal[last]) + Math.abs(diagonal[last + 1]))) break;
    last++;
  }
  return last;
}

/**
 * One QL step on a block with Wilkinson's shift for its first element: a rotation that the shift determines at the block's end, and rotations
 * that chase the element it puts off the band up to the block's beginning.
 */
function qlStep(d: Float64Array, e: Float64Array, vectors: Float64Array, n: number, first: number, last: number): void {
  const half = (d[first + 1] - d[first]) / 2;
  const shift = d[first] - e[first] ** 2 / (half + (half < 0 ? -1 : 1) * Math.hypot(half, e[first]));
  let [x, bulge] = [d[last] - shift, e[last - 1]];
  for (let i = last - 1; i >= first; i--) {
    const r = Math.hypot(x, bulge);
    const [c, s] = r === 0 ? [1, 0] : [x / r, bulge / r];
    if (i < last - 1) e[i + 1] = r;
    // [d0 b; b d1] of coordinates i and i + 1, rotated.
    const [d0, b, d1] = [d[i], e[i], d[i + 1]];
    d[i + 1] = c * c * d1 + 2 * c * s * b + s * s * d0;
    d[i] = s * s * d1 - 2 * c * s * b + c * c * d0;
    e[i] = (c * c - s * s) * b + c * s * (d0 - d1);
    if (i > first) {
      bulge = s * e[i - 1];
      e[i - 1] *= c;
      x = e[i];
    }
    for (let k = i * n, m = k + n; k < (i + 1) * n; k++, m++) {
      const [upper, lower] = [vectors[k], vectors[m]];
      vectors[m] = c * lower + s * upper;
      vectors[k] = c * upper - s * lower;
    }
  }
}
