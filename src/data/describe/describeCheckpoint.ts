/** The tree of a PyTorch checkpoint. */

import { sizeOf } from '../../engine/ndarray.ts';
import { StoredTensor } from '../formats/storedTensor.ts';
import { type CheckpointValue, parseTorchCheckpoint } from '../formats/torchCheckpoint.ts';
import { torchElementBytes } from '../formats/torchTypes.ts';
import { findStateDict } from '../stateDict.ts';
import { type Description, type Entry, oneLine } from './description.ts';

/** Elements of a list of plain values that are shown. */
const shownValues = 6;

/**
 * Describes a checkpoint: nested dictionaries, plain values and tensors, and which of them would be imported as weights.
 * @throws DataError as `parseTorchCheckpoint`
 */
export function describeCheckpoint(bytes: Uint8Array, where: string): Pick<Description, 'format' | 'facts' | 'entries'> {
  const tree = parseTorchCheckpoint(bytes, where);
  return { format: 'PyTorch checkpoint', facts: weightsFacts(tree, where), entries: childrenOf(tree) ?? [entryOf('', tree)] };
}

function weightsFacts(tree: CheckpointValue, where: string): Record<string, string> {
  try {
    const { path, stripped, tensors } = findStateDict(tree, where);
    const place = path === '' ? 'at the top' : `under ${path}`;
    return { weights: `${tensors.size} ${place}${stripped === '' ? '' : `, all named ${stripped}…`}` };
  } catch (thrown) {
    // Not every pickle holds weights, and some hold several sets; the tree shows it.
    return { weights: thrown instanceof Error ? thrown.message.slice(where.length + 2) : String(thrown) };
  }
}

function entryOf(name: string, value: CheckpointValue): Entry {
  if (value instanceof StoredTensor) {
    const { dtype, shape } = value;
    const width = torchElementBytes.get(dtype);
    const bytes = width === undefined ? undefined : width * sizeOf(shape);
    return { kind: 'tensor', name, dtype, shape, bytes, read: () => value.read() };
  }
  const entries = childrenOf(value);
  if (!entries || entries.length === 0) return { kind: 'value', name, text: plainText(value) };
  return { kind: 'group', name, what: value instanceof Map ? 'mapping' : value instanceof Set ? 'set' : 'list', entries };
}

/** What a mapping holds, or a list or set that holds more than plain values; undefined for all others. */
function childrenOf(value: CheckpointValue): Entry[] | undefined {
  if (value instanceof Map) return [...value].map(([key, below]) => entryOf(keyText(key), below));
  const elements = elementsOf(value);
  if (!elements || elements.every(isPlain)) return undefined;
  return elements.map((below, i) => entryOf(String(i), below));
}

function elementsOf(value: CheckpointValue): readonly CheckpointValue[] | undefined {
  if (Array.isArray(value)) return value as readonly CheckpointValue[];
  return value instanceof Set ? [...(value as ReadonlySet<CheckpointValue>)] : undefined;
}

function isPlain(value: CheckpointValue): boolean {
  return typeof value !== 'object' || value === null || value instanceof Uint8Array;
}

function keyText(key: CheckpointValue): string {
  return typeof key === 'string' ? oneLine(key) : plainText(key);
}

function plainText(value: CheckpointValue): string {
  if (value === null) return 'none';
  if (typeof value === 'string') return oneLine(JSON.stringify(value));
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (value instanceof Map) return `empty mapping`;
  if (value instanceof StoredTensor) return `${value.dtype} [${value.shape.join(', ')}]`;
  const elements = elementsOf(value);
  if (!elements) return oneLine(String(value));
  const shown = elements.slice(0, shownValues).map(each => (isPlain(each) ? plainText(each) : '…'));
  return elements.length > shownValues ? `[${shown.join(', ')}, …] (${elements.length})` : `[${shown.join(', ')}]`;
}
