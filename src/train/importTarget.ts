/** Where imported weights are written, and how (Node). */

import { readdir, stat } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { DataError, makeFolder, requireNewFile, requireWritable, writeFileAtomic } from '../data/index.ts';
import { saveLast } from './checkpoint.ts';
import { dumpConfig, runConfigFile } from './config.ts';
import { type Model, modelMetadata, writeModel } from './model.ts';
import { writeRunRecord } from './runRecord.ts';
import { kindOf } from './tasks.ts';

/** Endings of weights that are read and not written. */
const foreignEndings = new Set(['.pth', '.pt', '.pyth', '.pkl', '.ckpt', '.tar', '.npz', '.npy', '.onnx']);

/**
 * Refuses a place that must not or cannot be written to, before long work.
 * @returns whether the model becomes a run folder, or (`.safetensors`) a file
 * @throws DataError for a folder that holds something; a file that exists, unless `force` allows to replace it; the ending of another format
 */
export async function checkTarget(to: string, force: boolean): Promise<'run' | 'file'> {
  const ending = extname(to).toLowerCase();
  if (ending === '.safetensors') {
    await requireNewFile(to, force);
    return 'file';
  }
  const found = await stat(to).catch(() => undefined);
  if (!found && foreignEndings.has(ending))
    throw new DataError(to, `expected a new run folder, or a file ending in .safetensors, found the ending ${ending}`);
  if (found && !found.isDirectory())
    throw new DataError(to, 'expected a new run folder, or a file ending in .safetensors, found another file');
  const files = found ? await readdir(to) : [];
  if (files.length > 0) throw new DataError(to, `expected a new or empty folder, found ${files.length} files`);
  await requireWritable(to);
  return 'run';
}

/** Writes a model that fits ({@link mustFit}) as one file, or as a run that stands before its first epoch; `predict` and `train --from` take both. */
export async function writeImported(
  to: string,
  as: 'run' | 'file',
  { params, classes, config }: Omit<Model, 'source'>,
  source: string,
): Promise<void> {
  if (as === 'file') return writeModel(to, { params, classes, config });
  await makeFolder(to);
  const optimizer = kindOf(config).optimizer(config).init(params);
  await saveLast(to, { epoch: 0, params, optimizer }, modelMetadata({ classes, config }));
  await writeModel(join(to, 'model.safetensors'), { params, classes, config });
  const { task, method } = config;
  await writeRunRecord(to, {
    format: 1,
    task,
    method,
    classes: [...classes],
    from: null,
    imported: resolve(source),
    sessions: [],
  });
  // Last, for it is what makes a folder a run.
  await writeFileAtomic(join(to, runConfigFile), dumpConfig(config));
}
