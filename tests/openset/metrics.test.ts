import { describe, expect, it } from 'vitest';
import { gatherOrder } from '../../src/openset/gatherOrder.ts';
import { float32Mean } from '../../src/openset/metrics/float32Statistics.ts';
import { mitBlocks } from '../../src/openset/metrics/mitBlocks.ts';
import { mt19937 } from '../../src/openset/metrics/mt19937.ts';
import { openMacroF1, opennessOf } from '../../src/openset/metrics/openMacroF1.ts';
import { rankingMetrics } from '../../src/openset/metrics/rankingMetrics.ts';
import { rocCurve } from '../../src/openset/metrics/roc.ts';
import { sweep } from '../../src/openset/metrics/sweep.ts';
import { confidenceThreshold, uncertaintyThreshold } from '../../src/openset/metrics/threshold.ts';

describe('ranking metrics', () => {
  it('count ties half and give each convention its own value', () => {
    // Descending: 4 u | 3 k,u | 2 k | 1 k,u.
    const metrics = rankingMetrics([3, 2, 1], [4, 3, 1]);
    // Pairs won by the unknown: 3 + 2.5 + 0.5 of 9.
    expect(metrics.auroc).toBeCloseTo(6 / 9, 15);
    expect(metrics.averagePrecision).toBeCloseTo((1 + 2 / 3 + 1 / 2) / 3, 15);
    expect(metrics.auprTrapezoid).toBeCloseTo(((1 + 1) / 2 + (1 + 2 / 3) / 2 + (1 / 2 + 1 / 2) / 2) / 3, 15);
    expect([metrics.fpr95AtLeast, metrics.fpr95FirstAbove, metrics.fpr95Nearest]).toEqual([1, 1, 1]);
  });

  it('drop only points between equally spaced neighbours on a line', () => {
    const counts = sweep([1, 3, 5, 7], [2, 4, 6, 8]);
    expect(Array.from(rocCurve(counts, false).truePositiveRate)).toEqual([0, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 1, 1]);
    const separate = rocCurve(sweep([1, 2, 3, 4], [5, 6, 7, 8]), true);
    expect(Array.from(separate.falsePositiveRate)).toEqual([0, 0, 0, 1]);
    expect(Array.from(separate.truePositiveRate)).toEqual([0, 0.25, 1, 1]);
  });

  it('take the nearest recall even below 0.95, where the sane convention does not', () => {
    const unknown = Array.from({ length: 18 }, (_, i) => 100 + i);
    const metrics = rankingMetrics([1, 2, 3, 50], [...unknown, 10]);
    // 18 of 19 unknown lie above all known ones: recall 0.947; the last below one of four.
    expect(metrics.fpr95Nearest).toBe(0);
    expect(metrics.fpr95AtLeast).toBe(0.25);
  });

  it('name an empty side and NaN', () => {
    expect(() => sweep([], [1])).toThrow('expected at least one known sample, found none');
    expect(() => sweep([1], [Number.NaN])).toThrow('found NaN on the unknown side');
  });
});

describe('thresholds', () => {
  it('keep a fraction of known samples', () => {
    const values = Array.from({ length: 20 }, (_, i) => i);
    // k = 20 - 17 = 3 largest: two lie above.
    expect(uncertaintyThreshold(values, 0.85)).toBe(17);
    expect(uncertaintyThreshold(values, 0.95)).toBe(19);
    expect(confidenceThreshold(values, 0.95)).toBe(1);
    expect(() => uncertaintyThreshold(values, 1)).toThrow('between 0 and 1, found 1');
  });
});

describe('the block protocol', () => {
  it('leaves surplus known rows in the first block and drops what is left over', () => {
    // Known side 0.5, 1.5; then a surplus known row and four unknown ones; the last row is left over.
    const scores = [0.5, 1.5, 9, 2, 1, 0, 7];
    const { blocks, blockLength, mean, deviation } = mitBlocks(scores, [0, 0, 0, 1, 1, 1, 1], { knownRows: 2, blocks: 2 });
    expect(blockLength).toBe(2);
    // 2 against 0.5, 1.5, 9; then 1 and 0 against 0.5, 1.5.
    expect(blocks.map(block => block.auroc)).toEqual([2 / 3, 0.25]);
    expect(mean.auroc).toBeCloseTo((2 / 3 + 1 / 4) / 2, 15);
    expect(deviation.auroc).toBeCloseTo((2 / 3 - 1 / 4) / 2, 15);
    expect(() => mitBlocks([1, 2, 3], [0, 0, 1], { knownRows: 2, blocks: 2 })).toThrow('found 3 rows');
  });
});

describe('the Mersenne Twister', () => {
  it('gives the words of the reference implementation and NumPy permutations', () => {
    const generator = mt19937(5489);
    let word = 0;
    for (let i = 0; i < 10_000; i++) word = generator.next();
    // The value the C++ standard requires of mt19937's 10000th draw.
    expect(word).toBe(4123659995);
    // numpy.random.seed(123); numpy.random.permutation(5), twice.
    const seeded = mt19937(123);
    expect([Array.from(seeded.permutation(5)), Array.from(seeded.permutation(5))]).toEqual([
      [1, 3, 4, 0, 2],
      [0, 4, 2, 3, 1],
    ]);
    expect(() => mt19937(-1)).toThrow('expected a seed from 0 to 4294967295, got -1');
  });
});

describe('open macro-F1', () => {
  it('adds unknown classes one by one', () => {
    const known = { label: [0, 0, 1, 1], prediction: [0, 1, 1, 1], uncertainty: [0, 0, 0, 1] };
    const unknown = { label: [5, 5, 9], prediction: [0, 0, 1], uncertainty: [1, 0, 1] };
    const options = { knownClasses: 2, threshold: 0.5, draws: 4, generator: mt19937(1), float32: false };
    const result = openMacroF1(known, unknown, options);
    // Predictions of known: 0, 1, 1, unknown. F1: class 0 2/3, class 1 1/2, unknown 0.
    expect(result.macroF1[0]).toBeCloseTo((2 / 3 + 1 / 2 + 0) / 3, 15);
    // With both unknown classes: predictions unknown, 0, unknown. F1: 2/4, 1/2, 4/6.
    expect(result.macroF1[2]).toBeCloseTo((1 / 2 + 1 / 2 + 2 / 3) / 3, 15);
    expect(result.deviation[2]).toBe(0);
    expect(result.openness).toEqual([0, 1 - Math.sqrt(4 / 5), 1 - Math.sqrt(4 / 6)]);
    expect(opennessOf(101, 51)).toBeCloseTo(0.106457, 6);
    const [, first, second] = result.macroF1;
    const [, o1, o2] = result.openness;
    expect(result.openMacroF1).toBeCloseTo((o1 * first + o2 * second) / (o1 + o2), 15);
  });

  it('averages in float32 in pairs where it is asked to', () => {
    const values = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.3].map(Math.fround);
    const f = Math.fround;
    const [a, b, c, d, e, g, h, i, j, k] = values;
    const pairs = f(f(f(a + b) + f(c + d)) + f(f(e + g) + f(h + i)));
    expect(float32Mean(values)).toBe(f(f(f(pairs + j) + k) / 10));
  });
});

describe('the order of rows of several processes', () => {
  it('is that of strided lists, a batch from each process a step', () => {
    const { index, repeated } = gatherOrder(7, { ranks: 3, batch: 2 });
    expect(Array.from(index)).toEqual([0, 3, 1, 4, 2, 5, 6, 0, 1]);
    expect(Array.from(repeated)).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 1]);
  });
});
