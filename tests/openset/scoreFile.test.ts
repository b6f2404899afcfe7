import { describe, expect, it } from 'vitest';
import { parseNpz } from '../../src/data/formats/npz.ts';
import { fromNumbers, type NDArray } from '../../src/engine/ndarray.ts';
import { evaluateOpenSet } from '../../src/openset/evaluate.ts';
import { gatherOrder } from '../../src/openset/gatherOrder.ts';
import { protocols } from '../../src/openset/protocols.ts';
import type { OpenSetScores, ScoredSamples } from '../../src/openset/scoredSamples.ts';
import { encodeScoreFile, scoresFromArrays } from '../../src/openset/scoreFile.ts';
import { selectSamples } from '../../src/openset/selectSamples.ts';
import { parseThresholdRule } from '../../src/openset/thresholdRule.ts';

const samples = (uncertainty: number[], label: number[]): ScoredSamples => ({
  uncertainty: Float64Array.from(uncertainty),
  label: Int32Array.from(label),
  prediction: Int32Array.from(label, value => value % 3),
});
const rows = (...values: number[][]): NDArray => fromNumbers(values.flat(), [values.length, values[0].length], 'float64');
const classes = (...values: number[]): NDArray => fromNumbers(values, [values.length], 'int64');

describe('our own score file', () => {
  it('is read as it was written', () => {
    const [known, unknown, training] = [samples([0.25, 1e-300], [4, 0]), samples([7], [2]), samples([3, 4, 5], [0, 1, 2])];
    const bytes = encodeScoreFile({ known: { ...known, confidence: Float64Array.of(0.5, 1) }, unknown, training });
    const arrays = parseNpz(bytes, 'own.npz');
    expect(Object.keys(arrays).sort()).toEqual(
      ['ind_conf', ...['ind', 'ood', 'train'].flatMap(part => [`${part}_label`, `${part}_pred`, `${part}_unctt`])].sort(),
    );
    const read = scoresFromArrays(arrays, 'own.npz');
    expect(read.known).toEqual({ ...known, confidence: Float64Array.of(0.5, 1) });
    expect(read.unknown).toEqual(unknown);
    expect(read.training!.uncertainty).toEqual(training.uncertainty);
  });
});

describe('derived scores', () => {
  it('fit OpenMax on correctly classified training samples and judge the rest', () => {
    const arrays = {
      train_features: rows([1, 0], [1, 0.1], [1, -0.2], [0, 1], [0.1, 1], [-0.2, 1], [-5, -5]),
      train_logits: rows([4, 0], [4, 0], [4, 0], [0, 4], [0, 4], [0, 4], [0, 4]),
      // The last one is classified wrongly: it would widen class 1's tail and class 0's mean.
      train_label: classes(0, 0, 0, 1, 1, 1, 0),
      ind_features: rows([1, 0], [0, 1]),
      ind_logits: rows([4, 0], [0, 4]),
      ind_label: classes(0, 1),
      ood_features: rows([-9, 3]),
      ood_logits: rows([4, 0]),
      ood_label: classes(0),
    };
    const { known, unknown } = scoresFromArrays(arrays, 'features.npz', { score: 'openmax' });
    expect(Array.from(known.prediction)).toEqual([0, 1]);
    expect(unknown.uncertainty[0]).toBeCloseTo(Math.exp(4) / (2 + Math.exp(4)), 10);
    expect(Math.max(...known.uncertainty)).toBeLessThan(0.1);
  });

  it('take predictions from the prototypes where there are no others', () => {
    const arrays = {
      prototypes: rows([1, 0], [0, 1]),
      ind_features: rows([3, 1], [0, 2]),
      ind_label: classes(0, 1),
      ood_features: rows([1, 1]),
      ood_label: classes(0),
    };
    const cosine = scoresFromArrays(arrays, 'features.npz', { score: 'cosine' });
    expect(Array.from(cosine.known.prediction)).toEqual([0, 1]);
    expect(cosine.unknown.uncertainty[0]).toBeCloseTo(1 - Math.SQRT1_2, 15);
    const prototype = scoresFromArrays(arrays, 'features.npz', { score: 'prototype' });
    expect(prototype.unknown.uncertainty[0]).toBeCloseTo(0.5, 15);
    expect(prototype.known.uncertainty[1]).toBeCloseTo(1 - 1 / (1 + Math.exp(-5)), 14);
  });

  it('name the array that is missing or wrong', () => {
    const arrays = { ind_label: classes(0), ood_label: classes(0), ind_features: rows([1, 2]), ood_features: rows([1, 2]) };
    expect(() => scoresFromArrays(arrays, 'f.npz')).toThrow(
      'f.npz: score mahalanobis needs features of all three parts: no array train_features',
    );
    expect(() => scoresFromArrays({ ...arrays, ind_label: classes(-1) }, 'f.npz')).toThrow(
      'f.npz: ind_label: expected class numbers [N] from 0, found -1 in row 0',
    );
    expect(() => scoresFromArrays({ ...arrays, ood_features: rows([1, 2], [3, 4], [5, 6]) }, 'f.npz')).toThrow(
      'f.npz: ood_features: expected 1 rows',
    );
  });
});

