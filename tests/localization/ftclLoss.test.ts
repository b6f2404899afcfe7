import { describe, expect, it } from 'vitest';
import { add, astype, constant, type NDArray, ndarray, type Tensor } from '../../src/engine/index.ts';
import { acmLossPresets } from '../../src/localization/acmLoss.ts';
import {
  acmInBatchLoss,
  acmOnlyLoss,
  allPairs,
  ftclPairLoss,
  inBatchWeights,
  pairTerms,
  type SequenceLossInput,
  sequenceLossPreset,
  sharesClass,
  snippetsNeeded,
} from '../../src/localization/ftclLoss.ts';
import { fsdOfSequences } from '../../src/localization/sequences/fsd.ts';
import { lcs } from '../../src/localization/sequences/lcs.ts';
import { cosineSimilarity, rescaledSimilarity } from '../../src/localization/sequences/similarity.ts';
import { between } from '../engine/arrays.ts';
import { array64, checkGradient, distributions, numbers, once, valueWithGradient } from './tensors.ts';

const [F, D, L] = [6, 8, 3];
const acm = acmLossPresets.thumos14;

/** The arrays a loss reads of `n` videos: three distributions, three features, attention, CAS, LCS, FSD action and background blocks. */
function stream(seed: number, n: number): NDArray[] {
  return [
    ...[0, 1, 2].map(i => distributions(seed + i, [n, 4])),
    ...[3, 4, 5].map(i => between(seed + i, [n, F], -9, 9)),
    distributions(seed + 6, [n, 5, 3]),
    distributions(seed + 7, [n, 5, 4]),
    between(seed + 8, [n, 4, F], 0.5, 1),
    between(seed + 9, [n, L, D]),
    between(seed + 10, [n, L, D]),
  ];
}
const asOutput = (xs: readonly Tensor[]) => ({
  classProbabilities: { instance: xs[0], context: xs[1], background: xs[2] },
  features: { instance: xs[3], context: xs[4], background: xs[5] },
  attention: xs[6],
  cas: { instance: xs[7] },
  ...sequences(xs.slice(8)),
});
const sequences = ([lcsCandidates, fsdAction, fsdBackground]: readonly Tensor[]): SequenceLossInput => ({
  lcsCandidates,
  fsdAction,
  fsdBackground,
});

/** One video of a batch, as a batch. */
function only({ dtype, shape: [n, ...shape], data }: NDArray, i: number): NDArray {
  const size = data.length / n;
  return ndarray(dtype, [1, ...shape], data.slice(i * size, (i + 1) * size) as Float64Array<ArrayBuffer>);
}
const scoreFsd = async (p: NDArray, q: NDArray) => numbers(await once((a: Tensor, b: Tensor) => fsdOfSequences(a, b), p, q))[0];

describe('snippetsNeeded', () => {
  it('is the longest sequence that is compared: two blocks of FSD one after the other, or one where each has its own ranking', () => {
    expect(snippetsNeeded({ lcsLength: 30, fsdLength: 5 })).toBe(30);
    expect(snippetsNeeded({ lcsLength: 8, fsdLength: 5 })).toBe(10);
    expect(snippetsNeeded({ lcsLength: 8, fsdLength: 5, fsdBackground: 'published' })).toBe(10);
    expect(snippetsNeeded({ lcsLength: 8, fsdLength: 5, fsdBackground: 'background-attention' })).toBe(8);
    expect(snippetsNeeded({ lcsLength: 3, fsdLength: 5, fsdBackground: 'background-attention' })).toBe(5);
  });
});

describe('sharesClass', () => {
  it('is 1 where two label vectors share any class', async () => {
    const a = array64([1, 0, 0, 1, 1, 0, 0, 0, 1], [3, 3]);
    const b = array64([1, 0, 0, 0, 1, 1, 1, 1, 0], [3, 3]);
    expect(numbers(await once((x: Tensor, y: Tensor) => sharesClass(x, y), a, b))).toEqual([1, 1, 0]);
  });
});

