import { DataError } from './dataError.ts';
import { NotAllowed, type PickleClass, type PickleContext, PickleGlobal, Unfinished } from './pickleClass.ts';
import { operations } from './pickleOperations.ts';
import { PickleReader } from './pickleReader.ts';
import { checkTree } from './pickleTree.ts';
import { plainBytes } from './plainBytes.ts';

/**
 * What a pickle holds, as plain values: lists and tuples are arrays; dictionaries are maps (whose keys cannot collide with anything);
 * integers are numbers where exact and bigints beyond; `bytes` and `bytearray` are byte arrays, which share memory with the pickle.
 * `Leaf` is what the allow-list makes.
 */
export type Pickled<Leaf = never> =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleGlobal
  | Leaf
  | readonly Pickled<Leaf>[]
  | ReadonlyMap<Pickled<Leaf>, Pickled<Leaf>>
  | ReadonlySet<Pickled<Leaf>>;

/** What a pickle may name, and what that becomes. */
export interface PickleRules<Leaf> {
  /** The allow-list, by module and name (`collections.OrderedDict`). */
  readonly globals: ReadonlyMap<string, PickleClass>;
  /** What a persistent id stands for; absent where there can be none. */
  readonly persistent?: (id: unknown, context: PickleContext) => unknown;
  /** Whether an object that the allow-list made may be part of the result. */
  readonly isLeaf: (value: unknown) => value is Leaf;
}

/** More containers, memo entries and operations are refused: a hundred times what the largest published checkpoints have. */
const maxContainers = 2 ** 20;

/** An empty dictionary is one byte of a pickle and hundreds in memory: so many are allowed, and one for every 8 bytes. */
const freeContainers = 2 ** 17;
const maxMemo = 2 ** 22;
const maxOperations = 2 ** 25;
const maxMarks = 10_000;

/** Longest module or name of a global, as in PickleReader; and most names that are not on the list. */
const maxNameLength = 1000;
const maxMissing = 1000;

/**
 * Reads a pickle (Python's serialisation, protocols 0 to 5) without executing anything: names of classes and functions are looked
 * up in the allow-list and nowhere else, and become plain values. Work and memory are bounded by the length of the pickle.
 * @param where the file's name, for messages
 * @param start offset in bytes at which the pickle begins
 * @returns the value, and the offset behind the pickle
 * @throws DataError naming the file, and every global the pickle needs that the list does not have; or the place where the pickle is
 *   damaged, holds itself, or is nested deeper than 1000 levels
 */
export function parsePickle<Leaf = never>(
  bytes: Uint8Array,
  where: string,
  rules: PickleRules<Leaf>,
  start = 0,
): { value: Pickled<Leaf>; end: number } {
  const machine = new PickleMachine(new PickleReader(plainBytes(bytes), where, start), rules);
  let value: unknown;
  try {
    value = machine.run();
  } catch (thrown) {
    // What came of a stand-in may fail anywhere: the reason is the name, not the place.
    throw thrown instanceof DataError && machine.missing.size > 0 ? missingGlobals(where, machine.missing) : thrown;
  }
  if (machine.missing.size > 0) throw missingGlobals(where, machine.missing);
  const end = machine.reader.at;
  return { value: checkTree(value, end - start, rules.isLeaf, where), end };
}

function missingGlobals(where: string, missing: ReadonlySet<string>): DataError {
  const names = [...missing]
    .slice(0, 20)
    .map(name => (/^[\w.<>]{1,120}$/.test(name) ? name : JSON.stringify(name.slice(0, 120))));
  const more = missing.size > names.length ? ` and ${missing.size - names.length} more` : '';
  const verb = missing.size > 1 ? 'are' : 'is';
  return new DataError(
    where,
    `the checkpoint needs ${names.join(', ')}${more}, which ${verb} not on the list of things it may hold (plain values, tensors, ` +
      'arrays); nothing of it was executed; save its weights alone, as a state_dict',
  );
}

/** The stack machine that a pickle is a program for. */
export class PickleMachine implements PickleContext {
  readonly reader: PickleReader;
  /** Names that are not on the allow-list. */
  readonly missing = new Set<string>();
  readonly #rules: PickleRules<unknown>;
  readonly #memo = new Map<number, unknown>();
  /** Lists and sets, which can be added to, unlike the tuples and frozen sets that look the same. */
  readonly #growing = new Set<object>();
  /** Which class made an object. */
  readonly #classes = new Map<object, PickleClass>();
  readonly #outer: unknown[][] = [];
  #stack: unknown[] = [];
  #containersLeft: number;
  #left: number;

