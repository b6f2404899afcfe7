import { describe, expect, it } from 'vitest';
import { fromNumbers, mul, type NDArray, sum, type Tensor, valueAndGrad } from '../../src/engine/index.ts';
import { gatheredRows, type PslLossOptions, pslLoss, pslPreset, pslVariants } from '../../src/openset/pslLoss.ts';
import { unitRows } from '../../src/openset/unitRows.ts';
import { between } from '../engine/arrays.ts';
import { numbers, once } from '../localization/tensors.ts';

const labelsOf = (values: readonly number[]): NDArray => fromNumbers(values, [values.length], 'int32');

/** Rows of unit length, as lists. */
function units(seed: number, rows: number, width: number): number[][] {
  const { data } = between(seed, [rows, width], -1, 1);
  return Array.from({ length: rows }, (_, i) => {
    const row = Array.from(data.slice(i * width, (i + 1) * width));
    const length = Math.hypot(...row);
    return row.map(value => value / length);
  });
}
const stacked = (rows: readonly (readonly number[])[]): NDArray =>
  fromNumbers(rows.flat(), [rows.length, rows[0].length], 'float64');
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((total, value, i) => total + value * b[i], 0);

const lossOf = async (z: NDArray, labels: NDArray, prototypes: NDArray, options: PslLossOptions) => {
  const { loss, perAnchor } = await once((x: Tensor, y: Tensor, p: Tensor) => pslLoss(x, y, p, options), z, labels, prototypes);
  return { loss: Number(loss.data[0]), perAnchor: numbers(perAnchor) };
};

/** The two-clip loss, item by item as it is defined. */
function byDefinition(
  z: number[][],
  labels: number[],
  prototypes: number[][],
  { temperature }: PslLossOptions,
  s: number,
  shuffled: number,
) {
  const anchors = z.map((_, i) => i).filter(i => i % 2 === 0);
  return anchors.map(i => {
    const own = 1 - Math.abs(dot(z[i], prototypes[labels[i]]) - s);
    const others = [
      ...prototypes.filter((_, k) => k !== labels[i]).map(p => dot(z[i], p)),
      ...anchors.filter(j => j !== i).map(j => (labels[j] === labels[i] ? Math.abs(dot(z[i], z[j]) - s) : dot(z[i], z[j]))),
      ...(labels[i + 1] < 0 ? [Math.abs(dot(z[i], z[i + 1]) - shuffled)] : []),
    ];
    const sum = [own, ...others].reduce((total, x) => total + Math.exp(x / temperature), 0);
    return Math.log(sum) - own / temperature;
  });
}

