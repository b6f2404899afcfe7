/** The line that an epoch leaves in `metrics.jsonl`, and the numbers in it by name. */
import { z } from 'zod';
import { firstProblem } from './schemaProblem.ts';

/** JSON has no NaN or infinity and holds null in their place. */
const measured = z
  .number()
  .nullable()
  .transform(value => value ?? Number.NaN);
const measurements = z.record(z.string(), measured);
const count = z.int().nonnegative();

/** A line of `metrics.jsonl`. Files of older versions lack the keys that are optional here, but for `test` and what goes with it. */
export const epochRecordSchema = z.object({
  epoch: z.int().positive().describe('The epoch, from 1'),
  step: count.describe('Optimiser steps since the run began; steps that were not finite are skipped and not counted'),
  steps: count.optional().describe('Batches of the epoch, skipped ones included'),
  samples: count.optional().describe('Samples of the epoch: videos, or pairs of videos (phase 2)'),
  learningRate: z.number(),
  seconds: z.number().nonnegative().describe('Duration of the training steps, in seconds'),
  waitSeconds: z.number().nonnegative().optional().describe('Part of seconds in which steps waited for their batches'),
  train: measurements.describe(
    'Pieces of the loss as means over the batches (unweighted: a short last batch counts like a full one), the training accuracy, and ' +
      'the number of skipped steps where there are any; null where a number is not finite',
  ),
  test: measurements.optional().describe('Metrics of the test after the epoch, in fractions; absent where there was none'),
  primary: z.string().optional().describe('The metric in test that best is decided by; larger is better'),
  testSeconds: z.number().nonnegative().optional().describe('Duration of the test, in seconds'),
  time: z.iso.datetime().optional().describe('When the epoch was over (UTC); never earlier than that of a line before'),
});

/** One line of `metrics.jsonl`. */
export type EpochRecord = Readonly<z.output<typeof epochRecordSchema>>;

/** The JSON Schema of a line of `metrics.jsonl`. */
export function epochRecordJsonSchema(): object {
  return { ...z.toJSONSchema(epochRecordSchema, { io: 'input' }), title: 'One line of metrics.jsonl of an Inkling run' };
}

/**
 * The numbers of an epoch by name: `train/total`, `test/mAP@0.5`, `learningRate`, `throughput/samples-per-second`, … The names are the
 * tags of TensorBoard, and what `inkling runs --metric` takes.
 */
export function epochScalars({ train, test = {}, learningRate, seconds, samples, steps }: EpochRecord): Record<string, number> {
  const grouped = (group: string, values: Readonly<Record<string, number>>) =>
    Object.entries(values).map(([name, value]) => [`${group}/${name}`, value] as const);
  const rate = (name: string, done: number | undefined) =>
    done === undefined || seconds === 0 ? [] : [[`throughput/${name}-per-second`, done / seconds] as const];
  return Object.fromEntries([
    ...grouped('test', test),
    ...grouped('train', train),
    ['learningRate', learningRate],
    ...rate('samples', samples),
    ...rate('steps', steps),
  ]);
}

/**
 * Reads the lines of a `metrics.jsonl`. A line that is damaged is left out and told of.
 * @param where the file's name, for messages
 */
export function parseEpochRecords(text: string, where: string): { records: EpochRecord[]; problems: string[] } {
  const records: EpochRecord[] = [];
  const problems: string[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    if (line === '') continue;
    const json = jsonOf(line);
    const parsed = epochRecordSchema.safeParse(json);
    if (parsed.success) records.push(parsed.data);
    else {
      const detail = json === undefined ? '' : ` (${firstProblem(parsed.error)})`;
      problems.push(
        `${where}: line ${i + 1}: expected the record of an epoch, found ${JSON.stringify(line.slice(0, 40))}${detail}`,
      );
    }
  }
  return { records, problems };
}

/** A decoder's mark for bytes that are no UTF-8 is in no record. */
function jsonOf(line: string): unknown {
  if (line.includes('\ufffd')) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
