/** Random erasing of clips `[3, time, height, width]`: a box of every frame loses what it shows. Pure. */
import type { Box, Size } from './crops.ts';
import type { Clip } from './transforms.ts';

/** What {@link drawErasing} draws from. */
export interface ErasingRange {
  /** That a clip is erased at all. Default 0.25. */
  readonly probability?: number;
  /** Part of the picture's area, from and to. Default 0.02 to 0.33. */
  readonly area?: readonly [number, number];
  /** Least height over width, log-uniform up to its inverse. Default 0.3. */
  readonly minAspect?: number;
}

/** Attempts of {@link drawErasing} to find a box that fits. */
const attempts = 10;

/**
 * The box that a clip loses; undefined if it loses none, or ten attempts fit none.
 * Source: Z. Zhong et al., "Random erasing data augmentation", AAAI 2020, algorithm 1, with a log-uniform aspect.
 * @param uniform gives up to 41 uniforms
 */
export function drawErasing(
  [height, width]: Size,
  uniform: () => number,
  { probability = 0.25, area = [0.02, 0.33], minAspect = 0.3 }: ErasingRange = {},
): Box | undefined {
  if (uniform() > probability) return undefined;
  for (let attempt = 0; attempt < attempts; attempt++) {
    const pixels = height * width * (area[0] + (area[1] - area[0]) * uniform());
    const aspect = Math.exp(Math.log(minAspect) * (1 - 2 * uniform()));
    const [h, w] = [Math.round(Math.sqrt(pixels * aspect)), Math.round(Math.sqrt(pixels / aspect))];
    if (h < 1 || w < 1 || h >= height || w >= width) continue;
    const top = Math.floor(uniform() * (height - h + 1));
    return { top, left: Math.floor(uniform() * (width - w + 1)), height: h, width: w };
  }
  return undefined;
}

/**
 * Fills a box of all frames, in place; a clip is usually normalised before.
 * @param fill 0 (default), or a number for each channel, or for each value anew
 */
export function erase(
  clip: Clip,
  { top, left, height, width }: Box,
  fill: { readonly each: 'channel' | 'value'; normal(): number } | 0 = 0,
): Clip {
  const [channels, frames, rows, columns] = clip.shape;
  for (let c = 0; c < channels; c++) {
    const own = fill !== 0 && fill.each === 'channel' ? fill.normal() : 0;
    for (let t = 0; t < frames; t++) {
      for (let y = top; y < top + height; y++) {
        const at = ((c * frames + t) * rows + y) * columns + left;
        for (let x = at; x < at + width; x++) clip.data[x] = fill !== 0 && fill.each === 'value' ? fill.normal() : own;
      }
    }
  }
  return clip;
}
