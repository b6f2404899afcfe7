import { type NDArray, type Shape, sizeOf } from '../engine/ndarray.ts';
import { fold, type Key, permutation, uniform } from '../engine/random.ts';

/** How a batch's second clips are shuffled. */
export interface ShufflePlan {
  /** New frame t is old frame order[t]: one order for the batch (as published), or one a video. */
  readonly orders: readonly ArrayLike<number>[];
  /** Whether the second clip of each video is shuffled. */
  readonly shuffled: readonly boolean[];
}

export interface ShuffleOptions {
  /** That a second clip is shuffled; published: 1. */
  readonly probability: number;
  /** One order for the whole `batch` (published), or one for each `video`. */
  readonly order: 'batch' | 'video';
  /** Whether an order may leave all frames where they are (published). */
  readonly identity: boolean;
}

/** The published settings. */
export const shufflePreset = { probability: 1, order: 'batch', identity: true } as const satisfies ShuffleOptions;

/** Draws which second clips of `videos` videos are shuffled, and how, from a key. A clip of one frame has no other order. */
export function drawShuffle(videos: number, frames: number, key: Key, options: ShuffleOptions = shufflePreset): ShufflePlan {
  const uniforms = uniform(fold(key, 'chosen'), [videos]).data;
  const orders = Array.from({ length: options.order === 'batch' ? 1 : videos }, (_, i) =>
    frameOrder(fold(fold(key, 'order'), i), frames, options.identity),
  );
  return { orders, shuffled: chosenBy(uniforms, options.probability) };
}

/** Those whose uniform draw lies below the probability. */
export function chosenBy(uniforms: ArrayLike<number>, probability: number): boolean[] {
  return Array.from(uniforms, u => u < probability);
}

function frameOrder(key: Key, frames: number, identity: boolean): Int32Array {
  for (let attempt = 0; ; attempt++) {
    const order = permutation(fold(key, attempt), frames);
    if (identity || frames < 2 || order.some((frame, t) => frame !== t)) return order;
  }
}

/**
 * Reorders the frames of second clips; the first ones stay as they are. video `[B, 2, …, T, …]` with the frames on axis `timeAxis`
 * (published layout: `[B, 2, C, T, H, W]`, axis 3) -> a new array of the same shape.
 * @throws RangeError if the plan does not fit the array
 */
export function shuffleSecondClips<A extends NDArray>(video: A, { orders, shuffled }: ShufflePlan, timeAxis = 3): A {
  const { shape } = video;
  const [videos, clips] = shape;
  const frames = shape[timeAxis];
  const isFit = clips === 2 && shuffled.length === videos && (orders.length === 1 || orders.length === videos);
  if (!isFit || orders.some(order => order.length !== frames))
    throw new RangeError(
      `shuffleSecondClips: expected [videos, 2, …] with ${shuffled.length} videos and ${orders[0]?.length} frames on axis ${timeAxis}, found [${shape}]`,
    );
  const source = video.data as Uint8Array;
  const data = source.slice();
  const inner = sizeOf(shape.slice(timeAxis + 1) as Shape);
  const blocks = sizeOf(shape.slice(2, timeAxis) as Shape);
  const clip = blocks * frames * inner;
  for (let i = 0; i < videos; i++) {
    if (!shuffled[i]) continue;
    const order = orders[orders.length === 1 ? 0 : i];
    for (let block = 0; block < blocks; block++) {
      const at = (2 * i + 1) * clip + block * frames * inner;
      for (let t = 0; t < frames; t++) {
        const from = at + order[t] * inner;
        data.set(source.subarray(from, from + inner), at + t * inner);
      }
    }
  }
  return { ...video, data };
}

/** Labels of all clips, `[2 B]`: those of the videos twice in a row, -1 for second clips that are shuffled. */
export function clipLabels(labels: ArrayLike<number | bigint>, shuffled: readonly boolean[]): Int32Array {
  const result = new Int32Array(2 * labels.length);
  for (let i = 0; i < labels.length; i++) {
    result[2 * i] = Number(labels[i]);
    result[2 * i + 1] = shuffled[i] ? -1 : Number(labels[i]);
  }
  return result;
}
