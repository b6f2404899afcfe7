/** Open-set recognition on features as something to train and test: a split of a clip data set, steps and metrics put together. */

import type { Features } from '../data/features.ts';
import { encodeNpz } from '../data/formats/npz.ts';
import { batches } from '../data/loader.ts';
import {
  type Compiled,
  compile,
  type Device,
  fromNumbers,
  type NDArray,
  ndarray,
  random,
  type Tensor,
  valueAuxAndGrad,
} from '../engine/index.ts';
import { fold, type Key } from '../engine/random.ts';
import type { Gradients, Params, SymbolicParams } from '../nn/index.ts';
import { type Calibration, calibrate, encodeCalibration, type UncertaintyKind, uncertaintyOf } from './calibration.ts';
import type { OpenSetSplit } from './classSplit.ts';
import { annealing } from './evidential.ts';
import { meanRow } from './meanRow.ts';
import { type BatchInput, type HeadOptions, initHead, type Recognition, recognize, trainHead } from './methods.ts';
import { accuracy, type RankingMetrics, rankingMetrics } from './metrics/rankingMetrics.ts';

/** A clip to train or test on. */
export interface Clip {
  readonly label: number;
  load(): Promise<Features>;
}

export interface OpensetTaskOptions {
  readonly split: OpenSetSplit<Clip>;
  readonly head: HeadOptions;
  readonly batchSize: number;
  readonly epochs: number;
  /** The method's own uncertainty, or the Mahalanobis distance of the embeddings to those of the training clips. */
  readonly uncertainty: UncertaintyKind;
  readonly where: { readonly device?: Device; readonly threads?: number };
}

