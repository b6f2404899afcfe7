/** Scores of many episodes through the graph of a head. */
import { compile, type Device, type NDArray, ndarray, type Tensor } from '../engine/index.ts';
import type { Params, SymbolicParams } from '../nn/index.ts';
import type { FewshotClip } from './clipFrames.ts';
import { episodeArrays } from './episodeArrays.ts';
import type { Episode, EpisodeOptions } from './episodes.ts';
import { applyHead, type HeadSettings } from './heads/heads.ts';
import { type JudgedEpisode, judged } from './judgedEpisode.ts';
import { stagedHead } from './stagedHead.ts';

export interface TestInferenceOptions {
  readonly head: HeadSettings;
  readonly form: EpisodeOptions;
  /** T. */
  readonly frames: number;
  /** D. */
  readonly width: number;
  /** Reads the `[frames, width]` of a clip. */
  readonly read: (clip: FewshotClip) => Promise<Float32Array>;
  /** Bytes of embedded clips kept in memory; of more, every episode embeds its own. */
  readonly cacheBytes: number;
  readonly where: { readonly device?: Device; readonly threads?: number };
}

/** The episodes of a test, by their numbers. */
export interface EpisodeSource<C> {
  /** The clips that they are drawn from. */
  readonly clips: readonly C[];
  readonly episodes: number;
  at(index: number): Episode<C>;
}

type Progress = (done: number, total: number) => void;
type Read = TestInferenceOptions['read'];

/** Values of the clips of a batch at most. */
const mostValues = 1 << 22;

/** What a test's graph takes. */
interface TestInput<T = Tensor> {
  readonly support: T;
  readonly query: T;
  readonly unlabelled?: T;
}

/**
 * Judges episodes a batch at a time; a last batch is filled up, so that all have one shape. Where a head looks at clips by themselves first and episodes
 * share clips, every clip passes through that once.
 */
export function testInference({ head, form, frames, width, read, cacheBytes, where }: TestInferenceOptions) {
  const shots = Array.from({ length: form.way }, () => form.shot);
  const whole = compile(
    (params: SymbolicParams, { support, query, unlabelled }: TestInput) =>
      applyHead(params, { support, query, shots, ...(unlabelled && { unlabelled }) }, head).logits,
    { ...where, name: `${head.head} inference` },
  );
  const stages = stagedHead(head);
  const embed =
    stages &&
    compile((params: SymbolicParams, clips: Tensor) => stages.embed(params, clips), { ...where, name: `${head.head} clips` });
  const rest =
    stages &&
    compile((params: SymbolicParams, { support, query }: TestInput) => stages.logits(params, support, query, shots), {
      ...where,
      name: `${head.head} episodes`,
    });

  /** The first stage of all clips. */
  const embedded = async <C extends FewshotClip>(params: Params, clips: readonly C[], signal?: AbortSignal): Promise<Read> => {
    const size = Math.max(1, Math.min(clips.length, Math.floor(mostValues / (frames * width))));
    const found = new Map<FewshotClip, Float32Array>();
    for (let from = 0; from < clips.length; from += size) {
      signal?.throwIfAborted();
      const own = Array.from({ length: size }, (_, i) => clips[Math.min(from + i, clips.length - 1)]);
      const data = new Float32Array(size * frames * width);
      for (const [i, clip] of (await Promise.all(own.map(read))).entries()) data.set(clip, i * frames * width);
      const made = (await embed!(params, ndarray('float32', [size, frames, width], data))).data as Float32Array;
      for (const [i, clip] of own.entries()) found.set(clip, made.slice(i * frames * width, (i + 1) * frames * width));
    }
    return async clip => found.get(clip)!;
  };

  const judgeWith = async <C extends FewshotClip>(
    infer: (input: TestInput<NDArray>) => Promise<NDArray>,
    readClip: Read,
    { episodes, at }: EpisodeSource<C>,
    progress: Progress,
    signal?: AbortSignal,
  ): Promise<JudgedEpisode<C>[]> => {
    const first = at(0);
    const clips = first.support.length + first.query.length + first.unlabelled.length;
    const size = Math.max(1, Math.min(episodes, 64, Math.floor(mostValues / (clips * frames * width))));
    const all: JudgedEpisode<C>[] = [];
    for (let from = 0; from < episodes; from += size) {
      signal?.throwIfAborted();
      const own = Array.from({ length: size }, (_, i) => at(Math.min(from + i, episodes - 1)));
      const { support, query, unlabelled } = await episodeArrays(own, readClip, frames, width);
      const logits = await infer({ support, query, ...(unlabelled && { unlabelled }) });
      const each = logits.data.length / size;
      for (const [i, episode] of own.slice(0, episodes - from).entries())
        all.push(judged(episode, (logits.data as Float32Array).slice(i * each, (i + 1) * each)));
      progress(all.length, episodes);
    }
    return all;
  };

  return {
    judge: async <C extends FewshotClip>(
      params: Params,
      source: EpisodeSource<C>,
      progress: Progress,
      signal?: AbortSignal,
    ): Promise<JudgedEpisode<C>[]> => {
      const { clips, episodes } = source;
      const inEpisodes = episodes * form.way * (form.shot + form.queries);
      const isShared = clips.length < inEpisodes && 4 * clips.length * frames * width <= cacheBytes;
      if (!rest || !isShared) return judgeWith(input => whole(params, input), read, source, progress, signal);
      return judgeWith(input => rest(params, input), await embedded(params, clips, signal), source, progress, signal);
    },
    dispose: async () => {
      await whole.dispose();
      await embed?.dispose();
      await rest?.dispose();
    },
  };
}
