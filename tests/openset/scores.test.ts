import { describe, expect, it } from 'vitest';
import { fromNumbers, type NDArray } from '../../src/engine/ndarray.ts';
import { symmetricEigen } from '../../src/engine/symmetricEigen.ts';
import { dirichletParameters, expectedProbabilities, vacuity } from '../../src/openset/scores/evidentialScores.ts';
import * as logit from '../../src/openset/scores/logitScores.ts';
import { fitMahalanobis, mahalanobisScores } from '../../src/openset/scores/mahalanobis.ts';
import { fitOpenMax, openMax } from '../../src/openset/scores/openMax.ts';
import { cosineUncertainty, prototypeSimilarity, reciprocalDistances } from '../../src/openset/scores/prototypeScores.ts';
import { stochasticScores } from '../../src/openset/scores/stochasticScores.ts';
import { fitWeibullTail, weibullTailScore } from '../../src/openset/scores/weibullTail.ts';

const rows = (...values: number[][]): NDArray<'float64'> =>
  fromNumbers(values.flat(), [values.length, values[0].length], 'float64');
/** Numbers in (-1, 1) that look random and are always the same. */
const noise = (length: number): number[] =>
  Array.from({ length }, (_, i) => 2 * (Math.abs(Math.sin(12.9898 * (i + 1)) * 43758.5453) % 1) - 1);

describe('eigenvalues', () => {
  it.each([1, 2, 3, 7, 40])('rebuild a symmetric matrix of size %i with orthonormal vectors', n => {
    const half = noise(n * n);
    const matrix = Float64Array.from({ length: n * n }, (_, i) => half[i] + half[(i % n) * n + Math.floor(i / n)]);
    const { values, vectors } = symmetricEigen(matrix, n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        let [sum, inner] = [0, 0];
        for (let k = 0; k < n; k++) {
          sum += values[k] * vectors[k * n + i] * vectors[k * n + j];
          inner += vectors[i * n + k] * vectors[j * n + k];
        }
        expect(sum).toBeCloseTo(matrix[i * n + j], 12);
        expect(inner).toBeCloseTo(i === j ? 1 : 0, 12);
      }
    }
  });

  it('are exact for diagonal matrices, repeated and zero ones too', () => {
    expect(Array.from(symmetricEigen(Float64Array.of(2, 0, 0, 0, 2, 0, 0, 0, 0), 3).values).sort()).toEqual([0, 2, 2]);
    expect(() => symmetricEigen(Float64Array.of(Number.NaN), 1)).toThrow('finite');
  });
});

describe('logit scores', () => {
  const logits = rows([1, 2, 3], [1000, 0, 0]);
  const p = [1, Math.E, Math.E ** 2].map(value => value / (1 + Math.E + Math.E ** 2));

  it('follow their formulas and bear large logits', () => {
    const [first, second] = logit.maxSoftmaxUncertainty(logits);
    expect([first, second]).toEqual([expect.closeTo(1 - p[2], 14), 0]);
    expect(Array.from(logit.maxLogitUncertainty(logits))).toEqual([-3, -1000]);
    expect(logit.energyUncertainty(logits)[0]).toBeCloseTo(-Math.log(Math.E + Math.E ** 2 + Math.E ** 3), 14);
    expect(logit.energyUncertainty(logits)[1]).toBe(-1000);
    expect(logit.energyUncertainty(logits, 2)[0]).toBeCloseTo(-2 * Math.log(Math.exp(0.5) + Math.E + Math.exp(1.5)), 14);
    expect(logit.entropyUncertainty(logits)[0]).toBeCloseTo(-p.reduce((sum, q) => sum + q * Math.log(q), 0), 14);
    expect(Array.from(logit.predictedClasses(logits))).toEqual([2, 0]);
  });

  it('stay in the precision of float32 probabilities', () => {
    expect(logit.maxProbabilityUncertainty(fromNumbers([0.1, 0.3], [1, 2]))[0]).toBe(Math.fround(1 - Math.fround(0.3)));
  });
});

