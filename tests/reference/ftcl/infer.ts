/** Reference cases `infer__*`: up-sampling, proposals, suppression and whole post-processing. */

import { type NDArray, ndarray, type TypedArrays } from '../../../src/engine/ndarray.ts';
import { ACTIVITYNET_CLASSES, THUMOS14_CLASSES } from '../../../src/localization/classes.ts';
import { exactMatchAccuracy } from '../../../src/localization/classification.ts';
import { type Detection, detectionsJson } from '../../../src/localization/detections.ts';
import { ACTIVITYNET_EVALUATION, evaluateDetections, THUMOS14_EVALUATION } from '../../../src/localization/evaluate.ts';
import {
  ACTIVITYNET_LOCALIZE,
  type ClassProposals,
  type LocalizeOptions,
  localize,
  proposeVideo,
  secondsPerStep,
  THUMOS14_LOCALIZE,
  type VideoPrediction,
} from '../../../src/localization/localize.ts';
import { nms } from '../../../src/localization/nms.ts';
import {
  ACTIVITYNET_PROPOSALS,
  consecutiveRuns,
  contrastProposals,
  indicesAtLeast,
  type ProposalOptions,
  THUMOS14_PROPOSALS,
} from '../../../src/localization/proposals.ts';
import { upsample } from '../../../src/localization/upsample.ts';
import { type Adapter, type Compared, compareArray, compareStructure, isRecord, type ReferenceCase } from '../case.ts';
import { evaluated, type GroundTruthJson, groundTruthOf } from './groundTruth.ts';

const infer = (matches: (c: ReferenceCase) => boolean, run: Adapter['run']): Adapter => ({
  matches: c => c.kind === 'infer' && matches(c),
  run,
});
const json = (c: ReferenceCase): Record<string, unknown> => (isRecord(c.json) ? c.json : {});

/** Shape of the JSON list `cases` whose entries hold `key`. */
const hasCases = (c: ReferenceCase, key: string): boolean => {
  const { cases } = json(c);
  return Array.isArray(cases) && cases.every(one => isRecord(one) && key in one);
};

const upsampling = infer(
  c => Array.isArray(c.hyperparameters.scales),
  c =>
    (c.hyperparameters.scales as number[]).map((factor, i) => {
      const input = c.arrays[`in.a${i}`];
      const tolerance = input.dtype === 'float64' ? c.tolerance('float64 inputs') : undefined;
      return compareArray(c, `out.a${i}`, upsample(input, factor), tolerance);
    }),
);

const grouping = infer(
  c => hasCases(c, 'groups'),
  c =>
    (json(c).cases as { in: number[]; groups: number[][] }[]).map((one, i) => {
      const runs = consecutiveRuns(one.in);
      const groups = runs.map(({ first, last }) => Array.from({ length: last - first + 1 }, (_, k) => first + k));
      return compareStructure(`json.cases[${i}].groups`, groups, one.groups);
    }),
);

/** A row [class, score, start, end]. */
type Row = [number, number, number, number];

const suppression = infer(
  c => hasCases(c, 'kept'),
  c =>
    (json(c).cases as { proposals: Row[]; threshold: number; kept: Row[] }[]).map((one, i) => {
      const segments = one.proposals.map(([label, score, start, end]) => ({ label, score, start, end }));
      const kept = nms(segments, { threshold: one.threshold, overlap: 'plus-one' });
      const rows = kept.map(s => [s.label, s.score, s.start, s.end]);
      return compareStructure(`json.cases[${i}].kept`, rows, one.kept);
    }),
);

const proposals = infer(
  c => 'in.scores' in c.arrays && Array.isArray(json(c).results),
  c => {
    const { results, t_factor, lamb, gamma } = json(c) as {
      results: { threshold: number; proposals: Row[][] }[];
      t_factor: number;
      lamb: number;
      gamma: number;
    };
    const scores = c.arrays['in.scores'];
    const classIds = Array.from(c.arrays['in.class_ids'].data, Number);
    const videoScores = c.arrays['in.video_scores'].data;
    return results.map((result, i) => {
      const lists = classIds.map((id, column) => {
        const sequence = Array.from({ length: scores.shape[0] }, (_, t) => Number(scores.data[t * classIds.length + column]));
        const found = contrastProposals({
          indices: indicesAtLeast(sequence, result.threshold),
          scores: sequence,
          secondsPerStep: t_factor,
          outerMargin: lamb,
          bonus: gamma * Number(videoScores[id]),
        });
        return found.map(p => [id, p.score, p.start, p.end]);
      });
      // The published code drops some empty lists and keeps others; they mean the same.
      const [got, want] = [lists, result.proposals].map(all => all.filter(list => list.length > 0));
      return compareStructure(`json.results[${i}].proposals`, got, want);
    });
  },
);

const thresholdLists = infer(
  c => 'out.att_thresholds' in c.arrays,
  c => {
    const lists: Record<string, readonly number[]> = {
      'out.cas_thresholds': THUMOS14_PROPOSALS.casThresholds,
      'out.att_thresholds': THUMOS14_PROPOSALS.attentionThresholds,
      'out.tiou_thumos': THUMOS14_EVALUATION.tious,
      'out.tiou_anet': ACTIVITYNET_EVALUATION.tious,
    };
    return Object.entries(lists).map(([key, list]) =>
      compareArray(c, key, ndarray('float64', [list.length], Float64Array.from(list))),
    );
  },
);

const postprocess = infer(c => 'pre_nms_calls' in json(c), comparePostprocessing);

