import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAnnotations } from '../../src/data/annotations.ts';
import { parseSplit } from '../../src/data/splits.ts';
import { evaluateDetections, THUMOS14_EVALUATION } from '../../src/localization/evaluate.ts';

const folder = join(resolve(process.env.INKLING_SHARED ?? '../shared'), 'data', 'thumos14');

/** The ground truth of the test videos as detections, restricted to names if given. */
async function perfect(names?: ReadonlySet<string>) {
  const truth = parseAnnotations(JSON.parse(await readFile(join(folder, 'gt.json'), 'utf8')), 'gt.json');
  const test = [...truth.videos].filter(([name, video]) => video.subset === 'test' && (!names || names.has(name)));
  const detections = test.map(([name, video]) => {
    const list = video.instances.flatMap(({ label, segment }) => (segment ? [{ label, score: 1, segment }] : []));
    return [name, list] as const;
  });
  return { truth, detections: new Map(detections) };
}

describe('evaluation on THUMOS14', () => {
  it('gives 1 for the ground truth itself, over all 212 annotated test videos', async () => {
    const { truth, detections } = await perfect();
    const result = evaluateDetections(detections, truth, { ...THUMOS14_EVALUATION, subset: 'test' });
    expect(result.mAP).toEqual(new Array(9).fill(1));
    expect(result.average).toEqual({ range: '0.1:0.7', value: 1 });
    expect(result.counts.instances).toBe(3358);
    expect(result.classes[0]).toBe('HighJump');
  });

  it('counts 47 instances of two videos that the split does not list, unless restricted to it', async () => {
    const split = new Set(parseSplit(await readFile(join(folder, 'split_test.txt'), 'utf8'), 'split_test.txt'));
    const { truth, detections } = await perfect(split);
    const options = { ...THUMOS14_EVALUATION, subset: 'test' };
    expect(evaluateDetections(detections, truth, options).average.value).toBeCloseTo(0.9887141468157511, 12);
    const listed = evaluateDetections(detections, truth, { ...options, videos: split });
    expect(listed.average.value).toBe(1);
    expect(listed.counts.instances).toBe(3311);
  });
});
