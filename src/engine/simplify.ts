import { hostOp } from './host.ts';
import type { NDArray } from './ndarray.ts';
import { constantOp, inputOp, type Op } from './op.ts';
import { ancestors, type Node, type Tensor } from './tensor.ts';

/** A graph without repetitions: live nodes in order, and which tensor stands for which. */
export interface Graph {
  readonly nodes: readonly Node[];
  /** The tensor that is computed in the place of `t`. */
  resolve(t: Tensor): Tensor;
}

/** Removes what changes nothing, computes equal expressions once (common subexpressions) and drops what no output needs. */
export function simplify(outputs: readonly Tensor[]): Graph {
  const stands = new Map<Tensor, Tensor>();
  const resolve = (t: Tensor): Tensor => stands.get(t) ?? t;
  const known = new Map<string, Node>();
  for (const node of ancestors(outputs)) {
    if (node.op.name === 'identity' || node.op.name === 'stopGradient') {
      stands.set(node.outputs[0], resolve(node.inputs[0]));
      continue;
    }
    const key = keyOf(node, resolve);
    if (key === undefined) continue;
    const same = known.get(key);
    if (same) for (const [i, output] of node.outputs.entries()) stands.set(output, same.outputs[i]);
    else known.set(key, node);
  }
  const live = new Set<Node>();
  const stack = outputs.map(t => resolve(t).node);
  while (stack.length > 0) {
    const node = stack.pop() as Node;
    if (live.has(node)) continue;
    live.add(node);
    for (const input of node.inputs) stack.push(resolve(input).node);
  }
  return { nodes: [...live].sort((a, b) => a.id - b.id), resolve };
}

/** Equal keys mean equal values. */
function keyOf(node: Node, resolve: (t: Tensor) => Tensor): string | undefined {
  if (node.op === (inputOp as Op) || node.op === (hostOp as Op)) return undefined;
  if (node.op === (constantOp as Op)) {
    const { dtype, shape, data } = (node.attrs as { value: NDArray }).value;
    if (data.length > 1024) return undefined;
    return `constant ${dtype}[${shape}] ${Array.from(data as ArrayLike<number | bigint>, v => (Object.is(v, -0) ? '-0' : String(v))).join()}`;
  }
  const inputs = node.inputs.map(t => {
    const r = resolve(t);
    return `${r.node.id}.${r.index}`;
  });
  return `${node.op.name}(${inputs}) ${attrsText(node)}`;
}

/** Attributes as text; numbers are spelt so that infinities and NaN stay apart. */
function attrsText(node: Node): string {
  return node.attrs === null ? '' : JSON.stringify(node.attrs, (_, v) => (typeof v === 'number' ? String(v) : v));
}

/** One line a node, for tests and error messages: `%3 float32[2, 4] = matmul(%1, %2) {"transposeB":true}`. */
export function printGraph(outputs: readonly Tensor[], names: ReadonlyMap<Tensor, string> = new Map()): string {
  const { nodes, resolve } = simplify(outputs);
  const labels = new Map<Tensor, string>();
  const label = (t: Tensor): string => labels.get(resolve(t)) ?? '?';
  const lines: string[] = [];
  for (const node of nodes) {
    for (const t of node.outputs) labels.set(t, names.get(t) ?? `%${labels.size}`);
    const left = node.outputs.map(t => `${label(t)} ${t.dtype}[${t.shape.join(', ')}]`).join(', ');
    if (node.op === (inputOp as Op)) lines.push(`${left} = input`);
    else if (node.op === (constantOp as Op)) {
      const { data } = (node.attrs as { value: NDArray }).value;
      lines.push(
        `${left} = constant ${data.length <= 8 ? Array.from(data as ArrayLike<number | bigint>).join(' ') : `(${data.length} values)`}`,
      );
    } else {
      const attrs = node.op === (hostOp as Op) ? (node.attrs as { name: string }).name : attrsText(node);
      lines.push(`${left} = ${node.op.name}(${node.inputs.map(label).join(', ')})${attrs && ` ${attrs}`}`);
    }
  }
  lines.push(`return ${outputs.map(label).join(', ')}`);
  return lines.join('\n');
}
