/** Open-set recognition as something to train and test: a divided data set, steps and metrics put together. */

import { encodeNpz } from '../data/formats/npz.ts';
import { batches } from '../data/loader.ts';
import {
  type Compiled,
  compile,
  type Device,
  fromNumbers,
  type NDArray,
  ndarray,
  type Tensor,
  valueAuxAndGrad,
} from '../engine/index.ts';
import { fold, type Key } from '../engine/random.ts';
import type { Gradients, Params, SymbolicParams } from '../nn/index.ts';
import { type Calibration, calibrate, encodeCalibration, type UncertaintyKind, uncertaintyOf } from './calibration.ts';
import type { OpenSetSplit } from './classSplit.ts';
import { encoder, initNetwork, type NetworkOptions, trainingFeatures } from './encoder.ts';
import { annealing } from './evidential.ts';
import { type Inputs, type Labelled, labelArray } from './inputs.ts';
import { type BatchInput, type Recognition, recognize, trainHead } from './methods.ts';
import { accuracy, type RankingMetrics, rankingMetrics } from './metrics/rankingMetrics.ts';
import { stepNoise } from './stepNoise.ts';

export interface OpensetTaskOptions<S extends Labelled> {
  readonly split: OpenSetSplit<S>;
  readonly network: NetworkOptions;
  readonly inputs: Inputs<S>;
  readonly batchSize: number;
  readonly epochs: number;
  /** The method's own uncertainty, or the Mahalanobis distance of the embeddings to those of the training samples. */
  readonly uncertainty: UncertaintyKind;
  readonly where: { readonly device?: Device; readonly threads?: number };
}

