/** Single frames of a video as square pictures, in one or several views (Node only). */
import { DataError } from '../data/formats/dataError.ts';
import { countFrames, openVideo } from './decode.ts';

/** A view of a video: which frames, and what of them. */
export interface FrameView {
  /** Numbers of the frames to take of a video of so many, ascending; some may repeat. */
  readonly places: (length: number) => ArrayLike<number>;
  /** Where the square lies: parts of the room that is left, downwards and to the right. Default: the middle. */
  readonly crop?: readonly [down: number, right: number];
  /** Mirrored, left to right. Default false. */
  readonly flip?: boolean;
}

export interface FrameViewOptions {
  /** Side of the square. */
  readonly size: number;
  /** Short side that pictures are scaled to before, at least `size`: by libswscale, bicubic, as `extract` does. */
  readonly shortSide: number;
  readonly views: readonly FrameView[];
}

/** What was found. */
export interface ViewedFrames {
  /** Of each view `[frames, size, size, 3]`, RGB. */
  readonly pixels: readonly Uint8Array[];
  /** Frames that the video has. */
  readonly length: number;
  /** That decoding met errors, in one line. */
  readonly damage?: string;
}

/**
 * Decodes a video once for all views; once more if its container states another number of frames than there are.
 * @throws DataError as `openVideo`
 */
export async function frameViews(path: string, options: FrameViewOptions): Promise<ViewedFrames> {
  const { facts, close } = await openVideo(path);
  await close();
  const stated = facts.statedFrames;
  const guessed = stated === undefined ? undefined : await decodeViews(path, stated, options);
  if (guessed && guessed.length === stated) return guessed;
  const length = guessed?.length ?? (await countFrames(path));
  const found = await decodeViews(path, length, options);
  if (found?.length !== length)
    throw new DataError(path, `expected ${length} frames as before, found ${found?.length ?? 'fewer'} (is it being written?)`);
  return found;
}

/** The views if the video has as many frames as is assumed; undefined if it has too few to tell how many. */
async function decodeViews(
  path: string,
  assumed: number,
  { size, shortSide, views }: FrameViewOptions,
): Promise<ViewedFrames | undefined> {
  const chosen = views.map(({ places }) => Array.from(places(assumed)));
  const indices = [...new Set(chosen.flat())].sort((a, b) => a - b);
  const bytes = size * size * 3;
  const pixels = chosen.map(each => new Uint8Array(each.length * bytes));
  let damage: string | undefined;
  const frames = (await openVideo(path)).frames({
    size: ([height, width]) => {
      const scale = shortSide / Math.min(height, width);
      return [Math.max(shortSide, Math.round(height * scale)), Math.max(shortSide, Math.round(width * scale))];
    },
    indices,
    onDamage: line => {
      damage = line;
    },
  });
  for (;;) {
    const next = await frames.next().catch((error: Error) => {
      if (/: expected at least \d+ frames, found [1-9]/.test(error.message)) return undefined;
      throw error;
    });
    if (next === undefined) return undefined;
    if (next.done) return { pixels, length: next.value.frames, ...(damage !== undefined && { damage }) };
    const { first, count, height, width, data } = next.value;
    for (let i = 0; i < count; i++) {
      const picture = data.subarray(i * height * width * 3, (i + 1) * height * width * 3);
      for (const [v, { crop = [0.5, 0.5], flip = false }] of views.entries()) {
        const square = { top: Math.floor(crop[0] * (height - size)), left: Math.floor(crop[1] * (width - size)), size, flip };
        for (const [k, index] of chosen[v].entries())
          if (index === indices[first + i]) copySquare(picture, width, square, pixels[v].subarray(k * bytes, (k + 1) * bytes));
      }
    }
  }
}

interface Square {
  readonly top: number;
  readonly left: number;
  readonly size: number;
  readonly flip: boolean;
}

function copySquare(picture: Uint8Array, width: number, { top, left, size, flip }: Square, out: Uint8Array): void {
  for (let y = 0; y < size; y++) {
    const from = ((top + y) * width + left) * 3;
    const row = picture.subarray(from, from + size * 3);
    const at = y * size * 3;
    if (!flip) out.set(row, at);
    else for (let x = 0; x < size; x++) for (let c = 0; c < 3; c++) out[at + (size - 1 - x) * 3 + c] = row[x * 3 + c];
  }
}
