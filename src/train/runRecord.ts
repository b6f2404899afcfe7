/** `run.json`: what a run is, what it was started from, and the sessions it was trained in (Node). */
import { join } from 'node:path';
import { z } from 'zod';
import { DataError, exists, readJson, readText, writeFileAtomic } from '../data/index.ts';
import { type DataFingerprint, digestLines, type FileDigests, parseDigestLines } from './dataFingerprint.ts';
import { firstProblem } from './schemaProblem.ts';
import { sha256Schema } from './sha256.ts';

/** The file of a run folder that says what the run is, and what it was started from. */
export const recordFile = 'run.json';

/** The digests of the files that a run read at its beginning, as `sha256sum` prints them. */
export const digestsFile = 'data.sha256';

const count = z.int().nonnegative();
const text = z.string().nullable();

const gitSchema = z
  .object({
    commit: text.describe('Full hash; null before the first commit'),
    branch: text.describe('Null where none is checked out'),
    dirty: z.boolean().describe('Whether files that git knows differed from the commit'),
  })
  .nullable();

const sessionSchema = z.looseObject({
  started: z.iso.datetime().describe('When training began (UTC); never earlier than anything the run recorded before'),
  ended: z.iso
    .datetime()
    .nullable()
    .describe('When training ended (UTC); null while it goes on, or where the process was killed'),
  error: text.describe('The error it ended with, in one line; null where there was none'),
  epoch: count.describe('Epochs done when the session began: 0, or where the run was resumed from'),
  command: z.array(z.string()).nullable().describe('Arguments of the command line; null where another program trained'),
  directory: z.string().describe('The current directory'),
  versions: z.looseObject({ inkling: z.string(), node: z.string(), onnxruntime: z.string(), platform: z.string() }),
  git: z
    .looseObject({ directory: gitSchema, package: gitSchema })
    .describe('Repositories of the current directory and of Inkling itself; null where there is none, or no git'),
  machine: z.looseObject({
    host: z.string(),
    os: z.string(),
    cpu: z.string(),
    cores: count.describe('Cores that this process may use'),
    memory: count.describe('Bytes'),
  }),
  device: z.string(),
  threads: count.nullable().describe('As configured; null: chosen by ONNX Runtime'),
  data: sha256Schema.describe('Fingerprint of the data that this session read, as in data.sha256 of the record'),
});

const runRecordSchema = z.looseObject({
  format: z.literal(1, {
    error: ({ input }) => `expected 1, found ${JSON.stringify(input)} (was it written by a newer Inkling?)`,
  }),
  task: z.string(),
  method: z.string(),
  config: text.optional().describe('The configuration as it was named; null where another program trained'),
  seed: count.optional(),
  classes: z.array(z.string()).min(1).describe('Class names in the order of the columns of the weights'),
  from: text.describe('Absolute path of the run or model whose weights it was started from'),
  imported: z.string().optional().describe('Absolute path of the file that the weights were imported from, where they were'),
  data: z
    .looseObject({
      sha256: sha256Schema.describe(
        'SHA-256 of the file data.sha256: all annotations, lists and features at the beginning of the run',
      ),
      files: count,
      bytes: count,
      train: count.describe('Training videos'),
      test: count.describe('Test videos'),
    })
    .optional(),
  sessions: z.array(sessionSchema).default([]).describe('One for the beginning and one for each time the run was resumed'),
});

/** What `run.json` holds. Keys of later versions are kept when it is rewritten. */
export type RunRecord = z.output<typeof runRecordSchema>;
/** One stretch of training, in one process. */
export type RunSession = z.output<typeof sessionSchema>;

/** The JSON Schema of `run.json`. */
export function runRecordJsonSchema(): object {
  return { ...z.toJSONSchema(runRecordSchema, { io: 'input' }), title: 'run.json of an Inkling run' };
}

/** The record of a run. @throws DataError naming the file, the key, what was expected and what was found. */
export async function readRunRecord(run: string): Promise<RunRecord> {
  const path = join(run, recordFile);
  return parseRunRecord(await readJson(path), path);
}

/** The record of a run from its JSON. @throws DataError naming `where`, the key, what was expected and what was found. */
export function parseRunRecord(json: unknown, where: string): RunRecord {
  const parsed = runRecordSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new DataError(where, firstProblem(parsed.error));
}

/** Writes the record of a run. @throws DataError naming the file if it cannot be written. */
export async function writeRunRecord(run: string, record: RunRecord): Promise<void> {
  await writeFileAtomic(join(run, recordFile), `${JSON.stringify(record, null, 2)}\n`);
}

/** Writes the digests of the files that a run reads. @throws DataError naming the file if it cannot be written. */
export async function writeDigests(run: string, { files }: DataFingerprint): Promise<void> {
  await writeFileAtomic(join(run, digestsFile), digestLines(files));
}

/** The digests of the files that a run read at its beginning; undefined if they are not there. */
export async function readDigests(run: string): Promise<FileDigests | undefined> {
  const path = join(run, digestsFile);
  return (await exists(path)) ? parseDigestLines(await readText(path)) : undefined;
}

/** The latest moment that a run has recorded in its sessions, in milliseconds since 1970. */
export function latestMoment({ sessions }: Pick<RunRecord, 'sessions'>): number {
  const times = sessions.flatMap(({ started, ended }) => [started, ended ?? started]);
  return Math.max(0, ...times.map(time => Date.parse(time)));
}