describe('the PSL loss', () => {
  const z = units(1, 8, 5);
  const prototypes = units(2, 4, 5);
  const labels = [2, -1, 2, 2, 0, -1, 3, 3];

  it('is what its definition says, with some second clips shuffled', async () => {
    const options = { ...pslPreset, temperature: 0.3, prototypeTarget: 0.6, sameClassTarget: 0.6, shuffledTarget: 0.2 };
    const expected = byDefinition(z, labels, prototypes, options, 0.6, 0.2);
    const { loss, perAnchor } = await lossOf(stacked(z), labelsOf(labels), stacked(prototypes), options);
    for (const [i, value] of perAnchor.entries()) expect(value).toBeCloseTo(expected[i], 12);
    expect(loss).toBeCloseTo(expected.reduce((a, b) => a + b, 0) / 4, 12);
  });

  it('normalises prototypes but not their array', async () => {
    const scaled = stacked(prototypes.map((row, k) => row.map(value => value * (k + 0.5))));
    const a = await lossOf(stacked(z), labelsOf(labels), stacked(prototypes), pslPreset);
    const b = await lossOf(stacked(z), labelsOf(labels), scaled, pslPreset);
    expect(a.loss).toBeCloseTo(b.loss, 12);
  });

  it('gives no gradient to second clips that are not shuffled, and prototypes one at right angles to them', async () => {
    const [gradients] = await once(
      (x: Tensor, p: Tensor, y: Tensor) => {
        const [, both] = valueAndGrad((at: readonly Tensor[]) => pslLoss(at[0], y, at[1], pslPreset).loss)([x, p]);
        return [both];
      },
      stacked(z),
      stacked(prototypes),
      labelsOf(labels),
    );
    const rows = numbers(gradients[0]);
    for (const row of [3, 7]) expect(rows.slice(row * 5, row * 5 + 5)).toEqual([0, 0, 0, 0, 0]);
    expect(Math.hypot(...rows.slice(5, 10))).toBeGreaterThan(1e-3);
    const own = numbers(gradients[1]);
    for (const [k, p] of prototypes.entries()) expect(dot(own.slice(k * 5, k * 5 + 5), p)).toBeCloseTo(0, 12);
  });

  it('adds nothing for a clip without any positive', async () => {
    const options = { ...pslVariants['supervised-contrastive'], clips: 1 } as const;
    const { perAnchor } = await lossOf(stacked(z.slice(0, 3)), labelsOf([0, 1, 1]), stacked(prototypes), options);
    expect(perAnchor[0]).toBeCloseTo(0, 15);
    expect(perAnchor[1]).toBeGreaterThan(0);
  });

  it('weighs the terms of the class', async () => {
    const twoOfAClass = [z[0], z[2]];
    const options = { ...pslVariants['single-clip'], sameClassWeight: 3 };
    const { perAnchor } = await lossOf(stacked(twoOfAClass), labelsOf([1, 1]), stacked(prototypes), options);
    const own = 1 - Math.abs(dot(z[0], prototypes[1]) - 0.7);
    const rest = prototypes.flatMap((p, k) => (k === 1 ? [] : [dot(z[0], p)])).map(x => Math.exp(x / 0.2));
    const same = 3 * Math.exp(Math.abs(dot(z[0], z[2]) - 0.7) / 0.2);
    expect(perAnchor[0]).toBeCloseTo(Math.log([Math.exp(own / 0.2), same, ...rest].reduce((a, b) => a + b)) - own / 0.2, 12);
  });

  it('says what does not fit', async () => {
    const odd = lossOf(stacked(z.slice(0, 3)), labelsOf([0, 1, 1]), stacked(prototypes), pslPreset);
    await expect(odd).rejects.toThrow('expected 2 rows a video, found 3 rows');
    const few = lossOf(stacked(z), labelsOf([0, 1]), stacked(prototypes), pslPreset);
    await expect(few).rejects.toThrow('expected 8 labels, one a row, found shape [2]');
  });

  it('of two processes has the mean gradient of one', async () => {
    const gradient = (own: NDArray, gathered: NDArray, rank: number | undefined, ranks: number) =>
      once(
        (x: Tensor, all: Tensor, p: Tensor, y: Tensor) =>
          valueAndGrad((at: Tensor) => {
            const rows = rank === undefined ? unitRows(at) : gatheredRows(unitRows(at), unitRows(all), rank);
            return mul(pslLoss(rows, y, p, pslPreset).loss, ranks);
          })(x),
        own,
        gathered,
        stacked(prototypes),
        labelsOf(labels),
      );
    const whole = stacked(z);
    const [value, single] = await gradient(whole, whole, undefined, 1);
    const halves = [stacked(z.slice(0, 4)), stacked(z.slice(4))];
    const each = await Promise.all(halves.map((half, rank) => gradient(half, whole, rank, 2)));
    for (const [loss] of each) expect(Number(loss.data[0])).toBeCloseTo(2 * Number(value.data[0]), 12);
    const average = each.flatMap(([, rows]) => numbers(rows)).map(x => x / 2);
    for (const [i, x] of numbers(single).entries()) expect(average[i]).toBeCloseTo(x, 12);
  });
});

describe('unitRows', () => {
  it('leaves a row of zeros, with a finite gradient', async () => {
    const [y, gradient] = await once(
      (x: Tensor) => valueAndGrad((at: Tensor) => sum(unitRows(at)))(x),
      fromNumbers([3, 4, 0, 0], [2, 2], 'float64'),
    );
    expect(Number(y.data[0])).toBeCloseTo(1.4, 12);
    expect(numbers(gradient).every(Number.isFinite)).toBe(true);
  });
});
