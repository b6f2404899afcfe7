/** Which frames clips have, with the recorded uniforms. */
import { ndarray } from '../../../src/engine/ndarray.ts';
import { blockIndices, fittedIntervalIndices, segmentIndices } from '../../../src/video/sampling.ts';
import { type Adapter, type Compared, compareArray, type ReferenceCase } from '../case.ts';
import { adapterOf, numberOf, numbersOf, rowsOf } from './inputs.ts';

function compareRows(c: ReferenceCase, rows: readonly Int32Array[]): Compared[] {
  const flat = Int32Array.from(rows.flatMap(row => [...row]));
  return [compareArray(c, 'out.index', ndarray('int32', [rows.length, rows[0].length], flat))];
}

/** Rates above 40 mean one frame from each block, at random in tests too. */
const frames = adapterOf('frame_sampling', c => {
  const uniforms = rowsOf(c, 'in.uniforms');
  const rates = numbersOf(c, 'in.fps');
  const views = numbersOf(c, 'in.clip_idx');
  const [count, interval] = [numberOf(c, 'num_frames'), numberOf(c, 'SAMPLING_RATE')];
  const rows = numbersOf(c, 'in.vid_length').map((length, i) => {
    if (interval > 40) return blockIndices(length, { frames: count, uniforms: uniforms[i] });
    return fittedIntervalIndices(length, {
      frames: count,
      interval,
      framesPerSecond: rates[i],
      targetFramesPerSecond: numberOf(c, 'TARGET_FPS'),
      uniform: c.hyperparameters.split === 'train' ? uniforms[i][0] : undefined,
      view: { view: Math.max(0, views[i]), views: numberOf(c, 'num_clips') },
      short: 'published',
    });
  });
  return compareRows(c, rows);
});

const segments = adapterOf('segment_sampling', c => {
  const uniforms = rowsOf(c, 'in.uniforms');
  const random = numbersOf(c, 'in.random');
  const rows = numbersOf(c, 'in.vid_length').map((length, i) =>
    segmentIndices(length, { frames: numberOf(c, 'num_frames'), uniforms: random[i] ? uniforms[i] : undefined }),
  );
  return compareRows(c, rows);
});

/** Adapters of frame sampling. */
export const adapters: Adapter[] = [frames, segments];
