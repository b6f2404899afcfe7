import { describe, expect, it } from 'vitest';
import { parseNpz } from '../../src/data/formats/npz.ts';
import { compile, fromNumbers, type NDArray, ndarray, random, type Tensor } from '../../src/engine/index.ts';
import { key } from '../../src/engine/random.ts';
import { classParts } from '../../src/fewshot/classParts.ts';
import type { FewshotClip } from '../../src/fewshot/clipFrames.ts';
import { episodeArrays } from '../../src/fewshot/episodeArrays.ts';
import { episodeAt } from '../../src/fewshot/episodes.ts';
import { applyHead, type HeadSettings } from '../../src/fewshot/heads/heads.ts';
import { hyrsmPreset } from '../../src/fewshot/heads/hyrsm.ts';
import { type MetricName, matchingMetrics } from '../../src/fewshot/matching/metrics.ts';
import { sequenceDistance } from '../../src/fewshot/matching/sequenceDistances.ts';
import { nearestRows, segmentPlaces } from '../../src/fewshot/nearestRows.ts';
import { type FewshotTaskOptions, fewshotTask } from '../../src/fewshot/task.ts';
import type { Params } from '../../src/nn/index.ts';

const [frames, width] = [3, 6];

interface Clip extends FewshotClip {
  readonly label: number;
}

const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
const clips: Clip[] = names.flatMap((name, label) =>
  Array.from({ length: 5 }, (_, i) => ({
    name: `${name}${i}`,
    label,
    load: async () => {
      const rows = 1 + (i % 4);
      const noise = random.normal(random.fold(random.key(label), i), [rows, width]).data;
      return ndarray(
        'float32',
        [rows, width],
        noise.map((value, j) => 0.8 * value + (j % width === label % width ? 1 : 0)),
      );
    },
  })),
);

describe('the parts of a data set', () => {
  const divide = (wanted: Parameters<typeof classParts>[2], seed = 0) => {
    const { train, val, test } = classParts(names, clips, wanted, key(seed), 'data');
    return [train, val, test].map(part => part.map(({ name }) => name).join(''));
  };

  it('are drawn by a seed, each class into one at most, in the order of the data set', () => {
    const parts = divide({ train: 3, val: 1, test: 2 });
    expect(parts).toEqual(divide({ train: 3, val: 1, test: 2 }));
    expect(parts.map(part => part.length)).toEqual([3, 1, 2]);
    expect(new Set(parts.join('')).size).toBe(6);
    for (const part of parts) expect([...part].sort().join('')).toBe(part);
    expect(new Set(Array.from({ length: 8 }, (_, seed) => divide({ train: 3, val: 1, test: 2 }, seed)[0])).size).toBeGreaterThan(
      3,
    );
  });

  it('stay as they are if the training classes that were drawn are named', () => {
    const [train, val, test] = divide({ train: 3, val: 1, test: 2 }, 5);
    expect(divide({ train: [...train], val: 1, test: 2 }, 5)).toEqual([train, val, test]);
  });

  it('have every clip of their classes, and names in their own order', () => {
    const { train, test } = classParts(names, clips, { train: ['g', 'b'], val: 0, test: 5 }, key(0), 'data');
    expect(train.map(({ items }) => items.map(({ name }) => name))).toEqual([
      ['g0', 'g1', 'g2', 'g3', 'g4'],
      ['b0', 'b1', 'b2', 'b3', 'b4'],
    ]);
    expect(test.map(({ name }) => name)).toEqual(['a', 'c', 'd', 'e', 'f']);
  });

  it('may be stated by the clips themselves', () => {
    const subset = ({ label }: Clip) => (label < 4 ? 'train' : label < 5 ? 'validation' : 'Test');
    const stated = clips.map(clip => ({ ...clip, subset: subset(clip) }));
    const { train, val, test } = classParts(names, stated, null, key(0), 'data');
    expect([train, val, test].map(part => part.map(({ name }) => name).join(''))).toEqual(['abcd', 'e', 'fg']);
    const both = stated.map((clip, i) => (i === 0 ? { ...clip, subset: 'test' } : clip));
    expect(() => classParts(names, both, null, key(0), 'data')).toThrow(
      'data: class "a" is in both train and test; few-shot classes belong to one part',
    );
  });

  it.each([
    [{ train: 4, val: 1, test: 3 }, 'data: data.classes: 8 classes to draw, found 7 that no part names'],
    [{ train: ['a', 'z'], val: 0, test: 2 }, 'data: data.classes.train: expected classes of the data set (a, …), found z'],
    [{ train: ['a', 'b'], val: 0, test: ['b', 'c'] }, 'class "b" is in both train and test'],
  ])('that cannot be are refused: %j', (wanted, message) => {
    expect(() => divide(wanted)).toThrow(message);
  });

  it('are asked for where clips do not say theirs', () => {
    expect(() => divide(null)).toThrow('data.classes is null, but a clip of "a" is in no part (no subset)');
  });
});

