/** The arrays of one side of a score file. */

import { DataError } from '../data/formats/dataError.ts';
import { type NDArray, showShape } from '../engine/ndarray.ts';
import { predictedClasses } from './scores/logitScores.ts';

/** Arrays of one part of a file, by name without prefix. */
export interface ScorePart {
  readonly prefix: string;
  readonly rows: number;
  readonly label?: Int32Array;
  readonly conf?: NDArray;
  readonly pred?: NDArray;
  readonly unctt?: NDArray;
  readonly softmax?: NDArray;
  readonly logits?: NDArray;
  readonly features?: NDArray;
  /** Probabilities of stochastic passes, [N, K, passes]. */
  readonly passes?: NDArray;
}

/** How many axes arrays may have, where it is not one. */
const axesOf: Readonly<Record<string, readonly number[]>> = {
  unctt: [1, 2],
  softmax: [2],
  logits: [2],
  features: [2],
  passes: [3],
};

/** What the features file of a test calls an array. */
const otherNames: Readonly<Record<string, string>> = { softmax: 'probability', features: 'embedding' };

/** Whether an array holds vectors instead of one or two scores a row. */
export function isEmbedding(array: NDArray | undefined): boolean {
  return array !== undefined && array.shape.length === 2 && array.shape[1] > 2;
}

/** Predicted classes of a part: stored, or the largest probability or logit. @throws DataError if there is neither */
export function predictionOf({ pred, softmax, logits, prefix }: ScorePart, where: string): Int32Array {
  if (pred) return classNumbers(pred, `${where}: ${prefix}_pred`);
  const values = softmax ?? logits;
  if (!values)
    throw new DataError(where, `expected predictions ${prefix}_pred (or ${prefix}_softmax, ${prefix}_logits), found none`);
  return predictedClasses(values);
}

/** The arrays of a part with a prefix (`ind`, `ood`, `train`). @throws DataError naming an array whose shape does not fit */
export function partOf(arrays: Readonly<Record<string, NDArray>>, prefix: string, where: string): ScorePart {
  const get = (name: string): NDArray | undefined => arrays[`${prefix}_${name}`] ?? arrays[`${prefix}_${otherNames[name]}`];
  const labels = get('label');
  const label = labels && classNumbers(labels, `${where}: ${prefix}_label`);
  const any = get('unctt') ?? get('features') ?? get('softmax') ?? get('logits') ?? get('passes');
  const rows = label?.length ?? any?.shape[0] ?? 0;
  for (const name of ['conf', 'pred', 'unctt', 'softmax', 'logits', 'features', 'passes']) {
    const array = get(name);
    // Embeddings of two clips a video lie behind each other; class scores of two clips would be scores of more videos.
    const isPair = ['unctt', 'features'].includes(name) && isEmbedding(array) && array!.shape[0] === 2 * rows;
    const fits = !array || array.shape[0] === rows || isPair;
    const axes = axesOf[name] ?? [1];
    if (array && (!fits || !axes.includes(array.shape.length) || array.shape.includes(0))) {
      throw new DataError(
        `${where}: ${prefix}_${name}`,
        `expected ${rows} rows${axesOf[name] ? '' : ' of one value'} as in ${prefix}_label, found shape ${showShape(array.shape)}`,
      );
    }
  }
  return {
    prefix,
    rows,
    label,
    conf: get('conf'),
    pred: get('pred'),
    unctt: get('unctt'),
    softmax: get('softmax'),
    logits: get('logits'),
    features: get('features'),
    passes: get('passes'),
  };
}

function classNumbers(array: NDArray, where: string): Int32Array {
  const values = Float64Array.from(array.data, Number);
  const bad = values.findIndex(value => !Number.isInteger(value) || value < 0 || value > 2 ** 31 - 1);
  if (array.shape.length !== 1 || bad >= 0) {
    throw new DataError(
      where,
      `expected class numbers [N] from 0, found ${bad >= 0 ? `${values[bad]} in row ${bad}` : `shape ${showShape(array.shape)}`}`,
    );
  }
  return Int32Array.from(values);
}
