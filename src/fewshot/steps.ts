import { type Compiled, type CompileOptions, compile, type NDArray, type Tensor, valueAuxAndGrad } from '../engine/index.ts';
import type { Params, SymbolicParams } from '../nn/index.ts';
import type { Shots } from './classMeans.ts';
import { type HeadNoise, isHeadBuffer } from './heads/head.ts';
import { applyHead, type HeadSettings } from './heads/heads.ts';
import { type EpisodeLabels, type FewshotLoss, type FewshotLossWeights, fewshotLoss } from './losses.ts';

/** Episodes of one shape with their labels; see `Episodes`, without the numbers of supports. */
export interface LabelledEpisodes<T = Tensor> extends EpisodeLabels<T> {
  /** `[episodes, S, T, D]`, in the order of classes. */
  readonly support: T;
  /** `[episodes, Q, T, D]` */
  readonly query: T;
  /** `[episodes, M, T, D]` */
  readonly unlabelled?: T;
  readonly noise?: HeadNoise<T>;
}

/** What a training step gives. */
export interface FewshotStepResult<T = Tensor> {
  readonly loss: FewshotLoss<T>;
  /** `[episodes, Q, N]` */
  readonly logits: T;
  /** Of the mean over the episodes, by name. */
  readonly gradients: Readonly<Record<string, T>>;
}

type StepArguments = [trained: SymbolicParams, buffers: SymbolicParams, episodes: LabelledEpisodes, shots: Shots];

/**
 * A training step of a head on features: the loss of the accumulated episodes and its gradients, summed inside the graph, so that each weight has one product
 * over all episodes. Compiled once for each shape of episodes and `shots`.
 */
export function fewshotStep(
  settings: HeadSettings,
  weights: FewshotLossWeights,
  options: CompileOptions = {},
): Compiled<StepArguments, FewshotStepResult> {
  return compile(
    (...[trained, buffers, { support, query, unlabelled, noise, ...labels }, shots]: StepArguments): FewshotStepResult => {
      const [, result, gradients] = valueAuxAndGrad((at: SymbolicParams): [Tensor, Omit<FewshotStepResult, 'gradients'>] => {
        const episodes = { support, query, shots, ...(unlabelled && { unlabelled }), ...(noise && { noise }) };
        const output = applyHead({ ...buffers, ...at }, episodes, settings);
        const loss = fewshotLoss(output, labels, weights);
        return [loss.loss, { loss, logits: output.logits }];
      })(trained);
      return { ...result, gradients };
    },
    { name: `${settings.head} step`, ...options },
  );
}

/** A head's arrays as {@link fewshotStep} takes them. */
export function splitHeadParams(params: Readonly<Params>): { trained: Params; buffers: Params } {
  const pick = (buffers: boolean) =>
    Object.fromEntries(Object.entries(params).filter(([name]) => isHeadBuffer(name) === buffers)) as Record<string, NDArray>;
  return { trained: pick(false), buffers: pick(true) };
}
