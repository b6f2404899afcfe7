import { type HostFunction, hostOp, runHostCall } from './host.ts';
import { copyOf, type NDArray, sizeOf, zeros } from './ndarray.ts';
import { encodeModel, GraphBuilder, type Port } from './onnx.ts';
import { constantOp, inputOp, type Op } from './op.ts';
import type { Runtime, Session, SessionOptions } from './runtime/runtime.ts';
import { type Graph, simplify } from './simplify.ts';
import type { Node, Tensor } from './tensor.ts';

/** Values during a run, by the tensor they are the value of. */
type Values = Map<Tensor, NDArray>;

/** A part of a program: a graph for the runtime, or a host call between two of them. */
interface Step {
  readonly needs: readonly Tensor[];
  run(values: Values): Promise<void>;
  dispose(): Promise<void>;
}

/** A loaded trace: feed the inputs, get the outputs. */
export interface Program {
  /** Number of live nodes, and of graphs they were cut into. */
  readonly nodes: number;
  readonly graphs: number;
  run(inputs: readonly NDArray[]): Promise<NDArray[]>;
  dispose(): Promise<void>;
}

const isConstant = (t: Tensor): boolean => t.node.op === (constantOp as Op);
const isInput = (node: Node): boolean => node.op === (inputOp as Op);
const isHost = (node: Node): node is Node<HostFunction> => node.op === (hostOp as Op);
/** Whether a node is computed by a graph: no leaf, and no host call. */
export const isLowered = (node: Node): boolean => !isHost(node) && !isInput(node) && node.op !== (constantOp as Op);
const constantValue = (t: Tensor): NDArray => (t.node.attrs as { value: NDArray }).value;

/**
 * Stage of each node: 0 for what depends on no host call, n + 1 for what depends on a host call that reads stage n.
 * A host call has the stage of the graph it follows.
 */
function stagesOf(graph: Graph): Map<Node, number> {
  const stages = new Map<Node, number>();
  for (const node of graph.nodes) {
    let stage = 0;
    for (const input of node.inputs) {
      const from = graph.resolve(input).node;
      stage = Math.max(stage, (stages.get(from) as number) + (isHost(from) ? 1 : 0));
    }
    stages.set(node, stage);
  }
  return stages;
}

/** Simplifies, cuts at host calls, lowers and loads a traced function. */
export async function loadProgram(
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
  runtime: Runtime,
  options: SessionOptions,
): Promise<Program> {
  const graph = simplify(outputs);
  const results = outputs.map(graph.resolve);
  const stages = stagesOf(graph);
  const count = Math.max(0, ...stages.values()) + 1;
  const steps: Step[] = [];
  for (let stage = 0; stage < count; stage++) {
    const members = graph.nodes.filter(n => stages.get(n) === stage && isLowered(n));
    const inside = new Set(members);
    const wanted = new Set<Tensor>(results.filter(t => inside.has(t.node)));
    for (const node of graph.nodes) {
      if (!inside.has(node)) for (const t of node.inputs.map(graph.resolve)) if (inside.has(t.node)) wanted.add(t);
    }
    if (wanted.size > 0) steps.push(await graphStep(graph, members, [...wanted], runtime, options));
    for (const node of graph.nodes) if (isHost(node) && stages.get(node) === stage) steps.push(hostStep(node, graph));
  }

  // What no later step reads is dropped, so that memory is not held longer than needed.
  const kept = new Set(results);
  const lastUse = new Map<Tensor, number>();
  for (const [i, step] of steps.entries()) for (const t of step.needs) if (!kept.has(t)) lastUse.set(t, i);

  return {
    nodes: graph.nodes.length,
    graphs: steps.filter(step => 'graph' in step).length,
    async run(arrays) {
      const values: Values = new Map(inputs.map((t, i) => [t, arrays[i]]));
      for (const [i, step] of steps.entries()) {
        await step.run(values);
        for (const t of step.needs) if (lastUse.get(t) === i) values.delete(t);
      }
      // Results are the caller's to change: what is also an input, a constant or another result is copied.
      const given = new Set<NDArray>(arrays);
      return results.map(t => {
        const array = isConstant(t) ? constantValue(t) : (values.get(t) as NDArray);
        if (isConstant(t) || given.has(array)) return copyOf(array);
        given.add(array);
        return array;
      });
    },
    async dispose() {
      for (const step of steps) await step.dispose();
    },
  };
}

