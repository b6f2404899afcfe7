import {
  type Extent,
  extentFinder,
  extentText,
  lowerExtent,
  lowerReciprocal,
  maxDivisor,
  type SampledValues,
  type Sizes,
} from './extent.ts';
import { hostOp } from './host.ts';
import { type DType, type NDArray, ndarray, type Shape, showShape } from './ndarray.ts';
import { encodeModel, GraphBuilder, type Port } from './onnx.ts';
import { apply1, inputOp, type Op } from './op.ts';
import { isLowered, lowerNodes } from './program.ts';
import { simplify } from './simplify.ts';
import type { Aval, Tensor } from './tensor.ts';

/** An input of an exported model: extents that are names are open, and equal names mean equal extents. */
export interface OpenInput {
  readonly dtype: DType;
  readonly shape: readonly (number | string)[];
}

export interface ExportOptions {
  /** Held by the model, under their names. */
  readonly params: Readonly<Record<string, NDArray>>;
  readonly inputs: Readonly<Record<string, OpenInput>>;
  /** Stored in the model. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A function of parameters and inputs to named outputs, as it is traced. */
export type Exportable = (params: Record<string, Tensor>, inputs: Record<string, Tensor>) => Readonly<Record<string, Tensor>>;

/**
 * A function as one ONNX model whose inputs have open axes.
 *
 * The function is traced at several sizes of the open axes. The traces must be the same graph; the integers in which they differ become
 * formulas of the open axes (see {@link extentFinder}), computed when the model runs. The exported graph is the one that runs here, so the
 * numbers are the same.
 * @throws Error naming the node, if the graph itself depends on the sizes or no formula explains an integer; for a host call
 */
export function exportModel(fn: Exportable, options: ExportOptions): Uint8Array {
  const axes = [...new Set(Object.values(options.inputs).flatMap(({ shape }) => shape.filter(e => typeof e === 'string')))];
  const samples = sampleSizes(axes);
  const traces = samples.map(sizes => traceAt(fn, options, sizes));
  checkNames([...Object.keys(options.params), ...Object.keys(options.inputs), ...traces[0].outputs.map(({ name }) => name)]);
  return generalize(traces, axes, samples, options);
}

/** What an axis's size steps by from trace to trace: odd, so that every residue comes up. */
const strides = [1, 5, 11, 19];

/**
 * Sizes to trace at: large enough that no part of the graph has nothing, or just one thing, to work on. (Tracing moves no data.) In each
 * of three rounds every axis takes as many sizes in a row as tell all quotients apart; from round to round the axes shift against each
 * other, so that none is even exactly where another is.
 */
function sampleSizes(axes: readonly string[]): Sizes[] {
  if (axes.length > strides.length) throw new Error(`expected at most ${strides.length} open axes, got ${axes.join(', ')}`);
  const round = 2 * maxDivisor;
  const sizeAt = (s: number, i: number): number => 2 * round + ((s * strides[i] + i * Math.floor(s / round)) % round);
  return Array.from({ length: 3 * round }, (_, s) => Object.fromEntries(axes.map((axis, i) => [axis, sizeAt(s, i)])));
}

/** A graph has one set of names; those of the form t0, c1 are the builder's. */
function checkNames(names: readonly string[]): void {
  const taken = names.find((name, i) => names.indexOf(name) !== i || /^[tc]\d+$/.test(name));
  if (taken !== undefined) throw new Error(`the name ${taken} is taken: parameters, inputs and outputs need names of their own`);
}

interface Trace {
  readonly graph: GraphBuilder;
  readonly inputs: readonly string[];
  readonly params: ReadonlySet<string>;
  readonly outputs: readonly { readonly name: string; readonly from: string; readonly dtype: DType; readonly shape: Shape }[];
}

function traceAt(fn: Exportable, { params, inputs }: ExportOptions, sizes: Sizes): Trace {
  const names = new Map<Tensor, string>();
  const symbol = (name: string, aval: Aval): Tensor => {
    const t = apply1<Aval>(inputOp, [], aval);
    names.set(t, name);
    return t;
  };
  const symbols = (avals: Readonly<Record<string, Aval>>) =>
    Object.fromEntries(Object.entries(avals).map(([name, { dtype, shape }]) => [name, symbol(name, { dtype, shape })]));
  const sized = Object.entries(inputs).map(([name, { dtype, shape }]): [string, Aval] => [
    name,
    { dtype, shape: shape.map(extent => (typeof extent === 'string' ? sizes[extent] : extent)) },
  ]);
  const outputs = fn(symbols(params), symbols(Object.fromEntries(sized)));
  const graph = simplify(Object.values(outputs));
  if (graph.nodes.some(node => node.op === (hostOp as Op))) throw new Error('a graph with a host call cannot be exported');
  // Constants are not shared here: which of them happen to be equal depends on the sizes.
  const g = new GraphBuilder({ share: false });
  const read = new Set<string>();
  const nameOf = lowerNodes(g, graph, graph.nodes.filter(isLowered), t => {
    const name = names.get(t);
    if (name === undefined) throw new Error(`the exported function reads a ${t.dtype}${showShape(t.shape)} of another trace`);
    read.add(name);
    return name;
  });
  const results = Object.entries(outputs).map(([name, t]) => ({ name, from: nameOf(t), dtype: t.dtype, shape: t.shape }));
  return {
    graph: g,
    inputs: Object.keys(inputs),
    params: new Set(Object.keys(params).filter(name => read.has(name))),
    outputs: results,
  };
}

/** One graph of all traces. */
function generalize(
  traces: readonly Trace[],
  axes: readonly string[],
  samples: readonly Sizes[],
  options: ExportOptions,
): Uint8Array {
  // What changes nothing at a size is left out of the trace at that size: the longest trace has everything.
  const longest = traces.reduce((a, b) => (b.graph.nodes.length > a.graph.nodes.length ? b : a));
  const constants = traces.map(({ graph }, i) => alignConstants(longest.graph, graph, `at ${showSizes(samples[i])}`));
  const find = extentFinder(axes, samples);

  const g = new GraphBuilder();
  const sizeOf = sizeReader(g, options.inputs);
  const names = new Map<string, string>(longest.inputs.map(name => [name, name]));
  for (const name of longest.params) names.set(name, g.parameter(name, options.params[name]));
  const emitted = new Map<string, string>();
  const nameOf = (name: string): string => {
    const known = names.get(name);
    if (known !== undefined) return known;
    const arrays = constants.map(found => found.get(name));
    const made = openConstant(g, arrays, find, sizeOf, emitted, `a constant of ${userOf(longest.graph, name)}`);
    names.set(name, made);
    return made;
  };
  for (const { op, inputs, outputs, attributes } of longest.graph.nodes) {
    const made = g.nodeWith(outputs.length, op, inputs.map(nameOf), attributes);
    for (const [i, output] of outputs.entries()) names.set(output, made[i]);
  }
  const ports = longest.outputs.map(({ name, from, dtype, shape }, i): Port => {
    g.named(name, nameOf(from));
    const open = shape.map((_, axis) => {
      const extent = find(traces.map(trace => trace.outputs[i].shape[axis]));
      if (!extent) throw new Error(`output ${name}: no formula of ${axes.join(', ')} gives the extents of its axis ${axis}`);
      return extent.terms.length === 0 ? extent.offset : extentText(extent);
    });
    return { name, dtype, shape: open };
  });
  const inputs = Object.entries(options.inputs).map(([name, { dtype, shape }]): Port => ({ name, dtype, shape }));
  return encodeModel(g, inputs, ports, options.metadata);
}

/** What reads the size of an axis, int64 `[1]`, from the first input that has it. */
function sizeReader(g: GraphBuilder, inputs: ExportOptions['inputs']): (axis: string) => string {
  const known = new Map<string, string>();
  return axis => {
    let size = known.get(axis);
    if (size === undefined) {
      const [input, { shape }] = Object.entries(inputs).find(([, port]) => port.shape.includes(axis)) as [string, OpenInput];
      const at = shape.indexOf(axis);
      size = g.node('Shape', [input], { start: { int: at }, end: { int: at + 1 } });
      known.set(axis, size);
    }
    return size;
  };
}

const showSizes = (sizes: Sizes): string =>
  Object.entries(sizes)
    .map(([axis, size]) => `${axis} ${size}`)
    .join(', ');

/** Ops that a trace leaves out where they would change nothing. */
const omissible = new Set(['Slice', 'Reshape', 'Expand']);

/**
 * The constants of `graph` by the names that those at the same places have in `longest`. Both are the same graph, but for nodes which change
 * nothing in `graph` and are left out of it; their constants are missing.
 * @throws Error naming the first node in which the graphs differ.
 */
function alignConstants(longest: GraphBuilder, graph: GraphBuilder, where: string): Map<string, NDArray> {
  const own = new Map(graph.initializers.map(({ name, array }) => [name, array]));
  const isConstant = new Set(longest.initializers.map(({ name }) => name));
  const found = new Map<string, NDArray>();
  /** Names in `longest` and in `graph` of what holds the same value. */
  const same = new Map<string, string>();
  let next = 0;
  for (const [i, node] of longest.nodes.entries()) {
    const other = graph.nodes[next];
    const matches =
      other !== undefined &&
      node.op === other.op &&
      node.inputs.length === other.inputs.length &&
      JSON.stringify(node.attributes) === JSON.stringify(other.attributes) &&
      node.inputs.every((name, k) =>
        isConstant.has(name) ? own.has(other.inputs[k]) : (same.get(name) ?? name) === other.inputs[k],
      );
    if (matches) {
      for (const [k, name] of node.inputs.entries())
        if (isConstant.has(name)) found.set(name, own.get(other.inputs[k]) as NDArray);
      for (const [k, name] of node.outputs.entries()) same.set(name, other.outputs[k]);
      next++;
    } else if (omissible.has(node.op)) same.set(node.outputs[0], same.get(node.inputs[0]) ?? node.inputs[0]);
    else
      throw new Error(
        `the graph depends on the open axes: its node ${i} is ${node.op} ${JSON.stringify(node.attributes)}, ${where} ${other?.op ?? 'none'} ${JSON.stringify(other?.attributes ?? {})}`,
      );
  }
  if (next < graph.nodes.length)
    throw new Error(`the graph depends on the open axes: it has a further ${graph.nodes[next].op} ${where}`);
  return found;
}

function userOf(graph: GraphBuilder, name: string): string {
  return graph.nodes.find(node => node.inputs.includes(name))?.op ?? 'an output';
}

/**
 * The constant that several traces have at the same place (undefined where a trace has it not): as it is where they agree, else computed
 * from the open axes.
 */
function openConstant(
  g: GraphBuilder,
  arrays: readonly (NDArray | undefined)[],
  find: (values: SampledValues) => Extent | undefined,
  sizeOf: (axis: string) => string,
  emitted: Map<string, string>,
  where: string,
): string {
  const present = arrays.filter(array => array !== undefined);
  const [first] = present;
  if (present.every(array => isSame(array, first))) return g.constant(first);
  const failure = (what: string): Error => new Error(`no formula of the open axes gives ${where}: ${what}`);
  const extentOf = (values: SampledValues): Extent => {
    const extent = find(values);
    if (!extent) throw failure(`${values.slice(0, 8).join(', ')}, …`);
    return extent;
  };
  /** The same formula is computed once. */
  const once = (key: string, lower: () => string): string => {
    const made = emitted.get(key) ?? lower();
    emitted.set(key, made);
    return made;
  };
  const integer = (values: SampledValues): string => {
    const extent = extentOf(values);
    return extent.terms.length === 0 ? g.ints([extent.offset]) : once(extentText(extent), () => lowerExtent(g, extent, sizeOf));
  };
  const vector = (columns: readonly SampledValues[]): string =>
    columns.length === 1 ? integer(columns[0]) : g.node('Concat', columns.map(integer), { axis: { int: 0 } });

  const { dtype, shape } = first;
  const at = (i: number) => arrays.map(array => (array === undefined ? undefined : Number(array.data[i])));
  if (present.every(array => showShape(array.shape) === showShape(shape))) {
    if (dtype === 'int64' && shape.length === 1) return vector(Array.from({ length: shape[0] }, (_, i) => at(i)));
    if (dtype === 'int64' && shape.length === 0) return g.node('Squeeze', [integer(at(0)), g.ints([0])]);
    // A mean over an open axis is a sum times 1 / n.
    const rounded = dtype === 'float32' ? Math.fround : (value: number) => value;
    const counts = at(0).map(value => (value === undefined ? undefined : Math.round(1 / value)));
    const areReciprocals = at(0).every((value, i) => value === undefined || value === rounded(1 / (counts[i] as number)));
    if (dtype.startsWith('float') && shape.length === 0 && areReciprocals) {
      const extent = extentOf(counts);
      return once(`1/(${extentText(extent)}) ${dtype}`, () => lowerReciprocal(g, extent, dtype, sizeOf));
    }
  }
  const fill = present.find(array => array.data.length > 0)?.data[0];
  const isUniform = present.every(
    array => array.shape.length === shape.length && array.data.every((v: unknown) => Object.is(v, fill)),
  );
  if (fill === undefined || !isUniform) throw failure(`${dtype}${showShape(shape)}, …`);
  const one = g.constant(ndarray(dtype, [], first.data.slice(0, 1) as NDArray['data']));
  return g.node('Expand', [one, vector(shape.map((_, axis) => arrays.map(array => array?.shape[axis])))]);
}

function isSame(a: NDArray, b: NDArray): boolean {
  if (a === b) return true;
  return (
    a.dtype === b.dtype &&
    showShape(a.shape) === showShape(b.shape) &&
    a.data.every((value: unknown, i) => Object.is(value, b.data[i]))
  );
}