describe('distances', () => {
  it('average to the rank over the training embeddings, and do not depend on norms', () => {
    const width = 5;
    const data = noise(60 * width);
    for (let i = 0; i < 60; i++) data[i * width + 4] = 0; // no variance
    const train = fromNumbers(data, [60, width], 'float64');
    const model = fitMahalanobis(train);
    const { distance } = mahalanobisScores(model, train);
    expect(distance.reduce((a, b) => a + b) / 60).toBeCloseTo(4, 7);
    const scaled = fromNumbers(
      data.map((value, i) => value * (1 + Math.floor(i / width))),
      [60, width],
      'float64',
    );
    expect(mahalanobisScores(model, scaled).distance[7]).toBeCloseTo(distance[7], 6);
    expect(() => mahalanobisScores(model, rows([1, 2]))).toThrow('embeddings: expected width 5, found 2');
  });

  it('per class find the nearest class', () => {
    const around = (x: number, y: number) => noise(40).map((value, i) => (i % 2 ? y : x) + 0.1 * value);
    const train = fromNumbers([...around(1, 0), ...around(0, 1)], [40, 2], 'float64');
    const labels = Array.from({ length: 40 }, (_, i) => (i < 20 ? 3 : 8));
    const model = fitMahalanobis(train, labels);
    expect(Array.from(mahalanobisScores(model, rows([1, 0.02], [0.03, 1])).nearest!)).toEqual([3, 8]);
    expect(() => fitMahalanobis(train, [1])).toThrow('expected a label for each of 40 training embeddings, found 1');
  });

  it('to prototypes are cosines, to reciprocal points mean squares', () => {
    expect(Array.from(prototypeSimilarity(rows([3, 4]), rows([2, 0], [0, 5])).data)).toEqual([0.6, 0.8]);
    expect(cosineUncertainty(rows([3, 4]), rows([2, 0], [0, 5]))[0]).toBeCloseTo(0.2, 15);
    expect(Array.from(reciprocalDistances(rows([1, 2]), rows([1, 0], [3, 3])).data)).toEqual([2, 2.5]);
  });
});

describe('OpenMax', () => {
  it('fits the tail by maximum likelihood: moving a parameter makes it less likely', () => {
    const tail = [1, 1.5, 1.7, 2.2, 3.1, 3.3];
    const { shape, logScale } = fitWeibullTail(tail);
    const logDensity = (k: number, l: number) =>
      tail.reduce((sum, x) => {
        const z = Math.log1p((x - 1) / 10_000) - l;
        return sum + Math.log(k) + k * z - Math.exp(k * z) - l - z;
      }, 0);
    const best = logDensity(shape, logScale);
    for (const [k, l] of [
      [1.01, 0],
      [0.99, 0],
      [1, 1e-6],
      [1, -1e-6],
    ])
      expect(logDensity(shape * k, logScale + l)).toBeLessThan(best);
    expect(() => fitWeibullTail([2, 2])).toThrow('found 2 of 2');
    expect(weibullTailScore(fitWeibullTail(tail), -1e5)).toBe(0);
  });

  it('gives the unknown class what far samples lose', () => {
    const train = rows([1, 0], [1, 0.1], [1, -0.2], [0, 1], [0.1, 1], [-0.2, 1]);
    const model = fitOpenMax(train, [0, 0, 0, 1, 1, 1], { classes: 2 });
    const [near, far] = [openMax(model, rows([1, 0]), rows([4, 0])), openMax(model, rows([-9, 3]), rows([4, 0]))];
    expect(near.shape).toEqual([1, 3]);
    // Far beyond the tail the whole score moves: softmax of [0, 0, 4].
    expect(far.data[2]).toBeCloseTo(Math.exp(4) / (2 + Math.exp(4)), 10);
    expect(near.data[2]).toBeLessThan(0.1);
    expect(() => fitOpenMax(train, [0, 0, 0, 1, -1, -1], { classes: 2 })).toThrow('OpenMax: class 1 with 1 training samples');
  });
});

describe('several passes', () => {
  it('that agree have no mutual information; that contradict each other, log 2', () => {
    // [sample][class][pass]
    const { mutualInformation, entropy, predictedVariance, aleatoric, epistemic, prediction } = stochasticScores(
      fromNumbers([0.75, 0.75, 0.25, 0.25, 1, 0, 0, 1], [2, 2, 2], 'float64'),
    );
    expect(mutualInformation[0]).toBeCloseTo(0, 15);
    expect(mutualInformation[1]).toBeCloseTo(Math.log(2), 15);
    expect(entropy[1]).toBeCloseTo(Math.log(2), 15);
    expect(Array.from(prediction)).toEqual([0, 0]);
    expect(Array.from(predictedVariance)).toEqual([0, 0.5]);
    expect(Array.from(aleatoric)).toEqual([0.375, 0]);
    expect(Array.from(epistemic)).toEqual([0, 0.5]);
    expect(() => stochasticScores(fromNumbers([1], [1, 1, 1]))).toThrow('at least 2 passes, found [1, 1, 1]');
  });
});

describe('evidence', () => {
  it('gives vacuity and expected probabilities', () => {
    const alpha = dirichletParameters(rows([2, -3, 1]), 'relu');
    expect(Array.from(alpha.data)).toEqual([3, 1, 2]);
    expect(vacuity(alpha)[0]).toBe(0.5);
    expect(Array.from(expectedProbabilities(alpha).data)).toEqual([3 / 6, 1 / 6, 2 / 6]);
    const exp = dirichletParameters(rows([50, -50]), 'exp').data;
    expect([exp[0], exp[1]]).toEqual([1 + Math.exp(10), 1 + Math.exp(-10)]);
    expect(dirichletParameters(rows([0, 800]), 'softplus').data[0]).toBeCloseTo(1 + Math.log(2), 15);
  });
});
