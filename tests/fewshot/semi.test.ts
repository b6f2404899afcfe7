import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile, type NDArray, type Tensor } from '../../src/engine/index.ts';
import { fold, type Key, key, normal } from '../../src/engine/random.ts';
import { type Episode, episodeAt } from '../../src/fewshot/episodes.ts';
import { applyHead, type HeadSettings, headParams } from '../../src/fewshot/heads/heads.ts';
import { semiPreset } from '../../src/fewshot/heads/semi.ts';
import type { Params, SymbolicParams } from '../../src/nn/index.ts';

/** Clips of 20 classes: a direction of the class in every frame, and noise. The first of a class, its only support, is mostly noise. */
const [way, perClass, frames, width, episodes] = [5, 6, 4, 32, 100] as const;
const shots = Array.from({ length: way }, () => 1);
const settings: HeadSettings = {
  head: 'hyrsm++-semi',
  ...semiPreset,
  ...{ featureDim: width, attentionHeads: 4, classes: 0, coherence: null, positions: null },
  ...{ dropout: { positions: 0, intra: 0, attention: 0, cross: 0 } },
  ...{ temperature: 0.4, threshold: 0.6 },
};

interface Clip {
  readonly label: number;
  readonly number: number;
}
const classes = Array.from({ length: 20 }, (_, label) => Array.from({ length: 12 }, (_, number): Clip => ({ label, number })));

function features({ label, number }: Clip, noise: number): Float32Array {
  const own = fold(key(5), label);
  const centre = normal(fold(own, 'centre'), [width]).data;
  // Noise of the clip, not of its frames: it does not go away in their mean.
  const clip = normal(fold(own, number), [width]).data;
  const frame = normal(fold(fold(own, number), 'frames'), [frames, width]).data;
  return Float32Array.from(frame, (value, at) => Math.max(0, centre[at % width] + noise * clip[at % width] + 0.3 * value));
}

const stack = (rows: readonly Float32Array[], each: number): NDArray<'float32'> => ({
  dtype: 'float32',
  shape: [episodes, each, frames, width],
  data: Float32Array.from(rows.flatMap(row => [...row])),
});

interface Batch<T = NDArray> {
  readonly support: T;
  readonly query: T;
  readonly unlabelled?: T;
}

function batch(supportNoise: number, distractors: number, root: Key): { input: Batch; labels: number[]; drawn: Episode<Clip>[] } {
  const options = { way, shot: 1, queries: 2, unlabelled: { perClass, distractors } };
  const drawn = Array.from({ length: episodes }, (_, i) => episodeAt(classes, options, root, i));
  const of = (clips: (episode: Episode<Clip>) => readonly Clip[], noise: number) =>
    stack(
      drawn.flatMap(episode => clips(episode).map(clip => features(clip, noise))),
      clips(drawn[0]).length,
    );
  const input = {
    support: of(episode => episode.support, supportNoise),
    query: of(episode => episode.query, 0.6),
    unlabelled: of(episode => episode.unlabelled, 0.6),
  };
  return { input, labels: drawn.flatMap(({ queryLabels }) => queryLabels), drawn };
}

const head = compile((params: SymbolicParams, input: Batch<Tensor>) => {
  const { logits, pseudo } = applyHead(params, { ...input, shots }, settings);
  return { logits, ...(pseudo && { labels: pseudo.labels, joined: pseudo.joined }) };
});
let params: Params;
beforeAll(() => {
  params = headParams(settings, key(0));
});
afterAll(() => head.dispose());

/** Share of right answers. */
function accuracy(logits: NDArray, labels: readonly number[]): number {
  const right = labels.filter((label, i) => {
    const row = [...(logits.data as Float32Array).subarray(i * way, (i + 1) * way)];
    return row.indexOf(Math.max(...row)) === label;
  });
  return right.length / labels.length;
}

async function compared(supportNoise: number, distractors = 0) {
  const { input, labels } = batch(supportNoise, distractors, key(3));
  const { support, query } = input;
  const [without, semi] = [await head(params, { support, query }), await head(params, input)];
  const joined = [...(semi.joined as NDArray<'float32'>).data];
  const pseudo = [...(semi.labels as NDArray).data].map(Number);
  const each = (way + distractors) * perClass;
  const isRight = (i: number): boolean => Math.floor((i % each) / perClass) === pseudo[i];
  const places = joined.flatMap((value, i) => (value > 0 ? [i] : []));
  return {
    without: accuracy(without.logits, labels),
    semi: accuracy(semi.logits, labels),
    joined: places.length / joined.length,
    rightOfJoined: places.filter(isRight).length / places.length,
    rightOfAll: joined.filter((_, i) => isRight(i)).length / joined.length,
  };
}

describe('clips without labels', () => {
  it('help where the labelled support is noisy, and those that join are likelier right than the others', async () => {
    const { without, semi, joined, rightOfJoined, rightOfAll } = await compared(1.3);
    expect(semi).toBeGreaterThan(without + 0.04);
    expect(rightOfJoined).toBeGreaterThan(rightOfAll + 0.03);
    expect(joined).toBeLessThan(1);
  });

  it('help less, but still, where clips of other classes are among them', async () => {
    const [clean, mixed] = [await compared(1.3), await compared(1.3, 2)];
    expect(mixed.semi).toBeGreaterThan(mixed.without + 0.02);
    expect(mixed.semi).toBeLessThan(clean.semi);
    expect(mixed.without).toBe(clean.without);
  });
});