  constructor(reader: PickleReader, rules: PickleRules<unknown>) {
    this.reader = reader;
    this.#rules = rules;
    const length = reader.bytes.length - reader.at;
    this.#left = 4 * length + 2 ** 20;
    this.#containersLeft = Math.min(maxContainers, freeContainers + length / 8);
  }

  /** Carries out operations up to STOP and returns what is on the stack. */
  run(): unknown {
    const { reader } = this;
    for (let count = 0; count < maxOperations; count++) {
      const opcode = reader.opcode();
      if (opcode === 0x2e) {
        if (this.#stack.length !== 1 || this.#outer.length > 0) throw this.error('expected one value at its end');
        return this.#stack[0];
      }
      const operation = operations[opcode];
      if (!operation) throw this.error(`unknown opcode 0x${opcode.toString(16).padStart(2, '0')}`);
      operation(this);
    }
    throw this.error(`more than ${maxOperations} operations`);
  }

  error(problem: string): DataError {
    return this.reader.error(problem);
  }

  spend(amount: number): void {
    this.#left -= amount;
    if (this.#left < 0) throw this.error('it asks for more copies of its data than any honest file does');
  }

  adopt(object: object, entry: PickleClass): void {
    this.#classes.set(object, entry);
  }

  push(value: unknown): void {
    this.#stack.push(value);
  }

  pop(): unknown {
    if (this.#stack.length === 0) throw this.error('takes a value from an empty stack');
    return this.#stack.pop();
  }

  top(): unknown {
    if (this.#stack.length === 0) throw this.error('needs a value on an empty stack');
    return this.#stack[this.#stack.length - 1];
  }

  mark(): void {
    if (this.#outer.length >= maxMarks) throw this.error(`nested deeper than ${maxMarks} marks`);
    this.#outer.push(this.#stack);
    this.#stack = [];
  }

  /** The values since the last mark, which is taken away. */
  popMark(): unknown[] {
    const outer = this.#outer.pop();
    if (!outer) throw this.error('needs a mark, but there is none');
    const values = this.#stack;
    this.#stack = outer;
    return values;
  }

  /** Whether the innermost mark is on top. */
  atMark(): boolean {
    return this.#stack.length === 0 && this.#outer.length > 0;
  }

  put(index: number | bigint): void {
    if (typeof index !== 'number' || index < 0) throw this.error(`impossible memo index ${index}`);
    if (this.#memo.size >= maxMemo) throw this.error(`more than ${maxMemo} memo entries`);
    this.#memo.set(index, this.top());
  }

  memoize(): void {
    this.put(this.#memo.size);
  }

  get(index: number | bigint): void {
    const value = this.#memo.get(Number(index));
    if (value === undefined) throw this.error(`refers to memo entry ${index}, which does not exist`);
    this.push(value instanceof Unfinished && value.built ? value.built.value : value);
  }

  #count<T extends object>(container: T): T {
    if (--this.#containersLeft < 0)
      throw this.error('more lists, tuples, dictionaries and sets than any honest file of its length holds');
    return container;
  }

  tuple(values: unknown[]): void {
    this.push(this.#count(values));
  }

  list(values: unknown[]): void {
    this.#growing.add(this.#count(values));
    this.push(values);
  }

  set(values: readonly unknown[], frozen: boolean): void {
    const set = this.#count(new Set<unknown>());
    for (const value of values) set.add(this.#key(value));
    if (!frozen) this.#growing.add(set);
    this.push(set);
  }

  dict(entries: readonly unknown[]): void {
    this.push(this.#count(new Map()));
    this.setItems(entries);
  }

  append(values: readonly unknown[]): void {
    const list = this.top();
    if (list instanceof NotAllowed) return;
    if (!Array.isArray(list) || !this.#growing.has(list)) throw this.error(`expected a list to append to, found ${kindOf(list)}`);
    for (const value of values) list.push(value);
  }

  addToSet(values: readonly unknown[]): void {
    const set = this.top();
    if (set instanceof NotAllowed) return;
    if (!(set instanceof Set) || !this.#growing.has(set)) throw this.error(`expected a set to add to, found ${kindOf(set)}`);
    for (const value of values) set.add(this.#key(value));
  }

  /** Adds `key, value, key, value, ...` to the dictionary on the stack. */
  setItems(entries: readonly unknown[]): void {
    const map = this.top();
    if (entries.length % 2 !== 0) throw this.error('a dictionary with a key but no value for it');
    if (map instanceof NotAllowed) return;
    if (!(map instanceof Map)) throw this.error(`expected a dictionary to add to, found ${kindOf(map)}`);
    for (let i = 0; i < entries.length; i += 2) map.set(this.#key(entries[i]), entries[i + 1]);
  }

  /** A value that Python could use as a key. */
  #key(value: unknown): unknown {
    const changes = value instanceof Map || (typeof value === 'object' && value !== null && this.#growing.has(value));
    if (changes) throw this.error(`${kindOf(value)} cannot be a key`);
    return value;
  }

  global(module: unknown, name: unknown): void {
    if (typeof module !== 'string' || typeof name !== 'string') throw this.error('expected the name of a module and of a global');
    // Texts of the memo can be put together again and again: a name costs no more than its own length.
    if (module.length + name.length > maxNameLength)
      throw this.error(`a name of ${module.length + name.length} characters; at most ${maxNameLength} are supported`);
    const full = `${module}.${name}`;
    const entry = this.#rules.globals.get(full);
    if (!entry) {
      if (this.missing.size >= maxMissing) throw this.error(`more than ${maxMissing} unknown names`);
      this.missing.add(full);
      this.push(new NotAllowed());
    } else this.push('value' in entry ? entry.value : new PickleGlobal(full, entry));
  }

  persistent(id: unknown): void {
    const { persistent } = this.#rules;
    if (!persistent) throw this.error('a persistent id in a file that has nothing it could refer to');
    this.push(this.#attempt(() => persistent(id, this)));
  }

  /** Replaces arguments and what is called with them by what the allow-list makes of it. */
  reduce(args: unknown, keywords?: unknown): void {
    const callee = this.pop();
    if (keywords !== undefined && !(keywords instanceof Map && keywords.size === 0)) {
      throw this.error('arguments by keyword are not supported');
    }
    if (!(callee instanceof NotAllowed || callee instanceof PickleGlobal)) {
      throw this.error(`expected a class or function to call, found ${kindOf(callee)}`);
    }
    if (!Array.isArray(args)) {
      if (this.missing.size === 0) throw this.error(`expected a tuple of arguments, found ${kindOf(args)}`);
      this.push(new NotAllowed());
      return;
    }
    this.push(callee instanceof NotAllowed ? callee : this.call(callee, args));
  }

  /** What a class or function of the allow-list makes. */
  call(callee: PickleGlobal, args: readonly unknown[]): unknown {
    const { call } = callee.entry;
    if (!call) throw this.error(`${callee.name} may be mentioned, but not called`);
    const made = this.#attempt(() => {
      this.spend(args.length);
      return call(args, this);
    });
    if (typeof made === 'object' && made !== null && !(made instanceof NotAllowed)) {
      this.#count(made);
      if (!this.#classes.has(made)) this.#classes.set(made, callee.entry);
      if (made instanceof Set) this.#growing.add(made);
    }
    return made;
  }

  /** Gives the object on the stack its attributes. */
  build(): void {
    const state = this.pop();
    const object = this.top();
    if (object instanceof NotAllowed) return;
    if (object instanceof Unfinished) {
      if (object.built) throw this.error('an object that is built twice');
      const value = this.#attempt(() => object.build(state, this));
      object.built = { value };
      this.pop();
      this.push(value);
      return;
    }
    const build = typeof object === 'object' && object !== null ? this.#classes.get(object)?.build : undefined;
    if (!build) throw this.error(`${kindOf(object)} takes no attributes`);
    this.#attempt(() => build(object, state, this));
  }

  /** Where a name is missing already, a failure may follow from it; the search for more goes on. */
  #attempt(make: () => unknown): unknown {
    try {
      return make();
    } catch (thrown) {
      if (thrown instanceof DataError && this.missing.size > 0) return new NotAllowed();
      throw thrown;
    }
  }
}

/** What a value is, for messages. */
function kindOf(value: unknown): string {
  if (value === null) return 'None';
  if (Array.isArray(value)) return 'a list or tuple';
  if (value instanceof Map) return 'a dictionary';
  if (value instanceof Set) return 'a set';
  if (value instanceof Uint8Array) return 'bytes';
  if (value instanceof PickleGlobal) return value.name;
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number' || typeof value === 'bigint') return 'a number';
  if (typeof value === 'string') return 'text';
  return 'an object';
}
