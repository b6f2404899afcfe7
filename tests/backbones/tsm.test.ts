import { describe, expect, it } from 'vitest';
import {
  foldTsm,
  framesOf,
  initTsm,
  type TsmOptions,
  temporalShift,
  tsm,
  tsmPreset,
  tsmShapes,
  tsmUnits,
} from '../../src/backbones/index.ts';
import * as e from '../../src/engine/index.ts';
import type { SymbolicParams } from '../../src/nn/index.ts';
import { between } from '../engine/arrays.ts';
import { check, expectClose } from '../engine/checks.ts';

const tiny: TsmOptions = {
  network: { block: 'bottleneck', blocks: [1, 1], width: 8, channels: 3 },
  segments: 3,
  shiftDivisor: 8,
};

async function shifted(frames: number, channels: number, segments: number, divisor: number): Promise<number[][]> {
  // Channel c of frame t holds 10 (t + 1) + c.
  const values = Array.from({ length: frames * channels }, (_, i) => 10 * (Math.floor(i / channels) + 1) + (i % channels));
  const run = e.compile((x: e.Tensor) => temporalShift(x, segments, divisor));
  const { data } = await run(e.fromNumbers(values, [frames, channels, 1, 1]));
  await run.dispose();
  return Array.from({ length: frames }, (_, t) => [...(data as Float32Array).slice(t * channels, (t + 1) * channels)]);
}

describe('temporalShift', () => {
  it('takes the first fold from the next frame, the second from the last one, and zeros beyond a clip', async () => {
    expect(await shifted(6, 5, 3, 4)).toEqual([
      [20, 0, 12, 13, 14],
      [30, 11, 22, 23, 24],
      [0, 21, 32, 33, 34],
      [50, 0, 42, 43, 44],
      [60, 41, 52, 53, 54],
      [0, 51, 62, 63, 64],
    ]);
  });

  it('leaves fewer channels than the divisor alone, and empties both folds of a clip of one frame', async () => {
    expect(await shifted(2, 3, 2, 4)).toEqual([
      [10, 11, 12],
      [20, 21, 22],
    ]);
    expect(await shifted(2, 3, 1, 2)).toEqual([
      [0, 0, 12],
      [0, 0, 22],
    ]);
    expect(await shifted(2, 2, 2, 2)).toEqual([
      [20, 0],
      [0, 11],
    ]);
  });

  it('has the opposite shift as gradient', async () => {
    const x = between(1, [4, 6, 2]);
    const at = (t: number, c: number, i: number) =>
      t % 2 === 0 ? (t < 4 ? x.data[(t * 6 + c) * 2 + i] : 0) : x.data[(t * 6 + c) * 2 + i];
    const expected = e.ndarray('float64', [4, 6, 2], new Float64Array(48));
    for (let t = 0; t < 4; t++)
      for (let c = 0; c < 6; c++)
        for (let i = 0; i < 2; i++) {
          const from = c < 2 ? (t % 2 === 0 ? t + 1 : -1) : c < 4 ? (t % 2 === 1 ? t - 1 : -1) : t;
          expected.data[(t * 6 + c) * 2 + i] = from < 0 ? 0 : at(from, c, i);
        }
    await check({ inputs: [x], fn: t => temporalShift(t, 2, 3), expected });
  });

  it('refuses frames that are no whole clips', () => {
    const run = e.compile((x: e.Tensor) => temporalShift(x, 3));
    expect(() => run.print(e.zeros([4, 8, 1, 1]))).toThrow('temporalShift: 4 frames are not clips of 3');
  });
});

describe('TSM', () => {
  it('lays the frames of a clip after each other', async () => {
    const run = e.compile((x: e.Tensor) => framesOf(x));
    const frames = await run(e.fromNumbers([...Array(12).keys()], [2, 2, 3, 1, 1]));
    await run.dispose();
    expect(frames.shape).toEqual([6, 2, 1, 1]);
    expect([...frames.data]).toEqual([0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
  });

  it('names the first convolution of every block after the shift, of every second one in deep networks', () => {
    const names = (blocks: number[]) =>
      tsmUnits({ ...tiny, network: { ...tiny.network, blocks } })
        .map(({ conv }) => conv)
        .filter(conv => conv.endsWith('.net'));
    expect(names([1, 2])).toEqual(['layer1.0.conv1.net', 'layer2.0.conv1.net', 'layer2.1.conv1.net']);
    expect(names([2, 3, 23]).slice(0, 4)).toEqual([
      'layer1.0.conv1.net',
      'layer2.0.conv1.net',
      'layer2.2.conv1.net',
      'layer3.0.conv1.net',
    ]);
    expect(Object.keys(tsmShapes(tsmPreset)).length).toBe(53 * 6);
  });

  it('averages the features of frames; without shift a clip is its frames, with it their order matters', async () => {
    const params = initTsm(tiny, e.random.key(2));
    const clip = e.random.uniform(e.random.key(3), [1, 3, 3, 16, 16]);
    const run = e.compile((p: SymbolicParams, x: e.Tensor, shift: boolean) => {
      const { features, frames } = tsm(p, x, { ...tiny, shift }, { norm: 'running' });
      return { features, mean: e.mean(frames.features, 0, true) };
    });
    const reversed = e.compile((x: e.Tensor) => e.flip(x, 2));
    const backwards = await reversed(clip);
    for (const shift of [false, true]) {
      const there = await run(params as never, clip, shift);
      const back = await run(params as never, backwards, shift);
      expectClose(there.features, there.mean, 1e-6);
      const differences = [...there.features.data].map((v, i) => Math.abs(Number(v) - Number(back.features.data[i])));
      const scale = Math.max(...[...there.features.data].map(v => Math.abs(Number(v))));
      if (shift) expect(Math.max(...differences)).toBeGreaterThan(1e-2 * scale);
      else expect(Math.max(...differences)).toBeLessThan(1e-5 * scale);
    }
    await run.dispose();
    await reversed.dispose();
  });

  it('runs folded, its weights constants, to the same features', async () => {
    const params = initTsm(tiny, e.random.key(2));
    const clips = e.random.uniform(e.random.key(3), [2, 3, 3, 16, 16]);
    const folded = foldTsm(params, tiny);
    const plain = e.compile((p: SymbolicParams, x: e.Tensor) => tsm(p, x, tiny, { norm: 'running' }).features);
    const fused = e.compile((x: e.Tensor) => {
      const weights = Object.fromEntries(Object.entries(folded).map(([name, array]) => [name, e.constant(array)]));
      return tsm(weights, x, tiny, { norm: 'running' }).features;
    });
    expectClose(await fused(clips), await plain(params as never, clips), 1e-5);
    await plain.dispose();
    await fused.dispose();
  });

  it('refuses clips of another length', () => {
    const run = e.compile((x: e.Tensor) => tsm({}, x, tiny, { norm: 'running' }).features);
    expect(() => run.print(e.zeros([1, 3, 4, 8, 8]))).toThrow('tsm: clips must be [N, 3, 3, H, W], got [1,3,4,8,8]');
  });
});
