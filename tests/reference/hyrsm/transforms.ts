/** Resizing, crops, colours and whole transforms, with the recorded draws. */
import type { NDArray } from '../../../src/engine/ndarray.ts';
import {
  adjustBrightness,
  adjustContrast,
  adjustHue,
  adjustSaturation,
  type ColourStep,
  grayscale,
  jitterColours,
} from '../../../src/video/colour.ts';
import { centreCrop, randomCrop, type Size, shortSideSize, threeCrop } from '../../../src/video/crops.ts';
import { drawErasing, erase } from '../../../src/video/erasing.ts';
import { type Clip, type Frames, normalize, resampleClip, toClip } from '../../../src/video/transforms.ts';
import { type Adapter, compareArray, type ReferenceCase } from '../case.ts';
import { adapterOf, numberOf } from './inputs.ts';

/** A recorded draw: `['uniform', low, high, value]`, `['random', value]`, `['randint', low, high, value]`, `['shuffle', order]`. */
type Draw = readonly [kind: string, ...rest: (number | readonly number[])[]];

const drawsOf = (c: ReferenceCase): Draw[] => [...(c.hyperparameters.draws as Draw[])];

/** The uniform of [0, 1) that a draw was made from; for whole numbers, the middle of those that give it. */
function uniformOf([kind, ...rest]: Draw): number {
  const [a, b, value] = rest as number[];
  if (kind === 'random') return a;
  if (kind === 'uniform') return b === a ? 0 : (value - a) / (b - a);
  if (kind === 'randint') return (value - a + 0.5) / (b - a + 1);
  throw new Error(`no uniform in a draw of ${kind}`);
}

/** Draws of the horizontal and then the vertical place of a crop, in the order that `randomCrop` takes them. */
const placeOf = ([x, y]: readonly Draw[]): [number, number] => [uniformOf(y), uniformOf(x)];

const clipOf = (c: ReferenceCase): Clip => {
  const { dtype, shape, data } = c.arrays['in.clip'] as Clip;
  return { dtype, shape, data: data.slice() };
};

const fixedSize = adapterOf('resize_crop', c => {
  const scaled = c.hyperparameters.short_side_range as unknown as Size;
  const [crop, index] = [numberOf(c, 'crop'), numberOf(c, 'idx')];
  const window =
    index < 0
      ? randomCrop(scaled, crop, placeOf(drawsOf(c)))
      : numberOf(c, 'num_spatial_crops') === 3
        ? threeCrop(scaled, crop, index)
        : centreCrop(scaled, crop);
  return [compareArray(c, 'out.clip', resampleClip(clipOf(c), { size: scaled, window }))];
});

const keptAspect = adapterOf('resize_crop_aspect', c => {
  const [side, ...places] = drawsOf(c);
  const clip = clipOf(c);
  const size = shortSideSize([clip.shape[2], clip.shape[3]], Math.trunc(Number(side[3])));
  return [
    compareArray(c, 'out.clip', resampleClip(clip, { size, window: randomCrop(size, numberOf(c, 'crop'), placeOf(places)) })),
  ];
});

const changes: Readonly<Record<string, (clip: Clip, factor: number) => Clip>> = {
  adjust_brightness: adjustBrightness,
  adjust_contrast: adjustContrast,
  adjust_saturation: adjustSaturation,
  adjust_hue: adjustHue,
  rgb_to_grayscale: grayscale,
};

const colours = adapterOf('colour', c => {
  const { op, factor } = c.hyperparameters as { op: string; factor: number };
  return [compareArray(c, 'out.clip', changes[op](clipOf(c), factor))];
});

const kinds: readonly ColourStep['kind'][] = ['brightness', 'contrast', 'saturation', 'hue'];

/** Support clips are resized and cropped; queries are also mirrored, jittered and perhaps erased. */
const whole = adapterOf('transform', c => {
  const { resize, aug } = c.hyperparameters as unknown as { resize: Size; aug: { RANDOM_ERASING?: Record<string, unknown> } };
  const { shape, data } = c.arrays['in.frames'] as NDArray<'uint8'>;
  const frames: Frames = { count: shape[0], height: shape[1], width: shape[2], data };
  const crop = numberOf(c, 'crop');
  const draws = drawsOf(c);
  const next = (): number => uniformOf(draws.shift()!);
  const isQuery = c.hyperparameters.which === 'transform_query';
  const flip = isQuery && next() < 0.5;
  const window =
    c.hyperparameters.split === 'test' ? centreCrop(resize, crop) : randomCrop(resize, crop, placeOf(draws.splice(0, 2)));
  // Published: mirrored first. Here: at the end, from the mirrored window.
  const left = flip ? resize[1] - crop - window.left : window.left;
  const clip = toClip(frames, { size: resize, window: { ...window, left }, flip });
  if (isQuery) {
    const amounts = kinds.map(() => Number(draws.shift()![3]));
    const order = draws.shift()![1] as readonly number[];
    if (next() < 0.3) grayscale(clip);
    jitterColours(
      clip,
      order.map(i => ({ kind: kinds[i], amount: amounts[i] })),
    );
  }
  const channels = [0, 1, 2];
  normalize(
    clip,
    channels.map(() => numberOf(c, 'mean')),
    channels.map(() => numberOf(c, 'std')),
  );
  const erasing = aug.RANDOM_ERASING;
  if (erasing) {
    const box = drawErasing([crop, crop], next, {
      probability: Number(erasing.PROB),
      area: erasing.AREA_RANGE as [number, number],
      minAspect: Number(erasing.MIN_ASPECT),
    });
    if (!box) throw new Error(`${c.name}: expected a box to erase`);
    erase(clip, box);
  }
  if (draws.length > 0) throw new Error(`${c.name}: ${draws.length} recorded draws were not used`);
  return [compareArray(c, 'out.clip', clip)];
});

/** Adapters of transforms. */
export const adapters: Adapter[] = [fixedSize, keptAspect, colours, whole];
