/** Mix-up and soft targets: arrays made outside the graph, from numbers that the caller draws. */
import { type NDArray, ndarray, showShape } from '../engine/ndarray.ts';

/**
 * Probabilities of the classes for each label: 1 - s + s / C for its own, s / C for the others, `[labels, C]`.
 * Source: C. Szegedy et al., "Rethinking the inception architecture", CVPR 2016, section 7 (s: label smoothing).
 * @throws RangeError for a label that is no class
 */
export function softTargets(labels: ArrayLike<number>, classes: number, smoothing = 0): NDArray<'float32'> {
  const rest = smoothing / classes;
  const data = new Float32Array(labels.length * classes).fill(rest);
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i];
    if (!Number.isInteger(label) || label < 0 || label >= classes)
      throw new RangeError(`softTargets: expected a label from 0 to ${classes - 1}, found ${label}`);
    data[i * classes + label] = 1 - smoothing + rest;
  }
  return ndarray('float32', [labels.length, classes], data);
}

/**
 * Every row of a batch mixed with that of the reversed batch: lambda x_i + (1 - lambda) x_(n-1-i). Clips and their soft targets alike.
 * Source: H. Zhang et al., "mixup: Beyond empirical risk minimization", ICLR 2018, with the batch's own reverse as partner.
 */
export function mixWithReverse(batch: NDArray<'float32'>, lambda: number): NDArray<'float32'> {
  const { shape, data } = batch;
  if (shape.length === 0) throw new RangeError(`mixWithReverse: expected a batch, found ${showShape(shape)}`);
  const [rows] = shape;
  const each = data.length / Math.max(1, rows);
  const mixed = new Float32Array(data.length);
  for (let i = 0; i < rows; i++) {
    const other = (rows - 1 - i) * each;
    for (let j = 0; j < each; j++) mixed[i * each + j] = lambda * data[i * each + j] + (1 - lambda) * data[other + j];
  }
  return ndarray('float32', [...shape], mixed);
}
