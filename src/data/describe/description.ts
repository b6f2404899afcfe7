/** What is said about a file: facts, and a tree of what it holds. */

import { type NDArray, type Shape, sizeOf } from '../../engine/ndarray.ts';

/** An array, by what the file says of it. */
export interface TensorEntry {
  readonly kind: 'tensor';
  readonly name: string;
  /** The element type as it is stored, e.g. `float16`, in NumPy's and PyTorch's names. */
  readonly dtype: string;
  readonly shape: Shape;
  /** Bytes of its values; undefined where the file does not say. */
  readonly bytes: number | undefined;
  /** The values. @throws DataError if they are damaged, or of a type without numbers here */
  readonly read: () => NDArray;
}

/** Anything else that has no parts. */
export interface ValueEntry {
  readonly kind: 'value';
  readonly name: string;
  /** One line, abbreviated. */
  readonly text: string;
}

/** A mapping or list. */
export interface GroupEntry {
  readonly kind: 'group';
  readonly name: string;
  /** What it is, e.g. `mapping`, `list`, `inputs`. */
  readonly what: string;
  readonly entries: readonly Entry[];
}

export type Entry = TensorEntry | ValueEntry | GroupEntry;

/** A described file. */
export interface Description {
  /** What kind of file, in words: `NumPy array`, `PyTorch checkpoint`. */
  readonly format: string;
  /** Size of the file in bytes. */
  readonly bytes: number;
  /** Short statements by their name, in order. */
  readonly facts: Readonly<Record<string, string | number | readonly string[]>>;
  readonly entries: readonly Entry[];
}

/** Numbers about the values of an array. */
export interface TensorStats {
  /** Of the values that are no NaN; null if there is none. */
  readonly min: number | null;
  readonly max: number | null;
  readonly mean: number | null;
  readonly nan: number;
  readonly infinite: number;
}

/** Smallest, largest and mean value (NaN left out), and how many are NaN and infinite. */
export function tensorStats({ data }: NDArray): TensorStats {
  let [min, max, sum, nan, infinite] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0, 0];
  for (let i = 0; i < data.length; i++) {
    const value = Number(data[i]);
    if (Number.isNaN(value)) {
      nan++;
      continue;
    }
    if (value < min) min = value;
    if (value > max) max = value;
    sum += value;
    if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY) infinite++;
  }
  const count = data.length - nan;
  if (count === 0) return { min: null, max: null, mean: null, nan, infinite };
  return { min, max, mean: sum / count, nan, infinite };
}

/** How many arrays a tree holds, how many values they have and how many bytes these take. */
export interface Totals {
  readonly tensors: number;
  readonly elements: number;
  readonly bytes: number;
}

/** Sums over all arrays of a tree. */
export function totalsOf(entries: readonly Entry[]): Totals {
  let [tensors, elements, bytes] = [0, 0, 0];
  const waiting: Entry[] = [...entries];
  for (let entry = waiting.pop(); entry; entry = waiting.pop()) {
    if (entry.kind === 'tensor') {
      tensors++;
      elements += sizeOf(entry.shape);
      bytes += entry.bytes ?? 0;
    } else if (entry.kind === 'group') for (const below of entry.entries) waiting.push(below);
  }
  return { tensors, elements, bytes };
}

/**
 * The parts of a tree whose path (names joined by `.`) holds a pattern, in which `*` stands for anything; groups are kept where something
 * in them is.
 */
export function filterEntries(entries: readonly Entry[], pattern: string): Entry[] {
  const parts = pattern.split('*').map(part => part.toLowerCase());
  const holds = (path: string) => {
    let at = 0;
    return parts.every(part => {
      const found = path.indexOf(part, at);
      at = found + part.length;
      return found >= 0;
    });
  };
  const walk = (level: readonly Entry[], above: string): Entry[] =>
    level.flatMap((entry): Entry[] => {
      const path = above + entry.name.toLowerCase();
      if (holds(path)) return [entry];
      if (entry.kind !== 'group') return [];
      const below = walk(entry.entries, `${path}.`);
      return below.length > 0 ? [{ ...entry, entries: below }] : [];
    });
  return walk(entries, '');
}

/** A text or number on one line, cut after `limit` characters. */
export function oneLine(value: string, limit = 80): string {
  const text = value.replace(/\s*[\r\n]+\s*/g, ' ');
  return text.length > limit ? `${text.slice(0, limit - 1)}…` : text;
}