describe('pairTerms', () => {
  const [a, b] = [stream(10, 3).slice(8), stream(30, 3).slice(8)];
  const options = { ...sequenceLossPreset, lcsWeight: 1, fsdWeight: 1 };
  const terms = (same: readonly number[], contrast?: 'difference' | 'softplus') =>
    once(
      (p: readonly Tensor[], q: readonly Tensor[], z: Tensor) => ({
        ...pairTerms([sequences(p), sequences(q)], z, { ...options, contrast }),
      }),
      a,
      b,
      array64(same, [3]),
    );

  it('compares action with action in same pairs, action with background in different ones', async () => {
    const { fsd } = await terms([1, 0, 0]);
    const [same, ...different] = [
      await scoreFsd(only(a[1], 0), only(b[1], 0)),
      await scoreFsd(only(a[1], 1), only(b[2], 1)),
      await scoreFsd(only(a[1], 2), only(b[2], 2)),
    ];
    expect(numbers(fsd as NDArray)[0]).toBeCloseTo((different[0] + different[1]) / 2 - same, 8);
  });

  it('compares the LCS candidates of every pair', async () => {
    const scores = numbers(await once((p: Tensor, q: Tensor) => lcs(cosineSimilarity(p, q)), a[0], b[0]));
    expect(scores.every(score => score > 0.9)).toBe(true);
    expect(numbers((await terms([0, 1, 1])).lcs as NDArray)[0]).toBeCloseTo(scores[0] - (scores[1] + scores[2]) / 2, 8);
  });

  it('counts an empty side as 0', async () => {
    const scores = numbers(await once((p: Tensor, q: Tensor) => lcs(cosineSimilarity(p, q)), a[0], b[0]));
    const mean = scores.reduce((x, y) => x + y, 0) / 3;
    expect(numbers((await terms([1, 1, 1])).lcs as NDArray)[0]).toBeCloseTo(-mean, 8);
    expect(numbers((await terms([0, 0, 0])).lcs as NDArray)[0]).toBeCloseTo(mean, 8);
  });

  it('can be a soft hinge of the difference', async () => {
    const difference = numbers((await terms([1, 0, 0])).fsd as NDArray)[0];
    const soft = numbers((await terms([1, 0, 0], 'softplus')).fsd as NDArray)[0];
    expect(soft).toBeCloseTo(Math.log1p(Math.exp(difference / 0.2)), 8);
  });

  it('takes blocks of different lengths as they are', async () => {
    const short = [b[0], b[1], between(77, [3, 1, D])];
    const same = array64([1, 0, 0], [3]);
    const { fsd } = await once(
      (p: readonly Tensor[], q: readonly Tensor[], z: Tensor) => ({ ...pairTerms([sequences(p), sequences(q)], z, options) }),
      a,
      short,
      same,
    );
    const different = [await scoreFsd(only(a[1], 1), only(short[2], 1)), await scoreFsd(only(a[1], 2), only(short[2], 2))];
    const expected = (different[0] + different[1]) / 2 - (await scoreFsd(only(a[1], 0), only(b[1], 0)));
    expect(numbers(fsd as NDArray)[0]).toBeCloseTo(expected, 8);
  });

  it('leaves a term of weight 0 out', async () => {
    const run = (lcsWeight: number, fsdWeight: number) =>
      once(
        (p: readonly Tensor[], z: Tensor) =>
          Object.keys(present(pairTerms([sequences(p), sequences(p)], z, { ...options, lcsWeight, fsdWeight }))).join(),
        a,
        array64([1, 0, 0], [3]),
      );
    expect([await run(0, 1), await run(1, 0), await run(0, 0)]).toEqual(['fsd', 'lcs', '']);
  });
});

const present = (terms: Readonly<Record<string, Tensor | undefined>> | object): object =>
  Object.fromEntries(Object.entries(terms).filter(([, term]) => term !== undefined));

