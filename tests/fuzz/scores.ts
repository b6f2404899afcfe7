/** Score files of open-set recognition: `.npz` archives whose arrays are of other layouts, shapes, types and values. */
import { DataError } from '../../src/data/formats/dataError.ts';
import { encodeNpz, parseNpz } from '../../src/data/formats/npz.ts';
import { fromNumbers, type NDArray, sizeOf, zeros } from '../../src/engine/ndarray.ts';
import { type DerivedScore, derivedScores } from '../../src/openset/deriveScores.ts';
import { type ScoreFileOptions, scoresFromArrays } from '../../src/openset/scoreFile.ts';
import { ensure, type Format, type Input, Wrong } from './format.ts';
import { type Material, mutate, tokensOf } from './mutate.ts';
import type { Random } from './random.ts';

type Arrays = Readonly<Record<string, NDArray>>;

const numbers = (values: readonly number[], width?: number): NDArray =>
  fromNumbers(values, width === undefined ? [values.length] : [values.length / width, width]);
const classes = (...values: number[]): NDArray => fromNumbers(values, [values.length], 'int64');
const wave = (rows: number, width: number, start: number): NDArray =>
  numbers(
    Array.from({ length: rows * width }, (_, i) => Math.sin(start + i * i)),
    width,
  );
const labels: Arrays = { ind_label: classes(0, 1, 1), ood_label: classes(5, 6) };
const predictions: Arrays = { ind_pred: classes(0, 1, 0), ood_pred: classes(1, 1) };
const embeddings: Arrays = { train_unctt: wave(6, 3, 1), ind_unctt: wave(3, 3, 2), ood_unctt: wave(4, 3, 3) };
const layouts: Readonly<Record<string, Arrays>> = {
  stored: {
    ...labels,
    ...predictions,
    ind_unctt: numbers([0.1, 0.2, 0.9]),
    ood_unctt: numbers([0.8, 0.7]),
    ind_conf: numbers([1, 2, 3]),
  },
  pairs: { ...labels, ...predictions, ind_unctt: wave(3, 2, 0), ood_unctt: wave(2, 2, 9) },
  softmax: { ...labels, ind_softmax: numbers([0.9, 0.1, 0.2, 0.8, 0.5, 0.5], 2), ood_softmax: numbers([0.4, 0.6, 0.7, 0.3], 2) },
  logits: { ...labels, ind_logits: wave(3, 4, 1), ood_logits: wave(2, 4, 2) },
  embeddings: { ...labels, ...predictions, ...embeddings, train_label: classes(0, 1, 0, 1, 0, 1) },
  features: {
    ...labels,
    ...predictions,
    train_features: wave(6, 3, 1),
    train_label: classes(0, 1, 0, 1, 0, 1),
    train_pred: classes(0, 1, 0, 1, 0, 0),
    train_logits: wave(6, 2, 5),
    ind_features: wave(3, 3, 2),
    ind_logits: wave(3, 2, 6),
    ood_features: wave(2, 3, 3),
    ood_logits: wave(2, 2, 7),
    prototypes: wave(2, 3, 4),
  },
};

const options: readonly ScoreFileOptions[] = [
  {},
  { score: 'stored', column: 1 },
  ...(Object.keys(derivedScores) as DerivedScore[]).map(score => ({ score })),
];

/** What holds of scores, whatever they were made of. */
function check(arrays: Arrays, asked: ScoreFileOptions): void {
  const { known, unknown, training } = scoresFromArrays(arrays, 'x.npz', asked);
  for (const [prefix, part] of [
    ['ind', known],
    ['ood', unknown],
  ] as const) {
    const label = Array.from(arrays[`${prefix}_label`].data, Number);
    ensure(String(label) === String(Array.from(part.label)), 'other labels');
    for (const list of [part.uncertainty, part.prediction, ...(part.confidence ? [part.confidence] : [])])
      ensure(list.length === label.length, () => `${list.length} values for ${label.length} rows`);
    ensure(
      part.prediction.every(value => value >= 0),
      'a prediction that is no class',
    );
    const stored = arrays[`${prefix}_pred`];
    if (stored) ensure(String(Array.from(stored.data, Number)) === String(Array.from(part.prediction)), 'other predictions');
  }
  for (const { uncertainty } of [known, unknown, ...(training ? [training] : [])])
    ensure(!uncertainty.some(Number.isNaN), 'an uncertainty that is no number');
}

/** Every uncertainty that can be asked for. One that there is is enough; what the others throw is looked at. */
function read(bytes: Uint8Array): unknown {
  const arrays = parseNpz(bytes, 'x.npz');
  const refusals: DataError[] = [];
  for (const each of options) {
    try {
      check(arrays, each);
    } catch (thrown) {
      if (!(thrown instanceof DataError)) throw thrown;
      // A mistake of ours that became an error for users on its way.
      if (/undefined|null|not a function|Cannot |Invalid array length|iterable/.test(thrown.message))
        throw new Wrong(`${each.score ?? 'default'}: ${thrown.message}`, { cause: thrown });
      refusals.push(thrown);
    }
  }
  if (refusals.length === options.length) throw refusals[0];
  return arrays;
}

const accepted = (name: string, arrays: Arrays): Input => ({ name, bytes: encodeNpz(arrays), expected: 'accepted' });
const seeds: readonly Input[] = Object.entries(layouts).map(([name, arrays]) => accepted(name, arrays));

