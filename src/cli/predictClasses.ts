/** `predict` of open-set models. */
import { type Recognized, recognizeFiles } from '../train/recognize.ts';
import { consoleReporter } from '../train/reporter.ts';
import { percent, printJson, printLines } from './output.ts';
import type { Prediction } from './predict.ts';
import { padLeft, padRight, textWidth } from './textWidth.ts';

/** Prints the class of each clip, how sure that is, and whether it is a class that training never saw; or writes it to a file. */
export const predictClasses: Prediction = async (model, inputs, { out, json, device, threads, accept, top }) => {
  const options = { reporter: consoleReporter(), device, threads, accept, top };
  const { threshold, measure, clips, failures } = await recognizeFiles(model, inputs, options);
  const result = {
    model: model.source,
    uncertainty: measure,
    threshold: { value: threshold.value ?? null, rule: threshold.rule },
    clips: clips.map(({ isUnknown, ...clip }) => ({ ...clip, unknown: isUnknown ?? null })),
    ...(failures.length > 0 && { failures }),
  };
  for (const { problem } of failures) console.error(`error: ${problem}`);
  if (failures.length > 0) process.exitCode = 1;
  const unknown = clips.filter(({ isUnknown }) => isUnknown).length;
  if (out !== undefined) {
    const { writeFileAtomic } = await import('../data/files.ts');
    await writeFileAtomic(out, `${JSON.stringify(result)}\n`);
    if (json) printJson({ file: out, clips: clips.length, unknown: threshold.value === undefined ? null : unknown });
    else printLines([`${out}: ${countText(clips.length, unknown, threshold.value)}`]);
    return;
  }
  if (json) {
    printJson(result);
    return;
  }
  const { value, rule } = threshold;
  printLines([
    ...(clips.length > 0 ? table(clips) : []),
    '',
    `uncertainty: ${measure}`,
    `threshold: ${value === undefined ? rule : `${number(value)}, which ${rule} (--accept RATE chooses another)`}`,
    countText(clips.length, unknown, value),
  ]);
};

function countText(clips: number, unknown: number, threshold: number | undefined): string {
  const count = `${clips} clip${clips === 1 ? '' : 's'}`;
  return threshold === undefined ? count : `${count}, ${unknown} unknown`;
}

/** One row a clip, with a further line for each further class. */
function table(clips: readonly Recognized[]): string[] {
  const rows = [
    ['input', 'class', 'probability', 'uncertainty', 'verdict'],
    ...clips.flatMap(({ input, classes: [best, ...others], uncertainty, isUnknown }) => [
      [input, best.label, `${percent(best.probability)} %`, number(uncertainty), verdict(isUnknown)],
      ...others.map(({ label, probability }) => ['', label, `${percent(probability)} %`, '', '']),
    ]),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map(row => textWidth(row[column]))));
  const isNumber = (column: number) => column === 2 || column === 3;
  return rows.map(row =>
    row
      .map((cell, column) => (isNumber(column) ? padLeft(cell, widths[column]) : padRight(cell, widths[column])))
      .join('  ')
      .trimEnd(),
  );
}

const number = (value: number): string => value.toPrecision(4);

function verdict(isUnknown: boolean | undefined): string {
  if (isUnknown === undefined) return '-';
  return isUnknown ? 'UNKNOWN' : 'known';
}