describe('ftclPairLoss', () => {
  const [first, second] = [stream(50, 3), stream(70, 3)];
  const labels = [array64([1, 0, 0, 0, 1, 0, 0, 1, 1], [3, 3]), array64([1, 0, 0, 0, 0, 1, 1, 0, 0], [3, 3])];

  it('adds the weighted terms to the mean of both objectives', async () => {
    const loss = await once(
      (a: readonly Tensor[], b: readonly Tensor[], [y0, y1]: readonly Tensor[]) => {
        const { total, lcs: lcsTerm, fsd } = ftclPairLoss([asOutput(a), asOutput(b)], [y0, y1], acm, sequenceLossPreset);
        const alone = [acmOnlyLoss(asOutput(a), y0, acm).total, acmOnlyLoss(asOutput(b), y1, acm).total];
        const terms = pairTerms([asOutput(a), asOutput(b)], sharesClass(y0, y1), {
          ...sequenceLossPreset,
          lcsWeight: 1,
          fsdWeight: 1,
        });
        return { total, lcsTerm, fsd, both: add(alone[0], alone[1]), terms: { ...terms } };
      },
      first,
      second,
      labels,
    );
    const [lcsTerm, fsd] = [0.1 * numbers(loss.terms.lcs as NDArray)[0], 0.8 * numbers(loss.terms.fsd as NDArray)[0]];
    expect(numbers(loss.lcsTerm)[0]).toBeCloseTo(lcsTerm, 10);
    expect(numbers(loss.fsd)[0]).toBeCloseTo(fsd, 10);
    expect(numbers(loss.total)[0]).toBeCloseTo(numbers(loss.both)[0] / 2 + lcsTerm + fsd, 10);
  });

  it('has the gradient that finite differences give', async () => {
    // The guide term reads the attention as a constant; labels are constants, for they choose the blocks.
    const options = { ...acm, guideWeight: 0 };
    await checkGradient(
      (...all) => {
        const streams = [asOutput(all.slice(0, 11)), asOutput(all.slice(11))] as const;
        return ftclPairLoss(streams, [constant(labels[0]), constant(labels[1])], options, sequenceLossPreset).total;
      },
      [...first, ...second],
    );
  });

  it('keeps its gradients finite at rows of zeros, unless asked to be as published', async () => {
    const zeroed = first.map((x, i) =>
      i < 8
        ? x
        : ndarray(
            'float64',
            x.shape,
            Float64Array.from(x.data as Float64Array, (v, k) => (k < 8 ? 0 : v)),
          ),
    );
    const run = (zeroRows: 'zero' | 'nan') =>
      valueWithGradient(
        (...all) =>
          ftclPairLoss([asOutput(all.slice(0, 11)), asOutput(all.slice(11, 22))], [all[22], all[23]], acm, {
            ...sequenceLossPreset,
            zeroRows,
          }).total,
        ...zeroed,
        ...second,
        ...labels,
      );
    const [kept, published] = [await run('zero'), await run('nan')];
    expect(Number.isFinite(kept.value)).toBe(true);
    expect(kept.gradients.flatMap(numbers).every(Number.isFinite)).toBe(true);
    expect(published.gradients.flatMap(numbers).every(Number.isFinite)).toBe(false);
  });
});

describe('inBatchWeights', () => {
  it('has the positions of all pairs i < j in order', () => {
    const { first, second } = allPairs(4);
    expect(first.map((i, p) => [i, second[p]])).toEqual([
      [0, 1],
      [0, 2],
      [0, 3],
      [1, 2],
      [1, 3],
      [2, 3],
    ]);
    const { positive, negative } = inBatchWeights(
      4,
      [
        [0, 3],
        [2, 3],
      ],
      [[1, 2]],
    );
    expect(numbers(positive)).toEqual([0, 0, 0.5, 0, 0, 0.5]);
    expect(numbers(negative)).toEqual([0, 0, 0, 1, 0, 0]);
  });

  it('weighs nothing without a positive pair, and only the positive ones without a negative', () => {
    const nothing = inBatchWeights(3, [], [[0, 1]]);
    expect([...numbers(nothing.positive), ...numbers(nothing.negative)]).toEqual([0, 0, 0, 0, 0, 0]);
    const some = inBatchWeights(3, [[0, 2]], []);
    expect([...numbers(some.positive), ...numbers(some.negative)]).toEqual([0, 1, 0, 0, 0, 0]);
    expect(inBatchWeights(1, [], []).positive.shape).toEqual([0]);
  });
});

