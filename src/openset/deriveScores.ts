/** Uncertainties made from the logits, features or stochastic passes of a score file. */

import { type NDArray, ndarray } from '../engine/ndarray.ts';
import type { OpenSetScores, ScoredSamples } from './scoredSamples.ts';
import { isEmbedding, predictionOf, type ScorePart } from './scorePart.ts';
import {
  energyUncertainty,
  entropyUncertainty,
  maxLogitUncertainty,
  maxSoftmaxUncertainty,
  predictedClasses,
} from './scores/logitScores.ts';
import { fitMahalanobis, mahalanobisScores } from './scores/mahalanobis.ts';
import { fitOpenMax, openMax } from './scores/openMax.ts';
import { cosineUncertainty, prototypeSimilarity } from './scores/prototypeScores.ts';
import { type StochasticScores, stochasticScores } from './scores/stochasticScores.ts';

/** Scores that can be made, and from what. */
export const derivedScores = {
  'max-softmax': 'logits',
  'max-logit': 'logits',
  energy: 'logits',
  entropy: 'logits',
  mahalanobis: 'features of all three parts',
  'mahalanobis-per-class': 'features and labels of all three parts',
  prototype: 'features and prototypes',
  cosine: 'features and prototypes',
  openmax: 'features, logits and labels of all three parts',
  bald: 'stochastic passes',
  variance: 'stochastic passes',
  aleatoric: 'stochastic passes',
  epistemic: 'stochastic passes',
} as const;
export type DerivedScore = keyof typeof derivedScores;

/** Which of the statistics of passes a score is. */
const ofPasses = {
  bald: 'mutualInformation',
  variance: 'predictedVariance',
  aleatoric: 'aleatoric',
  epistemic: 'epistemic',
} as const satisfies Partial<Record<DerivedScore, keyof StochasticScores>>;

/** PSL's temperature. */
const prototypeTemperature = 0.2;

interface Parts {
  readonly known: ScorePart;
  readonly unknown: ScorePart;
  readonly training: ScorePart;
  readonly prototypes?: NDArray;
}

/**
 * Scores of every part. Where a video has two embeddings (rows 0 and 1 of the first, and so on), the first is judged; training
 * statistics are made of all.
 * @throws RangeError naming the arrays that are missing
 */
export function deriveScores(parts: Parts, score: DerivedScore, temperature?: number): OpenSetScores {
  const uncertainty = scorer(parts, score, temperature);
  const judged = (part: ScorePart): ScoredSamples => ({
    uncertainty: uncertainty(part),
    label: part.label!,
    prediction:
      part.pred || part.softmax || part.logits || !parts.prototypes
        ? predictionOf(part, 'scores')
        : nearestPrototype(part, parts.prototypes),
    ...(part.conf ? { confidence: Float64Array.from(part.conf.data, Number) } : {}),
  });
  const isOfPasses = derivedScores[score] === 'stochastic passes';
  const trains = isOfPasses ? parts.training.passes : parts.training.logits || embeddingsOf(parts.training);
  return {
    known: judged(parts.known),
    unknown: judged(parts.unknown),
    ...(trains ? { training: { uncertainty: uncertainty(parts.training) } } : {}),
    score,
  };
}

function scorer(parts: Parts, score: DerivedScore, temperature: number | undefined): (part: ScorePart) => Float64Array {
  const logits = (part: ScorePart) => needed(part.logits, `${part.prefix}_logits`, score);
  const prototypes = () => needed(parts.prototypes, 'prototypes', score);
  const first = (part: ScorePart) => firstClips(needed(embeddingsOf(part), `${part.prefix}_features`, score), part.rows);
  switch (score) {
    case 'bald':
    case 'variance':
    case 'aleatoric':
    case 'epistemic':
      return part => stochasticScores(needed(part.passes, `${part.prefix}_passes`, score))[ofPasses[score]];
    case 'max-softmax':
      return part => maxSoftmaxUncertainty(logits(part), temperature);
    case 'max-logit':
      return part => maxLogitUncertainty(logits(part));
    case 'energy':
      return part => energyUncertainty(logits(part), temperature);
    case 'entropy':
      return part => entropyUncertainty(logits(part), temperature);
    case 'prototype':
      return part => maxSoftmaxUncertainty(prototypeSimilarity(first(part), prototypes()), temperature ?? prototypeTemperature);
    case 'cosine':
      return part => cosineUncertainty(first(part), prototypes());
    case 'mahalanobis':
    case 'mahalanobis-per-class': {
      const train = needed(embeddingsOf(parts.training), 'train_features', score);
      const clips = train.shape[0] / parts.training.rows;
      const labels = score === 'mahalanobis' ? undefined : needed(parts.training.label, 'train_label', score);
      const model = fitMahalanobis(
        train,
        labels && Int32Array.from({ length: train.shape[0] }, (_, i) => labels[Math.floor(i / clips)]),
      );
      return part => mahalanobisScores(model, first(part)).distance;
    }
    case 'openmax': {
      // Means and tails are of correctly classified samples; what is judged are all.
      const labels = needed(parts.training.label, 'train_label', score);
      const right = predictedClasses(logits(parts.training)).map((c, i) => (c === labels[i] ? c : -1));
      const classes = logits(parts.training).shape[1];
      const model = fitOpenMax(first(parts.training), right, { classes });
      return part => lastColumn(openMax(model, first(part), logits(part)));
    }
  }
}

/** Vectors of a part: its features, or an uncertainty with many columns, which is how PSL's files hold them. */
function embeddingsOf(part: ScorePart): NDArray | undefined {
  return part.features ?? (isEmbedding(part.unctt) ? part.unctt : undefined);
}

function firstClips(array: NDArray, rows: number): NDArray {
  const [count, width] = array.shape;
  if (count === rows) return array;
  const data = Float64Array.from({ length: rows * width }, (_, i) =>
    Number(array.data[2 * Math.floor(i / width) * width + (i % width)]),
  );
  return ndarray('float64', [rows, width], data);
}

function nearestPrototype(part: ScorePart, prototypes: NDArray): Int32Array {
  return predictedClasses(prototypeSimilarity(firstClips(embeddingsOf(part)!, part.rows), prototypes));
}

function lastColumn(array: NDArray<'float64'>): Float64Array {
  const [, columns] = array.shape;
  return array.data.filter((_, i) => i % columns === columns - 1);
}

function needed<T>(value: T | undefined, name: string, score: DerivedScore): T {
  if (value === undefined) throw new RangeError(`score ${score} needs ${derivedScores[score]}: no array ${name}`);
  return value;
}
