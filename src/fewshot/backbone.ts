/**
 * The backbone of published few-shot models: a ResNet whose arrays are named by their position in a sequence, `head.backbone.0.weight` being the stem's
 * convolution and `head.backbone.4` to `.7` the stages, and which sees supports and queries apart.
 */

import { type NormMode, type ResNetOptions, resnet } from '../backbones/resnet.ts';
import { reshape, type Tensor } from '../engine/index.ts';
import type { SymbolicParams } from '../nn/index.ts';
import { headPrefix } from './heads/head.ts';

/** In front of the backbone's arrays. */
export const backbonePrefix = `${headPrefix}backbone.`;

const stem = ['conv1', 'bn1'] as const;
const firstStage = 4;

/** `0.weight` -> `conv1.weight`, `5.0.bn1.bias` -> `layer2.0.bn1.bias`. @throws Error naming what is no array of a ResNet by position */
export function torchvisionName(positional: string): string {
  const found = /^(\d)\.(.+)$/.exec(positional);
  const position = Number(found?.[1]);
  const unit =
    stem[position] ?? (position >= firstStage && position < firstStage + 4 ? `layer${position - firstStage + 1}` : undefined);
  if (!found || !unit) throw new Error(`${backbonePrefix}${positional}: not the name of an array of a ResNet by position`);
  return `${unit}.${found[2]}`;
}

/** Inverse of {@link torchvisionName}. @throws Error naming what is no array of a ResNet without classifier */
export function positionalName(torchvision: string): string {
  const found = /^(conv1|bn1|layer([1-4]))\.(.+)$/.exec(torchvision);
  if (!found) throw new Error(`${torchvision}: not the name of an array of a ResNet without classifier`);
  const position = found[2] ? firstStage + Number(found[2]) - 1 : stem.indexOf(found[1] as (typeof stem)[number]);
  return `${position}.${found[3]}`;
}

/** Features of an episode's frames. */
export interface EpisodeFeatures {
  /** `[S, T, D]` */
  readonly support: Tensor;
  /** `[Q, T, D]` */
  readonly query: Tensor;
  /** Buffers after both passes, by name; none with running statistics. */
  readonly buffers: Record<string, Tensor>;
}

/**
 * One episode's frames `[S, T, 3, H, W]` and `[Q, T, 3, H, W]` through the backbone in two passes, supports first: in training each has batch statistics of
 * its own, and both move the running ones, as published.
 */
export function episodeFeatures(
  params: SymbolicParams,
  support: Tensor,
  query: Tensor,
  network: ResNetOptions,
  norm: NormMode,
): EpisodeFeatures {
  const named = Object.fromEntries(
    Object.entries(params)
      .filter(([name]) => name.startsWith(backbonePrefix))
      .map(([name, value]) => [torchvisionName(name.slice(backbonePrefix.length)), value]),
  );
  const pass = (videos: Tensor, state: SymbolicParams): [Tensor, Record<string, Tensor>] => {
    const [clips, frames, ...image] = videos.shape;
    const { features, buffers } = resnet(state, reshape(videos, [clips * frames, ...image]), network, { norm });
    return [reshape(features, [clips, frames, features.shape[1]]), buffers];
  };
  const [supportFeatures, first] = pass(support, named);
  const [queryFeatures, second] = pass(query, { ...named, ...first });
  const buffers = Object.entries({ ...first, ...second }).map(([name, value]) => [backbonePrefix + positionalName(name), value]);
  return { support: supportFeatures, query: queryFeatures, buffers: Object.fromEntries(buffers) };
}
