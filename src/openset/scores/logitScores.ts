/** Uncertainties read off class logits or probabilities; all grow with the doubt. */

import type { NDArray } from '../../engine/ndarray.ts';
import { argmax, mapRows, rowsOf } from './rows.ts';

/** softmax(row / temperature). */
export function softmax(row: ArrayLike<number>, temperature = 1): Float64Array {
  const scaled = Float64Array.from(row, value => value / temperature);
  const top = scaled.reduce((a, b) => Math.max(a, b));
  const powers = scaled.map(value => Math.exp(value - top));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map(value => value / sum);
}

/** 1 - max softmax(logits / temperature), of logits [N, K]. Hendrycks & Gimpel, ICLR 2017. */
export function maxSoftmaxUncertainty(logits: NDArray, temperature = 1): Float64Array {
  return mapRows(rowsOf(logits, 'logits'), row => 1 - largest(softmax(row, temperature)));
}

/** - max logit, of logits [N, K]. Hendrycks et al., ICML 2022. */
export function maxLogitUncertainty(logits: NDArray): Float64Array {
  return mapRows(rowsOf(logits, 'logits'), row => -largest(row));
}

/** Free energy -T log sum exp(logit / T), of logits [N, K]. Liu et al., NeurIPS 2020. */
export function energyUncertainty(logits: NDArray, temperature = 1): Float64Array {
  return mapRows(rowsOf(logits, 'logits'), row => {
    const top = largest(row);
    const sum = row.reduce((total, value) => total + Math.exp((value - top) / temperature), 0);
    return -(top + temperature * Math.log(sum));
  });
}

/** Entropy of softmax(logits / temperature) in nats, of logits [N, K]. */
export function entropyUncertainty(logits: NDArray, temperature = 1): Float64Array {
  return mapRows(rowsOf(logits, 'logits'), row => entropy(softmax(row, temperature)));
}

/** 1 - max p, of probabilities [N, K]. In float32 if they are: equal scores then stay equal. */
export function maxProbabilityUncertainty(probabilities: NDArray): Float64Array {
  const round = probabilities.dtype === 'float32' ? Math.fround : (value: number) => value;
  return mapRows(rowsOf(probabilities, 'probabilities'), row => round(1 - largest(row)));
}

/** The class with the largest value in each row of [N, K], the first of equals. */
export function predictedClasses(values: NDArray): Int32Array {
  return Int32Array.from(mapRows(rowsOf(values, 'class scores'), argmax));
}

/** The largest value in each row of [N, K]. */
export function largestOfRows(values: NDArray): Float64Array {
  return mapRows(rowsOf(values, 'class scores'), largest);
}

/** -sum p log p in nats, with 0 log 0 = 0. */
export function entropy(probabilities: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < probabilities.length; i++) {
    if (probabilities[i] > 0) sum -= probabilities[i] * Math.log(probabilities[i]);
  }
  return sum;
}

function largest(row: Float64Array): number {
  return row[argmax(row)];
}
