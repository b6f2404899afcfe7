/** Checkpoints of a run (Node): weights under their published names, the optimiser's state beside them, and which one counts. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError, makeFolder, parseSafetensors, readBytes } from '../data/index.ts';
import type { NDArray } from '../engine/index.ts';
import type { OptimizerState, Params } from '../nn/index.ts';
import {
  checkpointFolder,
  isThere,
  type Pointer,
  type PointerName,
  pointerPath,
  readPointer,
  readTensors,
  writePointer,
  writeTensors,
} from './pointer.ts';
import { consoleReporter, type Reporter } from './reporter.ts';

export { type Pointer, readPointer } from './pointer.ts';

/** Which checkpoint to use: the newest, or the best one of an evaluation. */
export type CheckpointName = 'last' | 'best';

/** Where training stands. */
export interface TrainingState {
  /** Epochs done. */
  readonly epoch: number;
  readonly params: Params;
  readonly optimizer: OptimizerState;
}

/** Takes what a user must know of a checkpoint that was damaged. */
export type Warner = Pick<Reporter, 'warn'>;

const fileName = (epoch: number, kind: string): string => `epoch-${String(epoch).padStart(4, '0')}${kind}.safetensors`;
const optimizerFile = ({ epoch, optimizer }: Pick<Pointer, 'epoch' | 'optimizer'>): string =>
  optimizer ?? fileName(epoch, '.optimizer');

/**
 * Saves where training stands as `last`; the checkpoint that was `last` becomes `previous`. Files of one moment have the moment's name
 * and the pointers are written after them, so a kill at any point leaves the old checkpoint or the new one. Files that no pointer
 * names are then removed.
 * @param metadata what the weights file says of itself (task, classes, …).
 * @throws DataError naming a file that cannot be written; the checkpoints are then as they were.
 */
export async function saveLast(
  run: string,
  { epoch, params, optimizer }: TrainingState,
  metadata: Readonly<Record<string, string>>,
): Promise<void> {
  await tidyOnError(run, async () => {
    const pointer = await writeWeights(run, epoch, params, metadata);
    const state = fileName(epoch, '.optimizer');
    const slots: Record<string, NDArray> = {};
    for (const [slot, arrays] of Object.entries(optimizer.slots))
      for (const [name, array] of Object.entries(arrays)) slots[`${slot}/${name}`] = array;
    const written = await writeTensors(join(checkpointFolder(run), state), slots, { step: String(optimizer.step) });
    // A run that fell back comes again to the epoch of a damaged `last`, which then is no earlier checkpoint.
    const before = await readPointer(run, 'last').catch(ignoreDamage);
    if (before && before.epoch < epoch) await writePointer(run, 'previous', before);
    await writePointer(run, 'last', { ...pointer, optimizer: state, files: { ...pointer.files, [state]: written } });
  });
  await removeUnnamed(run);
}

/** Lets `best` point at the weights of an epoch. */
export async function saveBest(
  run: string,
  { epoch, params }: Pick<TrainingState, 'epoch' | 'params'>,
  metadata: Readonly<Record<string, string>>,
  metric: string,
  value: number,
): Promise<void> {
  await tidyOnError(run, async () => {
    await writePointer(run, 'best', { ...(await writeWeights(run, epoch, params, metadata)), metric, value });
  });
}

/** Writes a checkpoint. Where that fails, what was written of it is removed, for where a disk is full it would be in the way. */
async function tidyOnError(run: string, write: () => Promise<void>): Promise<void> {
  await makeFolder(checkpointFolder(run));
  try {
    await write();
  } catch (thrown) {
    await removeUnnamed(run).catch(() => {}); // the first error is the one to tell
    throw thrown;
  }
}

/** Writes the weights; gives a pointer at them. */
async function writeWeights(
  run: string,
  epoch: number,
  params: Params,
  metadata: Readonly<Record<string, string>>,
): Promise<Pointer> {
  const weights = fileName(epoch, '');
  const content = await writeTensors(join(checkpointFolder(run), weights), params, { ...metadata, epoch: String(epoch) });
  return { epoch, weights, files: { [weights]: content } };
}

