/** Data cases: snippet sampling, labels, video pairs, data set items. */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readText } from '../../../src/data/files.ts';
import { encodeNpy } from '../../../src/data/formats/npy.ts';
import { multiHotLabel, stackLabels } from '../../../src/data/labels.ts';
import { batches } from '../../../src/data/loader.ts';
import { type Pair, samplePairs, videoPairs } from '../../../src/data/pairs.ts';
import { consecutiveIndices, type Draws, gatherRows, randomIndices, uniformIndices } from '../../../src/data/sampling.ts';
import { parseSplit } from '../../../src/data/splits.ts';
import { openVideoDataset, readAnnotations } from '../../../src/data/videos.ts';
import { fromNumbers, type NDArray, ndarray } from '../../../src/engine/ndarray.ts';
import { key } from '../../../src/engine/random.ts';
import { THUMOS14_CLASSES } from '../../../src/localization/classes.ts';
import { type Adapter, type Compared, compareArray, compareValues, type ReferenceCase } from '../case.ts';

/** The case's JSON, whose form the adapters below rely on; a wrong one shows as a failed case. */
function jsonOf<T>(c: ReferenceCase): T {
  if (typeof c.json !== 'object' || c.json === null) throw new Error(`${c.name}: expected a JSON file`);
  return c.json as T;
}

interface RecordedDraw {
  readonly kind: 'range' | 'int_population';
  readonly low?: number;
  readonly high_exclusive?: number;
  readonly n?: number;
  readonly size?: number | null;
  readonly result: number | number[];
}

/** Replays recorded draws; asking for any other draw than the next recorded one is an error, and so is leaving some over. */
function replay<T>(recorded: readonly RecordedDraw[], use: (draws: Draws) => T): T {
  let at = 0;
  const next = (asked: string, matches: (draw: RecordedDraw) => boolean): number[] => {
    const draw = recorded[at++];
    if (!draw || !matches(draw)) throw new Error(`draw ${at}: recorded ${JSON.stringify(draw)}, asked for ${asked}`);
    return [draw.result].flat();
  };
  const result = use({
    choice: (population, count) =>
      next(
        `${count} of ${population}`,
        draw => draw.kind === 'int_population' && draw.n === population && (draw.size ?? 1) === count,
      ),
    integer: (low, high) =>
      next(`${low}..${high - 1}`, draw => draw.kind === 'range' && draw.low === low && draw.high_exclusive === high)[0],
  });
  if (at !== recorded.length) throw new Error(`${recorded.length - at} recorded draws were not asked for`);
  return result;
}

interface SamplingCases {
  readonly cases: readonly {
    readonly input_len: number;
    readonly sample_len: number;
    readonly draws?: readonly RecordedDraw[];
    readonly indices?: readonly number[];
    readonly rows_index_plus_1?: readonly number[];
  }[];
  readonly errors?: Readonly<Record<string, string>>;
}

const indexSampling: Adapter = {
  matches: c => c.kind === 'data' && /(uniform|random)_sample/.test(c.name),
  run: c =>
    jsonOf<SamplingCases>(c).cases.map(({ input_len, sample_len, draws = [], indices = [] }, i) => {
      const got = c.name.includes('uniform')
        ? uniformIndices(input_len, sample_len)
        : replay(draws, source => randomIndices(input_len, sample_len, source));
      return compareValues(c, `json.cases[${i}].indices`, got, indices);
    }),
};

const consecutiveSampling: Adapter = {
  matches: c => c.kind === 'data' && c.name.includes('consecutive_sample'),
  run: c => {
    const { cases, errors = {} } = jsonOf<SamplingCases>(c);
    const windows = cases.map(({ input_len, sample_len, draws = [], rows_index_plus_1 = [] }, i) => {
      const rows = fromNumbers(
        Array.from({ length: input_len }, (_, row) => row + 1),
        [input_len, 1],
      );
      const got = gatherRows(
        rows,
        replay(draws, source => consecutiveIndices(input_len, sample_len, source)),
      );
      return compareValues(c, `json.cases[${i}].rows_index_plus_1`, got.data, rows_index_plus_1);
    });
    return [...windows, ...refused(c, errors)];
  },
};

