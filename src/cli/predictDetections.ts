/** `predict` of localisers. */
import { detectionsJson } from '../localization/detections.ts';
import { predictFiles } from '../train/predict.ts';
import { consoleReporter } from '../train/reporter.ts';
import { printJson, printLines } from './output.ts';
import type { Prediction } from './predict.ts';

/** Prints the detections in each video, the surest first, or writes them to a file. */
export const predictDetections: Prediction = async (model, inputs, { out, json, device, threads }) => {
  const found = await predictFiles(model, inputs, { reporter: consoleReporter(), device, threads });
  const result = detectionsJson(found);
  const count = [...found.values()].reduce((sum, detections) => sum + detections.length, 0);
  if (out !== undefined) {
    const { writeFileAtomic } = await import('../data/files.ts');
    await writeFileAtomic(out, `${JSON.stringify(result)}\n`);
    if (json) printJson({ file: out, videos: found.size, detections: count });
    else printLines([`${out}: ${count} detection${count === 1 ? '' : 's'} in ${found.size} video${found.size === 1 ? '' : 's'}`]);
    return;
  }
  if (json) {
    printJson({ ...result });
    return;
  }
  printLines(
    [...found].flatMap(([video, detections]) =>
      detections
        .toSorted((a, b) => b.score - a.score)
        .map(
          ({ label, score, segment }) =>
            `${video}\t${segment.map(time => time.toFixed(2)).join('\t')}\t${label}\t${score.toFixed(4)}`,
        ),
    ),
  );
};