describe('acmInBatchLoss', () => {
  const videos = stream(90, 4);
  const labels = array64([1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1], [4, 3]);
  const weights = inBatchWeights(4, [[0, 1]], [[1, 3]]);
  // Rows alike enough to pass the threshold of the rescaled similarity.
  videos[8] = between(98, [4, 4, F], 0.9, 1);

  it('sets the drawn pairs of the batch against each other', async () => {
    const loss = await once(
      (xs: readonly Tensor[], y: Tensor, w: { positive: Tensor; negative: Tensor }) => {
        const { total, acm: pieces, lcs: lcsTerm, fsd } = acmInBatchLoss(asOutput(xs), y, w, acm, sequenceLossPreset);
        return { total, alone: pieces.total, lcsTerm, fsd };
      },
      videos,
      labels,
      weights,
    );
    const [action, background, rows] = [videos[9], videos[10], videos[8]];
    const fsd = (await scoreFsd(only(action, 1), only(background, 3))) - (await scoreFsd(only(action, 0), only(action, 1)));
    const score = async (i: number, j: number) =>
      numbers(
        await once((p: Tensor, q: Tensor) => lcs(rescaledSimilarity(cosineSimilarity(p, q))), only(rows, i), only(rows, j)),
      )[0];
    const lcsTerm = (await score(1, 3)) - (await score(0, 1));
    expect(await score(0, 1)).toBeGreaterThan(0.9);
    expect(numbers(loss.fsd)[0]).toBeCloseTo(0.8 * fsd, 8);
    expect(numbers(loss.lcsTerm)[0]).toBeCloseTo(0.1 * lcsTerm, 8);
    expect(numbers(loss.total)[0]).toBeCloseTo(numbers(loss.alone)[0] + 0.8 * fsd + 0.1 * lcsTerm, 8);
  });

  it('is the plain objective for a batch of one or without pairs', async () => {
    const run = (xs: readonly NDArray[], y: NDArray, w: ReturnType<typeof inBatchWeights>) =>
      once(
        (x: readonly Tensor[], t: Tensor, p: { positive: Tensor; negative: Tensor }) => {
          const { total, lcs: lcsTerm, fsd } = acmInBatchLoss(asOutput(x), t, p, acm, sequenceLossPreset);
          return { total, lcsTerm, fsd, plain: acmOnlyLoss(asOutput(x), t, acm).total };
        },
        xs,
        y,
        w,
      );
    const one = await run(
      videos.map(x => only(x, 0)),
      only(labels, 0),
      inBatchWeights(1, [], []),
    );
    const none = await run(videos, labels, inBatchWeights(4, [], []));
    for (const { total, lcsTerm, fsd, plain } of [one, none]) {
      expect(numbers(total)).toEqual(numbers(plain));
      expect([numbers(lcsTerm)[0], numbers(fsd)[0]]).toEqual([0, 0]);
    }
  });

  it('adds nothing without pairs in the form of a ranking loss either', async () => {
    const options = { ...sequenceLossPreset, contrast: 'softplus' } as const;
    const values = async (w: ReturnType<typeof inBatchWeights>) => {
      const { total, alone, lcsTerm, fsd } = await once(
        (x: readonly Tensor[], y: Tensor, p: { positive: Tensor; negative: Tensor }) => {
          const { total, acm: pieces, lcs: lcsTerm, fsd } = acmInBatchLoss(asOutput(x), y, p, acm, options);
          return { total, alone: pieces.total, lcsTerm, fsd };
        },
        videos,
        labels,
        w,
      );
      return [total, alone, lcsTerm, fsd].map(x => numbers(x)[0]);
    };
    const [total, alone, lcsTerm, fsd] = await values(inBatchWeights(4, [], []));
    expect([total, lcsTerm, fsd]).toEqual([alone, 0, 0]);
    // softplus(0) is not 0: with pairs the terms are.
    const [, , lcsOfPairs, fsdOfPairs] = await values(weights);
    expect(Math.min(lcsOfPairs, fsdOfPairs)).toBeGreaterThan(0);
  });

  it('with zero rows as NaN: a pair that does not count keeps them from the loss and every gradient', async () => {
    const [lcsRows, action, background] = [8, 9, 10];
    const zeroed = (video: number, blocks: readonly number[]) =>
      videos.map((x, i) => {
        if (!blocks.includes(i)) return x;
        const size = x.data.length / 4;
        const values = numbers(x).map((value, k) => (Math.floor(k / size) === video ? 0 : value));
        return array64(values, x.shape);
      });
    const at = (video: number, blocks: readonly number[], zeroRows: 'zero' | 'nan') =>
      valueWithGradient(
        (...all) =>
          acmInBatchLoss(
            asOutput(all.slice(0, 11)),
            constant(labels),
            { positive: constant(weights.positive), negative: constant(weights.negative) },
            acm,
            { ...sequenceLossPreset, zeroRows },
          ).total,
        ...zeroed(video, blocks),
      );
    const finite = ({ gradients }: { gradients: readonly NDArray[] }) => gradients.flatMap(numbers).every(Number.isFinite);
    const all = [lcsRows, action, background];
    // Video 2 is in no drawn pair; 1 is in the same pair (0, 1), whose backgrounds no score reads, and first in the different (1, 3).
    for (const [video, blocks] of [
      [2, all],
      [1, [background]],
    ] as const) {
      const [published, safe] = [await at(video, blocks, 'nan'), await at(video, blocks, 'zero')];
      expect(published.value).toBeCloseTo(safe.value, 10);
      for (const [i, gradient] of published.gradients.entries()) {
        const expected = numbers(safe.gradients[i]);
        for (const [k, value] of numbers(gradient).entries()) expect(value).toBeCloseTo(expected[k], 8);
      }
    }
    for (const block of all) {
      const video = block === background ? 3 : 1;
      expect([finite(await at(video, [block], 'nan')), finite(await at(video, [block], 'zero'))]).toEqual([false, true]);
    }
  });

  it('has the gradient that finite differences give', async () => {
    const [positive, negative] = [weights.positive, weights.negative].map(w => astype(w, 'float64'));
    await checkGradient(
      (...all) => {
        const [xs, [y, p, n]] = [all.slice(0, 11), all.slice(11)];
        return acmInBatchLoss(asOutput(xs), y, { positive: p, negative: n }, { ...acm, guideWeight: 0 }, sequenceLossPreset)
          .total;
      },
      [...videos, labels, positive, negative],
    );
  });
});