/** The outcome of a test. */
export interface OpensetEvaluation {
  /** In fractions; those of unknown clips only where there are unknown classes. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly primary: string;
  readonly files: Readonly<Record<'scores.npz' | 'features.npz' | 'calibration.safetensors', Uint8Array>>;
  readonly warnings: readonly string[];
}

/** The rows that a test passes through the network at a time. */
const testRows = 256;

/** Which clips a test looks at, by the names of the score files. */
const subsets = ['train', 'ind', 'ood'] as const;
type Subset = (typeof subsets)[number];

/** A subset's clips through the head: `[n, …]` each. */
interface Recognized extends Recognition<NDArray> {
  readonly label: Int32Array;
  readonly prediction: Int32Array;
  readonly confidence: Float32Array;
}

export type OpensetTask = ReturnType<typeof opensetTask>;

/** The task of training and testing a head on the features of a divided data set. */
export function opensetTask(options: OpensetTaskOptions) {
  const { split, head, where } = options;
  const step = trainingStep(head, where);
  const inference = compile((params: SymbolicParams, features: Tensor) => recognize(params, features, head), {
    ...where,
    name: `${head.method} inference`,
  });
  const read = pooledReader();
  return {
    classes: split.known,
    canTest: split.test.length > 0,
    init: (key: Key): Params => initHead(head, key),
    epoch: (index: number, key: Key) => trainingEpoch(options, step, read, index, key),
    evaluate: (params: Params, progress: (done: number, total: number) => void, signal?: AbortSignal) =>
      evaluateTask(options, params, features => inference(params, features), read, progress, signal),
    dispose: async () => {
      await step.dispose();
      await inference.dispose();
    },
  };
}

type TrainingStep = Compiled<
  [trained: SymbolicParams, buffers: SymbolicParams, input: BatchInput],
  { loss: Tensor; probabilities: Tensor; buffers: Readonly<Record<string, Tensor>>; gradients: SymbolicParams }
>;

function trainingStep(head: HeadOptions, where: OpensetTaskOptions['where']): TrainingStep {
  return compile(
    (trained: SymbolicParams, held: SymbolicParams, input: BatchInput) => {
      const [loss, { probabilities, buffers }, gradients] = valueAuxAndGrad(
        (params: SymbolicParams): [Tensor, Omit<ReturnType<typeof trainHead>, 'loss'>] => {
          const { loss: value, ...more } = trainHead({ ...held, ...params }, input, head);
          return [value, more];
        },
      )(trained);
      return { loss, probabilities, buffers, gradients };
    },
    { ...where, name: `${head.method} step` },
  );
}

/** What of a model is no parameter: the statistics of batch norms. */
export function isBuffer(name: string): boolean {
  return /\.(running_mean|running_var|num_batches_tracked)$/.test(name);
}

/** Reads clips `[n, F]` and averages their rows; every clip is kept once it is read. */
function pooledReader(): (clip: Clip) => Promise<Float32Array> {
  const kept = new Map<Clip, Promise<Float32Array>>();
  return clip => {
    const found = kept.get(clip) ?? clip.load().then(meanRow);
    kept.set(clip, found);
    return found;
  };
}

type Read = ReturnType<typeof pooledReader>;

/** Some clips as one array `[n, F]`. */
async function rowsOf(clips: readonly Clip[], width: number, read: Read): Promise<NDArray<'float32'>> {
  const data = new Float32Array(clips.length * width);
  for (const [i, row] of (await Promise.all(clips.map(read))).entries()) data.set(row, i * width);
  return ndarray('float32', [clips.length, width], data);
}

const labelsOf = (clips: readonly Clip[]): NDArray<'int32'> =>
  ndarray(
    'int32',
    [clips.length],
    Int32Array.from(clips, clip => clip.label),
  );

/** Every training clip once, in a new order; a last batch that is not full is left out, unless it is the only one. */
function trainingEpoch(
  { split, head, batchSize, epochs }: OpensetTaskOptions,
  step: TrainingStep,
  read: Read,
  index: number,
  key: Key,
) {
  const { train } = split;
  const size = Math.min(batchSize, train.length);
  const plan = batches(train.length, size, fold(key, 'order'), { shuffle: true, dropLast: true });
  return {
    count: plan.length,
    async prepare(batch: number): Promise<BatchInput<NDArray>> {
      const clips = plan[batch].map(i => train[i]);
      const features = await rowsOf(clips, head.featureDim, read);
      const keep = 1 - head.dropout;
      return {
        features,
        labels: labelsOf(clips),
        ...(keep < 1 && { mask: random.bernoulliMask(fold(fold(key, 'dropout'), batch), keep, features.shape) }),
        lambda: fromNumbers([annealing((index + batch / plan.length) / epochs)], []),
      };
    },
    async step(params: Params, input: BatchInput<NDArray>) {
      const part = (buffer: boolean) => Object.fromEntries(Object.entries(params).filter(([name]) => isBuffer(name) === buffer));
      const { loss, probabilities, buffers, gradients } = await step(part(false), part(true), input);
      const labels = input.labels.data as Int32Array;
      const predictions = largest(probabilities).places;
      return {
        pieces: { total: Number(loss.data[0]) },
        gradients: gradients as Gradients,
        buffers: buffers as Params,
        correct: labels.reduce((n, label, i) => n + (label === predictions[i] ? 1 : 0), 0),
        samples: labels.length,
      };
    },
  };
}

/** The largest value of each row, and its place. */
function largest({ shape: [n, width], data }: NDArray): { values: Float32Array; places: Int32Array } {
  const [values, places] = [new Float32Array(n), new Int32Array(n)];
  for (let i = 0; i < n; i++) {
    const row = (data as Float32Array).subarray(i * width, (i + 1) * width);
    for (let c = 1; c < width; c++) if (row[c] > row[places[i]]) places[i] = c;
    values[i] = row[places[i]];
  }
  return { values, places };
}

async function evaluateTask(
  { split, head, uncertainty }: OpensetTaskOptions,
  params: Params,
  run: (features: NDArray) => Promise<Recognition<NDArray>>,
  read: Read,
  progress: (done: number, total: number) => void,
  signal?: AbortSignal,
): Promise<OpensetEvaluation> {
  const clips: Readonly<Record<Subset, readonly Clip[]>> = { train: split.train, ind: split.test, ood: split.unknownTest };
  const total = subsets.reduce((n, subset) => n + clips[subset].length, 0);
  let done = 0;
  const found = {} as Record<Subset, Recognized>;
  for (const subset of subsets) {
    const parts: Recognition<NDArray>[] = [];
    for (const batch of batches(clips[subset].length, testRows, [0, 0])) {
      signal?.throwIfAborted();
      const some = batch.map(i => clips[subset][i]);
      parts.push(await run(await rowsOf(some, head.featureDim, read)));
      done += some.length;
      progress(done, total);
    }
    found[subset] = joined(parts, labelsOf(clips[subset]).data);
  }
  const calibration = calibrate(uncertainty, found.train);
  const scores = scoresOf(found, calibration);
  const metrics = metricsOf(found, scores);
  return {
    metrics,
    primary: 'AUROC' in metrics ? 'AUROC' : 'accuracy',
    files: {
      'scores.npz': scoreFile(found, scores),
      'features.npz': featureFile(found, params),
      'calibration.safetensors': encodeCalibration(calibration, params),
    },
    warnings: split.unknownTest.length === 0 ? ['no unknown classes: only the accuracy on known ones is tested'] : [],
  };
}

/** The batches of a subset as one; an empty subset has arrays of no rows. */
function joined(parts: readonly Recognition<NDArray>[], label: Int32Array): Recognized {
  const stacked = (pick: (part: Recognition<NDArray>) => NDArray): NDArray<'float32'> => {
    const arrays = parts.map(pick);
    const data = new Float32Array(arrays.reduce((n, array) => n + array.data.length, 0));
    let at = 0;
    for (const array of arrays) {
      data.set(array.data as Float32Array, at);
      at += array.data.length;
    }
    return ndarray('float32', [label.length, ...(arrays[0]?.shape.slice(1) ?? [])], data);
  };
  const probabilities = stacked(part => part.probabilities);
  const { values, places } =
    label.length > 0 ? largest(probabilities) : { values: new Float32Array(0), places: new Int32Array(0) };
  return {
    probabilities,
    embeddings: stacked(part => part.embeddings),
    uncertainty: stacked(part => part.uncertainty),
    label,
    prediction: places,
    confidence: values,
  };
}

type Scores = Readonly<Record<Subset, Float64Array>>;

function scoresOf(found: Readonly<Record<Subset, Recognized>>, calibration: Calibration): Scores {
  const of = (subset: Subset) =>
    found[subset].label.length > 0 ? uncertaintyOf(calibration, found[subset]) : new Float64Array(0);
  return { train: of('train'), ind: of('ind'), ood: of('ood') };
}

function metricsOf({ ind, ood }: Readonly<Record<Subset, Recognized>>, scores: Scores): Record<string, number> {
  const known = { accuracy: accuracy(ind.prediction, ind.label) };
  if (ood.label.length === 0) return known;
  const ranking: RankingMetrics = rankingMetrics(scores.ind, scores.ood);
  const { auroc, averagePrecision, auprTrapezoid, fpr95AtLeast } = ranking;
  return { AUROC: auroc, AUPR: averagePrecision, 'AUPR.trapezoid': auprTrapezoid, FPR95: fpr95AtLeast, ...known };
}

/** `{train,ind,ood}_{unctt,conf,pred,label}`, one row a clip: ind are known test clips, ood unknown ones, whose labels count the unknown classes. */
function scoreFile(found: Readonly<Record<Subset, Recognized>>, scores: Scores): Uint8Array {
  const arrays = subsets.flatMap((subset): [string, NDArray][] => {
    const { label, prediction, confidence } = found[subset];
    const shape = [label.length];
    const integers = (values: Int32Array) => ndarray('int64', shape, BigInt64Array.from(values, BigInt));
    return [
      [`${subset}_unctt`, ndarray('float64', shape, scores[subset])],
      [`${subset}_conf`, ndarray('float32', shape, confidence)],
      [`${subset}_pred`, integers(prediction)],
      [`${subset}_label`, integers(label)],
    ];
  });
  return encodeNpz(Object.fromEntries(arrays), { compress: true });
}

/** What other scores are computed from: `{train,ind,ood}_{embedding,probability,label}`, and PSL's prototypes. */
function featureFile(found: Readonly<Record<Subset, Recognized>>, { prototypes }: Params): Uint8Array {
  const arrays = subsets.flatMap((subset): [string, NDArray][] => {
    const { embeddings, probabilities, label } = found[subset];
    const labels = ndarray('int64', [label.length], BigInt64Array.from(label, BigInt));
    return [
      [`${subset}_embedding`, embeddings],
      [`${subset}_probability`, probabilities],
      [`${subset}_label`, labels],
    ];
  });
  return encodeNpz({ ...Object.fromEntries(arrays), ...(prototypes && { prototypes }) }, { compress: true });
}
