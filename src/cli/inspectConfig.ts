/** `inspect` of a configuration: the layers of its model. */

import { showShape } from '../engine/ndarray.ts';
import type { LocalizationConfig } from '../localization/config.ts';
import type { Flops, ModelSummary } from '../localization/modelSummary.ts';
import { modelSummary, trainingStepFlops } from '../localization/modelSummary.ts';
import { classCountOf } from '../train/classCount.ts';
import { loadLocalizationConfig } from '../train/config.ts';
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

/** Prints layers, parameters, output shapes and operations of the model of a configuration (a name or a file). */
export async function inspectConfig(name: string, options: InspectConfigOptions): Promise<void> {
  const { config } = await loadLocalizationConfig(name, { sets: options.set });
  const classes = options.classes === undefined ? await classCountOf(config) : { count: options.classes, from: '--classes' };
  const time = options.time ?? config.data.samples;
  const batch = options.batch ?? 1;
  const summary = modelSummary(config, { classes: classes.count, batch, time });
  const trainBatch = options.batch ?? config.train.batchSize;
  const step = options.train ? trainingStepFlops(config, { classes: classes.count, batch: trainBatch, time }) : undefined;
  if (options.json) {
    const training = step && { batch: trainBatch, time, ...step };
    printJson({ config: name, task: config.task, method: config.method, classes: classes.count, ...summary, training });
    return;
  }
  printLines([
    `${config.method}, ${classes.count} classes (${classes.from}), features ${showShape(summary.input)} -> ${outputsText(summary)}`,
    '',
    ...layerTable(summary),
    '',
    `parameters           ${countText(summary.parameters)} (${bytesText(summary.parameterBytes)} as float32)`,
    `largest activation   ${showShape(summary.largestActivation.shape)} (${bytesText(summary.largestActivation.bytes)})`,
    `inference            ${flopsLine(summary)}`,
    ...(step ? [`training step        ${flopsLine(step)}: forward and backward of ${stepText(config, trainBatch)}`] : []),
    '',
    ...notes(summary),
  ]);
}

function outputsText({ outputs }: ModelSummary): string {
  return Object.entries(outputs)
    .map(([name, shape]) => `${name} ${showShape(shape)}`)
    .join(', ');
}

function layerTable({ layers, other, parameters, flops, directFlops }: ModelSummary): string[] {
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

function notes({ layers, flops, directFlops }: ModelSummary): string[] {
  const unused = layers.filter(({ output }) => output === undefined).map(({ name }) => name);
  return [
    `FLOPs are counted from the traced graph as it is executed, a multiply-add as 2${
      flops === directFlops ? '' : '; direct: with every convolution as plain sums of products, as papers count'
    }.`,
    ...(unused.length > 0 ? [`${unused.join(', ')}: used in training only.`] : []),
  ];
}
