/** Small helpers for tests of traced functions. */
import {
  type Compiled,
  type Concrete,
  compile,
  fromNumbers,
  type NDArray,
  type Tensor,
  valueAndGrad,
} from '../../src/engine/index.ts';
import { type Array64, between } from '../engine/arrays.ts';
import { check } from '../engine/checks.ts';

/** Compiles, runs once and frees. */
export async function once<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  ...args: Concrete<A> & readonly unknown[]
): Promise<Concrete<R>> {
  const compiled: Compiled<A, R> = compile(fn);
  try {
    return await (compiled as unknown as (...given: readonly unknown[]) => Promise<Concrete<R>>)(...args);
  } finally {
    await compiled.dispose();
  }
}

/** A scalar function's value and its gradient over a list of arrays. */
export async function valueWithGradient(
  fn: (...inputs: Tensor[]) => Tensor,
  ...inputs: readonly NDArray[]
): Promise<{ value: number; gradients: readonly NDArray[] }> {
  const [value, gradients] = await once(
    (xs: readonly Tensor[]) => valueAndGrad((at: readonly Tensor[]) => fn(...at))(xs),
    inputs,
  );
  return { value: Number(value.data[0]), gradients };
}

/** Compares the gradient of a function of float64 arrays with finite differences. */
export async function checkGradient(fn: (...inputs: Tensor[]) => Tensor, inputs: readonly NDArray[]): Promise<void> {
  const expected = await once((xs: readonly Tensor[]) => fn(...xs), inputs);
  await check({ inputs, fn, expected }, 7, 3);
}

/** The numbers of an array. */
export const numbers = (array: NDArray): number[] => Array.from(array.data as ArrayLike<number>, Number);

/** A float64 array from numbers. */
export const array64 = (values: readonly number[], shape: readonly number[]): Array64 => fromNumbers(values, shape, 'float64');

/** Rows that are probability distributions, none of their entries near 0. */
export function distributions(seed: number, shape: readonly number[]): Array64 {
  const raw = between(seed, shape, 0.2, 1);
  const width = shape[shape.length - 1];
  for (let row = 0; row < raw.data.length; row += width) {
    const part = raw.data.subarray(row, row + width);
    const total = part.reduce((a, b) => a + b, 0);
    for (let i = 0; i < width; i++) part[i] /= total;
  }
  return raw;
}
