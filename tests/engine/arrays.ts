/** Small arrays for tests, and readable references over them: a reference says what each element is, by its position. */
import { type NDArray, ndarray, random, type Shape, sizeOf } from '../../src/engine/index.ts';

export type Array64 = NDArray<'float64'>;

/** Every position of a shape in C order. */
export function positions(shape: Shape): number[][] {
  return shape.reduce<number[][]>(
    (rows, extent) => rows.flatMap(row => Array.from({ length: extent }, (_, i) => [...row, i])),
    [[]],
  );
}

/** The array whose element at each position is `value(position)`. */
export function build(shape: Shape, value: (position: number[]) => number): Array64 {
  return ndarray('float64', shape, Float64Array.from(positions(shape), value));
}

/** The element at a position; axes are aligned from the right and those of extent 1 repeat. Zero outside. */
export function at(x: NDArray, position: readonly number[]): number {
  let offset = 0;
  const lead = position.length - x.shape.length;
  for (const [axis, extent] of x.shape.entries()) {
    const i = extent === 1 ? 0 : position[lead + axis];
    if (i < 0 || i >= extent) return 0;
    offset = offset * extent + i;
  }
  return Number(x.data[offset]);
}

/** `f` of the elements that a reduction over `axes` takes together. */
export function reduced(x: NDArray, axes: readonly number[], keepDims: boolean, f: (values: number[]) => number): Array64 {
  const kept = x.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
  const inner = positions(x.shape.map((extent, axis) => (axes.includes(axis) ? extent : 1)));
  // A position inside the reduced axes is read relative to the kept ones, one of which is always 0.
  const read = (p: number[], q: number[]) => {
    const offset = x.shape.reduce((sum, extent, axis) => sum * extent + p[axis] + q[axis], 0);
    return Number(x.data[offset]);
  };
  const y = build(kept, p => f(inner.map(q => read(p, q))));
  return keepDims
    ? y
    : ndarray(
        'float64',
        kept.filter((_, axis) => !axes.includes(axis)),
        y.data,
      );
}

/** The shape that shapes broadcast to. */
export function together(...shapes: Shape[]): number[] {
  const rank = Math.max(...shapes.map(s => s.length));
  return Array.from({ length: rank }, (_, i) => {
    const extents = shapes.map(s => s[s.length - rank + i] ?? 1);
    return extents.find(extent => extent !== 1) ?? 1;
  });
}

/** Numbers between `low` and `high`. */
export function between(seed: number, shape: Shape, low = -1, high = 1): Array64 {
  const u = random.uniform(random.key(seed), shape).data;
  return ndarray(
    'float64',
    shape,
    Float64Array.from(u, v => low + (high - low) * v),
  );
}

/** Numbers in random order no two of which are closer than 0.05, and none closer than 0.02 to zero: no kinks, no ties. */
export function apart(seed: number, shape: Shape): Array64 {
  const n = sizeOf(shape);
  const order = random.permutation(random.key(seed), n);
  return ndarray(
    'float64',
    shape,
    Float64Array.from(order, i => (i - Math.floor(n / 2)) * 0.06 + 0.03),
  );
}

/** Integers from `low` to `high`, the latter not included. */
export function integers(seed: number, shape: Shape, low: number, high: number): NDArray<'int64'> {
  return ndarray('int64', shape, BigInt64Array.from(random.integers(random.key(seed), low, high, sizeOf(shape)), BigInt));
}
