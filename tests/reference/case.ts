/** Reference cases: inputs and outputs of the published code, read from a folder with a manifest.json. */

import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { parseNpz } from '../../src/data/formats/npz.ts';
import type { NDArray, Shape } from '../../src/engine/ndarray.ts';
import { matchesPattern, type Precision, type Tolerance, toleranceOf } from './tolerance.ts';

export type { Precision, Tolerance } from './tolerance.ts';

/** One case with everything its files hold. */
export interface ReferenceCase {
  readonly system: string;
  readonly name: string;
  readonly kind: string;
  readonly what: string;
  readonly hyperparameters: Record<string, unknown>;
  readonly notes?: string;
  /** All npz files merged, keys with their prefixes (`in.features`, `out.att`, `grad.x`, ...). */
  readonly arrays: Record<string, NDArray>;
  /** The (first) JSON file parsed; undefined if there is none. */
  readonly json: unknown;
  /** All JSON files parsed, by file name. */
  readonly jsonFiles: Record<string, unknown>;
  /** Absolute paths. */
  readonly files: readonly string[];
  /** The folder of shared data sets. */
  readonly dataDir: string;
  /** The folder of the reference cases. */
  readonly directory: string;
  /** The manifest entry as it is, and the manifest without its cases. */
  readonly raw: Record<string, unknown>;
  readonly manifest: Record<string, unknown>;
  /** Keys of {@link arrays} that are expected outputs: every one must be compared. */
  readonly expected: readonly string[];
  /** The bound of a quantity, see {@link toleranceOf}. */
  tolerance(quantity: string, precision?: Precision): Tolerance;
}

/** One compared quantity: `key` is the expected array's key, or a path for values of the JSON file (`json.cases[3].indices`). */
export interface Compared {
  readonly key: string;
  readonly got: ArrayLike<number | bigint> | number;
  readonly want: ArrayLike<number | bigint> | number;
  readonly gotShape?: Shape;
  readonly wantShape?: Shape;
  /** By default the case's tolerance of `key`. */
  readonly tolerance?: Tolerance;
}

/** Runs the cases it matches through the product's public functions. */
export interface Adapter {
  matches(c: ReferenceCase): boolean;
  run(c: ReferenceCase): Compared[] | Promise<Compared[]>;
}

/** Where the cases and the data lie. */
export interface Folders {
  readonly directory: string;
  readonly dataDir: string;
}

/** A manifest: its system and its entries, not yet read. */
export interface Manifest {
  readonly system: string;
  readonly entries: readonly { readonly name: string; readonly raw: Record<string, unknown> }[];
  readonly header: Record<string, unknown>;
}

/** An expected array against what was computed. @throws Error if the case has no such array. */
export function compareArray(c: ReferenceCase, key: string, got: NDArray, tolerance?: Tolerance): Compared {
  const want = c.arrays[key];
  if (!want) throw new Error(`${c.name} has no array "${key}"`);
  return { key, got: got.data, want: want.data, gotShape: got.shape, wantShape: want.shape, tolerance };
}

/** Values against values that are no whole array of the case; `key` names them. */
export function compareValues(
  c: ReferenceCase,
  key: string,
  got: ArrayLike<number> | number,
  want: ArrayLike<number> | number,
): Compared {
  return { key, got, want, wantShape: c.arrays[key]?.shape };
}

/**
 * Compares JSON-like values of any depth: numbers as one quantity at the tolerance of `key`, everything else must be equal.
 * @throws Error naming the path where structure, text or a flag differs.
 */
export function compareStructure(key: string, got: unknown, want: unknown): Compared {
  const numbers: { got: number[]; want: number[] } = { got: [], want: [] };
  const walk = (path: string, a: unknown, b: unknown): void => {
    if (typeof a === 'number' && typeof b === 'number') {
      numbers.got.push(a);
      numbers.want.push(b);
    } else if (Array.isArray(a) && Array.isArray(b) && a.length === b.length) {
      for (let i = 0; i < a.length; i++) walk(`${path}[${i}]`, a[i], b[i]);
    } else if (isRecord(a) && isRecord(b)) {
      for (const name of new Set([...Object.keys(a), ...Object.keys(b)])) walk(`${path}.${name}`, a[name], b[name]);
    } else if (a !== b) {
      throw new Error(`${path}: expected ${brief(b)}, got ${brief(a)}`);
    }
  };
  walk(key, got, want);
  return { key, ...numbers };
}

