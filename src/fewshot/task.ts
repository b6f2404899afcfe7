/** Few-shot recognition as something to train and test: classes in parts, steps over several episodes, and tests over many. */
import { type Compiled, compile, type Device, type NDArray, type Tensor, valueAuxAndGrad } from '../engine/index.ts';
import { fold, type Key, key as keyOf } from '../engine/random.ts';
import type { Gradients, Params, SymbolicParams } from '../nn/index.ts';
import type { ClassParts } from './classParts.ts';
import { type FewshotClip, keptClips } from './clipFrames.ts';
import { episodeArrays } from './episodeArrays.ts';
import { type EpisodeOptions, episodeAt } from './episodes.ts';
import { isWithoutParameters } from './headSettings.ts';
import { type EpisodeSizes, type HeadNoise, isHeadBuffer } from './heads/head.ts';
import { applyHead, type HeadSettings, headNoise, headParams } from './heads/heads.ts';
import type { FewshotTest } from './judgedEpisode.ts';
import { nearestRows } from './nearestRows.ts';
import { lossPieces, type Objective, objective } from './objective.ts';
import { testInference } from './testInference.ts';
import { type FewshotEvaluation, testReport } from './testReport.ts';

export interface FewshotTaskOptions<C extends FewshotClip> {
  readonly parts: ClassParts<C>;
  readonly head: HeadSettings;
  /** T, to which clips are resampled. */
  readonly frames: number;
  /** D. */
  readonly featureDim: number;
  readonly loss: Objective;
  readonly training: EpisodeOptions & { readonly episodesPerStep: number; readonly stepsPerEpoch: number };
  readonly testing: EpisodeOptions;
  /** Tests between epochs. */
  readonly evaluation: FewshotTest;
  /** The test of the trained model. */
  readonly final: FewshotTest;
  /** Bytes of clips kept in memory. */
  readonly cacheBytes: number;
  readonly where: { readonly device?: Device; readonly threads?: number };
}

export type FewshotTask = ReturnType<typeof fewshotTask>;

/** The task of training and testing a head on the classes of a data set. */
export function fewshotTask<C extends FewshotClip>(options: FewshotTaskOptions<C>) {
  const { parts, head, frames, featureDim, evaluation, final } = options;
  const read = keptClips(
    async clip => nearestRows(await clip.load(), frames).data,
    options.cacheBytes,
    ({ byteLength }) => byteLength,
  );
  const step = trainingStep(options);
  const inference = testInference({ ...options, form: options.testing, width: featureDim, read });
  const run = async (test: FewshotTest, params: Params, progress: Progress, signal?: AbortSignal): Promise<FewshotEvaluation> => {
    const classes = parts[test.split];
    const items = classes.map(each => each.items);
    const source = {
      clips: items.flat(),
      episodes: test.episodes,
      at: (i: number) => episodeAt(items, options.testing, keyOf(test.seed), i),
    };
    const scored = await inference.judge(params, source, progress, signal);
    return testReport(scored, classes, test, options.testing);
  };
  return {
    classes: parts.train.map(({ name }) => name),
    canTest: parts[evaluation.split].length > 0,
    init: (key: Key): Params => headParams(head, key),
    epoch: (_: number, key: Key) => trainingEpoch(options, step, read, key),
    evaluate: (params: Params, progress: Progress, signal?: AbortSignal) => run(evaluation, params, progress, signal),
    test: (params: Params, progress: Progress, signal?: AbortSignal) => run(final, params, progress, signal),
    dispose: async () => {
      await step.dispose();
      await inference.dispose();
    },
  };
}

type Progress = (done: number, total: number) => void;

/** Reads the `[frames, width]` of a clip. */
type ReadFrames = (clip: FewshotClip) => Promise<Float32Array>;

/** As many supports of every class. */
function shotsOf({ way, shot }: EpisodeOptions): number[] {
  return Array.from({ length: way }, () => shot);
}

