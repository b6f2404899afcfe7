/** Score files: arrays of known (`ind_`), unknown (`ood_`) and training (`train_`) samples by name, in the layouts that are around. */

import { DataError, messageOf } from '../data/formats/dataError.ts';
import { encodeNpz } from '../data/formats/npz.ts';
import { type NDArray, ndarray, showShape } from '../engine/ndarray.ts';
import { type DerivedScore, deriveScores } from './deriveScores.ts';
import type { OpenSetScores, ScoredSamples } from './scoredSamples.ts';
import { isEmbedding, partOf, predictionOf, type ScorePart } from './scorePart.ts';
import { largestOfRows, maxProbabilityUncertainty, softmax } from './scores/logitScores.ts';

export interface ScoreFileOptions {
  /** Which uncertainty: what the file holds (default), or one made from its logits or features. */
  readonly score?: 'stored' | DerivedScore;
  /** The column of a stored uncertainty with two: 0 aleatoric (default, as published), 1 epistemic. */
  readonly column?: number;
  /** Divides logits and similarities before softmax; 1 for logits and 0.2 for prototypes by default. */
  readonly temperature?: number;
}

const layouts =
  'ind_label and ood_label [N] with one of: {ind,ood}_unctt [N], [N, 1] or [N, 2] (aleatoric, epistemic) and {ind,ood}_pred [N]; ' +
  '{ind,ood}_softmax or _logits [N, K]; or embeddings {train,ind,ood}_unctt [N or 2N, D] (or _features) with {ind,ood}_pred';

/**
 * Scores from the arrays of a score file.
 * @param where the file's name, for messages
 * @throws DataError naming the file and array: what the layouts are, what was found; a score that is no number; rows that do not fit
 */
export function scoresFromArrays(
  arrays: Readonly<Record<string, NDArray>>,
  where: string,
  options: ScoreFileOptions = {},
): OpenSetScores {
  const [known, unknown] = ['ind', 'ood'].map(prefix => partOf(arrays, prefix, where));
  if (!known.label || !unknown.label) throw unrecognised(arrays, where);
  const training = partOf(arrays, 'train', where);
  const score = options.score ?? (hasStored(known) && hasStored(unknown) ? 'stored' : 'mahalanobis');
  if (score === 'stored') {
    if (!hasStored(known) || !hasStored(unknown)) throw unrecognised(arrays, where);
    const column = options.column ?? 0;
    return {
      known: stored(known, column, where),
      unknown: stored(unknown, column, where),
      ...(hasStored(training) ? { training: storedUncertainty(training, column, where) } : {}),
      score: storedName(known, column),
    };
  }
  if (!options.score && !isEmbedding(known.unctt) && !known.features) throw unrecognised(arrays, where);
  try {
    const derived = deriveScores({ known, unknown, training, prototypes: arrays.prototypes }, score, options.temperature);
    return checked(derived, where, score);
  } catch (thrown) {
    throw thrown instanceof DataError ? thrown : new DataError(where, messageOf(thrown), { cause: thrown });
  }
}

/**
 * A score file of our own: `{train,ind,ood}_{conf,unctt,pred,label}`, one value a row, and what other scores can be made of
 * (`{train,ind,ood}_{logits,features}`, `prototypes`). See docs/openset.md.
 */
export function encodeScoreFile(parts: {
  readonly known: ScoredSamples;
  readonly unknown: ScoredSamples;
  readonly training?: ScoredSamples;
  readonly extra?: Readonly<Record<string, NDArray>>;
}): Uint8Array {
  const arrays: Record<string, NDArray> = {};
  for (const [prefix, part] of [
    ['train', parts.training],
    ['ind', parts.known],
    ['ood', parts.unknown],
  ] as const) {
    if (!part) continue;
    const integers = (values: Int32Array) => ndarray('int64', [values.length], BigInt64Array.from(values, BigInt));
    arrays[`${prefix}_unctt`] = ndarray('float64', [part.uncertainty.length], part.uncertainty);
    arrays[`${prefix}_pred`] = integers(part.prediction);
    arrays[`${prefix}_label`] = integers(part.label);
    if (part.confidence) arrays[`${prefix}_conf`] = ndarray('float64', [part.confidence.length], part.confidence);
  }
  return encodeNpz({ ...arrays, ...parts.extra }, { compress: true });
}

function hasStored(part: ScorePart): boolean {
  return part.softmax !== undefined || part.logits !== undefined || (part.unctt !== undefined && !isEmbedding(part.unctt));
}

function storedName({ unctt, softmax }: ScorePart, column: number): string {
  if (unctt && !isEmbedding(unctt)) return unctt.shape[1] === 2 ? `stored, ${['aleatoric', 'epistemic'][column]}` : 'stored';
  return softmax ? '1 - max probability' : '1 - max softmax';
}

/** The stored uncertainty and confidence; probabilities or logits where there is none. */
function storedUncertainty(part: ScorePart, column: number, where: string): Pick<ScoredSamples, 'uncertainty' | 'confidence'> {
  const { unctt, softmax, logits, prefix } = part;
  const confidence = part.conf ? finite(part.conf, `${where}: ${prefix}_conf`) : undefined;
  if (unctt && !isEmbedding(unctt)) {
    const columns = unctt.shape[1] ?? 1;
    if (column >= columns)
      throw new DataError(`${where}: ${prefix}_unctt`, `expected column ${column}, found ${columns} columns`);
    const all = finite(unctt, `${where}: ${prefix}_unctt`);
    return { uncertainty: columns === 1 ? all : all.filter((_, i) => i % columns === column), ...(confidence && { confidence }) };
  }
  const probabilities = softmax ?? softmaxOf(logits!);
  finite(probabilities, `${where}: ${prefix}_${softmax ? 'softmax' : 'logits'}`);
  return { uncertainty: maxProbabilityUncertainty(probabilities), confidence: confidence ?? largestOfRows(probabilities) };
}

function softmaxOf(logits: NDArray): NDArray {
  const [rows, classes] = logits.shape;
  const values = Float64Array.from(logits.data, Number);
  const out = new Float64Array(values.length);
  for (let i = 0; i < rows; i++) out.set(softmax(values.subarray(i * classes, (i + 1) * classes)), i * classes);
  return ndarray('float64', [rows, classes], out);
}

function stored(part: ScorePart, column: number, where: string): ScoredSamples {
  return { ...storedUncertainty(part, column, where), label: part.label!, prediction: predictionOf(part, where) };
}

function finite(array: NDArray, where: string): Float64Array {
  const values = Float64Array.from(array.data, Number);
  const bad = values.findIndex(value => Number.isNaN(value));
  if (bad >= 0) throw new DataError(where, `expected numbers, found NaN at element ${bad}`);
  return values;
}

function checked(scores: OpenSetScores, where: string, score: string): OpenSetScores {
  for (const [side, part] of [
    ['known', scores.known],
    ['unknown', scores.unknown],
    ['training', scores.training],
  ] as const) {
    const bad = part?.uncertainty.findIndex(value => Number.isNaN(value)) ?? -1;
    if (bad >= 0) throw new DataError(where, `score ${score}: NaN for ${side} sample ${bad}`);
  }
  return scores;
}

function unrecognised(arrays: Readonly<Record<string, NDArray>>, where: string): DataError {
  const found = Object.entries(arrays).map(([name, { shape }]) => `${name} ${showShape(shape)}`);
  return new DataError(where, `expected ${layouts}; found ${found.length > 0 ? found.join(', ') : 'no arrays'}`);
}
