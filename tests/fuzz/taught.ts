/** Taught recognisers: `.safetensors` files whose description and features are others. */
import { encodeSafetensors, parseSafetensors } from '../../src/data/formats/safetensors.ts';
import { fromNumbers, type NDArray } from '../../src/engine/ndarray.ts';
import { learn, taughtRecognizer } from '../../src/fewshot/taught.ts';
import { encodeTaught, parseTaught, taughtKey } from '../../src/fewshot/taughtFile.ts';
import { ensure, type Format, type Input } from './format.ts';
import { changedJson } from './jsonTree.ts';
import { joinedList, type Material, mutate, tokensOf } from './mutate.ts';
import type { Random } from './random.ts';

const sequence = (from: number, frames: number, width: number) => ({
  ...{ frames, width },
  data: Float32Array.from({ length: frames * width }, (_, i) => Math.sin(from + i * i)),
});

function recogniser(shots: readonly number[], frames: number, width: number, isOfVideos: boolean): Uint8Array {
  const supports = shots.flatMap((shot, label) =>
    Array.from({ length: shot }, (_, i) => ({
      file: `${label}/${i}.npy`,
      label,
      sequence: sequence(label * 9 + i, frames, width),
    })),
  );
  const backbone = {
    ...{ path: '/m.onnx', sha256: '0123456789abcdef'.repeat(4), output: 'y', layout: 'nchw', window: 1, size: 4, shortSide: 4 },
    ...{ scale: 1, mean: [0, 0, 0], std: [1, 1, 1] },
  };
  const taught = learn({
    ...{ name: 'r', classes: shots.map((_, label) => `class ${label}`), metric: 'bi-mhm', classDistance: 'nearest', supports },
    backbone: isOfVideos ? backbone : null,
    views: supports.map(({ sequence: own }) => [own]),
  });
  return joinedList(encodeTaught(taught));
}

const accepted = (name: string, bytes: Uint8Array): Input => ({ name, bytes, expected: 'accepted' });
const seeds: readonly Input[] = [
  accepted('features', recogniser([2, 1], 2, 3, false)),
  accepted('videos', recogniser([1, 1, 3], 1, 4, true)),
];

/** A file with this description, and features. */
function file(description: string, features: NDArray | undefined): Uint8Array {
  return joinedList(encodeSafetensors(features ? { 'support.features': features } : {}, { [taughtKey]: description }));
}

/** What a file says, read without the reader under test. */
function partsOf(bytes: Uint8Array): { readonly text: string; readonly features: NDArray } {
  const { tensors, metadata } = parseSafetensors(bytes, 'x.safetensors');
  return { text: metadata[taughtKey], features: tensors['support.features'] };
}

function read(bytes: Uint8Array): unknown {
  const taught = parseTaught(bytes, 'x.safetensors');
  const { text, features } = partsOf(bytes);
  const { classes, metric, supports } = JSON.parse(text);
  ensure(JSON.stringify(taught.classes) === JSON.stringify(classes) && taught.metric === metric, 'another description');
  const [, frames, width] = features.shape;
  for (const [i, support] of taught.supports.entries()) {
    ensure(support.file === supports[i].file && support.label === supports[i].label, 'another support');
    ensure(support.sequence.data.length === frames * width, 'features of another size');
  }
  const { classes: answers } = taughtRecognizer(taught)(sequence(3, frames, width));
  ensure(answers.length === taught.classes.length, () => `${answers.length} answers for ${taught.classes.length} classes`);
  // Values near the largest of float32 have no length.
  const isMiddling = (features.data as Float32Array).every(value => Math.abs(value) < 1e15);
  ensure(!isMiddling || answers.every(({ distance }) => Number.isFinite(distance)), 'a distance that is no number');
  return taught;
}

function generate(random: Random): Input {
  const shots = Array.from({ length: 2 + random.int(3) }, () => 1 + random.int(3));
  return accepted('generated', recogniser(shots, 1 + random.int(4), 1 + random.int(5), random.once(2)));
}

function restructure(random: Random, material: Material): Uint8Array {
  const { bytes } = random.pick(seeds);
  if (random.once(8)) return mutate(bytes, material, random);
  const { text, features } = partsOf(bytes);
  const values = Array.from(features.data, Number);
  const [clips, frames, width] = features.shape;
  if (random.once(3)) return file(changedJson(JSON.parse(text), random), features);
  switch (random.int(5)) {
    case 0:
      return file(
        text,
        fromNumbers(
          values,
          random.pick([
            [clips, frames * width],
            [clips, width, frames],
            [frames, clips, width],
          ]),
          'float32',
        ),
      );
    case 1:
      return file(text, fromNumbers(values.map(Math.round), features.shape, random.pick(['float64', 'int32'] as const)));
    case 2:
      values[random.int(values.length)] = random.pick([Number.NaN, 1 / 0, -0, 1e38, 0]);
      return file(text, fromNumbers(values, features.shape, 'float32'));
    case 3:
      return file(
        text,
        fromNumbers(
          values.map(() => 0),
          features.shape,
          'float32',
        ),
      );
    default:
      return file(text, random.once(2) ? undefined : fromNumbers([], [clips, 0, width], 'float32'));
  }
}

/** The first seed with another description. */
function described(
  name: string,
  change: (description: Record<string, unknown>) => unknown,
  expected: Input['expected'] = 'rejected',
): Input {
  const { text, features } = partsOf(seeds[0].bytes);
  const description = JSON.parse(text);
  change(description);
  return { name, bytes: file(JSON.stringify(description), features), expected };
}

const attacks = (): readonly Input[] => [
  { name: 'no description', bytes: joinedList(encodeSafetensors({}, {})), expected: 'rejected' },
  { name: 'a description that is no JSON', bytes: file('{', undefined), expected: 'rejected' },
  described('a format to come', each => Object.assign(each, { format: 2 })),
  described('a metric by the name of a method', each => Object.assign(each, { metric: 'toString' })),
  described('one class', each => Object.assign(each, { classes: ['a'] })),
  described('a class without clips', each => Object.assign(each, { classes: ['a', 'b', 'c'] })),
  described('a label beyond the classes', each =>
    Object.assign(each, { supports: [0, 1, 7].map(label => ({ file: '', label })) }),
  ),
  described('more supports than features', each => Object.assign(each, { supports: Array(4).fill({ file: '', label: 0 }) })),
  described('a threshold that is no number', each => Object.assign(each, { rejection: { threshold: null } })),
  described('a short digest', each => Object.assign(each, { backbone: { path: 'x', sha256: 'ab' } })),
  described('20,000 classes', each => Object.assign(each, { classes: Array.from({ length: 20_000 }, (_, i) => `${i}`) })),
  described('a long name', each => Object.assign(each, { name: 'x'.repeat(100_000) }), 'accepted'),
];

export const taughtFormat: Format = {
  name: 'taught',
  seeds,
  attacks,
  tokens: tokensOf(
    '"label":',
    '"support.features"',
    '"F32"',
    '"shape":',
    '[0,0]',
    'null',
    '"inklingRecognizer"',
    '\xff\xff\xff\xff',
  ),
  generate,
  restructure,
  read,
};
