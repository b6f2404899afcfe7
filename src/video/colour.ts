/** Colour changes of clips `[3, time, height, width]` in [0, 1]; each works in place and returns the clip. Pure. */
import type { Clip } from './transforms.ts';

/** Weights of red, green and blue in the luma of a pixel (ITU-R BT.601). */
export const lumaWeights = [0.299, 0.587, 0.114] as const;

const unit = (value: number): number => (value < 0 ? 0 : value > 1 ? 1 : value);

function planes({ data }: Clip): readonly [Float32Array, Float32Array, Float32Array] {
  const size = data.length / 3;
  return [data.subarray(0, size), data.subarray(size, 2 * size), data.subarray(2 * size)];
}

function luma(clip: Clip): Float32Array {
  const [r, g, b] = planes(clip);
  const [red, green, blue] = lumaWeights;
  return r.map((value, i) => red * value + green * g[i] + blue * b[i]);
}

/** blend(x, 0, f): every value times f, clamped. */
export function adjustBrightness(clip: Clip, factor: number): Clip {
  const { data } = clip;
  for (let i = 0; i < data.length; i++) data[i] = unit(factor * data[i]);
  return clip;
}

/** blend(x, mean luma of the frame, f). */
export function adjustContrast(clip: Clip, factor: number): Clip {
  const [, frames, height, width] = clip.shape;
  const size = height * width;
  const grey = luma(clip);
  for (let t = 0; t < frames; t++) {
    let sum = 0;
    for (let i = t * size; i < (t + 1) * size; i++) sum += grey[i];
    const other = ((1 - factor) * sum) / size;
    for (const plane of planes(clip)) {
      for (let i = t * size; i < (t + 1) * size; i++) plane[i] = unit(factor * plane[i] + other);
    }
  }
  return clip;
}

/** blend(x, luma, f). */
export function adjustSaturation(clip: Clip, factor: number): Clip {
  const grey = luma(clip);
  for (const plane of planes(clip)) {
    for (let i = 0; i < plane.length; i++) plane[i] = unit(factor * plane[i] + (1 - factor) * grey[i]);
  }
  return clip;
}

/** Every channel becomes the luma. */
export function grayscale(clip: Clip): Clip {
  const grey = luma(clip);
  for (const plane of planes(clip)) plane.set(grey);
  return clip;
}

/** The hue, in turns, moves by `shift`: RGB to HSV, h := (h + shift) mod 1, and back. */
export function adjustHue(clip: Clip, shift: number): Clip {
  const [r, g, b] = planes(clip);
  for (let i = 0; i < r.length; i++) {
    const value = Math.max(r[i], g[i], b[i]);
    const chroma = value - Math.min(r[i], g[i], b[i]);
    if (chroma === 0) continue;
    // Six sectors a turn, from the largest channel's.
    const sector =
      value === r[i] ? (g[i] - b[i]) / chroma : value === g[i] ? 2 + (b[i] - r[i]) / chroma : 4 + (r[i] - g[i]) / chroma;
    const turn = sector / 6 + shift;
    const h = 6 * (turn - Math.floor(turn));
    // A channel falls from the value by the chroma as the hue leaves its own third of the circle.
    r[i] = unit(value - chroma * away(h + 5));
    g[i] = unit(value - chroma * away(h + 3));
    b[i] = unit(value - chroma * away(h + 1));
  }
  return clip;
}

/** 0 to 1: how far a hue of `k` sectors (mod 6) is from a channel's own third, whose middle is at 5 (= 0 + 5). */
function away(k: number): number {
  const place = k % 6;
  return Math.max(0, Math.min(place, 4 - place, 1));
}

/** A colour change and how much of it: a factor (1 changes nothing), for hue a shift in turns (0 changes nothing). */
export interface ColourStep {
  readonly kind: 'brightness' | 'contrast' | 'saturation' | 'hue';
  readonly amount: number;
}

const adjust = {
  brightness: adjustBrightness,
  contrast: adjustContrast,
  saturation: adjustSaturation,
  hue: adjustHue,
} as const;

/** Applies colour changes in their order. */
export function jitterColours(clip: Clip, steps: readonly ColourStep[]): Clip {
  for (const { kind, amount } of steps) adjust[kind](clip, amount);
  return clip;
}

/** How far {@link drawColourSteps} goes to either side: of the factor 1, and for hue of 0 turns. */
export interface ColourRange {
  readonly brightness?: number;
  readonly contrast?: number;
  readonly saturation?: number;
  readonly hue?: number;
}

/**
 * All four changes with random amounts in random order (PSL's: 0.8, 0.8, 0.8, 0.2).
 * @param uniform gives seven uniforms
 */
export function drawColourSteps(
  uniform: () => number,
  { brightness = 0.8, contrast = 0.8, saturation = 0.8, hue = 0.2 }: ColourRange = {},
): ColourStep[] {
  const factor = (range: number): number => Math.max(0, 1 - range) + (1 + range - Math.max(0, 1 - range)) * uniform();
  const steps: ColourStep[] = [
    { kind: 'brightness', amount: factor(brightness) },
    { kind: 'contrast', amount: factor(contrast) },
    { kind: 'saturation', amount: factor(saturation) },
    { kind: 'hue', amount: hue * (2 * uniform() - 1) },
  ];
  // Fisher-Yates.
  for (let i = 3; i > 0; i--) {
    const j = Math.floor(uniform() * (i + 1));
    [steps[i], steps[j]] = [steps[j], steps[i]];
  }
  return steps;
}
