/** What a trained open-set model carries of its training clips, to say "never seen": their uncertainties and, for distances, their Gaussian. */

import { DataError } from '../data/formats/dataError.ts';
import { encodeSafetensors } from '../data/formats/safetensors.ts';
import { weightsDigest } from '../data/weightsDigest.ts';
import { type NDArray, ndarray, showShape } from '../engine/ndarray.ts';
import type { Recognition } from './methods.ts';
import { uncertaintyThreshold } from './metrics/threshold.ts';
import { fitMahalanobis } from './scores/mahalanobis.ts';
import { leaveOneOut, type Whitening, whitenedDistances, whiteningOf } from './scores/whitening.ts';

/** The method's own uncertainty, or the Mahalanobis distance of the embedding to those of the training clips. */
export type UncertaintyKind = 'method' | 'mahalanobis';

/** A calibration. */
export interface Calibration {
  /** Uncertainties of the training clips in ascending order, as a clip that was not among them would have them. */
  readonly uncertainty: Float64Array;
  /** Of Mahalanobis distances: what they are distances to. */
  readonly whitening?: Whitening;
}

/** The outputs of a network that uncertainties come from. */
type Outputs = Pick<Recognition<NDArray>, 'embeddings' | 'uncertainty'>;

/**
 * Calibrates on the outputs for the training clips. Distances count as {@link leaveOneOut} gives them: each clip to the Gaussian of all
 * others, for a new clip is not in it either.
 * @throws RangeError if there are no clips
 */
export function calibrate(kind: UncertaintyKind, training: Outputs): Calibration {
  if (training.embeddings.shape[0] === 0) throw new RangeError('a calibration needs training clips, found none');
  if (kind === 'method') return { uncertainty: ascending(uncertaintyOf(undefined, training)) };
  const whitening = whiteningOf(fitMahalanobis(training.embeddings));
  return { uncertainty: ascending(leaveOneOut(whitenedDistances(whitening, training.embeddings))), whitening };
}

const ascending = (values: Float64Array): Float64Array => values.slice().sort();

/** The uncertainties of outputs: distances where the calibration is one of distances, else (or without one) the method's own. */
export function uncertaintyOf(calibration: Calibration | undefined, { embeddings, uncertainty }: Outputs): Float64Array {
  const { whitening } = calibration ?? {};
  return whitening ? whitenedDistances(whitening, embeddings) : Float64Array.from(uncertainty.data, Number);
}

/** The uncertainty above which a clip counts as unknown, or why there is none, in words. */
export interface CalibratedThreshold {
  readonly value: number | undefined;
  readonly rule: string;
}

/**
 * The threshold that accepts a fraction of the training clips (the rule of {@link uncertaintyThreshold}).
 * @param kind what the uncertainties are
 * @param accept between 0 and 1
 * @throws RangeError for another fraction
 */
export function thresholdAt(
  { uncertainty }: Pick<Calibration, 'uncertainty'>,
  kind: UncertaintyKind,
  accept: number,
): CalibratedThreshold {
  const value = uncertaintyThreshold(uncertainty, accept);
  const clips = `${uncertainty.length} training clips`;
  if (!Number.isFinite(value))
    return { value: undefined, rule: `none: ${clips} are too few to say how far from all others a clip of their classes is` };
  const judged = kind === 'mahalanobis' ? ', each judged by the others' : '';
  return { value, rule: `accepts ${Number((100 * accept).toPrecision(12))} % of the ${clips}${judged}` };
}

/** A calibration as named arrays; {@link parseCalibration} gives it back. */
export function calibrationTensors({ uncertainty, whitening }: Calibration): Record<string, NDArray> {
  const vector = (values: Float64Array) => ndarray('float64', [values.length], values);
  if (!whitening) return { uncertainty: vector(uncertainty) };
  const { count, width, data } = whitening.matrix;
  return {
    uncertainty: vector(uncertainty),
    center: vector(whitening.center),
    whitening: ndarray('float64', [count, width], data),
  };
}

/**
 * The reverse of {@link calibrationTensors}.
 * @param kind what the model's configuration wants
 * @throws DataError naming the array that is missing, or has another shape or order
 */
export function parseCalibration(
  tensors: Readonly<Record<string, NDArray>>,
  kind: UncertaintyKind,
  width: number,
  where: string,
): Calibration {
  const read = (name: string, shape: readonly (number | undefined)[]): Float64Array => {
    const array = tensors[name];
    const wanted = `calibration.${name}: expected float64 [${shape.map(extent => extent ?? 'n').join(', ')}]`;
    if (!array) throw new DataError(where, `${wanted}, found none`);
    const fits = array.shape.length === shape.length && shape.every((n, i) => n === undefined || n === array.shape[i]);
    if (!fits || !(array.data instanceof Float64Array))
      throw new DataError(where, `${wanted}, found ${array.dtype} ${showShape(array.shape)}`);
    return array.data;
  };
  const uncertainty = read('uncertainty', [undefined]);
  if (uncertainty.length === 0 || uncertainty.some((value, i) => !(value >= uncertainty[Math.max(0, i - 1)])))
    throw new DataError(where, 'calibration.uncertainty: expected numbers in ascending order, found others');
  if (kind === 'method') return { uncertainty };
  const data = read('whitening', [undefined, width]);
  const matrix = { count: data.length / width, width, data };
  return { uncertainty, whitening: { center: read('center', [width]), matrix } };
}

/** Key in the metadata of a calibration file that names the weights it belongs to, by their digest. */
export const calibratedWeights = 'weights';

/** A calibration as the file that a test writes; it says which weights it belongs to. */
export function encodeCalibration(calibration: Calibration, params: Readonly<Record<string, NDArray>>): Uint8Array {
  const chunks = encodeSafetensors(calibrationTensors(calibration), { [calibratedWeights]: weightsDigest(params) });
  const file = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0));
  let at = 0;
  for (const chunk of chunks) {
    file.set(chunk, at);
    at += chunk.byteLength;
  }
  return file;
}