/** Reads DIR/manifest.json. @throws Error in one line if it is missing, no manifest, or names a case twice. */
export async function readManifest(directory: string): Promise<Manifest> {
  const path = join(directory, 'manifest.json');
  const header = await readJson(path);
  if (!isRecord(header) || typeof header.system !== 'string' || !Array.isArray(header.cases)) {
    throw new Error(`${path}: expected {"system": name, "cases": [...]}`);
  }
  const names = new Set<string>();
  const entries = header.cases.map((raw: unknown, i) => {
    if (!isRecord(raw) || typeof raw.name !== 'string' || typeof raw.kind !== 'string' || !Array.isArray(raw.files)) {
      throw new Error(`${path}: cases[${i}]: expected {"name", "kind", "files"}`);
    }
    if (names.has(raw.name)) throw new Error(`${path}: case "${raw.name}" appears twice`);
    names.add(raw.name);
    return { name: raw.name, raw };
  });
  if (entries.length === 0) throw new Error(`${path}: no cases`);
  const { cases: _, ...rest } = header;
  return { system: header.system, entries, header: rest };
}

/** Reads the files of one entry. @throws Error in one line for a missing or malformed file, or an output that no file holds. */
export async function readCase(manifest: Manifest, name: string, folders: Folders): Promise<ReferenceCase> {
  const raw = manifest.entries.find(entry => entry.name === name)?.raw;
  if (!raw) throw new Error(`manifest has no case "${name}"`);
  const files = (raw.files as unknown[]).map(file => locate(String(file), folders));
  const arrays: Record<string, NDArray> = {};
  const jsonFiles: Record<string, unknown> = {};
  for (const file of files) {
    if (file.endsWith('.npz')) {
      for (const [key, array] of Object.entries(parseNpz(await readFile(file), file))) {
        if (key in arrays) throw new Error(`${file}: array "${key}" is in another file of the case too`);
        arrays[key] = array;
      }
    } else if (file.endsWith('.json')) {
      jsonFiles[basename(file)] = await readJson(file);
    }
  }
  return {
    system: manifest.system,
    name,
    kind: String(raw.kind),
    what: String(raw.what ?? ''),
    hyperparameters: isRecord(raw.hyperparameters) ? raw.hyperparameters : {},
    notes: typeof raw.notes === 'string' ? raw.notes : undefined,
    arrays,
    json: Object.values(jsonFiles)[0],
    jsonFiles,
    files,
    dataDir: folders.dataDir,
    directory: folders.directory,
    raw,
    manifest: manifest.header,
    expected: expectedKeys(arrays, raw.outputs),
    tolerance: (quantity, precision) => toleranceOf(raw.tolerance, quantity, precision),
  };
}

/** Arrays named `out.*`, `out_*` or `grad.*`, and those the entry lists as outputs (which may be patterns, `w.*`). */
function expectedKeys(arrays: Record<string, NDArray>, outputs: unknown): string[] {
  const keys = Object.keys(arrays);
  const listed = isRecord(outputs) ? Object.keys(outputs) : [];
  const held = listed.map(pattern => keys.filter(key => matchesPattern(pattern, key)));
  const missing = held.findIndex(found => found.length === 0);
  if (missing >= 0) throw new Error(`the manifest lists output "${listed[missing]}", which no file holds`);
  return [...new Set([...keys.filter(key => /^(out[._]|grad\.)/.test(key)), ...held.flat()])];
}

/** Files lie beside the manifest; `../../data/x` means x in the data folder, wherever that is. */
function locate(file: string, { directory, dataDir }: Folders): string {
  const shared = /^(?:\.\.\/)+data\/(.*)$/.exec(file);
  return shared ? resolve(dataDir, shared[1]) : resolve(directory, file);
}

async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${path}: not JSON (${error instanceof Error ? error.message : error})`);
  }
}

/** True for a plain object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function brief(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
