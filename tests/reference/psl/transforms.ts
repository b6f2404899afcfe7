/** Crops, resizing and colours of clips, with the recorded draws. */
import type { NDArray } from '../../../src/engine/ndarray.ts';
import { type ColourStep, grayscale, jitterColours } from '../../../src/video/colour.ts';
import { type Box, centreCrop, randomCrop, shortSideSize, threeCrop } from '../../../src/video/crops.ts';
import { type Clip, type Frames, toClip } from '../../../src/video/transforms.ts';
import { type Adapter, compareArray, type ReferenceCase } from '../case.ts';

function framesOf({ arrays }: ReferenceCase): Frames {
  const { shape, data } = arrays.in_frames as NDArray<'uint8'>;
  const [count, height, width] = shape;
  return { count, height, width, data };
}

const resizeCrop: Adapter = {
  matches: c => c.kind === 'resize_crop',
  run: c => {
    const h = c.hyperparameters as Record<'short_side' | 'crop' | 'spatial_index' | 'num_spatial_crops', number> &
      Record<'uniform_x' | 'uniform_y', number>;
    const frames = framesOf(c);
    const size = shortSideSize([frames.height, frames.width], h.short_side);
    const window =
      h.spatial_index < 0
        ? randomCrop(size, h.crop, [h.uniform_y, h.uniform_x])
        : h.num_spatial_crops === 3
          ? threeCrop(size, h.crop, h.spatial_index)
          : centreCrop(size, h.crop);
    return [compareArray(c, 'out_clip', toClip(frames, { size, window }))];
  },
};

const randomResizedCrop: Adapter = {
  matches: c => c.kind === 'random_resized_crop',
  run: c => {
    const { size, flip, ...box } = c.hyperparameters as unknown as Box & { size: number; flip: boolean };
    return [compareArray(c, 'out_clip', toClip(framesOf(c), { box, size: [size, size], flip }))];
  },
};

const colourJitter: Adapter = {
  matches: c => c.kind === 'color_jitter',
  run: c => {
    const { order, factors } = c.hyperparameters as {
      order: ColourStep['kind'][];
      factors: Record<ColourStep['kind'], number>;
    };
    const copy = (): Clip => {
      const { dtype, shape, data } = c.arrays.in_clip as Clip;
      return { dtype, shape, data: data.slice() };
    };
    const steps = order.map(kind => ({ kind, amount: factors[kind] }));
    const after = order.map((kind, i) => compareArray(c, `out_after_${kind}`, jitterColours(copy(), steps.slice(0, i + 1))));
    return [...after, compareArray(c, 'out_clip', jitterColours(copy(), steps)), compareArray(c, 'out_gray', grayscale(copy()))];
  },
};

export const adapters: Adapter[] = [resizeCrop, randomResizedCrop, colourJitter];
