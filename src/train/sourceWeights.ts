/** Weights of other programs, read from their files (Node). */

import { extname } from 'node:path';
import { type CheckpointValue, parseTorchCheckpoint } from '../data/formats/torchCheckpoint.ts';
import { DataError, listSafetensors, parseNpz, readBytes, StoredTensor } from '../data/index.ts';
import { commonPrefix, findStateDict } from '../data/stateDict.ts';
import type { NDArray, Shape } from '../engine/index.ts';
import { type Model, parseModelMetadata } from './model.ts';

/** Weights in a file, by name; an array is read when it is asked for. */
export interface SourceWeights {
  /** What they are and where in the file, for messages: `8 tensors under state_dict, module. taken off their names`. */
  readonly found: string;
  readonly tensors: ReadonlyMap<string, { readonly dtype: string; readonly shape: Shape; read(): NDArray }>;
  /** Entries among them that are no arrays. */
  readonly others: readonly string[];
  /** What a model of ours says of itself. */
  readonly own?: Pick<Model, 'classes' | 'config'>;
}

/**
 * The weights of a `.safetensors` or `.npz` file, or a PyTorch checkpoint, with a `module.` or `_orig_mod.` that all names have taken off.
 * @param options.key which of several sets of weights in a checkpoint, such as `state_dict_ema`
 * @param options.beside names of tensors that a checkpoint may have outside its sets of weights, such as `prototypes`
 * @throws DataError naming the file if it is none of these, is damaged, or has no weights under `key`
 */
export async function readSourceWeights(
  path: string,
  options: { readonly key?: string; readonly beside?: readonly string[] } = {},
): Promise<SourceWeights> {
  const ending = extname(path).toLowerCase();
  const bytes = await readBytes(path);
  if (ending !== '.safetensors' && ending !== '.npz') {
    const tree = parseTorchCheckpoint(bytes, path);
    const { path: place, stripped, tensors, others } = findStateDict(tree, path, options);
    const rivals = otherWeights(tree, place, stripped, tensors);
    const also = rivals.length > 0 ? `; the same names are under ${rivals.join(', ')} too (--key)` : '';
    const outside = place === '' ? [] : tensorsAt(tree, options.beside ?? []);
    const and = outside.length > 0 ? `, and ${outside.map(([name]) => name).join(', ')} outside of it` : '';
    return { found: foundText(tensors.size, place, stripped) + and + also, tensors: new Map([...tensors, ...outside]), others };
  }
  if (options.key !== undefined) throw new DataError(path, `--key goes with checkpoints of PyTorch, found a ${ending} file`);
  const listed = ending === '.npz' ? { entries: npzEntries(bytes, path), metadata: {} } : safetensorsEntries(bytes, path);
  const stripped = commonPrefix([...listed.entries.keys()]);
  const tensors = new Map([...listed.entries].map(([name, tensor]) => [name.slice(stripped.length), tensor]));
  const { inkling }: Record<string, string> = listed.metadata;
  const own = inkling === undefined ? undefined : parseModelMetadata(inkling, path);
  return { found: foundText(tensors.size, '', stripped), tensors, others: [], own };
}

/** Other places at the top of a checkpoint where the first of the weights found is too, such as their running average. */
function otherWeights(tree: CheckpointValue, place: string, stripped: string, tensors: ReadonlyMap<string, unknown>): string[] {
  const [first] = tensors.keys();
  if (!(tree instanceof Map) || first === undefined) return [];
  return [...tree].flatMap(([name, value]) =>
    typeof name === 'string' && name !== place && value instanceof Map && (value.has(first) || value.has(stripped + first))
      ? [name]
      : [],
  );
}

/** Tensors of these names at the top of a checkpoint. */
function tensorsAt(tree: CheckpointValue, names: readonly string[]): [string, StoredTensor][] {
  if (!(tree instanceof Map)) return [];
  return names.flatMap((name): [string, StoredTensor][] => {
    const value = tree.get(name);
    return value instanceof StoredTensor ? [[name, value]] : [];
  });
}

type Tensors = SourceWeights['tensors'];

function npzEntries(bytes: Uint8Array, path: string): Tensors {
  return new Map(
    Object.entries(parseNpz(bytes, path)).map(([name, array]) => [
      name,
      { dtype: array.dtype, shape: array.shape, read: () => array },
    ]),
  );
}

function safetensorsEntries(bytes: Uint8Array, path: string): { entries: Tensors; metadata: Record<string, string> } {
  const { tensors, metadata } = listSafetensors(bytes, path);
  return { entries: new Map(tensors.map(({ name, type, shape, read }) => [name, { dtype: type, shape, read }])), metadata };
}

function foundText(count: number, place: string, stripped: string): string {
  const where = place === '' ? '' : ` under ${place}`;
  return `${count} tensors${where}${stripped === '' ? '' : `, ${stripped} taken off their names`}`;
}
