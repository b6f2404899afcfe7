/** Cases of video shuffling. */

import { ndarray } from '../../../src/engine/ndarray.ts';
import { chosenBy, clipLabels, shuffleSecondClips } from '../../../src/openset/index.ts';
import { type Adapter, compareArray } from '../case.ts';
import { numberOf } from './inputs.ts';

const videoShuffle: Adapter = {
  matches: ({ kind }) => kind === 'video_shuffle',
  run(c) {
    const { in_video: video, in_labels: labels, in_permutation: permutation, in_uniforms: uniforms } = c.arrays;
    const shuffled = chosenBy(uniforms.data as Float64Array, numberOf(c, 'probability'));
    const order = Array.from(permutation.data as BigInt64Array, Number);
    const clips = clipLabels(labels.data as BigInt64Array, shuffled);
    return [
      compareArray(c, 'out_video', shuffleSecondClips(video, { orders: [order], shuffled })),
      compareArray(c, 'out_labels', ndarray('int32', [clips.length], clips)),
    ];
  },
};

/** Adapters of video shuffling. */
export const adapters: Adapter[] = [videoShuffle];
