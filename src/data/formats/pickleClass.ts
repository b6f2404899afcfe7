/** What the globals that a pickle names stand for. Nothing here, and nothing a pickle holds, leads to code of anyone's choosing. */

/** What constructors see of the machine that carries out a pickle, see {@link PickleClass.call}. */
export interface PickleContext {
  /**
   * Takes `amount` (bytes or elements made) from what is left.
   * @throws DataError if a pickle of this length cannot honestly need so much
   */
  spend(amount: number): void;
  /** Says that a class other than the one that is called made an object: its attributes are that class's matter. */
  adopt(object: object, entry: PickleClass): void;
  /** An error at the present place of the pickle. */
  error(problem: string): Error;
}

/** One entry of an allow-list: what a global's name stands for, as plain data. */
export interface PickleClass {
  /** The value the name itself stands for (a dtype's name, say). Without one, the name stays a {@link PickleGlobal}. */
  readonly value?: unknown;
  /**
   * What calling it with these arguments makes. It must do no more than linear work, and spend what it copies. Without it the name
   * may be mentioned, but not called.
   */
  readonly call?: (args: readonly unknown[], context: PickleContext) => unknown;
  /** Takes in the attributes of an object that `call` made. Without it an object takes none. */
  readonly build?: (object: unknown, state: unknown, context: PickleContext) => void;
}

/** The name of a class or function as a value: nothing but its name. */
export class PickleGlobal {
  /** Module and name, `collections.OrderedDict`. */
  readonly name: string;
  /** @internal */
  readonly entry: PickleClass;

  constructor(name: string, entry: PickleClass) {
    this.name = name;
    this.entry = entry;
  }
}

/** An object that is made in two steps, and is known only after the second: `build` makes it from its state. */
export class Unfinished {
  readonly build: (state: unknown, context: PickleContext) => unknown;
  /** Present once it was built. */
  built: { readonly value: unknown } | undefined;

  constructor(build: Unfinished['build']) {
    this.build = build;
  }
}

/** What stands in for something the allow-list does not have, so that the rest can be searched for more of the kind. */
export class NotAllowed {}
