/** `inspect` of a configuration: the layers of its model. */

import { showShape } from '../engine/ndarray.ts';
import { episodesPerStep, type FewshotConfig, lossTerms, testEpisodes, trainingEpisodes } from '../fewshot/config.ts';
import { headSettings } from '../fewshot/headSettings.ts';
import { fewshotStepFlops, fewshotSummary } from '../fewshot/modelSummary.ts';
import type { LocalizationConfig } from '../localization/config.ts';
import { modelSummary, trainingStepFlops } from '../localization/modelSummary.ts';
import type { Flops, NetworkSummary } from '../nn/networkSummary.ts';
import { networkOptions, type OpensetConfig } from '../openset/config.ts';
import { recognizerStepFlops, recognizerSummary } from '../openset/modelSummary.ts';
import { classCountOf } from '../train/classCount.ts';
import { type Config, loadConfig } from '../train/config.ts';
import { alignColumns, printJson, printLines } from './output.ts';
import { bytesText, countText, flopsText } from './units.ts';

/** Options of `inspect` that a configuration takes. */
export interface InspectConfigOptions {
  readonly set?: readonly string[];
  readonly classes?: number;
  readonly batch?: number;
  readonly time?: number;
  readonly train?: boolean;
  readonly json?: boolean;
}

/** What is printed of a configuration of any task. */
interface Inspected {
  /** What goes in, in words. */
  readonly input: string;
  readonly summary: NetworkSummary;
  /** With `--train`: how large the step is, in numbers and in words, and what it takes. */
  readonly step?: { readonly sizes: Readonly<Record<string, number>>; readonly text: string; readonly flops: Flops };
}

/** Prints layers, parameters, output shapes and operations of the model of a configuration (a name or a file). */
export async function inspectConfig(name: string, options: InspectConfigOptions): Promise<void> {
  const { config } = await loadConfig(name, { sets: options.set });
  const classes = options.classes === undefined ? await classCountOf(config) : { count: options.classes, from: '--classes' };
  const { input, summary, step } = inspected(config, classes.count, options);
  if (options.json) {
    const training = step && { ...step.sizes, ...step.flops };
    printJson({ config: name, task: config.task, method: config.method, classes: classes.count, ...summary, training });
    return;
  }
  printLines([
    `${config.method}, ${classes.count} classes (${classes.from}), ${input} ${showShape(summary.input)} -> ${outputsText(summary)}`,
    '',
    ...layerTable(summary),
    '',
    `parameters           ${countText(summary.parameters)} (${bytesText(summary.parameterBytes)} as float32)`,
    `largest activation   ${showShape(summary.largestActivation.shape)} (${bytesText(summary.largestActivation.bytes)})`,
    `inference            ${flopsLine(summary)}`,
    ...(step ? [`training step        ${flopsLine(step.flops)}: forward and backward of ${step.text}`] : []),
    '',
    ...notes(summary),
  ]);
}

function inspected(config: Config, classes: number, options: InspectConfigOptions): Inspected {
  switch (config.task) {
    case 'localization':
      return localizer(config, classes, options);
    case 'openset':
      return recogniser(config, classes, options);
    case 'fewshot':
      return learner(config, classes, options);
  }
}

function localizer(config: LocalizationConfig, classes: number, options: InspectConfigOptions): Inspected {
  const time = options.time ?? config.data.samples;
  const summary = modelSummary(config, { classes, batch: options.batch ?? 1, time });
  if (!options.train) return { input: 'features', summary };
  const batch = options.batch ?? config.train.batchSize;
  const flops = trainingStepFlops(config, { classes, batch, time });
  return { input: 'features', summary, step: { sizes: { batch, time }, text: stepText(config, batch), flops } };
}

function recogniser(config: OpensetConfig, classes: number, options: InspectConfigOptions): Inspected {
  if (options.time !== undefined) throw new Error('--time goes with localisation; clips of open-set recognition are one row');
  const { video } = config;
  const { head, backbone } = networkOptions(config, classes);
  const network = { head, ...(backbone && video && { backbone: { ...backbone, size: video.size } }) };
  const input = video ? 'clips' : 'features';
  const summary = recognizerSummary({ ...network, batch: options.batch ?? 1 });
  if (!options.train) return { input, summary };
  const batch = (options.batch ?? config.train.batchSize) * (video?.training.clips ?? 1);
  return {
    input,
    summary,
    step: { sizes: { batch }, text: `${batch} clips`, flops: recognizerStepFlops({ ...network, batch }) },
  };
}

function learner(config: FewshotConfig, classes: number, options: InspectConfigOptions): Inspected {
  if (options.time !== undefined)
    throw new Error('--time goes with localisation; clips of few-shot recognition have model.frames');
  if (config.video) throw new Error('video: expected null, since the layers of a few-shot head on features are shown');
  const { frames, featureDim } = config.model;
  const head = headSettings(config, classes);
  const sizes = { head, frames, featureDim };
  const summary = fewshotSummary({ ...sizes, form: testEpisodes(config), batch: options.batch ?? 1 });
  if (!options.train) return { input: 'features of an episode', summary };
  const batch = options.batch ?? episodesPerStep(config);
  const flops = fewshotStepFlops({ ...sizes, form: trainingEpisodes(config), batch, loss: lossTerms(config) });
  return { input: 'features of an episode', summary, step: { sizes: { batch }, text: `${batch} episodes`, flops } };
}

function outputsText({ outputs }: NetworkSummary): string {
  return Object.entries(outputs)
    .map(([name, shape]) => `${name} ${showShape(shape)}`)
    .join(', ');
}

function layerTable({ layers, other, parameters, flops, directFlops }: NetworkSummary): string[] {
  const row = (name: string, count: number | undefined, output: string, cost: Flops) => [
    name,
    count === undefined ? '' : countText(count),
    output,
    flopsText(cost.flops),
    flopsText(cost.directFlops),
  ];
  const rows = [
    ['layer', 'parameters', 'output', 'FLOPs', 'direct'],
    ...layers.map(({ name, count, output, ...cost }) => row(name, count, output ? showShape(output) : 'not used', cost)),
    row(`other (${other.ops.slice(0, 3).join(', ')}${other.ops.length > 3 ? ', …' : ''})`, undefined, '', other),
    row('total', parameters, '', { flops, directFlops }),
  ];
  return alignColumns(flops === directFlops ? rows.map(cells => cells.slice(0, -1)) : rows);
}

function flopsLine({ flops, directFlops }: Flops): string {
  return `${flopsText(flops)}FLOPs${flops === directFlops ? '' : ` (${flopsText(directFlops)}FLOPs as direct convolutions)`}`;
}

function stepText({ loss }: LocalizationConfig, batch: number): string {
  if (loss.sequence.terms === 'pairs') return `${batch} pairs of videos`;
  return `${batch} videos${loss.sequence.terms === 'in-batch' ? ' with their pairs' : ''}`;
}

function notes({ layers, flops, directFlops }: NetworkSummary): string[] {
  const unused = layers.filter(({ output }) => output === undefined).map(({ name }) => name);
  return [
    `FLOPs are counted from the traced graph as it is executed, a multiply-add as 2${
      flops === directFlops ? '' : '; direct: with every convolution as plain sums of products, as papers count'
    }.`,
    ...(unused.length > 0 ? [`${unused.join(', ')}: used in training only.`] : []),
  ];
}
