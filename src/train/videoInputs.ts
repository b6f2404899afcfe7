/** Clips of videos as inputs of a network, decoded ahead of the steps that take them (Node). */
import { DataError } from '../data/index.ts';
import { type NDArray, ndarray } from '../engine/index.ts';
import { fold, type Key, key } from '../engine/random.ts';
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

/** Clips as the backbone takes them, `[clips, 3, frames, H, W]`. */
export function clipArray(clips: readonly Clip[]): NDArray<'float32'> {
  const size = clips[0].data.length;
  const data = new Float32Array(clips.length * size);
  for (const [i, clip] of clips.entries()) data.set(clip.data, i * size);
  return ndarray('float32', [clips.length, ...clips[0].shape], data);
}

/**
 * All test clips of a video: every view with its crops, in one array.
 * @throws DataError naming the video if it cannot be read
 */
export async function testClips(loader: ClipLoader, path: string, plans: readonly ClipPlan[]): Promise<NDArray<'float32'>> {
  // A random crop is the same in every test.
  const made = await Promise.all(plans.map((plan, i) => loader.make({ path, plan, keys: [fold(key(0), i)] })));
  const problem = made.find(result => 'problem' in result);
  if (problem) throw new DataError(path, problem.problem.replace(`${path}: `, ''));
  return clipArray(made.flatMap(result => (result as ClipResult).clips));
}

/** Videos whose test clips are made before their turn comes. */
const testAhead = 4;

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
        plan: training,
        keys: Array.from({ length: clips }, (_, c): Key => fold(fold(batchKey, i), c)),
      }));
      const made = await Promise.all(requests.map(request => loader.make(request)));
      const good = made.flatMap((result, i) => ('clips' in result ? [i] : []));
      if (good.length === 0) throw new Error(`no video of a batch can be read; the first: ${problemOf(made[0])}`);
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
      const ahead: Promise<NDArray | DataError>[] = [];
      const start = (i: number): void => {
        const made = testClips(loader, videos[i].path, tests).catch((error: unknown) => {
          if (error instanceof DataError) return error;
          throw error;
        });
        // It is looked at in its turn; until then a failure is nobody's.
        made.catch(() => {});
        ahead.push(made);
      };
      for (let i = 0; i < videos.length; i++) {
        while (ahead.length < testAhead && i + ahead.length < videos.length) start(i + ahead.length);
        const inputs = await ahead.shift()!;
        if (inputs instanceof DataError) {
          yield { samples: [], inputs: emptyInputs, problems: [`${inputs.message}; it is left out of the test`] };
        } else yield { samples: [i], inputs, problems: [] };
      }
    },
    close: () => loader.close(),
  };
}

const emptyInputs = ndarray('float32', [0], new Float32Array(0));

function problemOf(result: Awaited<ReturnType<ClipLoader['make']>>): string {
  return 'problem' in result ? result.problem : '';
}