/**
 * Inputs on which the published code fails. Random sampling of one row from several is refused here too; a window as long as the
 * video is simply the video here.
 */
function refused(c: ReferenceCase, errors: Readonly<Record<string, string>>): Compared[] {
  return Object.keys(errors).flatMap(call => {
    const match = /^random_sample\((\d+) snippets, sample_len (\d+)\)$/.exec(call);
    if (!match) return [];
    let threw = 0;
    try {
      randomIndices(Number(match[1]), Number(match[2]), { choice: () => [0], integer: low => low });
    } catch {
      threw = 1;
    }
    return [compareValues(c, `json.errors[${JSON.stringify(call)}]`, threw, 1)];
  });
}

/** Label rows of a THUMOS14 split, in its order. */
async function thumosLabels(c: ReferenceCase, part: 'train' | 'test'): Promise<Float32Array[]> {
  const folder = join(c.dataDir, 'thumos14');
  const path = join(folder, 'gt.json');
  const { videos } = await readAnnotations(path);
  const split = join(folder, `split_${part}.txt`);
  return parseSplit(await readText(split), split).map(name => {
    const video = videos.get(name);
    if (!video) throw new Error(`${split}: ${name} is not in ${path}`);
    return multiHotLabel(video, THUMOS14_CLASSES, path);
  });
}

const labelMatrix: Adapter = {
  matches: c => c.kind === 'data' && 'out.labels' in c.arrays,
  run: async c => [
    compareArray(c, 'out.labels', stackLabels(await thumosLabels(c, c.name.endsWith('_test') ? 'test' : 'train'))),
  ],
};

/** Rows of a `[n, C]` or `[n, 2]` array. */
function rowsOf({ shape, data }: NDArray): Float32Array[] {
  const all = Float32Array.from(data as ArrayLike<number>);
  return Array.from({ length: shape[0] }, (_, row) => all.subarray(row * shape[1], (row + 1) * shape[1]));
}

function pairArray(pairs: readonly Pair[]): NDArray {
  return ndarray('int32', [pairs.length, 2], Int32Array.from(pairs.flat()));
}

interface PairCase {
  readonly n_positive: number;
  readonly n_positive_multilabel: number;
  readonly n_negative_candidates: number;
  readonly n_excluded: number;
  readonly n_pair_list: number;
  readonly negative_candidates_head: readonly (readonly number[])[];
  readonly [key: string]: unknown;
}