describe('the rows that count', () => {
  const protocol = { ...protocols.hmdb, knownVideos: 7, unknownVideos: 3 };
  const layout = { ranks: 3, batch: 2 };
  const order = gatherOrder(7, layout).index;
  const scores: OpenSetScores = {
    known: samples(
      Array.from(order),
      Array.from(order, i => i % 3),
    ),
    unknown: samples([5, 6, 7], [14, 15, 16]),
    score: 'stored',
  };

  it('are every video once, without overlapping classes', () => {
    const { known, unknown } = selectSamples(scores, protocol, { repeated: layout, overlapping: true });
    expect(Array.from(known.uncertainty)).toEqual([0, 3, 1, 4, 2, 5, 6]);
    expect(Array.from(unknown.label)).toEqual([14, 16]);
    expect(selectSamples(scores, protocol, { repeated: 'keep', overlapping: false })).toEqual(scores);
  });

  it('must be explained by the layout, labels included', () => {
    expect(() => selectSamples(scores, protocol, { repeated: 'remove', overlapping: true })).toThrow(
      '9 known rows for 7 videos, and no layout explains the rest (tried 2x25, 16x16 processes x batch)',
    );
    const wrong = {
      ...scores,
      known: { ...scores.known, label: Int32Array.from(scores.known.label, (l, i) => (i === 8 ? l + 1 : l)) },
    };
    expect(() => selectSamples(wrong, protocol, { repeated: layout, overlapping: true })).toThrow('tried 3x2');
  });

  it('of Moments in Time are ten blocks as published and all at once else', () => {
    const count = 3783;
    const known = samples(
      Array.from({ length: count }, (_, i) => i),
      new Array(count).fill(0),
    );
    // Twenty unknown rows: in each block one above all known rows and one below.
    const unknown = samples(
      Array.from({ length: 20 }, (_, i) => (i % 2 ? 1e6 : -1)),
      new Array(20).fill(0),
    );
    const mit = { known, unknown, score: 'stored' };
    const published = evaluateOpenSet(mit, { protocol: protocols.mit, convention: 'published' });
    expect(published.ranking.auroc).toBeCloseTo(0.5, 12);
    expect(published.ranking.blocks).toMatchObject({ count: 10, length: 2, deviation: { auroc: 0 } });
    // Precision 1 up to half recall, then 2 of 3785.
    expect(published.ranking.averagePrecision).toBeCloseTo(0.5 + 0.5 * (2 / 3785), 12);
    const sane = evaluateOpenSet(mit, { protocol: protocols.mit, convention: 'sane' });
    expect(sane.ranking.averagePrecision).toBeCloseTo(0.5 + 0.5 * (20 / 3803), 12);
    expect(sane.ranking.blocks).toBeUndefined();
  });
});

describe('threshold rules', () => {
  it('are read from text', () => {
    expect(['0.0045', '-2e-3', 'confidence:0.9', 'training:0.95', 'known:0.85'].map(parseThresholdRule)).toEqual([
      { from: 'uncertainty', value: 0.0045 },
      { from: 'uncertainty', value: -0.002 },
      { from: 'confidence', value: 0.9 },
      { from: 'training', keep: 0.95 },
      { from: 'known', keep: 0.85 },
    ]);
    for (const text of ['', 'known:1', 'other:0.5', '1.2.3']) expect(() => parseThresholdRule(text)).toThrow(`found "${text}"`);
  });
});
