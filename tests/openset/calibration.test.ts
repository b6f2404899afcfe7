import { describe, expect, it } from 'vitest';
import { parseSafetensors } from '../../src/data/formats/safetensors.ts';
import { weightsDigest } from '../../src/data/weightsDigest.ts';
import { compile, fromNumbers, ndarray, random } from '../../src/engine/index.ts';
import { answers } from '../../src/openset/answer.ts';
import {
  calibrate,
  calibrationTensors,
  encodeCalibration,
  parseCalibration,
  thresholdAt,
  uncertaintyOf,
} from '../../src/openset/calibration.ts';
import { fitMahalanobis, mahalanobisScores } from '../../src/openset/scores/mahalanobis.ts';
import { leaveOneOut, whitenedDistance, whitenedDistances, whiteningOf } from '../../src/openset/scores/whitening.ts';

/** Rows on the unit sphere with one dimension more, which is 0 in all of them: it has no variance. */
function sphere(seed: number, n: number, width: number) {
  const { data } = random.normal(random.key(seed), [n, width]);
  const rows = new Float32Array(n * (width + 1));
  for (let i = 0; i < n; i++) {
    const norm = Math.hypot(...data.subarray(i * width, (i + 1) * width));
    for (let d = 0; d < width; d++) rows[i * (width + 1) + d] = data[i * width + d] / norm;
  }
  return ndarray('float32', [n, width + 1], rows);
}

const none = fromNumbers([], [0]);
const withoutRow = (rows: ReturnType<typeof sphere>, i: number) => {
  const [n, width] = rows.shape;
  const data = Array.from(rows.data);
  data.splice(i * width, width);
  return fromNumbers(data, [n - 1, width]);
};

describe('the Gaussian of training clips', () => {
  const training = sphere(1, 40, 5);
  const model = fitMahalanobis(training);

  it('as one linear map gives the same distances, inside a graph too', async () => {
    const others = sphere(2, 7, 5);
    const expected = mahalanobisScores(model, others).distance;
    const whitening = whiteningOf(model);
    const found = whitenedDistances(whitening, others);
    for (const [i, distance] of expected.entries()) expect(found[i]).toBeCloseTo(distance, 6);
    expect(whitening.matrix.count).toBe(5);
    const { center, whitening: matrix } = calibrationTensors({ uncertainty: new Float64Array(1), whitening });
    const graph = compile(whitenedDistance, {});
    const inside = await graph(others, center, matrix);
    await graph.dispose();
    expect([inside.dtype, inside.shape]).toEqual(['float32', [7]]);
    for (const [i, distance] of found.entries()) expect(inside.data[i]).toBe(Math.fround(distance));
    expect(() =>
      whiteningOf(
        fitMahalanobis(
          training,
          Int32Array.from({ length: 40 }, (_, i) => i % 2),
        ),
      ),
    ).toThrow('expected a model of one Gaussian, found 2');
    expect(() => whitenedDistances(whitening, fromNumbers([1, 2], [1, 2]))).toThrow('embeddings: expected width 6, found 2');
  });

  it('judges each clip as a Gaussian of the others would', () => {
    const own = mahalanobisScores(model, training).distance;
    const judged = leaveOneOut(own);
    for (const i of [0, 13, 39]) {
      const refitted = mahalanobisScores(fitMahalanobis(withoutRow(training, i)), training).distance[i];
      expect(judged[i] / refitted).toBeCloseTo(1, 5);
      expect(judged[i]).toBeGreaterThan(own[i]);
    }
  });

  it('has nothing to judge by where there are fewer clips than dimensions', () => {
    const few = calibrate('mahalanobis', { embeddings: sphere(3, 5, 5), uncertainty: none });
    expect(Array.from(few.uncertainty)).toEqual(Array(5).fill(Number.POSITIVE_INFINITY));
    expect(thresholdAt(few, 'mahalanobis', 0.5)).toEqual({
      value: undefined,
      rule: 'none: 5 training clips are too few to say how far from all others a clip of their classes is',
    });
  });
});

