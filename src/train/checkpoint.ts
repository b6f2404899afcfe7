/** Checkpoints of a run (Node): weights under their published names, the optimiser's state beside them, and which one counts. */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { DataError, encodeSafetensors, exists, parseSafetensors, readBytes, readJson, writeFileAtomic } from '../data/index.ts';
import type { NDArray } from '../engine/index.ts';
import type { OptimizerState, Params } from '../nn/index.ts';

/** Which checkpoint: the newest, or the best one of an evaluation. */
export type CheckpointName = 'last' | 'best';

/** Where training stands. */
export interface TrainingState {
  /** Epochs done. */
  readonly epoch: number;
  readonly params: Params;
  readonly optimizer: OptimizerState;
}

/** The name of a file in the same folder: runs are handed on, and must not make anyone read files elsewhere. */
const besideName = z.string().regex(/^(?!\.{1,2}$)[^/\\\0]+$/);

/** The file that names a checkpoint's files; it is written after them, so what it names is whole. */
const pointerSchema = z.object({
  epoch: z.number().int().nonnegative(),
  weights: besideName,
  optimizer: besideName.optional(),
  metric: z.string().optional(),
  value: z.number().optional(),
});
export type Pointer = z.infer<typeof pointerSchema>;

const folderOf = (run: string): string => join(run, 'checkpoints');
const pointerPath = (run: string, name: CheckpointName): string => join(folderOf(run), `${name}.json`);
const fileName = (epoch: number, kind: string): string => `epoch-${String(epoch).padStart(4, '0')}${kind}.safetensors`;

/** The pointer of a checkpoint; undefined if the run has none. @throws DataError naming the file if it is damaged. */
export async function readPointer(run: string, name: CheckpointName): Promise<Pointer | undefined> {
  const path = pointerPath(run, name);
  if (!(await exists(path))) return undefined;
  return parsePointer(await readJson(path), path);
}

/** A pointer from its JSON. @throws DataError naming `where` if it is none, or names files outside its folder */
export function parsePointer(json: unknown, where: string): Pointer {
  const parsed = pointerSchema.safeParse(json);
  if (!parsed.success)
    throw new DataError(where, 'expected {epoch, weights} with names of files beside it, found something else');
  return parsed.data;
}

/** Writes the weights (if they are not there yet), then lets `name` point at them. */
async function point(run: string, name: CheckpointName, pointer: Pointer): Promise<void> {
  await writeFileAtomic(pointerPath(run, name), `${JSON.stringify(pointer)}\n`);
}

async function writeWeights(
  run: string,
  epoch: number,
  params: Params,
  metadata: Readonly<Record<string, string>>,
): Promise<string> {
  const weights = fileName(epoch, '');
  await writeFileAtomic(join(folderOf(run), weights), encodeSafetensors(params, { ...metadata, epoch: String(epoch) }));
  return weights;
}

/**
 * Saves where training stands as `last`. Files of one moment have the moment's name and the pointer is written last, so a kill at any
 * point leaves the old checkpoint or the new one. Files that neither pointer names are then removed.
 * @param metadata what the weights file says of itself (task, classes, …).
 */
export async function saveLast(
  run: string,
  { epoch, params, optimizer }: TrainingState,
  metadata: Readonly<Record<string, string>>,
): Promise<void> {
  await mkdir(folderOf(run), { recursive: true });
  const weights = await writeWeights(run, epoch, params, metadata);
  const state = fileName(epoch, '.optimizer');
  const slots: Record<string, NDArray> = {};
  for (const [slot, arrays] of Object.entries(optimizer.slots))
    for (const [name, array] of Object.entries(arrays)) slots[`${slot}/${name}`] = array;
  await writeFileAtomic(join(folderOf(run), state), encodeSafetensors(slots, { step: String(optimizer.step) }));
  await point(run, 'last', { epoch, weights, optimizer: state });
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
  await mkdir(folderOf(run), { recursive: true });
  await point(run, 'best', { epoch, weights: await writeWeights(run, epoch, params, metadata), metric, value });
}

/** Removes what neither pointer names: older checkpoints, and what a killed process left behind. */
async function removeUnnamed(run: string): Promise<void> {
  const pointers = [await readPointer(run, 'last'), await readPointer(run, 'best')];
  const named = new Set(['last.json', 'best.json', ...pointers.flatMap(p => (p ? [p.weights, p.optimizer] : []))]);
  for (const file of await readdir(folderOf(run))) if (!named.has(file)) await rm(join(folderOf(run), file), { force: true });
}

/** The last saved state of a run; undefined if it has none yet. @throws DataError naming a file that is missing or damaged. */
export async function loadLast(run: string): Promise<TrainingState | undefined> {
  const pointer = await readPointer(run, 'last');
  if (!pointer) return undefined;
  const { tensors: params } = await readWeights(join(folderOf(run), pointer.weights));
  const path = join(folderOf(run), pointer.optimizer ?? fileName(pointer.epoch, '.optimizer'));
  const { tensors, metadata } = await readWeights(path);
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
  if (!Number.isInteger(step)) throw new DataError(path, `expected the number of steps in the metadata, found ${metadata.step}`);
  return { epoch: pointer.epoch, params, optimizer: { step, slots } };
}

/** The checkpoint that counts: the best one where the run keeps one (evaluation.select), else the last. */
export async function selectedCheckpoint(run: string): Promise<CheckpointName> {
  return (await readPointer(run, 'best')) ? 'best' : 'last';
}

/** Weights of a run's checkpoint with their metadata. @throws DataError if the run has no such checkpoint. */
export async function loadCheckpoint(
  run: string,
  name: CheckpointName,
): Promise<{ params: Params; metadata: Record<string, string>; pointer: Pointer }> {
  const pointer = await readPointer(run, name);
  if (!pointer) {
    const why = name === 'best' ? ' (a best one is kept when evaluation.select is best-on-test)' : '';
    throw new DataError(run, `the run has no ${name} checkpoint${why}`);
  }
  const { tensors, metadata } = await readWeights(join(folderOf(run), pointer.weights));
  return { params: tensors, metadata, pointer };
}

/** A weights file. */
export async function readWeights(path: string): Promise<{ tensors: Params; metadata: Record<string, string> }> {
  return parseSafetensors(await readBytes(path), path);
}
