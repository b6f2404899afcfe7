/** Published configurations: how their files are merged, and what their keys mean in the configurations of the package. */
import type { FewshotConfig } from '../../../src/fewshot/config.ts';
import { fewshotConfig } from '../../../src/fewshot/config.ts';
import { isTree, resolvePublished, type Tree } from '../../../src/fewshot/publishedConfig.ts';
import { importPublished } from '../../../src/fewshot/publishedKeys.ts';
import { checkAgainst } from '../../../src/train/config.ts';
import { findConfig, parseYaml, readConfigLayers } from '../../../src/train/configFile.ts';
import { loadFewshotConfig } from '../../../src/train/fewshotConfig.ts';
import { type Adapter, type Compared, compareStructure } from '../case.ts';
import { adapterOf } from './inputs.ts';

interface MergeCase {
  readonly top: string;
  readonly overrides: readonly string[];
  readonly result: { readonly ok: true; readonly config: Tree } | { readonly ok: false; readonly error: string };
}

const merging = adapterOf('config_merge', async c => {
  const { files, cases } = c.json as { files: Record<string, string>; cases: MergeCase[] };
  const read = (path: string): Tree => {
    if (!Object.hasOwn(files, path)) throw new Error(`no file ${path}`);
    return parseYaml(files[path], path) as Tree;
  };
  const compared: Compared[] = [];
  for (const [i, { top, overrides, result }] of cases.entries()) {
    const key = `json.cases[${i}]`;
    const got = await resolvePublished(top, { read, overrides, rules: 'published' }).catch((error: Error) => error.message);
    if (result.ok) {
      compared.push(compareStructure(key, got, result.config));
      continue;
    }
    // Errors have words of our own; they name what the published ones name.
    const named = /odd length/.test(result.error) ? /expected pairs/ : new RegExp(`no such key: ${overrides[0]}$`);
    compared.push(compareStructure(key, typeof got === 'string' && named.test(got), true));
  }
  return compared;
});

/** Key -> what the configurations of the package say of it. Nothing here is computed by the importer. */
const live: Readonly<Record<string, (config: FewshotConfig, published: unknown) => unknown>> = {
  'VIDEO.HEAD.NAME': ({ method, model }) =>
    `${method} ${model.references}` === 'hyrsm++ supports' ? 'CNN_HyRSM_plusplus_1shot' : 'CNN_HyRSM_plusplus_5shot',
  'VIDEO.HEAD.BACKBONE_NAME': c => c.video?.backbone.network,
  'TRAIN.WAY': c => c.episode.way,
  'TRAIN.SHOT': c => c.episode.shot,
  'TRAIN.QUERY_PER_CLASS': c => c.episode.queries,
  'TRAIN.QUERY_PER_CLASS_TEST': c => c.episode.testQueries,
  'TRAIN.NUM_TEST_TASKS': c => c.evaluation.final.episodes,
  'TRAIN.NUM_TRAIN_TASKS': c => c.train.epochs * c.train.iterations,
  'TRAIN.VAL_FRE_ITER': c => c.train.iterations * c.evaluation.every,
  'TRAIN.BATCH_SIZE_PER_TASK': c => c.train.accumulate,
  'TRAIN.NUM_CLASS': c => c.model.classes,
  'TRAIN.USE_CLASSIFICATION': c => c.loss.classification !== null,
  'TRAIN.USE_LOCAL': c => c.loss.classification?.of === 'frames',
  'TRAIN.USE_CLASSIFICATION_VALUE': c => c.loss.classification?.weight,
  'TRAIN.TEMPORAL_LOSS_WEIGHT': c => c.loss.coherence?.weight,
  'TRAIN.WINDOW_SIZE': c => c.loss.coherence?.window,
  'TRAIN.TEMPORAL_BALANCE': c => c.loss.coherence?.balance,
  'TRAIN.BALANCE_COEFFICIENT': c => c.loss.coherence?.farWeight,
  'TRAIN.POSITION_A': c => c.model.positions?.attenuation,
  'TRAIN.POSITION_B': c => c.model.positions?.weight,
  'DATA.NUM_INPUT_FRAMES': c => c.video?.frames,
  // Rates above 40 mean a frame from each block.
  'DATA.SAMPLING_RATE': (c, published) =>
    c.video?.sampling === 'blocks' && Number(published) > 40 ? published : c.video?.interval,
  'DATA.SAMPLING_MODE': c => (c.video?.sampling === 'segments' ? 'segment_based' : 'interval_based'),
  'DATA.TARGET_FPS': c => c.video?.targetFramesPerSecond,
  'DATA.TRAIN_JITTER_SCALES': c => c.video?.scaled,
  'DATA.TEST_SCALE': (c, published) => (Array.isArray(published) ? c.video?.scaled : c.video?.scaled[1]),
  'DATA.TRAIN_CROP_SIZE': c => c.video?.size,
  'DATA.TEST_CROP_SIZE': c => c.video?.size,
  'DATA.TEST_CENTER_CROP': c => c.video?.test.crops === 1,
  'DATA.MEAN': c => c.video?.normalize.mean,
  'DATA.STD': c => c.video?.normalize.std,
  'TEST.NUM_SPATIAL_CROPS': c => c.video?.test.crops,
  'TEST.NUM_ENSEMBLE_VIEWS': c => c.video?.test.views,
  'AUGMENTATION.COLOR_AUG': c => c.video?.support.colour !== null,
  'AUGMENTATION.SUPPORT_QUERY_DIFF': c => c.video?.query.colour !== null,
  'AUGMENTATION.BRIGHTNESS': c => c.video?.query.colour?.brightness,
  'AUGMENTATION.CONTRAST': c => c.video?.query.colour?.contrast,
  'AUGMENTATION.SATURATION': c => c.video?.query.colour?.saturation,
  'AUGMENTATION.HUE': c => c.video?.query.colour?.hue,
  'AUGMENTATION.GRAYSCALE': c => c.video?.query.colour?.grayscale,
  'AUGMENTATION.RANDOM_ERASING.ENABLE': c => c.video?.query.erase !== null,
  'SOLVER.OPTIM_METHOD': c => c.train.optimizer,
  'SOLVER.MOMENTUM': c => c.train.momentum,
  'SOLVER.NESTEROV': c => c.train.nesterov,
  'SOLVER.BASE_LR': c => c.train.learningRate,
  'SOLVER.WEIGHT_DECAY': c => c.train.weightDecay,
  'SOLVER.LR_POLICY': c => (c.train.schedule.kind === 'steps' ? 'steps_with_relative_lrs' : c.train.schedule.kind),
  'SOLVER.MAX_EPOCH': c => c.train.schedule.epochs,
  'SOLVER.STEPS_ITER': c => c.train.schedule.iterations,
  'SOLVER.STEPS': c => c.train.schedule.steps,
  'SOLVER.LRS': c => c.train.schedule.factors,
  'SOLVER.WARMUP_EPOCHS': c => c.train.schedule.warmupEpochs,
  'SOLVER.WARMUP_START_LR': c => c.train.schedule.warmupFrom,
  'BN.FREEZE': c => c.video?.backbone.norms === 'running',
  'MODEL.EMA.ENABLE': c => c.train.ema !== null,
  RANDOM_SEED: c => c.train.seed,
};