/** The JSON of a post-processing case. */
interface Postprocessed {
  readonly gt: GroundTruthJson;
  readonly videos: readonly { readonly video: string; readonly T: number; readonly vid_len: number; readonly t_factor: number }[];
  readonly result: { readonly results: Record<string, Detection[]> };
  readonly pre_nms_calls: readonly (readonly Row[])[];
  readonly test_acc?: number;
  readonly activity_index: Record<string, number>;
}

function comparePostprocessing(c: ReferenceCase): Compared[] {
  const expected = c.json as Postprocessed;
  const predictions = expected.videos.map(({ video, vid_len }) => ({ video, prediction: prediction(c, video, vid_len) }));
  const width = predictions[0].prediction.cas.shape[1];
  const classes = [THUMOS14_CLASSES, ACTIVITYNET_CLASSES].find(list => list.length === width - 1);
  if (!classes) throw new Error(`no class list of ${width - 1} names is known`);
  const options = localizeOptions(c);

  const proposed = predictions.flatMap(({ prediction: p }) => proposeVideo(p, classes.length, options));
  const calls = proposed.map(({ classIndex, proposals: list }: ClassProposals) =>
    list.map(p => [classIndex, p.score, p.start, p.end]),
  );
  const detections = new Map(predictions.map(({ video, prediction: p }) => [video, localize(p, classes, options)]));
  const factors = predictions.map(({ prediction: p }) => secondsPerStep(p.snippets, p.cas.shape[0], options));
  const anet = classes === ACTIVITYNET_CLASSES;
  const evaluation = anet ? ACTIVITYNET_EVALUATION : THUMOS14_EVALUATION;
  const subset = typeof c.hyperparameters.subset === 'string' ? c.hyperparameters.subset : 'test';
  const metrics = evaluateDetections(detections, groundTruthOf(expected.gt), { ...evaluation, subset });
  return [
    compareStructure('json.pre_nms_calls', calls, expected.pre_nms_calls),
    compareStructure('json.result.results', detectionsJson(ordered(detections)).results, byClass(expected.result.results)),
    compareStructure(
      'json.videos.t_factor',
      factors,
      expected.videos.map(v => v.t_factor),
    ),
    ...evaluated(c, metrics, expected),
    ...accuracy(c, expected, options.classThreshold),
  ];
}

function accuracy(c: ReferenceCase, expected: Postprocessed, threshold: number): Compared[] {
  if (expected.test_acc === undefined) return [];
  const matches = expected.videos.map(({ video }) =>
    exactMatchAccuracy(c.arrays[`in.${video}.act_inst_cls`], c.arrays[`in.${video}.label`], threshold),
  );
  const got = matches.reduce((a, b) => a + b, 0) / matches.length;
  return [{ key: 'json.test_acc', got, want: expected.test_acc }];
}

/** The case's stored network outputs; they carry a batch axis of 1. */
function prediction(c: ReferenceCase, video: string, snippets: number): VideoPrediction {
  const unbatched = (key: string): NDArray => {
    const array = c.arrays[`in.${video}.${key}`];
    return ndarray(array.dtype, array.shape.slice(1), array.data as TypedArrays[typeof array.dtype]);
  };
  return { classScores: unbatched('act_inst_cls'), attention: unbatched('temp_att'), cas: unbatched('act_inst_cas'), snippets };
}

/** The preset of the data set, with the case's own hyper-parameters. */
function localizeOptions(c: ReferenceCase): LocalizeOptions {
  const h = c.hyperparameters as Record<string, number | undefined> & {
    cas_thresholds?: number[];
    att_thresholds?: number[];
    score_mix?: [number, number];
  };
  const anet = h.score_mix !== undefined;
  const preset: LocalizeOptions = anet ? ACTIVITYNET_LOCALIZE : THUMOS14_LOCALIZE;
  const base: ProposalOptions = anet ? ACTIVITYNET_PROPOSALS : THUMOS14_PROPOSALS;
  return {
    classThreshold: h.cls_threshold ?? preset.classThreshold,
    upsampling: h.upgrade_scale ?? h.upscale ?? preset.upsampling,
    snippetFrames: h.segment_frames_num ?? preset.snippetFrames,
    framesPerSecond: h.frames_per_sec ?? preset.framesPerSecond,
    proposals: {
      casThresholds: h.cas_thresholds ?? base.casThresholds,
      attentionThresholds: h.att_thresholds ?? base.attentionThresholds,
      casWeight: h.score_mix?.[0] ?? base.casWeight,
      attentionWeight: h.score_mix?.[1] ?? base.attentionWeight,
      outerMargin: h.lamb ?? base.outerMargin,
      casClassScoreWeight: h.gamma_cas ?? h.gamma ?? base.casClassScoreWeight,
      attentionClassScoreWeight: h.gamma_att ?? h.gamma ?? base.attentionClassScoreWeight,
    },
    suppression: { ...preset.suppression, method: 'hard', threshold: h.nms_thresh ?? 0, overlap: 'plus-one' },
  };
}

/** Detections as sets: sorted by label, then descending score. */
function ordered(detections: ReadonlyMap<string, readonly Detection[]>): Map<string, Detection[]> {
  const sorted = (list: readonly Detection[]) =>
    [...list]
      .sort((a, b) => (a.label < b.label ? -1 : a.label > b.label ? 1 : b.score - a.score))
      .map(({ label, score, segment }) => ({ label, score, segment }));
  return new Map([...detections].map(([video, list]) => [video, sorted(list)]));
}

function byClass(results: Record<string, Detection[]>): Record<string, Detection[]> {
  return Object.fromEntries(ordered(new Map(Object.entries(results))));
}

/** Adapters of the `infer` cases. */
export const adapters: Adapter[] = [upsampling, grouping, suppression, proposals, thresholdLists, postprocess];
