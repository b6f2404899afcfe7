/** Reads values of a published configuration by their keys, and remembers which were read. */
import { DataError } from '../data/formats/dataError.ts';
import { isTree, type Tree } from './publishedConfig.ts';

interface Kinds {
  readonly number: number;
  readonly text: string;
}

const isKind: { readonly [K in keyof Kinds]: (value: unknown) => value is Kinds[K] } = {
  number: (value): value is number => typeof value === 'number' && Number.isFinite(value),
  text: (value): value is string => typeof value === 'string',
};

/** One configuration. All methods throw a DataError naming file and key. */
export class PublishedReader {
  private readonly tree: Tree;
  private readonly where: string;
  private readonly taken = new Set<string>();

  constructor(tree: Tree, where: string) {
    this.tree = tree;
    this.where = where;
  }

  /** The value of a key; undefined if it has none. */
  value(key: string): unknown {
    this.taken.add(key);
    let value: unknown = this.tree;
    for (const part of key.split('.')) value = isTree(value) && Object.hasOwn(value, part) ? value[part] : undefined;
    return value;
  }

  /** Whether a key is there, whatever its value. */
  has(key: string): boolean {
    return this.value(key) !== undefined;
  }

  /** As the published program takes flags: there, and not false, 0 or empty. */
  flag(key: string): boolean {
    return Boolean(this.value(key));
  }

  optional<K extends keyof Kinds>(key: string, kind: K): Kinds[K] | undefined {
    const value = this.value(key);
    if (value === undefined || value === null) return undefined;
    if (!isKind[kind](value)) throw this.wrong(key, `a ${kind}`, value);
    return value;
  }

  number(key: string): number {
    const value = this.optional(key, 'number');
    if (value === undefined) throw this.missing(key, 'a number');
    return value;
  }

  count(key: string): number {
    const value = this.number(key);
    if (!Number.isInteger(value) || value < 1) throw this.wrong(key, 'a whole number of at least 1', value);
    return value;
  }

  numbers(key: string): readonly number[] {
    const value = this.value(key);
    if (value === undefined) throw this.missing(key, 'a list of numbers');
    if (!Array.isArray(value) || !value.every(isKind.number)) throw this.wrong(key, 'a list of numbers', value);
    return value;
  }

  oneOf(key: string, names: readonly string[]): string {
    const value = this.value(key);
    const expected = `one of ${names.join(', ')}`;
    if (value === undefined) throw this.missing(key, expected);
    const found = names.find(name => name === value);
    if (found === undefined) throw this.wrong(key, expected, value);
    return found;
  }

  /** A key that may be missing, but may not say anything else. */
  must(key: string, expected: unknown): void {
    const value = this.value(key);
    if (value !== undefined && value !== null && value !== expected)
      throw this.wrong(key, `${String(expected)} (nothing else can be done here)`, value);
  }

  /** Keys that are known, and sections of which every key is. */
  sections(...keys: readonly string[]): void {
    for (const key of keys) this.taken.add(key);
  }

  missing(key: string, expected: string): DataError {
    return new DataError(this.where, `${key}: expected ${expected}, found none`);
  }

  wrong(key: string, expected: string, found: unknown): DataError {
    return new DataError(this.where, `${key}: expected ${expected}, found ${JSON.stringify(found)}`);
  }

  /** Keys that were not read, and that another tree does not have either. */
  strange(known: Tree): string[] {
    const strange: string[] = [];
    const walk = (tree: Tree, other: unknown, above: string): void => {
      for (const [key, value] of Object.entries(tree)) {
        const path = above + key;
        if (this.taken.has(path)) continue;
        const there = isTree(other) && Object.hasOwn(other, key) ? other[key] : undefined;
        if (isTree(value)) walk(value, there, `${path}.`);
        else if (there === undefined && !isIdle(path)) strange.push(path);
      }
    };
    walk(this.tree, known, '');
    return strange;
  }
}

/** Keys of the published few-shot files that do nothing, or nothing that is done by the configuration here. */
const idle: ReadonlySet<string> = new Set([
  'TRAIN.DATASET_FEW',
  'TRAIN.META_BATCH',
  'TRAIN.NUM_SAMPLES',
  'TRAIN.TEMPORAL_WEIGHT',
  'DATA.SAMPLING_UNIFORM',
  'DATA.CLIP_INTERVAL',
  'DATA.FPS',
  'DATA.NUM_INPUT_CHANNELS',
  'OUTPUT_DIR',
]);

/** Sections about files, devices, logs and other tasks. */
const idleSections =
  /^(LOCALIZATION|PRETRAIN|VISUALIZATION|SUBMISSION|OSS|DETECTION|TENSORBOARD|PRE_DOWNLOAD|DATA_LOADER|PAI|TEST|VIDEO)(\.|$)/;

function isIdle(key: string): boolean {
  return idle.has(key) || idleSections.test(key);
}
