/** What the fuzzer knows of a format, how its inputs are made, and how an input is tried. */
import { DataError } from '../../src/data/formats/dataError.ts';
import { type Material, maxLength, mutate } from './mutate.ts';
import { type Random, randomOf } from './random.ts';

/** An input and what must come of it. */
export interface Input {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Default: either, but no finding. */
  readonly expected?: 'accepted' | 'rejected' | 'either';
  /** What `read` must give for it. @throws Wrong if it is something else */
  readonly check?: (value: unknown) => void;
}

/** A format under test. */
export interface Format {
  readonly name: string;
  /** Small valid files of every variant, which are mutated. */
  readonly seeds: readonly Input[];
  /** Inputs that are tried as they are, large ones too; made anew, so that nobody has to keep them. */
  readonly attacks: () => readonly Input[];
  readonly tokens: readonly Uint8Array[];
  /** A valid input of random content. */
  readonly generate: (random: Random) => Input;
  /** A mutation that keeps checksums, lengths or syntax right, so that what lies behind them is reached. */
  readonly restructure?: (random: Random, material: Material) => Uint8Array;
  /**
   * Reads the bytes with the reader under test, and checks what it gives against an independent reading of the same bytes.
   * @throws what the reader throws; Wrong if it accepts what is not so
   */
  readonly read: (bytes: Uint8Array) => unknown;
}

/** The reader accepted an input, but what it gave is not what the bytes say. */
export class Wrong extends Error {}

/** @throws Wrong with `problem` unless `condition` holds */
export function ensure(condition: boolean, problem: string | (() => string)): asserts condition {
  if (!condition) throw new Wrong(typeof problem === 'string' ? problem : problem());
}

/** What came of an input; `finding` is what is wrong with it, if anything is. */
export interface Outcome {
  readonly outcome: 'accepted' | 'rejected';
  readonly message?: string;
  readonly finding?: string;
}

const attackCounts = new WeakMap<Format, number>();

/** How many inputs of a format come before those that chance makes. */
function attackCount(format: Format): number {
  const count = attackCounts.get(format) ?? format.attacks().length;
  attackCounts.set(format, count);
  return count;
}

let held: { readonly format: Format; readonly list: readonly Input[] } | undefined;

/** The attacks of a format, which are made once while they are gone through. */
function heldAttacks(format: Format): readonly Input[] {
  if (held?.format !== format) held = { format, list: format.attacks() };
  return held.list;
}

/** The input of an index: first the attacks, then the seeds as they are, then what chance makes of them. */
export function inputAt(format: Format, seed: number, index: number): Input {
  const { seeds, tokens } = format;
  const attacks = attackCount(format);
  if (index < attacks) return heldAttacks(format)[index];
  held = undefined;
  if (index < attacks + seeds.length) return seeds[index - attacks];
  const random = randomOf(seed, index);
  const material: Material = { donors: seeds.map(each => each.bytes), tokens };
  const kind = random.int(8);
  if (kind === 0) return format.generate(random);
  if (kind === 1) return { name: 'generated and mutated', bytes: mutate(format.generate(random).bytes, material, random) };
  if (kind < 5 && format.restructure) {
    return { name: 'restructured', bytes: format.restructure(random, material).subarray(0, maxLength) };
  }
  return { name: 'mutated', bytes: mutate(random.pick(seeds).bytes, material, random) };
}

const prototypeKeys = Reflect.ownKeys(Object.prototype).length;

/** Tries an input: whatever happens must be what it should, or an error of one line for the user. */
export function tryInput(format: Format, input: Input): Outcome {
  const result = tried(format, input);
  if (Reflect.ownKeys(Object.prototype).length !== prototypeKeys) {
    for (const key of Reflect.ownKeys(Object.prototype).slice(prototypeKeys)) Reflect.deleteProperty(Object.prototype, key);
    return { ...result, finding: 'the prototype of all objects was changed' };
  }
  if (result.finding === undefined && ![undefined, 'either', result.outcome].includes(input.expected)) {
    return { ...result, finding: `${input.name}: should be ${input.expected}, is ${result.outcome} (${result.message ?? ''})` };
  }
  return result;
}

function tried(format: Format, input: Input): Outcome {
  // A copy at an odd address, as readers may get them: views of it must not be relied on to be aligned.
  const shifted = new Uint8Array(input.bytes.length + 1).subarray(1);
  shifted.set(input.bytes);
  try {
    const value = format.read(shifted);
    input.check?.(value);
    return { outcome: 'accepted' };
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    if (thrown instanceof Wrong) return { outcome: 'accepted', message, finding: `wrong success: ${message}` };
    const finding = problemOf(thrown, message);
    return { outcome: 'rejected', message, ...(finding === undefined ? {} : { finding }) };
  }
}

/** Longest message that still helps who reads it. */
const maxMessage = 1000;

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const control = /[\x00-\x1f\x7f-\x9f\u2028\u2029]/;

function problemOf(thrown: unknown, message: string): string | undefined {
  if (!(thrown instanceof DataError)) {
    const stack = thrown instanceof Error ? (thrown.stack ?? '').split('\n').slice(1, 4).join(' ') : '';
    return `${thrown instanceof Error ? thrown.constructor.name : typeof thrown} instead of a DataError: ${message} ${stack}`;
  }
  if (message.length > maxMessage) return `a message of ${message.length} characters: ${message.slice(0, 200)}`;
  if (control.test(message)) return `a message with control characters or of several lines: ${JSON.stringify(message)}`;
  return undefined;
}
