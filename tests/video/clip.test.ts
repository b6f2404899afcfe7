import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { key } from '../../src/engine/random.ts';
import { type ClipPlan, makeClips } from '../../src/video/clip.ts';
import type { Clip } from '../../src/video/transforms.ts';
import { writeVideo } from './writeVideo.ts';

let dir: string;
const video = () => join(dir, 'a.mkv');

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-clip-'));
  // Red tells the frame, green the column, blue the row.
  await writeVideo(video(), { frames: 21, height: 8, width: 16, pixel: (i, y, x) => [10 * i, 10 * x, 20 * y] });
});
afterAll(() => rm(dir, { recursive: true }));

const clips = async (plan: ClipPlan, seeds: readonly number[]): Promise<readonly Clip[]> =>
  (await makeClips({ path: video(), wishes: seeds.map(seed => ({ plan, key: key(seed) })) })).clips;
/** Values of a channel and frame in units of the pixels written. */
const plane = ({ data, shape: [, frames, height, width] }: Clip, channel: number, frame: number, unit: number): number[] => {
  const size = height * width;
  const from = (channel * frames + frame) * size;
  return Array.from(data.subarray(from, from + size), value => Math.round((1e3 * 255 * value) / unit) / 1e3);
};
const framesOf = (clip: Clip): number[] => Array.from({ length: clip.shape[1] }, (_, t) => plane(clip, 0, t, 10)[0]);
const seeds = Array.from({ length: 30 }, (_, i) => i);

describe('frames', () => {
  test('one of each block, the middle one in tests, or any if that is asked for', async () => {
    const plan: ClipPlan = { frames: 4, size: 8, sampling: { kind: 'blocks' } };
    expect(framesOf((await clips(plan, [1]))[0])).toEqual([2, 7, 12, 17]);
    const drawn = (await clips({ ...plan, test: { randomFrames: true } }, seeds)).map(framesOf);
    for (const frames of drawn) for (const [k, frame] of frames.entries()) expect(Math.floor(frame / 5)).toBe(k);
    expect(new Set(drawn.map(([first]) => first))).toEqual(new Set([0, 1, 2, 3, 4]));
  });

  test('at an interval that fits', async () => {
    const plan: ClipPlan = { frames: 4, size: 8, sampling: { kind: 'fitted-interval', interval: 50, targetFramesPerSecond: 25 } };
    // A stretch of 20 frames, 5 apart; one of two places is the middle.
    expect(framesOf((await clips(plan, [1]))[0])).toEqual([1, 6, 11, 16]);
  });
});

describe('pictures', () => {
  const scaled = [4, 8] as const;

  test('are scaled whatever their shape, and cropped in the middle in tests', async () => {
    const [clip] = await clips({ frames: 1, size: 4, sampling: { kind: 'blocks' }, test: { scaled } }, [0]);
    // Half the size: columns 0.5, 2.5, … of which four are kept from the third on; rows 0.5, 2.5, 4.5, 6.5.
    expect(plane(clip, 1, 0, 10).slice(0, 4)).toEqual([4.5, 6.5, 8.5, 10.5]);
    expect(plane(clip, 2, 0, 20).filter((_, i) => i % 4 === 0)).toEqual([0.5, 2.5, 4.5, 6.5]);
  });

  test('anywhere and mirrored in training', async () => {
    const plan: ClipPlan = {
      frames: 2,
      size: 4,
      sampling: { kind: 'blocks' },
      augment: { crop: { kind: 'fixed', scaled }, flip: 0.5 },
    };
    const starts = (await clips(plan, seeds)).map(clip => {
      const row = plane(clip, 1, 0, 10).slice(0, 4);
      expect(row.map((value, i) => Math.abs(value - row[0]) - 2 * i)).toEqual([0, 0, 0, 0]);
      // The same for all frames.
      expect(plane(clip, 1, 1, 10).slice(0, 4)).toEqual(row);
      return `${Math.min(...row)} ${row[1] < row[0]}`;
    });
    // Four places: 0 to 3 of five, as published.
    expect(new Set(starts).size).toBe(8);
    expect(new Set(starts.map(text => text.split(' ')[0]))).toEqual(new Set(['0.5', '2.5', '4.5', '6.5']));
  });

  test('lose all colour before it changes', async () => {
    const colour = { probability: 1, grayscaleFirst: 0.5, brightness: 0, contrast: 0, saturation: 0, hue: 0 };
    const plan: ClipPlan = {
      frames: 1,
      size: 4,
      sampling: { kind: 'blocks' },
      augment: { crop: { kind: 'fixed', scaled }, flip: 0, colour },
    };
    const grey = (await clips(plan, seeds)).filter(clip => `${plane(clip, 1, 0, 1)}` === `${plane(clip, 2, 0, 1)}`);
    expect(grey.length).toBeGreaterThan(5);
    expect(grey.length).toBeLessThan(25);
  });

  test('are erased after they were normalised', async () => {
    const plan: ClipPlan = {
      frames: 2,
      size: 4,
      sampling: { kind: 'blocks' },
      augment: { crop: { kind: 'fixed', scaled }, flip: 0, erase: { probability: 1, area: [0.25, 0.25], minAspect: 1 } },
      normalize: { mean: [-1, -1, -1], std: [1, 1, 1] },
    };
    const [clip] = await clips(plan, [3]);
    expect(clip.data.filter(value => value === 0)).toHaveLength(3 * 2 * 4);
    expect(clip.data.filter(value => value >= 1)).toHaveLength(3 * 2 * 12);
    const [noisy] = await clips({ ...plan, augment: { ...plan.augment, erase: { ...plan.augment!.erase, fill: 'value' } } }, [3]);
    const erased = [...clip.data.keys()].filter(i => clip.data[i] === 0);
    expect(new Set(erased.map(i => noisy.data[i])).size).toBe(24);
  });
});
