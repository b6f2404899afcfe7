import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseNpz } from '../../src/data/formats/npz.ts';
import type { NDArray } from '../../src/engine/ndarray.ts';
import { nms, softNms } from '../../src/localization/nms.ts';

const folder = join(resolve(process.env.INKLING_SHARED ?? '../shared'), 'reference', 'fustal');
const read = async (name: string) => parseNpz(await readFile(join(folder, `${name}.npz`)), name);

/** Segments [N, 2] with scores [N]. */
const segmentsOf = (segs: NDArray, scores: NDArray) =>
  Array.from({ length: scores.shape[0] }, (_, index) => ({
    index,
    score: Number(scores.data[index]),
    start: Number(segs.data[2 * index]),
    end: Number(segs.data[2 * index + 1]),
  }));

/**
 * The compiled soft-NMS that temporal detectors share, in float32 and with 1e-6 added to lengths: hence the tolerance. The
 * recorded settings stand in that folder's manifest.
 */
describe('softNms against the published operator', () => {
  it.each([
    ['nms_soft_gauss_a', { method: 'gaussian', sigma: 0.5, minScore: 0.001, overlap: 'seconds' } as const],
    ['nms_soft_linear', { method: 'linear', threshold: 0.3, minScore: 0.01, overlap: 'seconds' } as const],
  ])('%s', async (name, how) => {
    const { segs, scores, dets, inds } = await read(name);
    const segments = segmentsOf(segs, scores);
    const kept = softNms(segments, how);
    expect(kept.map(s => s.index)).toEqual(Array.from(inds.data, Number));
    kept.forEach((s, i) => {
      expect(Math.abs(s.score - Number(dets.data[3 * i + 2]))).toBeLessThan(5e-6);
    });
  });

  it('hard, by the same operator', async () => {
    const { segs, scores, inds } = await read('nms_soft_hardmode');
    const segments = segmentsOf(segs, scores);
    const kept = nms(segments, { threshold: 0.4, overlap: 'seconds' });
    expect(kept.map(s => s.index)).toEqual(Array.from(inds.data, Number));
  });
});
