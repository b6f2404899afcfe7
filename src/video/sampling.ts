/**
 * Which frames of a video a clip has. Pure: random numbers come in as uniforms of [0, 1), so that a clip follows from its key.
 * All functions return ascending positions for videos that are long enough; short ones repeat frames.
 */

/** One of several views of a video in testing: number `view` of `views`, from 0. */
export interface View {
  readonly view: number;
  readonly views: number;
}

const onlyView: View = { view: 0, views: 1 };

function checkSampling(what: string, length: number, frames: number, { view, views }: View): void {
  const isCount = (value: number): boolean => Number.isInteger(value) && value >= 1;
  if (!isCount(length)) throw new RangeError(`${what}: expected a video of at least 1 frame, found ${length}`);
  if (!isCount(frames)) throw new RangeError(`${what}: expected at least 1 frame for a clip, found ${frames}`);
  if (!isCount(views) || !Number.isInteger(view) || view < 0 || view >= views)
    throw new RangeError(`${what}: expected a view below ${views}, found ${view}`);
}

/** To the nearest integer, halves to the even one. */
function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

/** How {@link segmentIndices} samples. */
export interface SegmentSampling {
  /** Segments n, one frame each. */
  readonly frames: number;
  /** Training: where in its segment each frame lies, n uniforms. Without them the views of testing. */
  readonly uniforms?: ArrayLike<number>;
  readonly view?: View;
}

/**
 * Segment sampling (TSN): the video in n equal parts with bounds b_k = k L / n, one frame from each. In training b_k + u (b_k+1 - b_k); in
 * testing the middle, or for view v of V > 1 the place b_k + (b_k+1 - b_k)(v + 1) / V. Clamped to the video, then rounded half to even.
 * @param length frames L of the video
 */
export function segmentIndices(length: number, { frames, uniforms, view = onlyView }: SegmentSampling): Int32Array {
  checkSampling('segmentIndices', length, frames, view);
  const place = view.views === 1 ? 0.5 : (view.view + 1) / view.views;
  return Int32Array.from({ length: frames }, (_, k) => {
    const from = (k * length) / frames;
    const to = ((k + 1) * length) / frames;
    return roundHalfToEven(clamp(from + (to - from) * (uniforms ? uniforms[k] : place), 0, length - 1));
  });
}

/** How {@link intervalIndices} samples. */
export interface IntervalSampling {
  readonly frames: number;
  /** Frames from one to the next at `targetFramesPerSecond`. */
  readonly interval: number;
  /** The video's. */
  readonly framesPerSecond: number;
  /** The rate that `interval` counts at. Default 30. */
  readonly targetFramesPerSecond?: number;
  /** Training: where the clip begins, one uniform. Without it the views of testing. */
  readonly uniform?: number;
  readonly view?: View;
}

/**
 * Interval sampling: n frames evenly from a stretch of n x interval frames at the target rate. It begins at u m in training, at m / 2 in
 * testing, and at m v / V for view v of V > 1, where m is what the video is longer. Positions are computed in float32, as the published code
 * does, clamped to the video and truncated.
 */
export function intervalIndices(
  length: number,
  { frames, interval, framesPerSecond, targetFramesPerSecond = 30, uniform, view = onlyView }: IntervalSampling,
): Int32Array {
  checkSampling('intervalIndices', length, frames, view);
  const span = (frames * interval * framesPerSecond) / targetFramesPerSecond;
  const room = Math.max(length - span, 0);
  const start = uniform !== undefined ? uniform * room : view.views === 1 ? room / 2 : (room * view.view) / view.views;
  const positions = evenlySpaced(start, start + span - interval, frames);
  return Int32Array.from(positions, position => Math.trunc(clamp(position, 0, length - 1)));
}

/** How {@link fittedIntervalIndices} samples. */
export interface FittedIntervalSampling extends IntervalSampling {
  /**
   * What becomes of the interval in a video that is too short for it. `scaled` (default): it shrinks with the stretch. `published`: it stays, and the positions of
   * videos shorter than frames x interval run backwards, to the first frame.
   */
  readonly short?: 'scaled' | 'published';
}

/**
 * Interval sampling as the code of HyRSM++ does it: as {@link intervalIndices}, but in a video that is shorter than n x interval frames at the target rate, the
 * stretch becomes the largest multiple of n that fits, and there is one more place for its beginning. A video of fewer than n frames is
 * sampled evenly from its first to its last.
 */
