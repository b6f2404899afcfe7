import type { Features } from '../data/features.ts';
import { gatherRows, uniformIndices } from '../data/sampling.ts';
import { type NDArray, ndarray } from '../engine/index.ts';
import type { Params } from '../nn/index.ts';
import type { VideoPrediction } from './localize.ts';
import type { evaluationStep, Inference, inferenceStep } from './steps.ts';

/** Uniformly sampled features of a video as a batch of one: `[n, F]` -> `[1, T, F]` with T = min(n, samples) (2 for one snippet). */
export function sampledVideo(features: Features, samples: number): NDArray {
  const rows = gatherRows(features, uniformIndices(features.shape[0], samples));
  return ndarray('float32', [1, ...rows.shape], rows.data);
}

/** The first sample of a batch. */
function first(array: NDArray): NDArray {
  return { ...array, shape: array.shape.slice(1) };
}

/** Outputs of a batch of one video as what post-processing reads. */
export function toPrediction({ classScores, attention, cas }: Inference<NDArray>, snippets: number): VideoPrediction {
  return { classScores: first(classScores), attention: first(attention), cas: first(cas), snippets };
}

/** Runs the network over one video. */
export async function inferVideo(
  step: ReturnType<typeof inferenceStep>,
  params: Params,
  features: Features,
  samples: number,
): Promise<VideoPrediction> {
  return toPrediction(await step(params, sampledVideo(features, samples)), features.shape[0]);
}

/** Runs the network over one labelled video, with the pieces of its loss. */
export async function evaluateVideo(
  step: ReturnType<typeof evaluationStep>,
  params: Params,
  features: Features,
  label: Float32Array,
  samples: number,
) {
  const output = await step(params, sampledVideo(features, samples), ndarray('float32', [1, label.length], label));
  return { prediction: toPrediction(output, features.shape[0]), pieces: output.pieces };
}
