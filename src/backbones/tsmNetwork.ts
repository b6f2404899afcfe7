import type { Shape } from '../engine/index.ts';
import { type ResNetOptions, resnetPresets } from './resnet.ts';
import { tsmPrefix } from './tsm.ts';

/** A network of {@link resnetPresets} in some width. */
export interface NamedNetwork {
  readonly name: keyof typeof resnetPresets;
  readonly options: ResNetOptions;
}

/**
 * The network that TSM weights under our names belong to, by the number of blocks, what a block is made of, and the channels of the stem; undefined
 * if it is none of {@link resnetPresets} in any width.
 */
export function tsmNetwork(shapes: ReadonlyMap<string, Shape>, prefix = tsmPrefix): NamedNetwork | undefined {
  const stem = shapes.get(`${prefix}conv1.weight`);
  if (stem?.length !== 4) return undefined;
  const blocks = [1, 2, 3, 4].map(stage => {
    let count = 0;
    while (shapes.has(`${prefix}layer${stage}.${count}.conv2.weight`)) count++;
    return count;
  });
  const block = shapes.has(`${prefix}layer1.0.conv3.weight`) ? 'bottleneck' : 'basic';
  const names = Object.keys(resnetPresets) as (keyof typeof resnetPresets)[];
  const name = names.find(each => resnetPresets[each].block === block && String(resnetPresets[each].blocks) === String(blocks));
  return name && { name, options: { ...resnetPresets[name], width: stem[0], channels: stem[1] } };
}
