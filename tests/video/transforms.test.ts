import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ndarray } from '../../src/engine/ndarray.ts';
import { adjustContrast, adjustHue, adjustSaturation, drawColourSteps, grayscale } from '../../src/video/colour.ts';
import { centreCrop, multiScaleCrop, randomResizedCrop, shortSideSize, threeCrop } from '../../src/video/crops.ts';
import { drawErasing, erase } from '../../src/video/erasing.ts';
import { orient, orientationOf, rotationOf } from '../../src/video/orient.ts';
import { normalize, resampleClip, toClip } from '../../src/video/transforms.ts';

/** Frames whose red is 10 y + x, green 100, blue 255. */
function frames(height: number, width: number, count = 1) {
  const data = new Uint8Array(count * height * width * 3);
  for (let i = 0; i < count * height * width; i++) {
    const place = i % (height * width);
    data.set([10 * Math.floor(place / width) + (place % width), 100, 255], 3 * i);
  }
  return { count, height, width, data };
}

/** Red of a clip of one frame in units of 1/255. */
const reds = (clip: { shape: readonly number[]; data: Float32Array }): number[] =>
  [...clip.data.subarray(0, clip.shape[2] * clip.shape[3])].map(value => Math.round(255e4 * value) / 1e4);

describe('toClip', () => {
  test('is channels first, in [0, 1]', () => {
    const clip = toClip(frames(2, 3, 2));
    expect(clip.shape).toEqual([3, 2, 2, 3]);
    expect(reds(clip)).toEqual([0, 1, 2, 10, 11, 12]);
    expect(clip.data[12]).toBeCloseTo(100 / 255, 6);
    expect(clip.data[24]).toBe(1);
  });

  test('resizes with half-pixel centres and without antialiasing', () => {
    // Places 0 (clamped), 0.25, 0.75, 1.25, ... of 4 columns to 8; at half size the mean of two neighbours.
    expect(reds(toClip(frames(1, 4), { size: [1, 8] }))).toEqual([0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]);
    expect(reds(toClip(frames(1, 4), { size: [1, 2] }))).toEqual([0.5, 2.5]);
    // A quarter of 8: places 1.5 and 5.5, two taps each, however much lies between.
    expect(reds(toClip(frames(1, 8), { size: [1, 2] }))).toEqual([1.5, 5.5]);
  });

  test('takes a box, keeps a window of the resized one, and mirrors it', () => {
    const box = { top: 1, left: 1, height: 2, width: 2 };
    expect(reds(toClip(frames(4, 4), { box }))).toEqual([11, 12, 21, 22]);
    expect(reds(toClip(frames(4, 4), { box, flip: true }))).toEqual([12, 11, 22, 21]);
    const window = { top: 0, left: 2, height: 1, width: 2 };
    expect(reds(toClip(frames(4, 4), { box, size: [4, 4], window }))).toEqual([11.75, 12]);
  });

  test('names a part that is not there', () => {
    expect(() => toClip(frames(4, 5), { box: { top: 0, left: 2, height: 4, width: 4 } })).toThrow(
      'box: expected a part of 4 x 5 pixels, found 4 x 4 at (0, 2)',
    );
  });
});

test('resampleClip does to a clip what toClip does to its frames', () => {
  const source = frames(7, 9, 2);
  const how = { size: [11, 5], window: { top: 2, left: 1, height: 6, width: 3 }, flip: true } as const;
  const [direct, later] = [toClip(source, how), resampleClip(toClip(source), how)];
  expect(later.shape).toEqual(direct.shape);
  for (const [i, value] of later.data.entries()) expect(value).toBeCloseTo(direct.data[i], 6);
});

describe('erasing', () => {
  test('draws a box of the area and shape that it should have', () => {
    const box = drawErasing([20, 30], () => 0.5, { probability: 1 });
    // 0.175 of 600 pixels, as high as wide: 10.2.
    expect(box).toEqual({ top: 5, left: 10, height: 10, width: 10 });
    expect(drawErasing([20, 30], () => 0.5)).toBeUndefined();
    // Larger than the picture, ten times.
    expect(drawErasing([20, 30], () => 0.5, { probability: 1, area: [4, 5] })).toBeUndefined();
  });

  test('fills the same box of all frames', () => {
    const box = { top: 0, left: 1, height: 1, width: 2 };
    const clip = () => ndarray('float32', [3, 2, 2, 3], new Float32Array(36).fill(7));
    const zero = erase(clip(), box).data;
    expect([...zero.subarray(0, 12)]).toEqual([7, 0, 0, 7, 7, 7, 7, 0, 0, 7, 7, 7]);
    expect(zero.filter(value => value === 0)).toHaveLength(12);
    let next = 0;
    const normal = () => ++next;
    expect([...erase(clip(), box, { each: 'channel', normal }).data.filter(value => value !== 7)]).toEqual([
      1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3,
    ]);
    expect(erase(clip(), box, { each: 'value', normal }).data[34 - 12 - 9 - 12]).toBe(4);
    expect(next).toBe(15);
  });
});

