import { describe, expect, it } from 'vitest';
import * as e from '../../src/engine/index.ts';
import { reversed, shifted, spread, strided } from '../../src/engine/ops/window.ts';

/** Two rows of 1, 2, … in float32, which a product moves up to an extent of 128, and in float64, which slices and pads. */
async function rowsOf(fn: (x: e.Tensor) => e.Tensor | e.Tensor[], extent: number, dtype: 'float32' | 'float64') {
  const x = e.astype(
    e.ndarray(
      'float64',
      [2, extent],
      Float64Array.from({ length: 2 * extent }, (_, i) => i + 1),
    ),
    dtype,
  );
  const run = e.compile((t: e.Tensor) => [fn(t)].flat());
  const results = (await run(x as never)) as unknown as e.NDArray[];
  await run.dispose();
  return results.map(({ shape, data }) => {
    expect(shape[0]).toBe(2);
    return [0, 1].map(row => Array.from(data as Float64Array).slice(row * shape[1], (row + 1) * shape[1]));
  });
}

describe.each(['float32', 'float64'] as const)('elements of the last axis, %s', dtype => {
  it('are taken out a stride apart', async () => {
    expect(await rowsOf(x => strided(x, 1, 1, 3, 2), 7, dtype)).toEqual([
      [
        [2, 4, 6],
        [9, 11, 13],
      ],
    ]);
  });

  it('are laid apart into zeros, and cropped where less room is asked for', async () => {
    expect(await rowsOf(x => [spread(x, 1, 2, 6), spread(x, 1, 3, 5)], 2, dtype)).toEqual([
      [
        [1, 0, 2, 0, 0, 0],
        [3, 0, 4, 0, 0, 0],
      ],
      [
        [1, 0, 0, 2, 0],
        [3, 0, 0, 4, 0],
      ],
    ]);
  });

  it('are reversed', async () => {
    expect(await rowsOf(reversed, 3, dtype)).toEqual([
      [
        [3, 2, 1],
        [6, 5, 4],
      ],
    ]);
  });

  it('are shifted, with zeros beyond the ends', async () => {
    expect(await rowsOf(x => shifted(x, 1, [-1, 0, 2], 3), 3, dtype)).toEqual([
      [
        [0, 1, 2],
        [0, 4, 5],
      ],
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      [
        [3, 0, 0],
        [6, 0, 0],
      ],
    ]);
  });

  it.each([128, 129, 200])('an axis of %i moves like a short one', async extent => {
    const [taken, apart, turned] = await rowsOf(
      x => [strided(x, 1, 1, 50, 2), spread(x, 1, 2, 2 * extent), reversed(x)],
      extent,
      dtype,
    );
    const second = Array.from({ length: extent }, (_, i) => extent + i + 1);
    expect(taken[1]).toEqual(Array.from({ length: 50 }, (_, i) => second[1 + 2 * i]));
    expect(apart[1]).toEqual(second.flatMap(v => [v, 0]));
    expect(turned[1]).toEqual(second.toReversed());
  });
});
