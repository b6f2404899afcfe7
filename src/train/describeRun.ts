/** What a run folder holds, in short (Node). */

import { join } from 'node:path';
import { describeFile } from '../data/describe/describeFile.ts';
import type { Description, Entry } from '../data/describe/description.ts';
import { readBytes } from '../data/files.ts';
import { type CheckpointName, readPointer, selectedCheckpoint } from './checkpoint.ts';
import { loadRunConfig } from './config.ts';

/**
 * Describes a run folder: what was trained on what, how far it is, and the weights of its checkpoint.
 * @throws Error naming the folder if it is no run; DataError for damaged files
 */
export async function describeRun(run: string): Promise<Description> {
  const { task, method, data, train } = await loadRunConfig(run);
  const names: readonly CheckpointName[] = ['last', 'best'];
  const pointers = await Promise.all(names.map(async name => ({ name, pointer: await readPointer(run, name) })));
  const facts: Record<string, string | number> = { task, method, data: data.dir, epochs: train.epochs };
  for (const { name, pointer } of pointers) {
    if (!pointer) continue;
    const { epoch, metric, value, weights } = pointer;
    const measured = metric === undefined || value === undefined ? '' : `, ${metric} ${(100 * value).toFixed(2)} %`;
    facts[`${name} checkpoint`] = `${epoch} epochs${measured} (checkpoints/${weights})`;
  }
  const selected = await selectedCheckpoint(run);
  const chosen = pointers.find(({ name }) => name === selected)?.pointer;
  if (!chosen) return { format: 'run without a checkpoint', bytes: 0, facts, entries: [] };
  const path = join(run, 'checkpoints', chosen.weights);
  const weights = describeFile(await readBytes(path), path);
  const entries: readonly Entry[] = [{ kind: 'group', name: selected, what: 'weights', entries: weights.entries }];
  return { format: 'run', bytes: weights.bytes, facts: { ...facts, ...weights.facts }, entries };
}
