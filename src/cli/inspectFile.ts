/** `inspect` of files and folders. */

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describeFile } from '../data/describe/describeFile.ts';
import { describeFeatureFolder } from '../data/describe/describeFolder.ts';
import {
  type Description,
  type Entry,
  filterEntries,
  type TensorStats,
  tensorStats,
  totalsOf,
} from '../data/describe/description.ts';
import { exists, readBytes } from '../data/files.ts';
import { DataError } from '../data/formats/dataError.ts';
import { showShape } from '../engine/ndarray.ts';
import { runConfigFile } from '../train/config.ts';
import { describeRun } from '../train/describeRun.ts';
import { printJson, printLines } from './output.ts';
import { shellWord } from './shellWord.ts';
import { padRight, textWidth } from './textWidth.ts';
import { bytesText, countText } from './units.ts';

/** Options of `inspect` that a file takes. */
export interface InspectFileOptions {
  readonly filter?: string;
  readonly depth?: number;
  readonly stats?: boolean;
  readonly all?: boolean;
  readonly json?: boolean;
}

/** Entries of one mapping or list (that holds only further ones: an optimiser's state), and parts of one fact, listed without `--all`. */
const listed = { entries: 40, groups: 4, parts: 12 };

/** Prints what a file, run folder or feature folder holds. */
export async function inspectFile(path: string, options: InspectFileOptions): Promise<void> {
  const { hint, ...description } = await describe(path);
  const { format, bytes, facts } = description;
  const entries = options.filter === undefined ? description.entries : filterEntries(description.entries, options.filter);
  if (options.filter !== undefined && entries.length === 0) throw new Error(`${path}: nothing in it contains ${options.filter}`);
  const totals = totalsOf(entries);
  if (options.json) {
    const depth = options.depth ?? Number.POSITIVE_INFINITY;
    const tree = entries.map(entry => entryJson(entry, options.stats === true, depth));
    printJson({ path, format, bytes, facts, entries: tree, totals });
    return;
  }
  const sum = `${countText(totals.tensors)} array${totals.tensors === 1 ? '' : 's'}, ${countText(totals.elements)} values, ${bytesText(totals.bytes)}`;
  printLines([
    `${path}: ${format}${bytes > 0 ? `, ${bytesText(bytes)}` : ''}`,
    ...factLines(facts, options.all === true),
    ...(entries.length > 0 ? ['', ...treeLines(entries, options)] : []),
    ...(totals.tensors > 0 ? ['', `${options.filter === undefined ? '' : `of what contains ${options.filter}: `}${sum}`] : []),
    ...(hint === undefined ? [] : ['', hint]),
  ]);
}

async function describe(path: string): Promise<Description & { readonly hint?: string }> {
  const found = await stat(path).catch(() => undefined);
  if (!found) throw new DataError(path, 'no such file or folder');
  if (!found.isDirectory()) return describeFile(await readBytes(path), path);
  const word = shellWord(path);
  if (await exists(join(path, runConfigFile)))
    return {
      ...(await describeRun(path)),
      hint: `its record and curves: inkling runs show ${word}; its configuration: inkling print-config ${word}; its layers: inkling inspect ${shellWord(join(path, runConfigFile))}`,
    };
  return { ...(await describeFeatureFolder(path)), hint: `whether it is right: inkling check-data ${word}` };
}

function factLines(facts: Description['facts'], all: boolean): string[] {
  const width = Math.max(0, ...Object.keys(facts).map(name => name.length));
  return Object.entries(facts).map(([name, value]) => `  ${name.padEnd(width)}  ${factText(value, all)}`);
}

function factText(value: Description['facts'][string], all: boolean): string {
  if (typeof value === 'number') return countText(value);
  if (typeof value === 'string') return value;
  const parts = all ? value : value.slice(0, listed.parts);
  return [...parts, ...(parts.length < value.length ? [`… ${value.length - parts.length} more (--all)`] : [])].join(', ');
}

/** A line of the tree: the name with its indentation, and what it is. */
interface Row {
  readonly name: string;
  readonly text: string;
}

function treeLines(entries: readonly Entry[], options: InspectFileOptions): string[] {
  const rows = treeRows(entries, options, 0);
  const width = Math.min(64, Math.max(...rows.map(({ name, text }) => (text === '' ? 0 : textWidth(name)))));
  return rows.map(({ name, text }) => `${padRight(name, width)}  ${text}`.trimEnd());
}

function treeRows(entries: readonly Entry[], options: InspectFileOptions, depth: number): Row[] {
  const margin = '  '.repeat(depth + 1);
  const isNested = entries.length > 2 * listed.groups && entries.every(({ kind }) => kind === 'group');
  const shown = options.all ? entries : entries.slice(0, isNested ? listed.groups : listed.entries);
  const rows = shown.flatMap((entry): Row[] => {
    const name = margin + (entry.name === '' ? 'array' : entry.name);
    if (entry.kind === 'value') return [{ name, text: entry.text }];
    if (entry.kind === 'tensor') return [{ name, text: tensorText(entry, options.stats === true) }];
    const size = `${entry.what === entry.name ? '' : `${entry.what} of `}${entry.entries.length}`;
    const isCut = options.depth !== undefined && depth + 1 >= options.depth;
    return [{ name, text: size }, ...(isCut ? [] : treeRows(entry.entries, options, depth + 1))];
  });
  const left = entries.length - shown.length;
  return left > 0 ? [...rows, { name: `${margin}… ${left} more (--all, --filter)`, text: '' }] : rows;
}

function tensorText(entry: Extract<Entry, { kind: 'tensor' }>, stats: boolean): string {
  const text = `${entry.dtype} ${showShape(entry.shape)}`;
  return stats ? `${text}  ${statsText(statsOf(entry))}` : text;
}

/** Statistics of an array, or why there are none. */
function statsOf(entry: Extract<Entry, { kind: 'tensor' }>): TensorStats | string {
  if (!entry.read)
    throw new Error(`--stats: the values of ${entry.name} are not read here (of an ONNX model, only what it says of them)`);
  try {
    return tensorStats(entry.read());
  } catch (thrown) {
    if (thrown instanceof DataError) return thrown.message;
    throw thrown;
  }
}

function statsText(stats: TensorStats | string): string {
  if (typeof stats === 'string') return `(${stats})`;
  const { min, max, mean, nan, infinite } = stats;
  const numbers =
    min === null || max === null || mean === null ? 'no finite numbers' : `${short(min)} to ${short(max)}, mean ${short(mean)}`;
  return `${numbers}${nan > 0 ? `, ${countText(nan)} NaN` : ''}${infinite > 0 ? `, ${countText(infinite)} infinite` : ''}`;
}

function short(value: number): string {
  return String(Number.isInteger(value) && Math.abs(value) < 1e12 ? value : Number(value.toPrecision(4)));
}

function entryJson(entry: Entry, stats: boolean, depth: number): Record<string, unknown> {
  if (entry.kind === 'value') return { name: entry.name, value: entry.text };
  if (entry.kind === 'group') {
    const { name, what, entries } = entry;
    return {
      name,
      what,
      size: entries.length,
      ...(depth > 1 ? { entries: entries.map(e => entryJson(e, stats, depth - 1)) } : {}),
    };
  }
  const { name, dtype, shape, bytes } = entry;
  const found = stats ? statsOf(entry) : undefined;
  return {
    name,
    dtype,
    shape,
    bytes,
    ...(found === undefined ? {} : typeof found === 'string' ? { problem: found } : { stats: found }),
  };
}
