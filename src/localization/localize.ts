/** From a network's outputs for one video to its detections. */

import { type NDArray, ndarray, showShape } from '../engine/ndarray.ts';
import type { Detection } from './detections.ts';
import { type Suppression, suppress } from './nms.ts';
import { ACTIVITYNET_PROPOSALS, classProposals, type ProposalOptions, THUMOS14_PROPOSALS } from './proposals.ts';
import type { ScoredSegment } from './segments.ts';
import { upsample } from './upsample.ts';

/** What a localiser predicts for one video of T sampled snippets and C classes. Float32 or float64. */
export interface VideoPrediction {
  /** Video-level class scores [C], or [C + 1] with the background last (ignored). */
  readonly classScores: NDArray;
  /** Attention [T, 3] (instance, context, background) or the instance attention alone [T]. */
  readonly attention: NDArray;
  /** Instance class activation sequence [T, C] or [T, C + 1]. */
  readonly cas: NDArray;
  /** Number of snippets of the stored features, before sampling. */
  readonly snippets: number;
}

/** Post-processing of a localiser's outputs. */
export interface LocalizeOptions {
  /** Classes whose video-level score exceeds this are localised; the best one if none does. */
  readonly classThreshold: number;
  /** Up-sampling factor along time. */
  readonly upsampling: number;
  /** Time base of the features: frames a snippet, and frames a second of the video they were made from. */
  readonly snippetFrames: number;
  readonly framesPerSecond: number;
  readonly proposals: ProposalOptions;
  /** Per class, over the proposals of all thresholds. */
  readonly suppression: Suppression;
}

/** FTCL's and ACM-Net's settings for THUMOS14. */
export const THUMOS14_LOCALIZE: LocalizeOptions = {
  classThreshold: 0.25,
  upsampling: 20,
  snippetFrames: 16,
  framesPerSecond: 25,
  proposals: THUMOS14_PROPOSALS,
  suppression: { method: 'hard', threshold: 0.55, overlap: 'plus-one' },
};

/** ACM-Net's settings for ActivityNet. */
export const ACTIVITYNET_LOCALIZE: LocalizeOptions = {
  classThreshold: 0.1,
  upsampling: 20,
  snippetFrames: 16,
  framesPerSecond: 25,
  proposals: ACTIVITYNET_PROPOSALS,
  suppression: { method: 'hard', threshold: 0.9, overlap: 'plus-one' },
};

/** Proposals of one class of a video, before suppression. */
export interface ClassProposals {
  readonly classIndex: number;
  readonly proposals: readonly ScoredSegment[];
}

/**
 * Classes among the first `count` whose score exceeds `threshold`, or the single best one (the first of equals) if none does.
 * Float32 scores are compared with the threshold rounded to float32.
 */
export function selectClasses(scores: ArrayLike<number>, count: number, threshold: number): number[] {
  const limit = scores instanceof Float32Array ? Math.fround(threshold) : threshold;
  const chosen: number[] = [];
  let best = 0;
  for (let c = 0; c < count; c++) {
    if (scores[c] > limit) chosen.push(c);
    if (scores[c] > scores[best]) best = c;
  }
  return chosen.length > 0 ? chosen : [best];
}

/**
 * Duration in seconds of one up-sampled step: frames a snippet · n / (frames a second · up-sampling · T), where n stored snippets
 * were sampled to T. 0.032 s for 16-frame snippets at 25 fps, up-sampled by 20, when n = T.
 */
export function secondsPerStep(
  snippets: number,
  sampled: number,
  options: Pick<LocalizeOptions, 'snippetFrames' | 'framesPerSecond' | 'upsampling'>,
): number {
  return (options.snippetFrames * snippets) / (options.framesPerSecond * options.upsampling * sampled);
}

/**
 * The proposals of every selected class of a video with `classCount` classes.
 * @throws RangeError if shapes disagree, a value is not finite, or `snippets` is no positive integer.
 */
export function proposeVideo(prediction: VideoPrediction, classCount: number, options: LocalizeOptions): ClassProposals[] {
  const { classScores, attention, cas, snippets } = prediction;
  checkPrediction(prediction, classCount);
  const [steps, width] = cas.shape;
  const scores = floats(classScores);
  const step = secondsPerStep(snippets, steps, options);
  const instanceAttention = upsample(column(attention, 0, attention.shape[1] ?? 1), options.upsampling).data;
  return selectClasses(scores, classCount, options.classThreshold).map(classIndex => ({
    classIndex,
    proposals: classProposals(
      {
        cas: upsample(column(cas, classIndex, width), options.upsampling).data,
        attention: instanceAttention,
        classScore: scores[classIndex],
        secondsPerStep: step,
      },
      options.proposals,
    ),
  }));
}

/**
 * Detections of one video: select classes, up-sample, propose at every threshold, score by outer-inner contrast, suppress per
 * class. In order of class, then descending score. Segments in seconds, not clipped to the video's duration.
 * @throws RangeError as {@link proposeVideo}.
 */
export function localize(prediction: VideoPrediction, classes: readonly string[], options: LocalizeOptions): Detection[] {
  return proposeVideo(prediction, classes.length, options).flatMap(({ classIndex, proposals }) =>
    suppress(proposals, options.suppression).map(({ score, start, end }) => ({
      label: classes[classIndex],
      score,
      segment: [start, end] as const,
    })),
  );
}

function floats(array: NDArray): Float32Array | Float64Array {
  if (array.data instanceof Float32Array || array.data instanceof Float64Array) return array.data;
  throw new RangeError(`localize: expected float32 or float64 predictions, got ${array.dtype}`);
}

/** Column `index` of a [T, width] array (or a [T] array itself) as [T], in its own precision: up-sampling depends on it. */
function column(array: NDArray, index: number, width: number): NDArray {
  const data = floats(array);
  const steps = array.shape[0];
  if (data instanceof Float32Array)
    return ndarray(
      'float32',
      [steps],
      Float32Array.from({ length: steps }, (_, t) => data[t * width + index]),
    );
  return ndarray(
    'float64',
    [steps],
    Float64Array.from({ length: steps }, (_, t) => data[t * width + index]),
  );
}

function checkPrediction({ classScores, attention, cas, snippets }: VideoPrediction, classCount: number): void {
  const fits = (extent: number | undefined) => extent === classCount || extent === classCount + 1;
  if (classScores.shape.length !== 1 || !fits(classScores.shape[0])) {
    throw new RangeError(
      `localize: expected class scores [${classCount}] or [${classCount + 1}], got ${showShape(classScores.shape)}`,
    );
  }
  if (cas.shape.length !== 2 || !fits(cas.shape[1])) {
    throw new RangeError(`localize: expected a CAS [T, ${classCount}] or [T, ${classCount + 1}], got ${showShape(cas.shape)}`);
  }
  const steps = cas.shape[0];
  const [rows, branches = 3] = attention.shape;
  if (rows !== steps || branches !== 3 || attention.shape.length > 2) {
    throw new RangeError(`localize: expected attention [${steps}, 3] or [${steps}], got ${showShape(attention.shape)}`);
  }
  if (!Number.isInteger(snippets) || snippets < 1) {
    throw new RangeError(`localize: expected a positive number of snippets, got ${snippets}`);
  }
  for (const [name, array] of Object.entries({ 'class scores': classScores, attention, CAS: cas })) {
    const bad = floats(array).findIndex(value => !Number.isFinite(value));
    if (bad >= 0) throw new RangeError(`localize: ${name} hold ${array.data[bad]} at element ${bad}; expected finite values`);
  }
}