test('normalize works on each channel', () => {
  const clip = normalize(toClip(frames(1, 1)), [0, 0.5, 0.5], [1, 1, 0.25]);
  expect([...clip.data]).toEqual([0, Math.fround(Math.fround(100 / 255) - 0.5), 2]);
});

describe('crops', () => {
  test('sides and places', () => {
    expect(shortSideSize([256, 340], 224)).toEqual([224, 297]);
    expect(shortSideSize([340, 256], 224)).toEqual([297, 224]);
    expect(centreCrop([224, 297], 224)).toEqual({ top: 0, left: 36, height: 224, width: 224 });
    expect([0, 1, 2].map(index => threeCrop([297, 224], 224, index).top)).toEqual([0, 36, 73]);
    expect(() => centreCrop([100, 200], 224)).toThrow('expected a crop within 100 x 200 pixels, found 224 x 224');
  });

  test('random boxes stay within the picture and within their ranges', () => {
    const uniforms = fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }));
    const side = fc.integer({ min: 1, max: 400 });
    fc.assert(
      fc.property(side, side, uniforms, (height, width, stream) => {
        const next = () => stream.next().value;
        for (const { top, left, height: h, width: w } of [
          randomResizedCrop([height, width], next),
          multiScaleCrop([height, width], next),
        ]) {
          expect(Math.min(top, left)).toBeGreaterThanOrEqual(0);
          expect(Math.min(h, w)).toBeGreaterThanOrEqual(1);
          expect(top + h).toBeLessThanOrEqual(height);
          expect(left + w).toBeLessThanOrEqual(width);
        }
      }),
    );
  });

  test('a picture too long for any shape in range gives its middle', () => {
    expect(randomResizedCrop([10, 1000], () => 0.999)).toEqual({ top: 0, left: 493, height: 10, width: 13 });
  });
});

describe('colours', () => {
  const pixel = (r: number, g: number, b: number) => ndarray('float32', [3, 1, 1, 1], Float32Array.of(r, g, b));

  test('a third of a turn moves red to green', () => {
    const turned = [...adjustHue(pixel(0.9, 0.2, 0.1), 1 / 3).data];
    for (const [i, value] of [0.1, 0.9, 0.2].entries()) expect(turned[i]).toBeCloseTo(value, 6);
  });

  test('factor 0 leaves the luma, or its mean over the frame', () => {
    const luma = 0.299 * 0.9 + 0.587 * 0.2 + 0.114 * 0.1;
    for (const change of [
      grayscale,
      (c: ReturnType<typeof pixel>) => adjustSaturation(c, 0),
      (c: ReturnType<typeof pixel>) => adjustContrast(c, 0),
    ]) {
      for (const value of change(pixel(0.9, 0.2, 0.1)).data) expect(value).toBeCloseTo(luma, 6);
    }
  });

  test('draws every change once, within its range', () => {
    const steps = drawColourSteps(() => 0);
    expect(steps.map(({ kind }) => kind).sort()).toEqual(['brightness', 'contrast', 'hue', 'saturation']);
    for (const { kind, amount } of steps) expect(amount).toBeCloseTo(kind === 'hue' ? -0.2 : 0.2, 12);
  });
});

test('orient turns pictures as display matrices say', () => {
  // 1 2 3 / 4 5 6, a grey value a pixel.
  const stored = Uint8Array.from([1, 2, 3, 4, 5, 6].flatMap(value => [value, value, value]));
  const shown = (matrix: number[]): { grey: number[]; degrees: number } => {
    const orientation = orientationOf(
      [matrix[0], matrix[1], 0, matrix[2], matrix[3], 0, 0, 0, 2 ** 30].map((v, i) => (i < 5 ? v * 65536 : v)),
    )!;
    const out = new Uint8Array(18);
    orient(stored, 9, [2, 3], orientation, out);
    return { grey: [...out].filter((_, i) => i % 3 === 0), degrees: rotationOf(orientation) };
  };
  expect(shown([1, 0, 0, 1])).toEqual({ grey: [1, 2, 3, 4, 5, 6], degrees: 0 });
  expect(shown([0, 1, -1, 0])).toEqual({ grey: [4, 1, 5, 2, 6, 3], degrees: 90 });
  expect(shown([-1, 0, 0, -1])).toEqual({ grey: [6, 5, 4, 3, 2, 1], degrees: 180 });
  expect(shown([0, -1, 1, 0])).toEqual({ grey: [3, 6, 2, 5, 1, 4], degrees: 270 });
  expect(shown([-1, 0, 0, 1])).toEqual({ grey: [3, 2, 1, 6, 5, 4], degrees: 0 });
  expect(orientationOf([46341, 46341, 0, -46341, 46341, 0, 0, 0, 2 ** 30])).toBeUndefined();
});
