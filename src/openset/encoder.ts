/** What stands in front of a head: nothing where samples are features already, else a TSM over clips. */
import { foldTsm, initTsm, type NormMode, type TsmOptions, tsm, tsmShapes } from '../backbones/index.ts';
import {
  type Compiled,
  compile,
  constant,
  type Device,
  mean,
  type NDArray,
  reshape,
  type Shape,
  type Tensor,
} from '../engine/index.ts';
import type { Key } from '../engine/random.ts';
import type { Params, SymbolicParams } from '../nn/index.ts';
import { type HeadOptions, headShapes, initHead } from './methods.ts';

/** A backbone over clips. */
export interface BackboneOptions extends TsmOptions {
  /** Statistics that its batch norms use in training. */
  readonly norms: NormMode;
}

/** A whole network. */
export interface NetworkOptions {
  readonly head: HeadOptions;
  /** Without one the network reads features. */
  readonly backbone?: BackboneOptions;
}

/** Fresh parameters and buffers of the whole network, the backbone's first. */
export function initNetwork({ head, backbone }: NetworkOptions, key: Key): Params {
  return { ...(backbone && initTsm(backbone, key)), ...initHead(head, key) };
}

/** Shapes of all parameters and buffers, by name. */
export function networkShapes({ head, backbone }: NetworkOptions): Record<string, Shape> {
  return { ...(backbone && tsmShapes(backbone)), ...headShapes(head) };
}

/** What a network's front makes of a training batch. */
export interface TrainingFeatures {
  /** `[rows, F]` */
  readonly features: Tensor;
  /** The backbone's last feature map, `[rows, frames, C, h, w]`. */
  readonly maps?: Tensor;
  /** Those that this pass moved. */
  readonly buffers: Readonly<Record<string, Tensor>>;
}

/**
 * The features of a training batch.
 * @param inputs features `[rows, F]`, or clips `[rows, 3, frames, H, W]` where there is a backbone
 */
export function trainingFeatures(
  params: SymbolicParams,
  inputs: Tensor,
  backbone: BackboneOptions | undefined,
): TrainingFeatures {
  if (!backbone) return { features: inputs, buffers: {} };
  const { features, frames, buffers } = tsm(params, inputs, backbone, { norm: backbone.norms });
  const last = frames.stages[frames.stages.length - 1];
  return { features, maps: reshape(last, [-1, backbone.segments, ...last.shape.slice(1)]), buffers };
}

/** The size of the input of a network over clips. */
export interface ClipSize {
  /** Clips of a video whose features are averaged. */
  readonly clips: number;
  readonly frames: number;
  /** Side of a frame. */
  readonly size: number;
}

/** Shape of an inference input: features `[batch, F]`, or clips `[batch, clips, 3, frames, size, size]`. */
export function inferenceShape<B extends number | string>(
  { head, backbone }: NetworkOptions,
  clips: ClipSize | undefined,
  batch: B,
): (B | number)[] {
  if (!backbone) return [batch, head.featureDim];
  if (!clips) throw new Error('a network with a backbone reads clips of some size');
  return [batch, clips.clips, backbone.network.channels, clips.frames, clips.size, clips.size];
}

/** Parameters for inference: the batch norms of the backbone become part of its convolutions. */
export function inferenceParams(params: Readonly<Params>, { backbone }: NetworkOptions): Params {
  return backbone ? foldTsm(params, backbone) : { ...params };
}

/** Features `[batch, F]` of an inference input; those of the clips of a video are averaged. */
export function inferenceFeatures(params: SymbolicParams, inputs: Tensor, { backbone }: NetworkOptions): Tensor {
  if (!backbone) return inputs;
  const [batch, clips, ...clip] = inputs.shape;
  const { features } = tsm(params, reshape(inputs, [batch * clips, ...clip]), backbone, { norm: 'running' });
  return mean(reshape(features, [batch, clips, -1]), 1);
}

/** A trained backbone that is ready to run. */
export interface Encoder {
  /** The features `[batch, F]` of videos, `[batch, clips, 3, frames, size, size]`. */
  readonly encode: (clips: NDArray) => Promise<NDArray>;
  dispose(): Promise<void>;
}

/** A trained backbone for inference, with its weights as part of the graph, which is what a runtime can prepare. */
export function encoder(
  params: Readonly<Params>,
  network: NetworkOptions,
  where: { readonly device?: Device; readonly threads?: number },
): Encoder {
  const weights = constants(inferenceParams(params, network));
  const run: Compiled<[Tensor], Tensor> = compile((clips: Tensor) => inferenceFeatures(weights(), clips, network), {
    ...where,
    name: 'backbone inference',
  });
  return { encode: clips => run(clips), dispose: () => run.dispose() };
}

/** Arrays as constants of a graph, made anew for each trace. */
export function constants(params: Readonly<Params>): () => SymbolicParams {
  return () => Object.fromEntries(Object.entries(params).map(([name, array]) => [name, constant(array)]));
}