/** What a step takes: the arrays of its episodes, and the masks of its dropout. */
interface StepInput<T = Tensor> {
  readonly support: T;
  readonly query: T;
  readonly unlabelled?: T;
  readonly queries: T;
  readonly clips: T;
  readonly noise?: HeadNoise<T>;
}

interface StepOutput {
  readonly pieces: Readonly<Record<string, Tensor>>;
  readonly logits: Tensor;
  readonly gradients: SymbolicParams;
}

type TrainingStep = Compiled<[trained: SymbolicParams, held: SymbolicParams, input: StepInput], StepOutput>;

/** The gradient of the mean over all episodes of a step, in one graph. Without parameters it is the loss alone. */
function trainingStep<C extends FewshotClip>({ head, loss, training, where }: FewshotTaskOptions<C>): TrainingStep {
  const shots = shotsOf(training);
  const forward = (params: SymbolicParams, { queries, clips, ...episodes }: StepInput) => {
    const output = applyHead(params, { ...episodes, shots }, head);
    return { pieces: lossPieces(objective(output, { queries, clips }, loss)), logits: output.logits };
  };
  return compile(
    (trained: SymbolicParams, held: SymbolicParams, input: StepInput): StepOutput => {
      if (isWithoutParameters(head)) return { ...forward(held, input), gradients: {} };
      const [, made, gradients] = valueAuxAndGrad((own: SymbolicParams): [Tensor, Omit<StepOutput, 'gradients'>] => {
        const all = forward({ ...held, ...own }, input);
        return [all.pieces.total, all];
      })(trained);
      return { ...made, gradients };
    },
    { ...where, name: `${head.head} step` },
  );
}

/** New episodes in every step; everything random follows from the key. */
function trainingEpoch<C extends FewshotClip>(
  { parts, head, frames, featureDim, training }: FewshotTaskOptions<C>,
  step: TrainingStep,
  read: ReadFrames,
  key: Key,
) {
  const items = parts.train.map(each => each.items);
  const { way, queries, unlabelled, episodesPerStep: episodes, stepsPerEpoch } = training;
  const hidden = unlabelled ? unlabelled.perClass * (way + (unlabelled.distractors ?? 0)) : 0;
  const sizes: EpisodeSizes = { episodes, shots: shotsOf(training), queries: way * queries, unlabelled: hidden, frames };
  const [drawn, masks] = [fold(key, 'episodes'), fold(key, 'noise')];
  return {
    count: stepsPerEpoch,
    async prepare(index: number): Promise<StepInput<NDArray>> {
      const own = Array.from({ length: episodes }, (_, i) => episodeAt(items, training, drawn, index * episodes + i));
      const noise = headNoise(head, sizes, fold(masks, index));
      return { ...(await episodeArrays(own, read, frames, featureDim)), ...(noise && { noise }) };
    },
    async step(params: Params, input: StepInput<NDArray>) {
      const part = (held: boolean) => Object.fromEntries(Object.entries(params).filter(([name]) => isHeadBuffer(name) === held));
      const { pieces, logits, gradients } = await step(part(false), part(true), input);
      const labels = input.queries.data as Int32Array;
      const predictions = largestOf(logits.data as Float32Array, way);
      return {
        pieces: numbersOf(pieces),
        gradients: gradients as Gradients,
        correct: labels.reduce((n, label, i) => n + (label === predictions[i] ? 1 : 0), 0),
        samples: labels.length,
      };
    },
  };
}

function numbersOf(pieces: Readonly<Record<string, NDArray>>): Record<string, number> {
  return Object.fromEntries(Object.entries(pieces).map(([name, { data }]) => [name, Number(data[0])]));
}

/** The place of the largest value of each row. */
function largestOf(values: Float32Array, width: number): Int32Array {
  return Int32Array.from({ length: values.length / width }, (_, row) => {
    let best = 0;
    for (let c = 1; c < width; c++) if (values[row * width + c] > values[row * width + best]) best = c;
    return best;
  });
}
