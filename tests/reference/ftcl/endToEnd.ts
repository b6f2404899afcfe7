/** The reference case that goes the whole way: feature files, sampling, network, detections, mAP and the test's log. */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeNpy } from '../../../src/data/formats/npy.ts';
import { surveyVideoDataset, type VideoDataset } from '../../../src/data/videos.ts';
import { astype, type NDArray, ndarray } from '../../../src/engine/index.ts';
import { key } from '../../../src/engine/random.ts';
import { ACTIVITYNET_CLASSES, THUMOS14_CLASSES } from '../../../src/localization/classes.ts';
import type { Detection } from '../../../src/localization/detections.ts';
import { ACTIVITYNET_EVALUATION, THUMOS14_EVALUATION } from '../../../src/localization/evaluate.ts';
import { inferVideo } from '../../../src/localization/inferVideo.ts';
import { ACTIVITYNET_LOCALIZE, type LocalizeOptions, THUMOS14_LOCALIZE } from '../../../src/localization/localize.ts';
import { inferenceStep } from '../../../src/localization/steps.ts';
import { type LocalizationTaskOptions, localizationTask } from '../../../src/localization/task.ts';
import { type Adapter, type Compared, compareArray, compareStructure, isRecord, type ReferenceCase } from '../case.ts';
import { evaluated } from './groundTruth.ts';
import { acmLossOptions, arraysOf, networkOptions, numberOf, sequenceOptions } from './network.ts';

/** What the JSON of the case holds. */
interface EndToEnd {
  readonly gt: { readonly database: Readonly<Record<string, { readonly subset: string }>> };
  readonly split_test: readonly string[];
  readonly sample_segments_num: number;
  readonly result: { readonly results: Readonly<Record<string, readonly Detection[]>> };
  readonly test_log: Readonly<Record<string, number>>;
}

const endToEnd: Adapter = {
  matches: c => c.kind === 'train' && 'param.att_branch.weight' in c.arrays && isRecord(c.json) && 'split_test' in c.json,
  async run(c) {
    const dir = await mkdtemp(join(tmpdir(), 'inkling-end-to-end-'));
    try {
      return await runDataset(c, await writeDataset(c, dir));
    } finally {
      await rm(dir, { recursive: true });
    }
  },
};

/** Puts the case's annotations, split list and test features on disk, and opens them as a data set. */
async function writeDataset(c: ReferenceCase, dir: string): Promise<VideoDataset> {
  const { gt, split_test } = c.json as EndToEnd;
  const classes = [THUMOS14_CLASSES, ACTIVITYNET_CLASSES].find(
    list => list.length === arraysOf(c, 'param.')['snippet_cls.bias'].shape[0] - 1,
  );
  if (!classes) throw new Error(`${c.name}: no class list of that size is known`);
  await mkdir(join(dir, 'test'));
  await writeFile(join(dir, 'gt.json'), JSON.stringify(gt));
  await writeFile(join(dir, 'split_test.txt'), `${split_test.join('\n')}\n`);
  for (const [name, features] of Object.entries(arraysOf(c, 'in.test.'))) {
    await writeFile(join(dir, 'test', `${name}.npy`), encodeNpy(astype(features, 'float32')));
  }
  // The training videos are annotated, but their features are no part of the case.
  return (await surveyVideoDataset({ dir, classes })).dataset;
}

/** The settings of the case, with plain ACM-Net's baseline criterion. */
function taskOptions(c: ReferenceCase, dataset: VideoDataset): LocalizationTaskOptions {
  const { gt, split_test, sample_segments_num } = c.json as EndToEnd;
  const network = networkOptions(c, arraysOf(c, 'param.'));
  const preset: LocalizeOptions = network.inputDropout ? ACTIVITYNET_LOCALIZE : THUMOS14_LOCALIZE;
  const evaluation = network.inputDropout ? ACTIVITYNET_EVALUATION : THUMOS14_EVALUATION;
  return {
    dataset,
    groundTruth: dataset.annotations,
    network,
    loss: acmLossOptions(c, 'ACM'),
    sequence: sequenceOptions(c),
    terms: 'none',
    samples: sample_segments_num,
    batchSize: 1,
    pairKey: key(0),
    resamplePairs: false,
    localize: {
      ...preset,
      classThreshold: numberOf(c, ['cls_threshold'], preset.classThreshold),
      upsampling: numberOf(c, ['upscale', 'upgrade_scale'], preset.upsampling),
      suppression: { method: 'hard', threshold: numberOf(c, ['nms_thresh'], 0.55), overlap: 'plus-one' },
    },
    evaluation: { ...evaluation, subset: gt.database[split_test[0]].subset },
    where: {},
  };
}

