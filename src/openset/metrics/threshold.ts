/** Thresholds that turn an uncertainty into "known" or "unknown". */

/**
 * The uncertainty at which a fraction `keep` of known samples is accepted: the k-th largest value with k = N - floor(N keep), 1-based.
 * A sample is unknown when its uncertainty is greater. Choose it on training or validation data; on the test set it is optimistic.
 * @throws RangeError if there is no sample, `keep` is not in (0, 1), or so close to 1 that nothing is left to reject
 */
export function uncertaintyThreshold(uncertainties: ArrayLike<number>, keep: number): number {
  const k = uncertainties.length - Math.floor(uncertainties.length * checkedRate(uncertainties, keep));
  return descending(uncertainties)[k - 1];
}

/**
 * The confidence at which a fraction `keep` of known samples is accepted, by the published rule of RPL: of the confidences in descending
 * order, the one at index floor(N keep) - 1. A sample is unknown when its confidence is less.
 * @throws RangeError as {@link uncertaintyThreshold}
 */
export function confidenceThreshold(confidences: ArrayLike<number>, keep: number): number {
  const index = Math.floor(confidences.length * checkedRate(confidences, keep)) - 1;
  return descending(confidences)[Math.max(0, index)];
}

function checkedRate(values: ArrayLike<number>, keep: number): number {
  if (values.length === 0) throw new RangeError('a threshold needs known samples, found none');
  if (!(keep > 0 && keep < 1))
    throw new RangeError(`expected a fraction of known samples to accept between 0 and 1, found ${keep}`);
  return keep;
}

function descending(values: ArrayLike<number>): Float64Array {
  return Float64Array.from(values).sort().reverse();
}
