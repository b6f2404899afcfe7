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

/** A trained backbone that is ready to run. */
export interface Encoder {
  /** The mean feature `[1, F]` of the clips of one video, `[clips, 3, frames, H, W]`. */
  readonly encode: (clips: NDArray) => Promise<NDArray>;
  dispose(): Promise<void>;
}

/** A trained backbone for inference: batch norms are part of the convolutions, and the weights part of the graph. */
export function encoder(
  params: Readonly<Params>,
  backbone: BackboneOptions,
  where: { readonly device?: Device; readonly threads?: number },
): Encoder {
  const own = Object.fromEntries(Object.keys(tsmShapes(backbone)).map(name => [name, params[name]]));
  const folded = foldTsm(own, backbone);
  const run: Compiled<[Tensor], Tensor> = compile(
    (clips: Tensor) => {
      const weights = Object.fromEntries(Object.entries(folded).map(([name, array]) => [name, constant(array)]));
      return mean(tsm(weights, clips, backbone, { norm: 'running' }).features, 0, true);
    },
    { ...where, name: 'backbone inference' },
  );
  return { encode: clips => run(clips), dispose: () => run.dispose() };
}
