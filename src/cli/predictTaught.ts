/** `predict` of recognisers that `teach` made. */
import { basename, extname } from 'node:path';
import type { Taught } from '../fewshot/taught.ts';
import type { TaughtRecognition } from '../train/teach.ts';
import { percent, printJson, printLines } from './output.ts';
import type { PredictOptions } from './predict.ts';
import { distanceText, rejectionLines } from './taughtText.ts';
import { padLeft, padRight, textWidth } from './textWidth.ts';

/** Prints the class of each clip, its distance, and whether it is none of the classes; or writes it to a file. Pictures of the matches if asked for. */
export async function predictTaught(path: string, inputs: readonly string[], options: PredictOptions): Promise<void> {
  const { out, json, device, threads, threshold, alignment, backbone, top } = options;
  const { writeFileAtomic, requireWritableFile } = await import('../data/files.ts');
  const { consoleReporter } = await import('../train/reporter.ts');
  const { loadTaught, recognizeTaught } = await import('../train/teach.ts');
  const { clipInputs } = await import('./clipInputs.ts');
  const taught = await loadTaught(path);
  const files = await clipInputs(inputs, taught.backbone !== null);
  if (alignment !== undefined) await requireWritableFile(alignment);
  const asked = { threshold, backbone, device, threads, reporter: consoleReporter() };
  const { clips, failures } = await recognizeTaught(taught, files, asked);
  const { rejection, metric, classDistance } = taught;
  const supports = classDistance === 'mean' ? 'mean over the clips of a class' : 'to the nearest clip of a class';
  const limit = threshold ?? rejection.threshold;
  const result = {
    model: path,
    recogniser: taught.name,
    metric,
    classDistance,
    threshold: { value: limit, source: threshold === undefined ? rejection.source : 'given' },
    clips: clips.map(({ input, classes, isUnknown, match }) => ({
      input,
      classes: top === undefined ? classes : classes.slice(0, top),
      unknown: isUnknown,
      nearest: { support: taught.supports[match.support].file, distance: match.distance },
    })),
    ...(failures.length > 0 && { failures }),
  };
  for (const { problem } of failures) console.error(`error: ${problem}`);
  if (failures.length > 0) process.exitCode = 1;
  const pictures = alignment === undefined ? [] : await alignments(taught, clips, alignment);
  for (const { file, svg } of pictures) await writeFileAtomic(file, svg);
  const unknown = clips.filter(({ isUnknown }) => isUnknown).length;
  const count = `${clips.length} clip${clips.length === 1 ? '' : 's'}, ${unknown} none of the classes`;
  if (out !== undefined) {
    await writeFileAtomic(out, `${JSON.stringify(result)}\n`);
    if (json) printJson({ file: out, clips: clips.length, unknown });
    else printLines([`${out}: ${count}`]);
    return;
  }
  if (json) {
    printJson({ ...result, ...(pictures.length > 0 && { alignments: pictures.map(({ file }) => file) }) });
    return;
  }
  if (clips.length === 0) return;
  printLines([
    ...table(clips, top ?? 1),
    '',
    `distance: ${metric}, ${supports}; probability: softmax of minus the distances`,
    ...(threshold === undefined ? rejectionLines(rejection) : [`none of these: farther than ${distanceText(limit)}, as given`]),
    ...pictures.map(({ file }) => `${file}: how the frames match`),
    count,
  ]);
}

/** A picture for each clip: of its name, where there are several. */
async function alignments(
  { metric, supports, classes }: Taught,
  clips: readonly TaughtRecognition[],
  path: string,
): Promise<{ file: string; svg: string }[]> {
  const { pairWeights } = await import('../fewshot/pairWeights.ts');
  const { alignmentPlot } = await import('../report/alignmentPlot.ts');
  const ending = extname(path);
  const stem = path.slice(0, path.length - ending.length);
  const names = clips.map(({ input }) => basename(input, extname(input)));
  return clips.map(({ input, match, isUnknown }, i) => {
    const { file, label, sequence } = supports[match.support];
    const columns = sequence.frames;
    const rows = match.frameDistances.length / columns;
    const verdict = isUnknown ? 'none of the classes; nearest' : 'recognised as';
    const repeated = names.filter(name => name === names[i]).length > 1;
    return {
      file: clips.length === 1 ? path : `${stem}.${names[i]}${repeated ? `.${i + 1}` : ''}${ending}`,
      svg: alignmentPlot({
        title: `${basename(input)}: ${verdict} ${classes[label]} (${metric} ${distanceText(match.distance)})`,
        query: `frames of ${basename(input)}`,
        support: `frames of ${basename(file)}, the nearest of ${classes[label]}`,
        distances: match.frameDistances,
        weights: pairWeights(metric, match.frameDistances, rows, columns),
        ...{ rows, columns },
        circles: `circles: the pairs that make up ${metric}, by how much they count`,
      }),
    };
  });
}

/** One row a clip, with a further line for each further class. */
function table(clips: readonly TaughtRecognition[], top: number): string[] {
  const rows = [
    ['input', 'class', 'distance', 'probability', 'verdict'],
    ...clips.flatMap(({ input, classes, isUnknown }) =>
      classes
        .slice(0, top)
        .map(({ label, distance, probability }, i) => [
          i === 0 ? input : '',
          label,
          distanceText(distance),
          `${percent(probability)} %`,
          i > 0 ? '' : isUnknown ? 'NONE OF THESE' : 'known',
        ]),
    ),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map(row => textWidth(row[column]))));
  const isNumber = (column: number): boolean => column === 2 || column === 3;
  return rows.map(row =>
    row
      .map((cell, column) => (isNumber(column) ? padLeft(cell, widths[column]) : padRight(cell, widths[column])))
      .join('  ')
      .trimEnd(),
  );
}
