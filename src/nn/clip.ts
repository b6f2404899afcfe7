import { floatData, type Gradients } from './params.ts';

function dataOf(gradients: Gradients): (Float32Array | Float64Array)[] {
  return Object.entries(gradients).flatMap(([name, gradient]) => {
    if (gradient === undefined) return [];
    const data = floatData(gradient);
    if (data === undefined) throw new RangeError(`gradient of ${name}: expected a floating type, found ${gradient.dtype}`);
    return [data];
  });
}

/** Sum of squares, in double precision. */
export function sumOfSquares(data: Float32Array | Float64Array): number {
  // Four sums: an addition need not wait for the one before it.
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = data.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    a += data[i] * data[i];
    b += data[i + 1] * data[i + 1];
    c += data[i + 2] * data[i + 2];
    d += data[i + 3] * data[i + 3];
  }
  for (let i = whole; i < data.length; i++) a += data[i] * data[i];
  return a + b + (c + d);
}

/** Euclidean norm of all gradients together, in double precision. Not finite if any value is not. */
export function globalNorm(gradients: Gradients): number {
  return Math.sqrt(dataOf(gradients).reduce((total, data) => total + sumOfSquares(data), 0));
}

/**
 * Scales all gradients, in place, by min(1, maxNorm / (norm + 1e-6)), as PyTorch's `clip_grad_norm_`. A norm that is not finite leaves them
 * as they are: no factor repairs them, and the caller sees it in the result.
 * @returns the norm before
 * @throws RangeError unless maxNorm > 0
 */
export function clipByGlobalNorm(gradients: Gradients, maxNorm: number): number {
  if (!(maxNorm > 0)) throw new RangeError(`clipByGlobalNorm: expected maxNorm above 0, found ${maxNorm}`);
  const norm = globalNorm(gradients);
  const factor = maxNorm / (norm + 1e-6);
  if (!Number.isFinite(norm) || factor >= 1) return norm;
  for (const data of dataOf(gradients)) for (let i = 0; i < data.length; i++) data[i] *= factor;
  return norm;
}

/**
 * Moves every value, in place, into [-limit, limit]; NaN stays NaN.
 * @throws RangeError unless limit > 0
 */
export function clipByValue(gradients: Gradients, limit: number): void {
  if (!(limit > 0)) throw new RangeError(`clipByValue: expected limit above 0, found ${limit}`);
  for (const data of dataOf(gradients)) {
    for (let i = 0; i < data.length; i++) {
      if (data[i] > limit) data[i] = limit;
      else if (data[i] < -limit) data[i] = -limit;
    }
  }
}

/** False if any value is NaN or infinite. */
export function allFinite(gradients: Gradients): boolean {
  // 0 times a finite number is 0, and anything else poisons the sum, without a branch in the loop.
  return dataOf(gradients).every(data => {
    let [a, b, c, d] = [0, 0, 0, 0];
    const whole = data.length & ~3;
    for (let i = 0; i < whole; i += 4) {
      a += data[i] * 0;
      b += data[i + 1] * 0;
      c += data[i + 2] * 0;
      d += data[i + 3] * 0;
    }
    for (let i = whole; i < data.length; i++) a += data[i] * 0;
    return a + b + (c + d) === 0;
  });
}
