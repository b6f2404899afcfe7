import { extname } from 'node:path';
import { Command, Option } from 'commander';
import type { Device } from '../engine/index.ts';
import type { ExportedModel } from '../train/exportedModel.ts';
import type { Model } from '../train/model.ts';
import type { FeatureInput } from '../train/predict.ts';
import { withAllocator } from './allocator.ts';
import { deviceOption, parseCount, parseFraction } from './arguments.ts';
import { parsePositive } from './backboneOptions.ts';

/** Options of `predict` as they are given. */
export interface PredictOptions {
  readonly checkpoint?: 'last' | 'best';
  readonly device?: Device;
  readonly threads?: number;
  readonly accept?: number;
  readonly top?: number;
  readonly threshold?: number;
  readonly alignment?: string;
  readonly backbone?: string;
  readonly out?: string;
  readonly json?: boolean;
}

/** Says what a model finds in inputs. */
export type Prediction = (
  model: Model | ExportedModel,
  inputs: readonly FeatureInput[],
  options: PredictOptions,
) => Promise<void>;

/** Options that only recognisers have. */
const recognitionOptions = ['accept', 'top'] as const;

/** Options that only recognisers of `teach` have, and those that they lack. */
const taughtOptions = ['threshold', 'alignment', 'backbone'] as const;
const untaughtOptions = ['accept', 'checkpoint'] as const;

/** `inkling predict`: what a model finds in feature files, or in videos where it reads these. */
export function predictCommand(): Command {
  return new Command('predict')
    .description(
      'find actions in feature files (localisation), or name the class of each clip or video, or "never seen" (open-set recognition), or "none of these" (recognisers of teach)',
    )
    .argument('<model>', 'a run folder, a model file (.safetensors, or .onnx from export), or a recogniser of teach')
    .argument(
      '<inputs...>',
      'feature files (.npy, .npz), folders of them (also with rgb/ and flow/ inside), or lists (.txt, a path a line); videos for a model of videos',
    )
    .addOption(new Option('--checkpoint <name>', 'which weights of a run (default: those it selected)').choices(['last', 'best']))
    .addOption(deviceOption())
    .option('--threads <n>', 'threads within one operation', parseCount)
    .option(
      '--accept <rate>',
      'open-set: the fraction of training clips that the threshold accepts (default: 0.95)',
      parseFraction,
    )
    .option('--top <n>', 'open-set, taught: how many classes to name for each clip (default: 1)', parseCount)
    .option(
      '--threshold <distance>',
      'taught: farther than this is none of the classes (default: what teach found)',
      parsePositive,
    )
    .option(
      '--alignment <file>',
      'taught: a picture (.svg) of how the frames of a clip and of its nearest support match; one for each of several clips',
    )
    .option('--backbone <model.onnx>', 'taught: where the backbone is, if it was moved')
    .option('--out <file>', 'write the result to a file: detections as ActivityNet-style JSON, or what --json prints')
    .option('--json', 'print one JSON object; with --out how much there is in the file')
    .addHelpText(
      'after',
      `
Example:
  $ inkling predict runs/phase2 features/video1.npy --out detections.json
  $ inkling predict runs/gym-i3d-psl-0 new/*.npy --accept 0.9 --top 3
  $ inkling predict runs/mine my-video.mp4
  $ inkling predict moves.safetensors my-video.mp4 --alignment match.svg`,
    )
    .action((model: string, inputs: string[], options: PredictOptions) =>
      withAllocator(() => runPredict(model, inputs, options)),
    );
}

async function runPredict(modelPath: string, inputs: readonly string[], options: PredictOptions): Promise<void> {
  const { out, checkpoint } = options;
  if (out !== undefined) await (await import('../data/files.ts')).requireWritableFile(out);
  const given = (names: readonly (keyof PredictOptions)[]) => names.find(name => options[name] !== undefined);
  if (extname(modelPath).toLowerCase() === '.safetensors') {
    const { isTaughtFile } = await import('../train/teach.ts');
    if (await isTaughtFile(modelPath)) {
      const other = given(untaughtOptions);
      if (other !== undefined) throw new Error(`--${other} does not go with a recogniser of teach, which ${modelPath} is`);
      await (await import('./predictTaught.ts')).predictTaught(modelPath, inputs, options);
      return;
    }
  }
  const taughtOnly = given(taughtOptions);
  if (taughtOnly !== undefined) throw new Error(`--${taughtOnly} goes with a recogniser of teach; ${modelPath} is none`);
  const { loadModel } = await import('../train/model.ts');
  const { loadExportedModel } = await import('../train/exportedModel.ts');
  const isOnnx = extname(modelPath).toLowerCase() === '.onnx';
  const model = isOnnx ? await loadExportedModel(modelPath) : await loadModel(modelPath, checkpoint);
  const strange = recognitionOptions.find(name => options[name] !== undefined);
  if (model.config.task === 'localization' && strange !== undefined)
    throw new Error(`--${strange} goes with open-set models; ${modelPath} is one of localization`);
  const { featureInputs, videoInputs } = await import('./featureInputs.ts');
  const readsVideo = model.config.task === 'openset' && model.config.video !== null;
  const files = await (readsVideo ? videoInputs(inputs) : featureInputs(inputs));
  const predict = await predictions[model.config.task]();
  await predict(model, files, options);
}

/** How each task predicts; loaded when it is needed. */
const predictions: { readonly [T in Model['config']['task']]: () => Promise<Prediction> } = {
  localization: async () => (await import('./predictDetections.ts')).predictDetections,
  openset: async () => (await import('./predictClasses.ts')).predictClasses,
  fewshot: async () => model => {
    throw new Error(`${model.source}: a few-shot model names classes that are shown to it: inkling test judges it on episodes`);
  },
};