function generate(random: Random): Input {
  const [known, unknown] = [1 + random.int(5), 1 + random.int(5)];
  const column = (rows: number, below: number): number[] => Array.from({ length: rows }, () => random.int(below));
  return accepted('generated', {
    ind_label: classes(...column(known, 9)),
    ood_label: classes(...column(unknown, 9)),
    ind_pred: classes(...column(known, 9)),
    ood_pred: classes(...column(unknown, 9)),
    ind_unctt: numbers(column(known, 100)),
    ood_unctt: numbers(column(unknown, 100)),
  });
}

const strangeValues = [Number.NaN, 1 / 0, -1 / 0, -1, 0, 0.5, 1e308, 2 ** 31, 2 ** 53] as const;

/** An array of which the shape, the type or a value is another. */
function changed(array: NDArray, random: Random): NDArray {
  const size = sizeOf(array.shape);
  const [rows, width = 1] = array.shape;
  const values = Array.from(array.data, Number);
  switch (random.int(6)) {
    case 0:
      return zeros(
        random.pick([[0], [0, 3], [3, 0], [], [rows + 1], [rows, width + 1], [2 * rows, width], [rows, width, 1], [1]]),
      );
    case 1:
      return fromNumbers(values, random.pick([[size], [size, 1], [1, size], [1, ...array.shape]]));
    case 2:
      return fromNumbers(
        values.map(value => Number(value > 0)),
        array.shape,
        random.pick(['int32', 'int64', 'bool', 'uint8'] as const),
      );
    case 3:
      return zeros(array.shape);
    default:
      for (let i = random.int(3); i >= 0 && size > 0; i--) values[random.int(size)] = random.pick(strangeValues);
      return fromNumbers(values, array.shape);
  }
}

function restructure(random: Random, material: Material): Uint8Array {
  const arrays = { ...random.pick(Object.values(layouts)) };
  if (random.once(8)) return mutate(encodeNpz(arrays), material, random);
  for (let i = random.int(2); i >= 0; i--) {
    const name = random.pick(Object.keys(arrays));
    const array = arrays[name];
    if (random.once(4)) delete arrays[name];
    if (random.once(4))
      arrays[random.pick([...Object.keys(layouts.features), 'train_unctt', 'ood_unctt', 'ind_softmax'])] = array;
    else if (arrays[name]) arrays[name] = changed(array, random);
    if (Object.keys(arrays).length === 0) break;
  }
  return encodeNpz(arrays);
}

const attack = (name: string, arrays: Arrays, expected: Input['expected'] = 'rejected'): Input => ({
  ...accepted(name, arrays),
  expected,
});
const { stored, softmax, embeddings: embedded, features } = layouts;
const long = (value: number): Arrays => ({
  ind_label: zeros([100_000], 'int32'),
  ood_label: zeros([100_000], 'int32'),
  ind_unctt: numbers(Array.from({ length: 100_000 }, () => value)),
  ood_unctt: numbers(Array.from({ length: 100_000 }, (_, i) => i)),
  ind_pred: zeros([100_000], 'int32'),
  ood_pred: zeros([100_000], 'int32'),
});
const attacks = (): readonly Input[] => [
  attack('no arrays', {}),
  attack('labels alone', labels),
  attack('no rows', Object.fromEntries(Object.keys(stored).map(name => [name, zeros([0])]))),
  attack('a label of -1', { ...stored, ind_label: classes(0, -1, 1) }),
  attack('half a class', { ...stored, ind_label: numbers([0, 0.5, 1]) }),
  attack('a class beyond 32 bits', { ...stored, ood_pred: fromNumbers([2 ** 31, 0], [2]) }),
  attack('NaN', { ...stored, ood_unctt: numbers([Number.NaN, 0]) }),
  attack('infinite scores', { ...stored, ood_unctt: numbers([1 / 0, -1 / 0]) }, 'either'),
  attack('more scores than labels', { ...stored, ood_unctt: numbers([1, 2, 3]) }),
  attack('three axes', { ...softmax, ind_softmax: zeros([3, 2, 1]) }),
  attack('probabilities of no class', { ...softmax, ind_softmax: zeros([3, 0]), ood_softmax: zeros([2, 0]) }),
  attack('other widths', { ...embedded, ood_unctt: wave(2, 4, 1) }),
  attack('a training set of one', { ...embedded, train_unctt: wave(1, 3, 1), train_label: classes(0) }, 'either'),
  attack('a training set that does not vary', { ...embedded, train_unctt: zeros([6, 3]) }, 'either'),
  attack('a training class that is no place', { ...features, train_label: classes(0, 1, 2_000_000_000, 1, 0, 1) }, 'either'),
  attack('prototypes of another width', { ...features, prototypes: wave(2, 5, 1) }, 'either'),
  attack('names of the prototype', { ...stored, __proto__x: numbers([1]), constructor_label: numbers([1]) }, 'accepted'),
  attack('100,000 equal scores', long(1), 'accepted'),
  attack('a long name among wrong arrays', { ['x'.repeat(50_000)]: numbers([1]) }),
  attack('1000 wrong arrays', Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`array${i}`, numbers([1])]))),
];

export const scoresFormat: Format = {
  name: 'scores',
  seeds,
  attacks,
  tokens: tokensOf(
    'PK\x01\x02',
    'PK\x03\x04',
    '.npy',
    'ind_',
    'ood_',
    'train_',
    '_unctt',
    '_label',
    '(3, 2)',
    '(0,)',
    '<f8',
    '<i8',
    '\xff\xff\xff\xff',
  ),
  generate,
  restructure,
  read,
};