const pointerNames = ['last', 'previous', 'best'] as const satisfies readonly PointerName[];

/**
 * Removes what no pointer names: older checkpoints, and what a killed process left behind. While a pointer is damaged nothing is
 * removed: what it names may be needed.
 */
async function removeUnnamed(run: string): Promise<void> {
  const named = new Set<string>(pointerNames.map(name => `${name}.json`));
  for (const name of pointerNames) {
    let pointer: Pointer | undefined;
    try {
      pointer = await readPointer(run, name);
    } catch (thrown) {
      ignoreDamage(thrown);
      return;
    }
    if (pointer) named.add(pointer.weights);
    // The best one is for use, not to go on from.
    if (pointer && name !== 'best') named.add(optimizerFile(pointer));
  }
  const folder = checkpointFolder(run);
  for (const file of await readdir(folder)) if (!named.has(file)) await rm(join(folder, file), { force: true });
}

/** For a file whose damage does not matter here. @throws everything but a DataError */
function ignoreDamage(thrown: unknown): undefined {
  if (!(thrown instanceof DataError)) throw thrown;
  return undefined;
}

/**
 * Reads the last checkpoint, or where that is damaged the one before it, which is said.
 * @returns undefined if the run has none yet
 * @throws DataError naming what is wrong with both
 */
async function readLast<T>(
  run: string,
  { warn }: Warner,
  read: (pointer: Pointer) => Promise<T>,
): Promise<{ pointer: Pointer; value: T } | undefined> {
  const problems: string[] = [];
  for (const name of ['last', 'previous'] as const) {
    try {
      const pointer = await readPointer(run, name);
      if (!pointer) {
        problems.push(`${pointerPath(run, name)}: no such file`);
        continue;
      }
      const value = await read(pointer);
      if (name === 'previous') warn(`${problems[0]}; the checkpoint before it is used, of epoch ${pointer.epoch}`);
      return { pointer, value };
    } catch (thrown) {
      // What may not be read is not damaged: a state that is as good as ever must not be passed over.
      if (!(thrown instanceof DataError) || isForbidden(thrown.cause)) throw thrown;
      problems.push(thrown.message);
    }
  }
  if (!(await hasCheckpoint(run)) && !(await hasLaterFiles(run))) return undefined;
  const advice = 'restore these files from a backup, or train anew into another folder';
  throw new DataError(run, `neither of the last two checkpoints can be used: ${problems.join('; ')}; ${advice}`);
}

const isForbidden = (cause: unknown): boolean =>
  ['EACCES', 'EPERM'].includes((cause as { code?: string } | undefined)?.code ?? '');

/** Whether there are files of an epoch after 0: until there is a first pointer, a run has none but those. */
async function hasLaterFiles(run: string): Promise<boolean> {
  const files = await readdir(checkpointFolder(run)).catch((): string[] => []);
  return files.some(file => Number(/^epoch-(\d+)/.exec(file)?.[1]) > 0);
}

/** Whether the run has a checkpoint that training goes on from, damaged or not. */
export async function hasCheckpoint(run: string): Promise<boolean> {
  return (await isThere(pointerPath(run, 'last'))) || isThere(pointerPath(run, 'previous'));
}

/**
 * The state that training goes on from: that of the last checkpoint, or where a file of it is missing or damaged of the one before
 * it. Undefined if the run has none yet. A damaged best one is given up where epochs are still to come, of which the best is kept then.
 * Whatever is used in the place of something else is said. What a killed process left behind is removed.
 * @param epochs how many the run is to have
 * @throws DataError naming the files if neither checkpoint can be used, or if the best one of a run that is done is damaged
 */
