import { constant, fromNumbers, mul, type Tensor } from '../../engine/index.ts';

/**
 * x times a number, for a factor of a product of matrices. ONNX Runtime folds a single number there into the product, and holds it as a float32; in float64
 * the factor is a row of numbers therefore.
 */
export function scaled(x: Tensor, factor: number): Tensor {
  if (x.dtype !== 'float64') return mul(x, factor);
  const width = x.shape[x.rank - 1];
  return mul(x, constant(fromNumbers(Array<number>(width).fill(factor), [width], 'float64')));
}