async function runDataset(c: ReferenceCase, dataset: VideoDataset): Promise<Compared[]> {
  const expected = c.json as EndToEnd;
  const params = arraysOf(c, 'param.');
  const options = taskOptions(c, dataset);
  const task = localizationTask(options);
  const step = inferenceStep(options, {});
  try {
    const { metrics, files, detection } = await task.evaluate(params, () => {});
    if (!detection) throw new Error('no detection metrics, although there is ground truth');
    const detections = JSON.parse(files['detections.json']) as EndToEnd['result'];
    const predictions = dataset.test.map(async video => {
      const { attention, cas } = await inferVideo(step, params, await video.load(), options.samples);
      return Object.entries({ temp_att: attention, act_inst_cas: cas })
        .map(([name, array]) => [`out.${video.name}.${name}`, batchOfOne(array)] as const)
        .filter(([name]) => name in c.arrays)
        .map(([name, array]) => compareArray(c, name, array));
    });
    return [
      ...(await Promise.all(predictions)).flat(),
      {
        ...compareStructure('json.result.results', inOrder(detections), inOrder(expected.result)),
        tolerance: c.tolerance('detections'),
      },
      ...evaluated(c, detection, expected),
      ...testLog(c, metrics, 100 * detection.average.value),
    ];
  } finally {
    await task.dispose();
    await step.dispose();
  }
}

const batchOfOne = ({ dtype, shape, data }: NDArray): NDArray => ndarray(dtype, [1, ...shape], data as Float32Array<ArrayBuffer>);

/** Every video's detections by label, then by time: their order is no part of a result, and nearly equal scores may change places. */
function inOrder({ results }: EndToEnd['result']): Record<string, unknown[]> {
  const sorted = (list: readonly Detection[]) =>
    [...list]
      .sort((a, b) =>
        a.label < b.label ? -1 : a.label > b.label ? 1 : a.segment[0] - b.segment[0] || a.segment[1] - b.segment[1],
      )
      .map(({ label, score, segment }) => ({ label, score, segment }));
  return Object.fromEntries(Object.entries(results).map(([video, list]) => [video, sorted(list)]));
}

/** Names of the test's log by those of the task's metrics. */
const logNames: Readonly<Record<string, string>> = {
  test_loss: 'loss.total',
  test_acm_loss: 'loss.acm',
  test_act_inst_cls_loss: 'loss.instance',
  test_act_cont_cls_loss: 'loss.context',
  test_act_back_cls_loss: 'loss.background',
  test_guide_loss: 'loss.guide',
  test_feat_loss: 'loss.feature',
  test_att_loss: 'loss.sparse',
  test_acc: 'classification.accuracy',
};

function testLog(c: ReferenceCase, metrics: Readonly<Record<string, number>>, mAP: number): Compared[] {
  const { test_log } = c.json as EndToEnd;
  return Object.entries(test_log).map(([name, want]) => {
    const got = name === 'test_mAP' ? mAP : metrics[logNames[name]];
    if (got === undefined) throw new Error(`${c.name}: test_log has "${name}", which is not computed`);
    // In percent, so a hundred times the bound of the fraction.
    const { rtol, atol } = c.tolerance('out.mAP');
    const tolerance = name === 'test_mAP' ? { rtol, atol: 100 * atol } : c.tolerance(`test_log.${name}`);
    return { key: `json.test_log.${name}`, got, want, tolerance };
  });
}

/** Adapters of the end-to-end cases. */
export const adapters: Adapter[] = [endToEnd];