function hostStep(node: Node<HostFunction>, graph: Graph): Step {
  const inputs = node.inputs.map(graph.resolve);
  return {
    needs: inputs,
    async run(values) {
      const arrays = runHostCall(
        node,
        inputs.map(t => (isConstant(t) ? constantValue(t) : (values.get(t) as NDArray))),
      );
      for (const [i, t] of node.outputs.entries()) values.set(t, arrays[i]);
    },
    async dispose() {},
  };
}

async function graphStep(
  graph: Graph,
  members: readonly Node[],
  wanted: readonly Tensor[],
  runtime: Runtime,
  options: SessionOptions,
): Promise<Step> {
  const { bytes, feeds, names } = lowerToModel(graph, members, wanted);
  const session: Session = await runtime.createSession(bytes, names, options);
  const step = {
    graph: true,
    needs: [...feeds.keys()],
    async run(values: Values) {
      const arrays: Record<string, NDArray> = {};
      for (const [t, name] of feeds) arrays[name] = values.get(t) as NDArray;
      const results = await session.run(arrays);
      for (const [i, t] of wanted.entries()) values.set(t, results[i]);
    },
    dispose: () => session.dispose(),
  };
  return step;
}

/** Lowers `members` to an ONNX model that computes `wanted` from whatever they read from outside. */
function lowerToModel(
  graph: Graph,
  members: readonly Node[],
  wanted: readonly Tensor[],
): { bytes: Uint8Array; feeds: Map<Tensor, string>; names: string[] } {
  const g = new GraphBuilder();
  const feeds = new Map<Tensor, string>();
  const lowered = lowerNodes(g, graph, members, t => {
    const name = `in${feeds.size}`;
    feeds.set(t, name);
    return name;
  });
  const port = (t: Tensor, name: string): Port => ({ name, dtype: t.dtype, shape: t.shape });
  // A lowering may pass its input through; a graph output must be a node's own.
  const names = wanted.map(t => g.node('Identity', [lowered(t)]));
  const bytes = encodeModel(
    g,
    [...feeds].map(([t, name]) => port(t, name)),
    wanted.map((t, i) => port(t, names[i])),
  );
  return { bytes, feeds, names };
}

/**
 * Lowers `members` onto `g`.
 * @param read names what they read from outside, other than constants; asked once for each tensor
 * @returns the name that holds a tensor
 */
export function lowerNodes(
  g: GraphBuilder,
  graph: Graph,
  members: readonly Node[],
  read: (t: Tensor) => string,
): (t: Tensor) => string {
  const lowered = new Map<Tensor, string>();
  const nameOf = (input: Tensor): string => {
    const t = graph.resolve(input);
    const known = lowered.get(t);
    if (known !== undefined) return known;
    const name = isConstant(t) ? g.constant(constantValue(t)) : read(t);
    lowered.set(t, name);
    return name;
  };
  for (const node of members) {
    // ONNX Runtime cannot broadcast or gather some empty arrays; what has no elements needs no computing.
    const empty = node.outputs.every(t => sizeOf(t.shape) === 0);
    const outputs = empty
      ? node.outputs.map(t => g.constant(zeros(t.shape, t.dtype)))
      : node.op.lower(g, node.inputs.map(nameOf), node);
    for (const [i, t] of node.outputs.entries()) lowered.set(t, outputs[i]);
  }
  return nameOf;
}
