/** From frames to clips, and what is done to their colours. Pure; clips are float32 `[3, time, height, width]`, RGB in [0, 1]. */
import { type NDArray, ndarray } from '../engine/ndarray.ts';
import type { Box, Size } from './crops.ts';

/** RGB frames as they are decoded. */
export interface Frames {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  /** `[count, height, width, 3]`. */
  readonly data: Uint8Array;
}

/** A clip `[3, time, height, width]` in [0, 1]. */
export type Clip = NDArray<'float32'>;

/** Which part of the frames becomes a clip. */
export interface Resampling {
  /** The part that is taken. Default: all. */
  readonly box?: Box;
  /** What it is resized to. Default: not resized. */
  readonly size?: Size;
  /** The part of the resized picture that is kept. Default: all. */
  readonly window?: Box;
  /** Mirrored, left to right, at the end. */
  readonly flip?: boolean;
}

/** For each output place: the two source places it lies between, and how far it is towards the second. */
interface Taps {
  readonly near: Int32Array;
  readonly far: Int32Array;
  readonly towards: Float32Array;
}

/** Half-pixel centres: output i lies at (i + 1/2) from / to - 1/2, not before the first place. */
function taps(from: number, to: number, first: number, count: number, offset: number): Taps {
  const near = new Int32Array(count);
  const far = new Int32Array(count);
  const towards = new Float32Array(count);
  const scale = from / to;
  for (let i = 0; i < count; i++) {
    const place = Math.max((first + i + 0.5) * scale - 0.5, 0);
    const low = Math.min(Math.floor(place), from - 1);
    near[i] = offset + low;
    far[i] = offset + Math.min(low + 1, from - 1);
    towards[i] = place - low;
  }
  return { near, far, towards };
}

/** Pixels in memory: where the next frame, row, column and channel are, and what values are multiplied by. */
interface Pixels {
  readonly data: Uint8Array | Float32Array;
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly steps: { readonly frame: number; readonly row: number; readonly column: number; readonly channel: number };
  readonly scale: number;
}

/**
 * Crops, resizes (bilinear, half-pixel centres, no antialiasing: what PyTorch's `interpolate` computes), crops again and mirrors, in one pass;
 * only what is kept is computed.
 * @throws RangeError for a part that is not within the picture
 */
export function toClip({ count, height, width, data }: Frames, resampling: Resampling = {}): Clip {
  const steps = { frame: height * width * 3, row: width * 3, column: 3, channel: 1 };
  return resample({ data, count, height, width, steps, scale: 1 / 255 }, resampling);
}

/** As {@link toClip}, of a clip. */
export function resampleClip({ shape: [, count, height, width], data }: Clip, resampling: Resampling): Clip {
  const steps = { frame: height * width, row: width, column: 1, channel: count * height * width };
  return resample({ data, count, height, width, steps, scale: 1 }, resampling);
}

function resample(pixels: Pixels, { box, size, window, flip = false }: Resampling): Clip {
  const { count, height, width, data, steps, scale } = pixels;
  const part = box ?? { top: 0, left: 0, height, width };
  checkWithin('box', part, [height, width]);
  const [fullHeight, fullWidth] = size ?? [part.height, part.width];
  const kept = window ?? { top: 0, left: 0, height: fullHeight, width: fullWidth };
  checkWithin('window', kept, [fullHeight, fullWidth]);
  const rows = taps(part.height, fullHeight, kept.top, kept.height, part.top);
  const columns = taps(part.width, fullWidth, kept.left, kept.width, part.left);
  const [outHeight, outWidth] = [kept.height, kept.width];
  const plane = outHeight * outWidth;
  const out = new Float32Array(3 * count * plane);
  const channel = count * plane;
  for (let t = 0; t < count; t++) {
    const base = t * steps.frame;
    for (let y = 0; y < outHeight; y++) {
      const upper = base + rows.near[y] * steps.row;
      const lower = base + rows.far[y] * steps.row;
      const down = rows.towards[y] * scale;
      const stay = (1 - rows.towards[y]) * scale;
      const row = t * plane + y * outWidth;
      for (let x = 0; x < outWidth; x++) {
        const left = steps.column * columns.near[x];
        const right = steps.column * columns.far[x];
        const b = columns.towards[x];
        const a = 1 - b;
        const at = row + (flip ? outWidth - 1 - x : x);
        for (let c = 0, from = 0; c < 3; c++, from += steps.channel) {
          const above = a * data[upper + left + from] + b * data[upper + right + from];
          const below = a * data[lower + left + from] + b * data[lower + right + from];
          out[c * channel + at] = stay * above + down * below;
        }
      }
    }
  }
  return ndarray('float32', [3, count, outHeight, outWidth], out);
}

function checkWithin(what: string, { top, left, height, width }: Box, [rows, columns]: Size): void {
  const isWithin = top >= 0 && left >= 0 && height >= 1 && width >= 1 && top + height <= rows && left + width <= columns;
  if (![top, left, height, width].every(Number.isInteger) || !isWithin)
    throw new RangeError(
      `${what}: expected a part of ${rows} x ${columns} pixels, found ${height} x ${width} at (${top}, ${left})`,
    );
}

/** Subtracts the mean of each channel and divides by its deviation, in place. */
export function normalize(clip: Clip, mean: readonly number[], deviation: readonly number[]): Clip {
  const plane = clip.data.length / 3;
  for (let c = 0; c < 3; c++) {
    const scale = 1 / deviation[c];
    for (let i = c * plane; i < (c + 1) * plane; i++) clip.data[i] = (clip.data[i] - mean[c]) * scale;
  }
  return clip;
}