export async function loadLast(run: string, epochs: number, warner: Warner): Promise<TrainingState | undefined> {
  const found = await readLast(run, warner, pointer => readState(run, pointer));
  if (!found) return undefined;
  const { epoch } = found.pointer;
  if (epoch < epochs) await giveUpDamagedBest(run, epoch, warner);
  else await readBest(run, async () => undefined);
  await removeUnnamed(run);
  return found.value;
}

async function readState(run: string, pointer: Pointer): Promise<TrainingState> {
  const { tensors: params } = await readTensors(run, pointer, pointer.weights);
  const file = optimizerFile(pointer);
  const { tensors, metadata } = await readTensors(run, pointer, file);
  // Names come from the file: a slot named __proto__ must be no more than a slot of that name.
  const found = new Map<string, Map<string, NDArray>>();
  for (const [key, array] of Object.entries(tensors)) {
    const [slot, ...name] = key.split('/');
    const arrays = found.get(slot) ?? new Map<string, NDArray>();
    found.set(slot, arrays.set(name.join('/'), array));
  }
  const slots: Record<string, Params> = Object.fromEntries(
    [...found].map(([slot, arrays]) => [slot, Object.fromEntries(arrays)]),
  );
  const step = Number(metadata.step);
  if (!Number.isInteger(step)) {
    const path = join(checkpointFolder(run), file);
    throw new DataError(path, `expected the number of steps in the metadata, found ${metadata.step}`);
  }
  return { epoch: pointer.epoch, params, optimizer: { step, slots } };
}

/** Removes the pointer at a damaged best checkpoint, and says so. One of an epoch that is still to come will be made again. */
async function giveUpDamagedBest(run: string, epoch: number, { warn }: Warner): Promise<void> {
  try {
    const pointer = await readPointer(run, 'best');
    if (pointer && pointer.epoch <= epoch) await readTensors(run, pointer, pointer.weights);
  } catch (thrown) {
    if (!(thrown instanceof DataError) || isForbidden(thrown.cause)) throw thrown;
    await rm(pointerPath(run, 'best'), { force: true });
    warn(`${thrown.message}; the best checkpoint so far is lost, from here on the best of the epochs to come is kept`);
  }
}

/** The checkpoint that counts: the best one where the run keeps one (evaluation.select), damaged or not, else the last. */
export async function selectedCheckpoint(run: string): Promise<CheckpointName> {
  return (await isThere(pointerPath(run, 'best'))) ? 'best' : 'last';
}

/**
 * Weights of a run's checkpoint with their metadata. For a damaged last one the one before it is used, which is said.
 * @throws DataError if the run has no such checkpoint, or it is damaged: nothing takes the place of the best one.
 */
export async function loadCheckpoint(
  run: string,
  name: CheckpointName,
  warner: Warner = consoleReporter(),
): Promise<{ params: Params; metadata: Record<string, string>; pointer: Pointer }> {
  const read = (pointer: Pointer) => readTensors(run, pointer, pointer.weights);
  const found = name === 'last' ? await readLast(run, warner, read) : await readBest(run, read);
  if (!found) {
    const why = name === 'best' ? ' (a best one is kept when evaluation.select is best-on-test)' : '';
    throw new DataError(run, `the run has no ${name} checkpoint${why}`);
  }
  const { pointer, value } = found;
  return { params: value.tensors, metadata: value.metadata, pointer };
}

async function readBest<T>(
  run: string,
  read: (pointer: Pointer) => Promise<T>,
): Promise<{ pointer: Pointer; value: T } | undefined> {
  try {
    const pointer = await readPointer(run, 'best');
    return pointer && { pointer, value: await read(pointer) };
  } catch (thrown) {
    if (!(thrown instanceof DataError)) throw thrown;
    const problem = `the best checkpoint cannot be used: ${thrown.message}; to take the last one instead: --checkpoint last`;
    throw new DataError(run, problem, { cause: thrown });
  }
}

/** A weights file. */
export async function readWeights(path: string): Promise<{ tensors: Params; metadata: Record<string, string> }> {
  return parseSafetensors(await readBytes(path), path);
}