const pairDataset: Adapter = {
  matches: c => c.kind === 'data' && 'out.positive_pairs' in c.arrays,
  run: async c => {
    const json = jsonOf<PairCase>(c);
    const labels = c.arrays['in.labels'] ? rowsOf(c.arrays['in.labels']) : await thumosLabels(c, 'train');
    const pairs = videoPairs(labels);
    const { positive, negativeCandidates: negatives, excluded } = pairs;
    const list = samplePairs(pairs, key(0));
    const classCount = (video: number): number => labels[video].reduce((sum, value) => sum + value, 0);
    const multilabel = positive.filter(([i]) => classCount(i) > 1).length;
    const head = json.negative_candidates_head;
    const compared = [
      compareArray(c, 'out.positive_pairs', pairArray(positive)),
      compareValues(c, 'json.n_positive', positive.length, json.n_positive),
      compareValues(c, 'json.n_positive_multilabel', multilabel, json.n_positive_multilabel),
      compareValues(c, 'json.n_negative_candidates', negatives.length, json.n_negative_candidates),
      compareValues(c, 'json.n_excluded', excluded, json.n_excluded),
      compareValues(c, 'json.n_pair_list', list.length, json.n_pair_list),
      compareValues(c, 'json.negative_candidates_head', negatives.slice(0, head.length).flat(), head.flat()),
    ];
    for (const [name, value] of Object.entries(json)) {
      const batch = /^batches_of_(\d+)$/.exec(name);
      const checksum = /^negative_candidates_checksum_sum_i_times_(\d+)_plus_j$/.exec(name);
      if (batch)
        compared.push(compareValues(c, `json.${name}`, batches(list.length, Number(batch[1]), key(0)).length, Number(value)));
      if (checksum) {
        const sum = negatives.reduce((total, [i, j]) => total + i * Number(checksum[1]) + j, 0);
        compared.push(compareValues(c, `json.${name}`, sum, Number(value)));
      }
    }
    for (const expected of c.expected.filter(name => name.startsWith('out.sampled_pair_list'))) {
      const recorded = rowsOf(c.arrays[expected]).map(([i, j]): Pair => [i, j]);
      // Which negatives are drawn hangs on the generator: the recorded ones must be valid draws here, and ours valid draws there.
      compared.push(compareArray(c, expected, pairArray(validList(recorded, negatives, positive))));
      compared.push(
        compareValues(
          c,
          `${expected} (own draw)`,
          pairArray(validList(list, negatives, positive)).data as Int32Array,
          list.flat(),
        ),
      );
    }
    return compared;
  },
};

/** The list with every row that is not what it should be (different negative candidates, then the positives) replaced by [-1, -1]. */
function validList(list: readonly Pair[], negatives: readonly Pair[], positive: readonly Pair[]): Pair[] {
  const left = new Set(negatives.map(String));
  const drawn = Math.min(positive.length, negatives.length);
  return list.map((pair, i) => {
    const valid = i < drawn ? left.delete(String(pair)) : String(positive[i - drawn]) === String(pair);
    return valid ? pair : [-1, -1];
  });
}

interface ItemsCase {
  readonly gt: unknown;
  readonly split_test: readonly string[];
  readonly items: readonly { readonly name: string; readonly vid_len: number; readonly duration: number; readonly T: number }[];
  readonly sample_segments_num: number;
}

const testItems: Adapter = {
  matches: c => c.kind === 'data' && c.name.includes('dataset_items'),
  run: async c => {
    const json = jsonOf<ItemsCase>(c);
    const dir = await mkdtemp(join(tmpdir(), 'inkling-items-'));
    try {
      await mkdir(join(dir, 'test'));
      await writeFile(join(dir, 'gt.json'), JSON.stringify(json.gt));
      await writeFile(join(dir, 'split_test.txt'), `${json.split_test.join('\n')}\n`);
      for (const name of json.split_test) await writeFile(join(dir, 'test', `${name}.npy`), encodeNpy(c.arrays[`in.${name}`]));
      const { test } = await openVideoDataset({ dir, classes: THUMOS14_CLASSES });
      const compared = await Promise.all(
        json.items.map(async (expected, i) => {
          const item = test[i];
          if (item?.name !== expected.name) throw new Error(`item ${i}: expected ${expected.name}, found ${item?.name}`);
          const features = await item.load();
          const sampled = gatherRows(features, uniformIndices(features.shape[0], json.sample_segments_num));
          return [
            compareArray(c, `out.${item.name}.features`, sampled),
            compareArray(c, `out.${item.name}.label`, ndarray('float32', [item.label.length], item.label)),
            compareValues(c, `json.items[${i}].vid_len`, features.shape[0], expected.vid_len),
            compareValues(c, `json.items[${i}].duration`, item.duration ?? Number.NaN, expected.duration),
            compareValues(c, `json.items[${i}].T`, sampled.shape[0], expected.T),
          ];
        }),
      );
      return compared.flat();
    } finally {
      await rm(dir, { recursive: true });
    }
  },
};

/** Adapters for the data cases (configuration defaults are not among them). */
export const adapters: Adapter[] = [indexSampling, consecutiveSampling, labelMatrix, pairDataset, testItems];
