import { describe, expect, it } from 'vitest';
import { random } from '../../src/engine/index.ts';
import { fromNumbers } from '../../src/engine/ndarray.ts';
import { openSetSplit } from '../../src/openset/classSplit.ts';
import { pslGroups } from '../../src/openset/paramGroups.ts';
import { chosenBy, clipLabels, drawShuffle, shufflePreset, shuffleSecondClips } from '../../src/openset/videoShuffle.ts';

const classes = ['a', 'b', 'c', 'd'];
const items = classes.flatMap((_, label) => Array.from({ length: 10 }, (__, i) => ({ label, id: `${label}-${i}` })));
const split = (known: readonly string[] | number | null, seed = 1) =>
  openSetSplit(classes, items, { known, testShare: 0.3 }, random.key(seed));

describe('openSetSplit', () => {
  it('keeps unknown classes out of training, and every sample in one place', () => {
    const { known, unknown, train, test, unknownTest } = split(['d', 'b']);
    expect({ known, unknown }).toEqual({ known: ['d', 'b'], unknown: ['a', 'c'] });
    expect([train.length, test.length, unknownTest.length]).toEqual([14, 6, 20]);
    expect(train.every(({ label, id }) => id.startsWith(label === 0 ? '3-' : '1-'))).toBe(true);
    expect(unknownTest.every(({ label, id }) => id.startsWith(label === 0 ? '0-' : '2-'))).toBe(true);
    expect(new Set([...train, ...test, ...unknownTest].map(({ id }) => id)).size).toBe(40);
  });

  it('draws classes by the key, in their order', () => {
    const drawn = Array.from({ length: 20 }, (_, seed) => split(2, seed).known);
    for (const known of drawn) expect([...known].sort()).toEqual(known);
    expect(new Set(drawn.map(String)).size).toBeGreaterThan(3);
    expect(split(2, 5)).toEqual(split(2, 5));
  });

  it('divides a class alike whichever others are known', () => {
    const ids = (known: readonly string[]) =>
      split(known)
        .test.filter(({ id }) => id.startsWith('1-'))
        .map(({ id }) => id);
    expect(ids(['b', 'a'])).toEqual(ids(['b', 'c', 'd']));
  });

  it('says what cannot be', () => {
    expect(() => split(['a', 'x'])).toThrow('data.known: expected classes of the data set (a, …), found x');
    expect(() => split(5)).toThrow('data.known: expected at most 4 classes, found 5');
    const lonely = () => openSetSplit(['a'], [{ label: 0 }], { known: null, testShare: 0.5 }, random.key(0));
    expect(lonely).toThrow('class "a": expected at least 2 samples, found 1');
  });
});

describe('shuffling second clips', () => {
  const video = fromNumbers(
    Array.from({ length: 2 * 2 * 1 * 3 * 2 }, (_, i) => i),
    [2, 2, 1, 3, 2],
  );

  it('reorders the frames of the chosen ones only, and labels them -1', () => {
    const shuffled = chosenBy([0.2, 0.7], 0.5);
    const { data } = shuffleSecondClips(video, { orders: [[2, 0, 1]], shuffled });
    expect(Array.from(data)).toEqual([0, 1, 2, 3, 4, 5, 10, 11, 6, 7, 8, 9, ...Array.from(video.data).slice(12)]);
    expect(Array.from(clipLabels([7, 8], shuffled))).toEqual([7, -1, 8, 8]);
  });

  it('draws one order for a batch, or one a video that is never the identity', () => {
    const published = drawShuffle(4, 3, random.key(1));
    expect([published.orders.length, published.shuffled]).toEqual([1, [true, true, true, true]]);
    const plans = Array.from({ length: 30 }, (_, seed) =>
      drawShuffle(4, 2, random.key(seed), { ...shufflePreset, order: 'video', identity: false }),
    );
    for (const { orders } of plans) expect(orders.map(order => Array.from(order))).toEqual(Array(4).fill([1, 0]));
  });

  it('says what does not fit', () => {
    const wrong = () => shuffleSecondClips(video, { orders: [[0, 1]], shuffled: [true, true] });
    expect(wrong).toThrow('expected [videos, 2, …] with 2 videos and 2 frames on axis 3, found [2,2,1,3,2]');
  });
});

describe('parameter groups', () => {
  const of = (grouping: Parameters<typeof pslGroups>[0]) => (name: string, shape: number[]) => pslGroups(grouping)(name, shape);

  it('as run leave biases and shortcut norms with decay', () => {
    const group = of('as-run');
    expect(group('backbone.base_model.layer1.0.bn1.weight', [64])).toEqual({ weightDecay: 0 });
    expect(group('prototypes', [101, 128])).toEqual({ weightDecay: 0 });
    expect(group('backbone.base_model.layer1.0.downsample.1.weight', [256])).toBeUndefined();
    expect(group('head.mlp.linear_a.bias', [1024])).toBeUndefined();
  });

  it('as intended take it from them, and let a new head learn faster', () => {
    expect(of('intended')('backbone.base_model.layer1.0.downsample.1.weight', [256])).toEqual({ weightDecay: 0 });
    expect(of('intended')('head.mlp.linear_a.weight', [1024, 2048])).toEqual({});
    const group = of('intended-finetune');
    expect(group('head.mlp.linear_a.weight', [1024, 2048])).toEqual({ lrScale: 5 });
    expect(group('head.mlp.linear_a.bias', [1024])).toEqual({ weightDecay: 0, lrScale: 10 });
    expect(group('backbone.x.bias', [3])).toEqual({ weightDecay: 0, lrScale: 2 });
    expect(group('backbone.bn1.bias', [64])).toEqual({ weightDecay: 0, lrScale: 1 });
  });
});
