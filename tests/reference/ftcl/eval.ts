/** Reference cases `eval__*`: the detection evaluator and its parts. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ndarray } from '../../../src/engine/ndarray.ts';
import { type Detection, parseDetections } from '../../../src/localization/detections.ts';
import { averagePrecision, evaluateDetections } from '../../../src/localization/evaluate.ts';
import { segmentIoU } from '../../../src/localization/segments.ts';
import { parseThresholds } from '../../../src/localization/thresholds.ts';
import { type Adapter, compareArray, isRecord, type ReferenceCase } from '../case.ts';
import { evaluated, groundTruthOf } from './groundTruth.ts';

const evaluation = (matches: (c: ReferenceCase) => boolean, run: Adapter['run']): Adapter => ({
  matches: c => c.kind === 'eval' && matches(c),
  run,
});
const json = (c: ReferenceCase): Record<string, unknown> => (isRecord(c.json) ? c.json : {});

/** Detections of many videos against a data set's ground truth (`conventions` names the file) or the case's own `gt`. */
const wholeSet = evaluation(
  c => isRecord(json(c).results),
  async c => {
    const tious = 'in.tiou_thresholds' in c.arrays ? Array.from(c.arrays['in.tiou_thresholds'].data, Number) : stated(c);
    const subset = String(json(c).subset ?? c.hyperparameters.subset);
    const groundTruth = groundTruthOf(json(c).gt ?? JSON.parse(await readFile(groundTruthFile(c), 'utf8')));
    return evaluated(c, evaluateDetections(parseDetections(c.json, c.name), groundTruth, { tious, subset }), c.json);
  },
);

/** One class: rows [video, start, end] and [video, start, end, score]. */
const oneClass = evaluation(
  c => Array.isArray(json(c).ground_truth) && Array.isArray(json(c).predictions),
  c => {
    const { ground_truth, predictions, thresholds } = json(c) as {
      ground_truth: [string, number, number][];
      predictions: [string, number, number, number][];
      thresholds: number[];
    };
    const videos = new Map<string, { instances: { label: string; segment: [number, number] }[] }>();
    for (const [video, start, end] of ground_truth) {
      const entry = videos.get(video) ?? { instances: [] };
      entry.instances.push({ label: 'action', segment: [start, end] });
      videos.set(video, entry);
    }
    const detections = new Map<string, Detection[]>();
    for (const [video, start, end, score] of predictions) {
      detections.set(video, [...(detections.get(video) ?? []), { label: 'action', score, segment: [start, end] }]);
    }
    const { ap } = evaluateDetections(detections, { videos }, { tious: thresholds });
    return [compareArray(c, 'out.ap', ndarray('float64', [ap.length], Float64Array.from(ap.flat())))];
  },
);

const precisions = evaluation(
  c => Array.isArray(json(c).cases),
  c =>
    (json(c).cases as { tp: number[]; npos: number; ap: number }[]).map(({ tp, npos, ap }, i) => ({
      key: `json.cases[${i}].ap`,
      got: averagePrecision(tp, npos),
      want: ap,
    })),
);

const overlaps = evaluation(
  c => 'in.candidates' in c.arrays,
  c => {
    const target = Array.from(c.arrays['in.target'].data, Number) as [number, number];
    const candidates = Array.from(c.arrays['in.candidates'].data, Number);
    const iou = Float64Array.from({ length: candidates.length / 2 }, (_, i) =>
      segmentIoU(target, [candidates[2 * i], candidates[2 * i + 1]]),
    );
    return [compareArray(c, 'out.iou', ndarray('float64', [iou.length], iou))];
  },
);

function groundTruthFile(c: ReferenceCase): string {
  const outer = c.manifest.conventions;
  const inner = isRecord(outer) && isRecord(outer.conventions) ? outer.conventions['real ground truth'] : undefined;
  return join(c.dataDir, typeof inner === 'string' ? inner : 'thumos14/gt.json');
}

function stated(c: ReferenceCase): number[] {
  if (typeof c.hyperparameters.tiou !== 'string') throw new Error('the case states no tIoU thresholds');
  return parseThresholds(c.hyperparameters.tiou);
}

/** Adapters of the `eval` cases. */
export const adapters: Adapter[] = [wholeSet, oneClass, precisions, overlaps];
