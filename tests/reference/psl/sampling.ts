/** Frame sampling: segments and intervals, with the recorded uniforms. */
import { type NDArray, ndarray } from '../../../src/engine/ndarray.ts';
import { intervalIndices, segmentIndices } from '../../../src/video/sampling.ts';
import { type Adapter, type Compared, compareArray, type ReferenceCase } from '../case.ts';

/** Runs a sampling for every listed video: its length, its view (-1 stands for training), and its row of uniforms. */
function sampled(
  c: ReferenceCase,
  sample: (length: number, view: number | undefined, uniforms?: number[]) => Int32Array,
): Compared[] {
  const lengths = Array.from(c.arrays.in_lengths.data, Number);
  const views = Array.from(c.arrays.in_clip_idx.data, Number);
  const uniforms: NDArray | undefined = c.arrays.in_uniforms;
  const width = (uniforms?.data.length ?? 0) / lengths.length;
  const rows = lengths.map((length, i) =>
    Array.from(
      sample(
        length,
        views[i] < 0 ? undefined : views[i],
        uniforms && Array.from(uniforms.data.slice(i * width, (i + 1) * width), Number),
      ),
    ),
  );
  return [compareArray(c, 'out_indices', ndarray('int32', [rows.length, rows[0].length], Int32Array.from(rows.flat())))];
}

const segments: Adapter = {
  matches: c => c.kind === 'segment_sampling',
  run: c => {
    const { num_frames, num_clips } = c.hyperparameters as { num_frames: number; num_clips: number };
    return sampled(c, (length, view, uniforms) =>
      segmentIndices(length, { frames: num_frames, uniforms, view: view === undefined ? undefined : { view, views: num_clips } }),
    );
  },
};

const intervals: Adapter = {
  matches: c => c.kind === 'interval_sampling',
  run: c => {
    const h = c.hyperparameters as {
      num_frames: number;
      interval: number;
      fps: number;
      target_fps: number;
      num_clips: number;
    };
    return sampled(c, (length, view, uniforms) =>
      intervalIndices(length, {
        frames: h.num_frames,
        interval: h.interval,
        framesPerSecond: h.fps,
        targetFramesPerSecond: h.target_fps,
        uniform: uniforms?.[0],
        view: view === undefined ? undefined : { view, views: h.num_clips },
      }),
    );
  },
};

export const adapters: Adapter[] = [segments, intervals];