/** The outcome of a test. */
export interface OpensetEvaluation {
  /** In fractions; those of unknown samples only where there are unknown classes. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly primary: string;
  readonly files: Readonly<Record<'scores.npz' | 'features.npz' | 'calibration.safetensors', Uint8Array>>;
  readonly warnings: readonly string[];
}

/** Which samples a test looks at, by the names of the score files. */
const subsets = ['train', 'ind', 'ood'] as const;
type Subset = (typeof subsets)[number];

/** A subset's samples through the network: `[n, …]` each. */
interface Recognized extends Recognition<NDArray> {
  readonly label: Int32Array;
  readonly prediction: Int32Array;
  readonly confidence: Float32Array;
}

export type OpensetTask = ReturnType<typeof opensetTask>;

/** The task of training and testing a network on a divided data set. */
export function opensetTask<S extends Labelled>(options: OpensetTaskOptions<S>) {
  const { split, network, inputs, where } = options;
  const step = trainingStep(network, where);
  const inference = compile((params: SymbolicParams, features: Tensor) => recognize(params, features, network.head), {
    ...where,
    name: `${network.head.method} inference`,
  });
  return {
    classes: split.known,
    canTest: split.test.length > 0,
    init: (key: Key): Params => initNetwork(network, key),
    epoch: (index: number, key: Key) => trainingEpoch(options, step, index, key),
    evaluate: (params: Params, progress: (done: number, total: number) => void, signal?: AbortSignal) =>
      evaluateTask(options, params, features => inference(params, features), progress, signal),
    dispose: async () => {
      await inputs.close();
      await step.dispose();
      await inference.dispose();
    },
  };
}

/** A training batch with what the head is told besides the features, which the step makes of the inputs. */
interface StepInput<T = Tensor> extends Omit<BatchInput<T>, 'features' | 'maps'> {
  readonly inputs: T;
}

interface StepOutput {
  readonly loss: Tensor;
  readonly probabilities: Tensor;
  readonly buffers: Readonly<Record<string, Tensor>>;
  readonly gradients: SymbolicParams;
}

type TrainingStep = Compiled<[trained: SymbolicParams, buffers: SymbolicParams, input: StepInput], StepOutput>;

function trainingStep({ head, backbone }: NetworkOptions, where: OpensetTaskOptions<Labelled>['where']): TrainingStep {
  return compile(
    (trained: SymbolicParams, held: SymbolicParams, { inputs, ...more }: StepInput): StepOutput => {
      const [loss, aux, gradients] = valueAuxAndGrad((own: SymbolicParams): [Tensor, Omit<StepOutput, 'loss' | 'gradients'>] => {
        const params = { ...held, ...own };
        const { buffers, ...made } = trainingFeatures(params, inputs, backbone);
        const { loss: value, probabilities, buffers: ofHead } = trainHead(params, { ...more, ...made }, head);
        return [value, { probabilities, buffers: { ...buffers, ...ofHead } }];
      })(trained);
      return { loss, ...aux, gradients };
    },
    { ...where, name: `${head.method} step` },
  );
}

/** What of a model is no parameter: the statistics of batch norms. */
export function isBuffer(name: string): boolean {
  return /\.(running_mean|running_var|num_batches_tracked)$/.test(name);
}

/** A batch, and what became of its samples on the way. */
interface PreparedBatch {
  readonly input: StepInput<NDArray>;
  readonly warnings: readonly string[];
}

/** Every training sample once, in a new order; a last batch that is not full is left out, unless it is the only one. */
function trainingEpoch<S extends Labelled>(
  { split, network: { head }, inputs, batchSize, epochs }: OpensetTaskOptions<S>,
  step: TrainingStep,
  index: number,
  key: Key,
) {
  const { train } = split;
  const size = Math.min(batchSize, train.length);
  const plan = batches(train.length, size, fold(key, 'order'), { shuffle: true, dropLast: true });
  return {
    count: plan.length,
    async prepare(batch: number): Promise<PreparedBatch> {
      const samples = plan[batch].map(i => train[i]);
      const made = await inputs.training(samples, fold(fold(key, 'inputs'), batch));
      return {
        input: {
          inputs: made.inputs,
          labels: made.labels,
          ...stepNoise(head, made.labels.shape[0], name => fold(fold(key, name), batch)),
          lambda: fromNumbers([annealing((index + batch / plan.length) / epochs)], []),
        },
        warnings: made.warnings,
      };
    },
    async step(params: Params, { input, warnings }: PreparedBatch) {
      const part = (buffer: boolean) => Object.fromEntries(Object.entries(params).filter(([name]) => isBuffer(name) === buffer));
      const { loss, probabilities, buffers, gradients } = await step(part(false), part(true), input);
      const labels = input.labels.data as Int32Array;
      const predictions = largest(probabilities).places;
      return {
        pieces: { total: Number(loss.data[0]) },
        gradients: gradients as Gradients,
        buffers: buffers as Params,
        correct: labels.reduce((n, label, i) => n + (label === predictions[i] ? 1 : 0), 0),
        // A shuffled clip is of no class.
        samples: labels.reduce((n, label) => n + (label >= 0 ? 1 : 0), 0),
        warnings,
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

async function evaluateTask<S extends Labelled>(
  { split, network, inputs, uncertainty, where }: OpensetTaskOptions<S>,
  params: Params,
  run: (features: NDArray) => Promise<Recognition<NDArray>>,
  progress: (done: number, total: number) => void,
  signal?: AbortSignal,
): Promise<OpensetEvaluation> {
  const samples: Readonly<Record<Subset, readonly S[]>> = { train: split.train, ind: split.test, ood: split.unknownTest };
  const total = subsets.reduce((n, subset) => n + samples[subset].length, 0);
  let done = 0;
  const found = {} as Record<Subset, Recognized>;
  const problems: string[] = [];
  const backbone = network.backbone && encoder(params, network, where);
  try {
    for (const subset of subsets) {
      const parts: Recognition<NDArray>[] = [];
      const labels: number[] = [];
      for await (const part of inputs.testing(samples[subset])) {
        signal?.throwIfAborted();
        if (part.samples.length > 0) {
          parts.push(await run(backbone ? await backbone.encode(part.inputs) : part.inputs));
          labels.push(...part.samples.map(i => samples[subset][i].label));
        }
        problems.push(...part.problems);
        done += part.samples.length + part.problems.length;
        progress(done, total);
      }
      found[subset] = joined(parts, labelArray(labels).data);
    }
  } finally {
    await backbone?.dispose();
  }
  const calibration = calibrate(uncertainty, found.train);
  const scores = scoresOf(found, calibration);
  const metrics = metricsOf(found, scores);
  const none = split.unknownTest.length === 0 ? ['no unknown classes: only the accuracy on known ones is tested'] : [];
  return {
    metrics,
    primary: 'AUROC' in metrics ? 'AUROC' : 'accuracy',
    files: {
      'scores.npz': scoreFile(found, scores),
      'features.npz': featureFile(found, params),
      'calibration.safetensors': encodeCalibration(calibration, params),
    },
    warnings: [...none, ...problems],
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
    ...(parts.some(part => part.passes) && { passes: stacked(part => part.passes as NDArray) }),
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

/**
 * What other scores are computed from: `{train,ind,ood}_{embedding,probability,label}`, of stochastic methods `_passes` `[n, K, passes]`, and PSL's
 * prototypes.
 */
function featureFile(found: Readonly<Record<Subset, Recognized>>, { prototypes }: Params): Uint8Array {
  const arrays = subsets.flatMap((subset): [string, NDArray][] => {
    const { embeddings, probabilities, passes, label } = found[subset];
    const labels = ndarray('int64', [label.length], BigInt64Array.from(label, BigInt));
    return [
      [`${subset}_embedding`, embeddings],
      [`${subset}_probability`, probabilities],
      ...(passes ? [[`${subset}_passes`, passes] as [string, NDArray]] : []),
      [`${subset}_label`, labels],
    ];
  });
  return encodeNpz({ ...Object.fromEntries(arrays), ...(prototypes && { prototypes }) }, { compress: true });
}
