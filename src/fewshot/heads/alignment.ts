/** Heads without parameters of their own: the backbone's features are compared as they are. */
import { neg, type Tensor } from '../../engine/index.ts';
import { classMeans } from '../classMeans.ts';
import { allFrameDistances, cosines, meanFrame } from '../cosine.ts';
import { type MetricName, matchingMetrics } from '../matching/metrics.ts';
import { type OtamOptions, otam } from '../matching/otam.ts';
import type { Episodes, HeadOutput } from './head.ts';

/** OTAM: damped cosines, the alignment in both directions, class means over supports. Source: K. Cao et al., CVPR 2020, as published with HyRSM++. */
export function otamHead({ support, query, shots }: Episodes, options: OtamOptions): HeadOutput {
  return { logits: byClasses(otam(allFrameDistances(query, support, 'damped'), options), shots) };
}

/** Prototype baseline: the damped cosine of mean frames, class means over supports. Source: TSN (L. Wang et al., ECCV 2016), as published with HyRSM++. */
export function tsnHead({ support, query, shots }: Episodes): HeadOutput {
  return { logits: classMeans(cosines(meanFrame(query), meanFrame(support), 'damped'), shots, 2) };
}

/** Any metric on the features as they are, class means over supports; nothing is trained. */
export function matchingHead({ support, query, shots }: Episodes, { metric }: { readonly metric: MetricName }): HeadOutput {
  return { logits: byClasses(matchingMetrics[metric].inGraph(allFrameDistances(query, support)), shots) };
}

function byClasses(distances: Tensor, shots: readonly number[]): Tensor {
  return neg(classMeans(distances, shots, 2));
}