export function fittedIntervalIndices(
  length: number,
  {
    frames,
    interval,
    framesPerSecond,
    targetFramesPerSecond = 30,
    uniform,
    view = onlyView,
    short = 'scaled',
  }: FittedIntervalSampling,
): Int32Array {
  checkSampling('fittedIntervalIndices', length, frames, view);
  if (length < frames && short === 'scaled') return repeatedIndices(length, frames);
  const wanted = (frames * interval * framesPerSecond) / targetFramesPerSecond;
  const each = Math.floor(length / frames);
  const span = wanted > length ? each * frames : wanted;
  const last = wanted > length && short === 'scaled' ? each : interval;
  const room = Math.max(length - span + 1, 0);
  const start = uniform !== undefined ? uniform * room : view.views === 1 ? room / 2 : (room * view.view) / view.views;
  const positions = evenlySpaced(start, start + span - last, frames);
  return Int32Array.from(positions, position => Math.trunc(clamp(position, 0, length - 1)));
}

/** How {@link blockIndices} samples. */
export interface BlockSampling {
  readonly frames: number;
  /** Which frame of its block each is: n uniforms. Without them, the middle one. */
  readonly uniforms?: ArrayLike<number>;
}

/**
 * One frame from each of n blocks of floor(L / n) frames, in which every frame is as likely; what is left over at the end is never used. A video of fewer
 * than n frames is sampled evenly from its first to its last (the published code of HyRSM++ fails there).
 */
export function blockIndices(length: number, { frames, uniforms }: BlockSampling): Int32Array {
  checkSampling('blockIndices', length, frames, onlyView);
  const size = Math.floor(length / frames);
  if (size === 0) return repeatedIndices(length, frames);
  return Int32Array.from({ length: frames }, (_, k) => k * size + Math.floor((uniforms ? uniforms[k] : 0.5) * size));
}

/** `frames` places from the first to the last of fewer, the nearest for each. */
function repeatedIndices(length: number, frames: number): Int32Array {
  return Int32Array.from({ length: frames }, (_, k) => Math.round((k * (length - 1)) / Math.max(1, frames - 1)));
}

/** `count` float32 numbers from `from` to `to`, counted from the nearer end, so that both ends are met. */
function evenlySpaced(from: number, to: number, count: number): Float32Array {
  const [first, last] = [Math.fround(from), Math.fround(to)];
  const step = count > 1 ? Math.fround(Math.fround(last - first) / (count - 1)) : 0;
  return Float32Array.from({ length: count }, (_, k) =>
    k < count / 2 ? first + Math.fround(step * k) : last - Math.fround(step * (count - 1 - k)),
  );
}

/** How {@link denseIndices} samples. */
export interface DenseSampling {
  readonly frames: number;
  /** Length of the stretch that the frames come from, in frames; 64 as published. */
  readonly within: number;
  /** Training: where the stretch begins, one uniform. Without it the views of testing (10 as published). */
  readonly uniform?: number;
  readonly view?: View;
}

/**
 * Dense sampling (TSM): every floor(within / n)-th frame from a stretch of `within` frames, which begins anywhere in training and, in testing,
 * at V places evenly from the start to the last one that fits. A video that is shorter begins again.
 */
export function denseIndices(length: number, { frames, within, uniform, view = onlyView }: DenseSampling): Int32Array {
  checkSampling('denseIndices', length, frames, view);
  if (!(within >= frames)) throw new RangeError(`denseIndices: expected a stretch of at least ${frames} frames, found ${within}`);
  const step = Math.floor(within / frames);
  const starts = Math.max(1, 1 + length - within);
  const place = view.views === 1 ? 0 : ((starts - 1) * view.view) / (view.views - 1);
  const start = uniform !== undefined ? Math.floor(uniform * starts) : Math.floor(place);
  return Int32Array.from({ length: frames }, (_, k) => (start + k * step) % length);
}

/** View and crop of test clip `index`, where every view comes with `crops` crops: view = index / crops rounded down. */
export function multiView(index: number, crops: number): { readonly view: number; readonly crop: number } {
  return { view: Math.floor(index / crops), crop: index % crops };
}