/** Keys that some of the published files leave out, since the code has a default. */
const mayBeAbsent: ReadonlySet<string> = new Set(['TRAIN.POSITION_A', 'TRAIN.POSITION_B']);

const datasets: Readonly<Record<string, string>> = { ssv2_full: 'ssv2-full', ssv2_small: 'ssv2-small' };

/** `ucf101/HyRSMplusplus_UCF101_3shot_v1.yaml` -> `fewshot/ucf101/3-shot`. */
function ownName(file: string): string {
  const found = /^(\w+)\/.*_(\d)shot_v1\.yaml$/.exec(file);
  if (!found) throw new Error(`no configuration is known for ${file}`);
  return `fewshot/${datasets[found[1]] ?? found[1]}/${found[2]}-shot`;
}

function valueAt(tree: Tree, key: string): unknown {
  return key.split('.').reduce<unknown>((value, part) => (isTree(value) ? value[part] : undefined), tree);
}

/** Without what names the user's folders. */
const withoutFolders = ({ data, video, ...rest }: FewshotConfig) => ({
  ...rest,
  data: { ...data, dir: '' },
  video: { ...video, lists: null },
});

const effective = adapterOf('config_effective', async c => {
  const base = await readConfigLayers(await findConfig('fewshot/video'));
  const compared: Compared[] = [];
  for (const [file, published] of Object.entries(c.json as Record<string, Tree>)) {
    const { config } = await loadFewshotConfig(ownName(file));
    for (const [key, read] of Object.entries(live)) {
      const want = valueAt(published, key);
      if (want === undefined && mayBeAbsent.has(key)) continue;
      compared.push(compareStructure(`json.${file}.${key}`, read(config, want), want));
    }
    // And the importer arrives at the same configuration, with nothing left over.
    const imported = importPublished(published, file);
    const own = checkAgainst(fewshotConfig, [...base, { where: file, values: imported.values }]);
    compared.push(compareStructure(`import.${file}`, withoutFolders(own), withoutFolders(config)));
    // As the program itself does it, only what is known to differ does.
    const asRun = checkAgainst(fewshotConfig, [
      ...base,
      { where: file, values: importPublished(published, file, { behaviour: 'published' }).values },
    ]);
    compared.push(compareStructure(`import.${file}.published`, quirks(asRun), quirksOf(published)));
  }
  return compared;
});

/** What differs when the published program is followed to the letter. */
const quirks = ({ train, video, evaluation }: FewshotConfig) => ({
  weightDecay: train.weightDecay,
  groups: train.groups,
  flip: video?.query.flip,
  testFrames: video?.testFrames,
  short: video?.short,
  split: evaluation.split,
  episodes: evaluation.episodes,
});

const quirksOf = (published: Tree) => ({
  weightDecay: valueAt(published, 'OPTIMIZER.WEIGHT_DECAY'),
  groups: 'published',
  flip: 0.5,
  testFrames: 'random',
  short: 'published',
  split: 'test',
  episodes: valueAt(published, 'TRAIN.NUM_TEST_TASKS'),
});

/** Adapters of configurations. */
export const adapters: Adapter[] = [merging, effective];