describe('a calibration', () => {
  const embeddings = sphere(1, 40, 5);
  const uncertainty = fromNumbers(
    Array.from({ length: 40 }, (_, i) => ((7 * i) % 40) / 64),
    [40],
  );

  it("accepts the fraction of training clips that is asked for, of the method's own uncertainties", () => {
    const own = calibrate('method', { embeddings, uncertainty });
    const { value, rule } = thresholdAt(own, 'method', 0.95);
    expect(value).toBe(38 / 64);
    expect(rule).toBe('accepts 95 % of the 40 training clips');
    expect(uncertaintyOf(own, { embeddings, uncertainty })).toEqual(Float64Array.from(uncertainty.data));
    expect(thresholdAt(own, 'method', 0.5).value).toBe(20 / 64);
    expect(() => thresholdAt(own, 'method', 1)).toThrow(
      'expected a fraction of known samples to accept between 0 and 1, found 1',
    );
  });

  it('needs training clips', () => {
    const nothing = { embeddings: fromNumbers([], [0, 6]), uncertainty: fromNumbers([], [0]) };
    expect(() => calibrate('method', nothing)).toThrow('a calibration needs training clips, found none');
  });

  it('is a file that names its weights, and is read back', () => {
    const params = { weight: fromNumbers([1, 2], [2]), bias: fromNumbers([3], [1]) };
    const made = calibrate('mahalanobis', { embeddings, uncertainty });
    const { tensors, metadata } = parseSafetensors(encodeCalibration(made, params), 'c');
    expect(parseCalibration(tensors, 'mahalanobis', 6, 'c')).toEqual(made);
    expect(metadata).toEqual({ weights: weightsDigest({ bias: params.bias, weight: params.weight }) });
    expect(weightsDigest({ ...params, bias: fromNumbers([3.5], [1]) })).not.toBe(metadata.weights);
    expect(weightsDigest({ weight: params.bias, bias: params.weight })).not.toBe(metadata.weights);
    expect(thresholdAt(made, 'mahalanobis', 0.9).rule).toBe('accepts 90 % of the 40 training clips, each judged by the others');
  });

  it('that does not fit is refused by name', () => {
    const made = calibrationTensors(calibrate('mahalanobis', { embeddings, uncertainty }));
    const parse = (changes: Parameters<typeof parseCalibration>[0]) => () =>
      parseCalibration({ ...made, ...changes }, 'mahalanobis', 6, 'm.safetensors');
    const { uncertainty: _, ...rest } = made;
    expect(() => parseCalibration(rest, 'method', 6, 'm')).toThrow(
      'm: calibration.uncertainty: expected float64 [n], found none',
    );
    expect(parse({ center: fromNumbers([1, 2], [2]) })).toThrow(
      'm.safetensors: calibration.center: expected float64 [6], found float32 [2]',
    );
    expect(parse({ whitening: ndarray('float64', [3, 2], new Float64Array(6)) })).toThrow(
      'calibration.whitening: expected float64 [n, 6], found float64 [3, 2]',
    );
    expect(parse({ uncertainty: ndarray('float64', [2], Float64Array.of(2, 1)) })).toThrow(
      'calibration.uncertainty: expected numbers in ascending order, found others',
    );
  });
});

describe('an answer', () => {
  const outputs = {
    probabilities: fromNumbers([0.25, 0.5, 0.25, 0.5, 0.125, 0.375, 0.75, 0.25, 0, 0, 0, 1], [4, 3]),
    embeddings: fromNumbers([1, 0, 0, 1, 2, 2, 4, 4], [4, 2]),
    uncertainty: fromNumbers([0.5, 0.25, 0.25, 0], [4]),
  };

  it('names the likeliest classes, and whether the clip is unknown', () => {
    const options = { classes: ['a', 'b', 'c'], top: 2, calibration: undefined, threshold: { value: 0.25, rule: '' } };
    const [first, second] = answers(outputs, options);
    expect(first).toEqual({
      classes: [
        { label: 'b', probability: 0.5 },
        { label: 'a', probability: 0.25 },
      ],
      uncertainty: 0.5,
      isUnknown: true,
    });
    expect([second.classes[1].label, second.isUnknown]).toEqual(['c', false]);
    expect(answers(outputs, { ...options, threshold: { value: undefined, rule: '' } })[0].isUnknown).toBeUndefined();
  });
});
