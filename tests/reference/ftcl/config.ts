/** The configuration case: published defaults against the configurations of the package. */

import type { LocalizationConfig } from '../../../src/localization/config.ts';
import { loadLocalizationConfig } from '../../../src/train/config.ts';
import { type Adapter, type Compared, compareStructure, isRecord } from '../case.ts';

/** Published option -> where it stands here. */
const live: Readonly<Record<string, (config: LocalizationConfig) => unknown>> = {
  seed: c => c.train.seed,
  batch_size: c => c.train.batchSize,
  epochs: c => c.train.epochs,
  start_test_epoch: c => c.evaluation.start,
  lr: c => c.train.learningRate,
  weight_decay: c => c.train.weightDecay,
  loss_lamb_lcs: c => c.loss.sequence.lcsWeight,
  loss_lamb_fsd: c => c.loss.sequence.fsdWeight,
  thres: c => c.loss.sequence.lcsThreshold,
  without_lcs: c => c.loss.sequence.terms === 'none' || c.loss.sequence.lcsWeight === 0,
  without_fsd: c => c.loss.sequence.terms === 'none' || c.loss.sequence.fsdWeight === 0,
  lcs_len: c => c.model.lcsLength,
  fsd_len: c => c.model.fsdLength,
  fc_dim: c => c.model.projectionDim,
  dropout: c => c.model.dropout,
  feature_dim: c => c.model.featureDim,
  ins_topk_seg: c => c.model.topKDivisors.instance,
  con_topk_seg: c => c.model.topKDivisors.context,
  bak_topk_seg: c => c.model.topKDivisors.background,
  loss_lamb_1: c => c.loss.guideWeight,
  loss_lamb_2: c => c.loss.featureWeight,
  loss_lamb_3: c => c.loss.sparseWeight,
  class_name_lst: c => c.data.classes,
  action_cls_num: c => c.data.classes?.length,
  frames_per_sec: c => c.data.framesPerSecond,
  segment_frames_num: c => c.data.snippetFrames,
  sample_segments_num: c => c.data.samples,
  cls_threshold: c => c.inference.classThreshold,
  test_upgrade_scale: c => c.inference.upsampling,
  nms_thresh: c => c.inference.suppression.threshold,
  tiou_thresholds: c => c.evaluation.tious,
};

/**
 * Options that name files, devices and logs, or that are verbs and options of the command line here (--from, --resume, `test`, the
 * method).
 */
const other: ReadonlySet<string> = new Set([
  ...['model_name', 'group', 'checkpoint', 'start_epoch', 'gpu', 'num_workers', 'dataset', 'without_wandb', 'test', 'ftcl'],
  ...['data_dir', 'test_gt_file_path'],
]);

/** The configuration of the second phase, which the published defaults are. */
function configName(dataset: string): string {
  if (/thumos/i.test(dataset)) return 'localization/thumos14/ftcl';
  if (/activitynet|anet/i.test(dataset)) return 'localization/activitynet/ftcl';
  throw new Error(`no configuration for the data set "${dataset}"`);
}

function compareOptions(path: string, options: Readonly<Record<string, unknown>>, config: LocalizationConfig): Compared[] {
  return Object.entries(options).flatMap(([name, want]) => {
    if (other.has(name)) return [];
    const read = Object.hasOwn(live, name) ? live[name] : undefined;
    if (!read) throw new Error(`${path}.${name}: no such option is known`);
    return [compareStructure(`${path}.${name}`, read(config), want)];
  });
}

/** `{<data set>: {option: value}, cli: [{flag, default}]}`: every option, and every default of the command line. */
const defaults: Adapter = {
  matches: ({ kind, json }) => kind === 'data' && isRecord(json) && Array.isArray(json.cli),
  async run({ json }) {
    const { cli, ...datasets } = json as { cli: { flag: string; default: unknown }[] } & Record<string, Record<string, unknown>>;
    const compared: Compared[] = [];
    for (const [dataset, options] of Object.entries(datasets)) {
      const { config } = await loadLocalizationConfig(configName(dataset));
      compared.push(...compareOptions(`json.${dataset}`, options, config));
    }
    const flags = Object.fromEntries(cli.map(option => [option.flag.replace(/^-+/, ''), option.default]));
    const { config } = await loadLocalizationConfig(configName('THUMOS'));
    return [...compared, ...compareOptions('json.cli', flags, config)];
  },
};

/** Adapters of the configuration cases. */
export const adapters: Adapter[] = [defaults];