describe('the frames of a clip', () => {
  it('are the rows nearest to the middles of equal parts', () => {
    expect([...segmentPlaces(8, 8)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect([...segmentPlaces(1, 4)]).toEqual([0, 0, 0, 0]);
    expect([...segmentPlaces(2, 4)]).toEqual([0, 0, 1, 1]);
    expect([...segmentPlaces(3, 8)]).toEqual([0, 0, 0, 1, 1, 2, 2, 2]);
    expect([...segmentPlaces(100, 4)]).toEqual([12, 37, 62, 87]);
  });

  it('keep their values', () => {
    const clip = fromNumbers([1, 2, 3, 4], [2, 2]) as NDArray<'float32'>;
    expect([...nearestRows(clip, 3).data]).toEqual([1, 2, 3, 4, 3, 4]);
  });
});

const byLabel = names.map(name => clips.filter(clip => clip.name.startsWith(name)));
const read = async (clip: FewshotClip) => nearestRows(await clip.load(), frames).data;
const parts = {
  train: names.slice(0, 4).map((name, i) => ({ name, items: byLabel[i] })),
  val: [],
  test: names.slice(4).map((name, i) => ({ name, items: byLabel[i + 4] })),
};

describe('a matching metric', () => {
  it.each(Object.keys(matchingMetrics) as MetricName[])('is the same in a test as of two sequences: %s', async metric => {
    const form = { way: 3, shot: 2, queries: 2 };
    const episode = episodeAt(byLabel, form, key(3), 0);
    const { support, query } = await episodeArrays([episode], read, frames, width);
    const head = { head: 'matching', metric } as const;
    const graph = compile((s: Tensor, q: Tensor) => applyHead({}, { support: s, query: q, shots: [2, 2, 2] }, head).logits);
    const { data } = await graph(support, query);
    await graph.dispose();
    const sequence = async (clip: Clip) => ({ data: await read(clip), frames, width });
    for (const [q, asked] of episode.query.entries())
      for (let n = 0; n < 3; n++) {
        const own = await Promise.all(episode.support.slice(2 * n, 2 * n + 2).map(sequence));
        const [first, second] = await Promise.all(own.map(async each => sequenceDistance(metric, await sequence(asked), each)));
        expect(Number(data[q * 3 + n])).toBeCloseTo(-(first + second) / 2, 4);
      }
  });
});

const hyrsm: HeadSettings = {
  head: 'hyrsm++',
  ...hyrsmPreset,
  featureDim: width,
  attentionHeads: 2,
  classes: 4,
  coherence: { window: 1, balance: 23, farWeight: 10 },
};
const options: FewshotTaskOptions<Clip> = {
  parts,
  head: hyrsm,
  frames,
  featureDim: width,
  loss: {
    matching: true,
    classification: { weight: 0.5, of: 'frames' },
    coherence: { weight: 0.1, window: 1, balance: 23, farWeight: 10 },
  },
  training: { way: 3, shot: 1, queries: 2, episodesPerStep: 2, stepsPerEpoch: 2 },
  testing: { way: 3, shot: 2, queries: 1 },
  evaluation: { split: 'test', episodes: 7, seed: 0 },
  final: { split: 'test', episodes: 30, seed: 4 },
  cacheBytes: 1e6,
  where: { threads: 1 },
};

describe('the task', () => {
  it.each([['with parameters', hyrsm] as const, ['without', { head: 'otam' } as const] as const])(
    'tests a head %s on episodes that its seed names, and tells what became of each',
    async (_, head) => {
      const task = fewshotTask({ ...options, head });
      const seen: number[] = [];
      const { metrics, files } = await task.test(task.init(key(1)), done => seen.push(done));
      await task.dispose();
      expect(seen.at(-1)).toBe(30);
      const found = parseNpz(files['episodes.npz'], 'episodes.npz');
      const summary = JSON.parse(files['accuracy.json']);
      const items = parts.test.map(each => each.items);
      const flat = items.flat();
      const accuracies: number[] = [];
      for (let i = 0; i < 30; i++) {
        const episode = episodeAt(items, options.testing, key(4), i);
        const row = (name: string, size: number) => [...(found[name].data as Int32Array).subarray(i * size, (i + 1) * size)];
        expect(row('classes', 3)).toEqual(episode.classes);
        expect(row('support', 6).map(at => flat[at])).toEqual(episode.support);
        expect(row('query', 3).map(at => summary.items[at])).toEqual(episode.query.map(({ name }) => name));
        expect(row('label', 3)).toEqual([0, 1, 2]);
        const scores = (found.scores.data as Float32Array).subarray(i * 9, (i + 1) * 9);
        const right = [0, 1, 2].filter(q => [0, 1, 2].every(n => n === q || scores[q * 3 + n] < scores[q * 3 + q])).length;
        accuracies.push(right / 3);
      }
      expect([...(found.accuracy.data as Float64Array)]).toEqual(accuracies);
      const mean = accuracies.reduce((a, b) => a + b, 0) / 30;
      const deviation = Math.sqrt(accuracies.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 29);
      expect(metrics.accuracy).toBeCloseTo(mean, 12);
      expect(metrics.interval).toBeCloseTo((1.96 * deviation) / Math.sqrt(30), 12);
      expect(summary).toMatchObject({ split: 'test', seed: 4, episodes: 30, way: 3, shot: 2, accuracy: metrics.accuracy });
      const counted = summary.classes as { name: string; queries: number; correct: number }[];
      expect(counted.map(({ name }) => name)).toEqual(['e', 'f', 'g']);
      expect(counted.reduce((sum, { queries }) => sum + queries, 0)).toBe(90);
      expect(counted.reduce((sum, { correct }) => sum + correct, 0) / 90).toBeCloseTo(mean, 12);
    },
  );

  it('gives an episode the same scores whichever share its batch', async () => {
    const of = async (episodes: number) => {
      const task = fewshotTask({ ...options, final: { ...options.final, episodes } });
      const { files } = await task.test(task.init(key(1)), () => {});
      await task.dispose();
      return parseNpz(files['episodes.npz'], 'episodes.npz').scores.data as Float32Array;
    };
    const [few, many] = [await of(5), await of(70)];
    for (const [i, value] of few.entries()) expect(many[i]).toBeCloseTo(value, 4);
    expect(many).toHaveLength(70 * 9);
  });

  it.each([
    ['hyrsm++', 'supports'],
    ['hyrsm', 'prototypes'],
  ] as const)('gives the same scores of %s (%s) if every clip is looked at once', async (name, references) => {
    const head: HeadSettings = { ...hyrsm, head: name, references };
    const of = async (cacheBytes: number) => {
      const task = fewshotTask({ ...options, head, cacheBytes });
      const { files } = await task.test(task.init(key(1)), () => {});
      await task.dispose();
      return parseNpz(files['episodes.npz'], 'episodes.npz').scores.data as Float32Array;
    };
    const [once, always] = [await of(1e6), await of(0)];
    for (const [i, value] of once.entries()) expect(always[i]).toBeCloseTo(value, 4);
    expect(Math.max(...once) - Math.min(...once)).toBeGreaterThan(0.1);
  });

  it('sums the gradients of the episodes of a step in the graph', async () => {
    const still = { ...hyrsm, dropout: { positions: 0, intra: 0, attention: 0, cross: 0 } };
    const stepOf = async (episodesPerStep: number, index: number) => {
      const task = fewshotTask({ ...options, head: still, training: { ...options.training, episodesPerStep } });
      const epoch = task.epoch(0, key(9));
      const report = await epoch.step(task.init(key(1)), await epoch.prepare(index));
      await task.dispose();
      return report;
    };
    // Steps of one episode have the numbers 0 and 1; the first step of two has both.
    const [both, first, second] = [await stepOf(2, 0), await stepOf(1, 0), await stepOf(1, 1)];
    expect(Object.keys(both.pieces)).toEqual(['total', 'matching', 'classification', 'coherence']);
    expect(both.pieces.total).toBeCloseTo((first.pieces.total + second.pieces.total) / 2, 5);
    const { total, matching, classification, coherence } = both.pieces;
    expect(total).toBeCloseTo(matching + 0.5 * classification + 0.1 * coherence, 5);
    expect(Object.keys(both.gradients)).not.toContain('head.pe.pe');
    let largest = 0;
    for (const [name, gradient] of Object.entries(both.gradients as Params))
      for (const [i, value] of (gradient.data as Float32Array).entries()) {
        const mean = (Number(first.gradients[name]!.data[i]) + Number(second.gradients[name]!.data[i])) / 2;
        expect(Math.abs(value - mean)).toBeLessThan(1e-5);
        largest = Math.max(largest, Math.abs(mean));
      }
    expect(largest).toBeGreaterThan(0.01);
    expect([both.samples, both.correct]).toEqual([12, first.correct + second.correct]);
  });

  it('classifies frames or whole videos, with matching or without', async () => {
    const piecesOf = async (loss: FewshotTaskOptions<Clip>['loss']) => {
      const task = fewshotTask({ ...options, loss });
      const epoch = task.epoch(0, key(9));
      const { pieces } = await epoch.step(task.init(key(1)), await epoch.prepare(0));
      await task.dispose();
      return pieces;
    };
    const weighted = (of: 'frames' | 'videos') => ({ weight: 0.5, of });
    const ofFrames = await piecesOf({ matching: true, classification: weighted('frames'), coherence: null });
    const ofVideos = await piecesOf({ matching: true, classification: weighted('videos'), coherence: null });
    // Cross-entropy is convex: the mean of the logits has at most the mean of the losses.
    expect(ofVideos.classification).toBeLessThan(ofFrames.classification);
    expect(ofVideos.matching).toBe(ofFrames.matching);
    const alone = await piecesOf({ matching: false, classification: weighted('videos'), coherence: null });
    expect(alone.total).toBeCloseTo(0.5 * ofVideos.classification, 6);
  });
});
