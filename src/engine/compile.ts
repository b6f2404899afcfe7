import type { NDArray } from './ndarray.ts';
import { apply1, callPath, inputOp, type Op, ShapeError } from './op.ts';
import { loadProgram, type Program } from './program.ts';
import {
  type Concrete,
  type Described,
  type IsLeaf,
  isArray,
  isAval,
  isTensor,
  leavesOf,
  mapTree,
  signatureOf,
} from './pytree.ts';
import { defaultRuntime } from './runtime/default.ts';
import type { Device, Runtime } from './runtime/runtime.ts';
import { type Graph, printGraph, simplify } from './simplify.ts';
import { type Aval, ancestors, type Tensor } from './tensor.ts';

export interface CompileOptions {
  /** Where to run; default `cpu`. */
  readonly device?: Device;
  /** Threads within one op; default: one a core. */
  readonly threads?: number;
  /** Programs kept, one for each signature of the arguments; the least recently used goes first. Default 32. */
  readonly cacheSize?: number;
  /** Name in error messages; default: the function's. */
  readonly name?: string;
}

/** A traced function that runs on arrays. */
export interface Compiled<A extends readonly unknown[], R> {
  (...args: Concrete<A> & readonly unknown[]): Promise<Concrete<R>>;
  /** The graph for arguments like these, one line a node. */
  print(...args: Concrete<A> & readonly unknown[]): string;
  /** The graph for arguments of these element types and shapes; nothing is run. */
  graph(...args: Described<A> & readonly unknown[]): TracedGraph;
  /** Programs in the cache, with their numbers of nodes and graphs. */
  stats(): Promise<{ programs: { signature: string; nodes: number; graphs: number }[] }>;
  /** Frees every program. */
  dispose(): Promise<void>;
}

/** A function as a graph. */
export interface TracedGraph extends Graph {
  /** The symbolic arguments, with their places such as `0.att_branch.weight`. */
  readonly inputs: ReadonlyMap<Tensor, string>;
  /** The results, in order; {@link Graph.resolve} gives what is computed in their place. */
  readonly outputs: readonly Tensor[];
}

interface Entry {
  readonly program: Promise<Program>;
  /** The result with positions in the list of outputs in the place of tensors. */
  readonly result: Promise<unknown>;
  users: number;
  evicted: boolean;
}

/** A position in the list of outputs. */
class Slot {
  readonly index: number;
  constructor(index: number) {
    this.index = index;
  }
}
const isSlot = (value: unknown): value is Slot => value instanceof Slot;

/**
 * Compiles a function of tensors: it is traced once for each signature of its arguments (structure, element types, shapes,
 * and the values of numbers, strings and booleans, which are constants of the trace), differentiated as it asks,
 * lowered to ONNX and run. Randomness and changing numbers must come in as arrays.
 */
export function compile<A extends readonly unknown[], R>(fn: (...args: A) => R, options: CompileOptions = {}): Compiled<A, R> {
  const { cacheSize = 32, name = fn.name || 'compiled function', device = 'cpu', threads } = options;
  const cache = new Map<string, Entry>();
  let runtime: Promise<Runtime> | undefined;

  const load = (args: readonly unknown[]): Entry => {
    const traced = (async () => {
      const { inputs, outputs, result } = trace(fn, args, name);
      runtime ??= defaultRuntime(device);
      const program = await loadProgram(inputs, outputs, await runtime, { threads });
      return { program, result };
    })();
    traced.catch(() => {});
    return { program: traced.then(t => t.program), result: traced.then(t => t.result), users: 0, evicted: false };
  };
  const release = async (entry: Entry) => {
    entry.evicted = true;
    if (entry.users === 0) await entry.program.then(p => p.dispose()).catch(() => {});
  };
  const entryFor = (args: readonly unknown[]): Entry => {
    const signature = signatureOf(args);
    const entry = cache.get(signature) ?? load(args);
    cache.delete(signature);
    cache.set(signature, entry);
    entry.program.catch(() => cache.delete(signature));
    entry.result.catch(() => {});
    if (cache.size > cacheSize) {
      const [oldest, unused] = cache.entries().next().value as [string, Entry];
      cache.delete(oldest);
      void release(unused);
    }
    return entry;
  };

  const call = async (...args: readonly unknown[]) => {
    const entry = entryFor(args);
    entry.users++;
    try {
      const program = await entry.program;
      const outputs = await program.run(leavesOf(args, isArray).map(({ leaf }) => leaf));
      return mapTree(await entry.result, isSlot, slot => outputs[slot.index]);
    } finally {
      entry.users--;
      if (entry.evicted) await release(entry);
    }
  };
  const print = (...args: readonly unknown[]) => {
    const { inputs, outputs, paths } = trace(fn, args, name);
    return printGraph(outputs, new Map(inputs.map((t, i) => [t, paths[i]])));
  };
  const graph = (...args: readonly unknown[]): TracedGraph => {
    const { inputs, outputs, paths } = trace(fn, args, name, isAval);
    return { ...simplify(outputs), inputs: new Map(inputs.map((t, i) => [t, paths[i]])), outputs };
  };
  const stats = async () => ({
    programs: await Promise.all(
      [...cache].map(async ([signature, entry]) => {
        const { nodes, graphs } = await entry.program;
        return { signature, nodes, graphs };
      }),
    ),
  });
  const dispose = async () => {
    const entries = [...cache.values()];
    cache.clear();
    await Promise.all(entries.map(release));
  };
  return Object.assign(call, { print, graph, stats, dispose }) as unknown as Compiled<A, R>;
}

/** Calls `fn` with symbolic tensors in the place of arrays. */
function trace(
  fn: (...args: never) => unknown,
  args: readonly unknown[],
  name: string,
  isLeaf: IsLeaf<NDArray> | IsLeaf<Aval> = isArray,
) {
  const inputs: Tensor[] = [];
  const paths: string[] = [];
  const symbols = mapTree<Aval>(args, isLeaf, (array, path) => {
    const t = apply1<Aval>(inputOp, [], { dtype: array.dtype, shape: array.shape });
    inputs.push(t);
    paths.push(path);
    return t;
  }) as never[];
  let returned: unknown;
  const { stackTraceLimit } = Error;
  try {
    // Deep enough to reach through the layers of a network, for the path of calls in messages.
    Error.stackTraceLimit = 50;
    returned = (fn as (...a: unknown[]) => unknown)(...symbols);
  } catch (error) {
    // A rule broken before an op was applied has no path yet.
    if (error instanceof ShapeError)
      error.message = `${name}: ${error.message}${/ \(in [^()]*\)$/.test(error.message) ? '' : callPath(error)}`;
    throw error;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  if (returned instanceof Promise) throw new TypeError(`${name}: a traced function must not be async`);
  const outputs: Tensor[] = [];
  const result = mapTree(returned, isTensor, t => new Slot(outputs.push(t) - 1));
  const own = new Set(inputs);
  for (const { op, outputs: values } of ancestors(outputs)) {
    if (op === (inputOp as Op) && !own.has(values[0])) {
      throw new Error(`${name}: uses a tensor of another trace (${values[0].dtype}[${values[0].shape}]); pass it as an argument`);
    }
  }
  return { inputs, outputs, paths, result };
}
