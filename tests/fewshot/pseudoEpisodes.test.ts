import { describe, expect, it } from 'vitest';
import { fromNumbers, type NDArray } from '../../src/engine/ndarray.ts';
import { fold, key, normal } from '../../src/engine/random.ts';
import { alteredView, pseudoEpisode, viewPreset, viewRows } from '../../src/fewshot/pseudoEpisodes.ts';

const unaltered = { leastSpan: 1, noise: 0, dropout: 0 };

describe('pseudoEpisode', () => {
  const clips = Array.from({ length: 30 }, (_, i) => `clip ${i}`);

  it('makes each drawn clip a class: itself as support, copies of it as queries', () => {
    const { classes, support, supportLabels, query, queryLabels, unlabelled } = pseudoEpisode(
      clips,
      { way: 5, queries: 3 },
      key(1),
    );
    expect(new Set(classes).size).toBe(5);
    expect(support).toEqual(classes.map(at => ({ clip: clips[at], view: null })));
    expect(supportLabels).toEqual([0, 1, 2, 3, 4]);
    expect(queryLabels).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]);
    expect(query.map(({ clip }) => clip)).toEqual(queryLabels.map(label => support[label].clip));
    expect(new Set(query.map(({ view }) => String(view))).size).toBe(15);
    expect(unlabelled).toEqual([]);
  });

  it('follows from its key, and all clips occur', () => {
    const draw = (seed: number) => pseudoEpisode(clips, { way: 5, queries: 1 }, key(seed));
    expect(draw(3)).toEqual(draw(3));
    expect(draw(3)).not.toEqual(draw(4));
    const seen = new Set(Array.from({ length: 100 }, (_, seed) => draw(seed).classes).flat());
    expect(seen.size).toBe(30);
    expect(() => pseudoEpisode(clips.slice(0, 4), { way: 5, queries: 1 }, key(0))).toThrow('at least 5 clips, found 4');
  });
});

describe('alteredView', () => {
  const clip: NDArray<'float32'> = normal(key(9), [12, 500]);

  it('is the clip, if nothing is altered', () => {
    expect(Array.from(alteredView(clip, 12, unaltered, key(0)).data)).toEqual(Array.from(clip.data));
    expect(Array.from(alteredView(fromNumbers([1, 2], [1, 2]), 3, unaltered, key(0)).data)).toEqual([1, 2, 1, 2, 1, 2]);
  });

  it('takes frames of a part of the clip, in order', () => {
    const spans = Array.from({ length: 300 }, (_, seed) => {
      const rows = viewRows(100, 8, 0.5, key(seed));
      for (let t = 1; t < 8; t++) expect(rows[t]).toBeGreaterThanOrEqual(rows[t - 1]);
      expect(rows[0]).toBeGreaterThanOrEqual(0);
      expect(rows[7]).toBeLessThan(100);
      // Of 8 parts, 6 are between the first frame and the last.
      expect(rows[7] - rows[0]).toBeGreaterThanOrEqual((50 * 6) / 8 - 1);
      return rows;
    });
    expect(Math.min(...spans.map(rows => rows[0]))).toBeLessThan(3);
    expect(Math.max(...spans.map(rows => rows[7]))).toBeGreaterThan(96);
    expect(Math.min(...spans.map(rows => rows[7] - rows[0]))).toBeLessThan(50);
  });

  it('loses dimensions in all its frames, and keeps the mean of the others', () => {
    const ones: NDArray<'float32'> = { dtype: 'float32', shape: [2, 4000], data: new Float32Array(8000).fill(1) };
    const { data } = alteredView(ones, 2, { ...unaltered, dropout: 0.25 }, key(5));
    const [first, second] = [data.subarray(0, 4000), data.subarray(4000)];
    expect(first).toEqual(second);
    expect([...new Set(first)].sort()).toEqual([0, Math.fround(1 / 0.75)]);
    expect(first.reduce((n, value) => n + (value === 0 ? 1 : 0), 0) / 4000).toBeCloseTo(0.25, 1);
  });

  it('has noise in proportion to the clip', () => {
    for (const scale of [1, 50]) {
      const scaled = { ...clip, data: clip.data.map(value => scale * value) };
      const { data } = alteredView(scaled, 12, { ...unaltered, noise: 0.2 }, key(6));
      const deviation = Math.sqrt(data.reduce((sum, value, i) => sum + (value - scaled.data[i]) ** 2, 0) / data.length);
      expect(deviation / scale / 0.2).toBeCloseTo(1, 1);
    }
  });

  it('stays nearer to its clip than to others, in an episode with moderate alterations', () => {
    const clips = Array.from({ length: 20 }, (_, i): NDArray<'float32'> => normal(fold(key(11), i), [10, 64]));
    const { support, query, queryLabels } = pseudoEpisode(clips, { way: 5, queries: 4 }, key(2));
    const mean = ({ shape: [n, width], data }: NDArray<'float32'>): number[] =>
      Array.from(
        { length: width },
        (_, d) => Array.from({ length: n }, (_, t) => data[t * width + d]).reduce((a, b) => a + b) / n,
      );
    const references = support.map(({ clip: own }) => mean(own));
    const answers = query.map(({ clip: own, view }) => {
      const copy = mean(alteredView(own, 8, viewPreset, view as [number, number]));
      const dots = references.map(reference => reference.reduce((sum, value, d) => sum + value * copy[d], 0));
      return dots.indexOf(Math.max(...dots));
    });
    expect(answers).toEqual(queryLabels);
  });

  it('says which option is wrong', () => {
    expect(() => alteredView(clip, 8, { ...unaltered, leastSpan: 0 }, key(0))).toThrow('leastSpan: expected a share above 0');
    expect(() => alteredView(clip, 8, { ...unaltered, noise: -1 }, key(0))).toThrow('noise: expected at least 0, found -1');
    expect(() => alteredView(clip, 8, { ...unaltered, dropout: 1 }, key(0))).toThrow(
      'dropout: expected a probability below 1, found 1',
    );
  });
});
