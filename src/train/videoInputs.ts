/** Clips of videos as inputs of a network, decoded ahead of the steps that take them (Node). */
import { prefetch } from '../data/index.ts';
import { type NDArray, ndarray } from '../engine/index.ts';
import { fold, key } from '../engine/random.ts';
import { type Inputs, type Labelled, labelArray } from '../openset/inputs.ts';
import { testPlans, trainingPlan, type VideoConfig } from '../openset/videoConfig.ts';
import { clipLabels, drawShuffle, shuffleSecondClips } from '../openset/videoShuffle.ts';
import type { ClipPlan, ClipResult } from '../video/clip.ts';
import { type ClipLoader, clipLoader } from '../video/loader.ts';
import type { Clip } from '../video/transforms.ts';

/** A labelled video. */
export interface LabelledVideo extends Labelled {
  readonly path: string;
}

/** Clips as a training step takes them, `[clips, 3, frames, H, W]`. */
function clipArray(clips: readonly Clip[]): NDArray<'float32'> {
  const size = clips[0].data.length;
  const data = new Float32Array(clips.length * size);
  for (const [i, clip] of clips.entries()) data.set(clip.data, i * size);
  return ndarray('float32', [clips.length, ...clips[0].shape], data);
}

/** The test clips of a video, `[clips, 3, frames, H, W]`, or why there are none. */
export type TestClips = { readonly path: string } & ({ readonly clips: NDArray<'float32'> } | { readonly problem: string });

/** Videos whose test clips are made before their turn comes. */
const testAhead = 4;

/** The test clips of videos, in order: every view with its crops. */
async function* ahead(loader: ClipLoader, paths: readonly string[], plans: readonly ClipPlan[]): AsyncGenerator<TestClips> {
  // A random crop is the same in every test.
  const wishes = plans.map((plan, i) => ({ plan, key: fold(key(0), i) }));
  let i = 0;
  for await (const result of prefetch(each => loader.make({ path: paths[each], wishes }), paths.length, testAhead)) {
    const path = paths[i++];
    yield 'problem' in result ? { path, problem: result.problem } : { path, clips: clipArray(result.clips) };
  }
}

/** The test clips of videos, made ahead in worker threads. */
export async function* testClipsAhead(paths: readonly string[], plans: readonly ClipPlan[]): AsyncGenerator<TestClips> {
  const loader = clipLoader();
  try {
    yield* ahead(loader, paths, plans);
  } finally {
    await loader.close();
  }
}

/** Inputs of videos by a configuration: decoded and changed in worker threads. */
export function videoInputs(config: VideoConfig): Inputs<LabelledVideo> {
  const loader = clipLoader(config.workers === null ? {} : { workers: config.workers });
  const { clips, shuffle } = config.training;
  const [training, tests] = [trainingPlan(config), testPlans(config)];
  const told = new Set<string>();
  /** A line for each video that is told of the first time. */
  const news = (lines: readonly { readonly path: string; readonly text: string }[]): string[] =>
    lines.flatMap(({ path, text }) => {
      if (told.has(path)) return [];
      told.add(path);
      return [text];
    });

  return {
    async training(videos, batchKey) {
      const requests = videos.map(({ path }, i) => ({
        path,
        wishes: Array.from({ length: clips }, (_, c) => ({ plan: training, key: fold(fold(batchKey, i), c) })),
      }));
      const made = await Promise.all(requests.map(request => loader.make(request)));
      const good = made.flatMap((result, i) => ('clips' in result ? [i] : []));
      if (good.length === 0)
        throw new Error(`no video of a batch can be read; the first: ${'problem' in made[0] ? made[0].problem : ''}`);
      // The next one that can be read stands for one that cannot: the batch keeps its size.
      const taken = made.map((result, i) => ('clips' in result ? i : (good.find(g => g > i) ?? good[0])));
      const warnings = news(
        made.flatMap((result, i) => {
          const { path } = videos[i];
          if ('problem' in result) return [{ path, text: `${result.problem}; another video of the batch stands for it` }];
          return result.damage === undefined ? [] : [{ path, text: result.damage }];
        }),
      );
      const array = clipArray(taken.flatMap(i => (made[i] as ClipResult).clips));
      const labels = taken.map(i => videos[i].label);
      if (clips === 1) return { inputs: array, labels: labelArray(labels), warnings };
      const plan = drawShuffle(videos.length, config.frames, fold(batchKey, 'shuffle'), shuffle);
      const [, ...clip] = array.shape;
      const { data } = shuffleSecondClips({ ...array, shape: [videos.length, 2, ...clip] }, plan);
      return { inputs: { ...array, data }, labels: labelArray(clipLabels(labels, plan.shuffled)), warnings };
    },
    async *testing(videos) {
      const paths = videos.map(({ path }) => path);
      let i = 0;
      for await (const made of ahead(loader, paths, tests)) {
        if ('problem' in made) yield { samples: [], inputs: noInputs, problems: [`${made.problem}; it is left out of the test`] };
        else yield { samples: [i], inputs: { ...made.clips, shape: [1, ...made.clips.shape] }, problems: [] };
        i++;
      }
    },
    close: () => loader.close(),
  };
}

const noInputs = ndarray('float32', [0], new Float32Array(0));
