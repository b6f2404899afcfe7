import { canHold, type DType, type NDArray, ndarray, type Shape, showShape, zeros } from './ndarray.ts';
import type { GraphBuilder } from './onnx.ts';
import { type Aval, type Node, Tensor } from './tensor.ts';

/**
 * A primitive operation: shape rule, ONNX lowering and vector-Jacobian product, side by side. The type asks for all
 * three, so an op without one of them does not compile; {@link zero} says that no gradient flows.
 */
export interface Op<A = unknown> {
  readonly name: string;
  /** Types and shapes of the outputs. Throws {@link ShapeError} with the rule that is broken. */
  infer(attrs: A, ...inputs: Aval[]): readonly Aval[];
  /** Adds ONNX nodes to `g` and returns the names of the outputs. */
  lower(g: GraphBuilder, inputs: readonly string[], node: Node<A>): readonly string[];
  /** Cotangents of the inputs from those of the outputs (`undefined`: zero). */
  vjp(cotangents: readonly (Tensor | undefined)[], node: Node<A>): readonly (Tensor | undefined)[];
}

/** The vjp of an op that no gradient flows through. */
export function zero(_: readonly (Tensor | undefined)[], node: Node): undefined[] {
  return node.inputs.map(() => undefined);
}

/** A rule of an op that its inputs break. */
export class ShapeError extends Error {
  override name = 'ShapeError';
}

/** Fails with a {@link ShapeError} that states the rule. */
export function rule(holds: boolean, text: string): asserts holds {
  if (!holds) throw new ShapeError(text);
}

let nextId = 0;

/** Applies an op to tensors. @throws ShapeError naming the op, the shapes, the rule and the path of calls. */
export function apply<A>(op: Op<A>, inputs: readonly Tensor[], attrs: A): readonly Tensor[] {
  let avals: readonly Aval[];
  try {
    avals = op.infer(attrs, ...inputs);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    const shapes = inputs.map(t => `${t.dtype}${showShape(t.shape)}`).join(', ');
    throw new ShapeError(`${op.name}(${shapes}): ${error.message}${callPath(error)}`);
  }
  const outputs: Tensor[] = [];
  const node: Node<A> = { id: nextId++, op, attrs, inputs, outputs };
  for (const [index, aval] of avals.entries()) outputs.push(new Tensor(node as Node, index, aval));
  return outputs;
}

/** Applies an op with one output. */
export function apply1<A>(op: Op<A>, inputs: readonly Tensor[], attrs: A): Tensor {
  return apply(op, inputs, attrs)[0];
}

/** ` (in conv1d < acmNet < step)`: the ops, and the calls outside the engine, that led to an error. */
export function callPath(error: Error): string {
  const names: string[] = [];
  for (const line of (error.stack ?? '').split('\n')) {
    const match = /^\s*at (?:async )?([\w$.<>]+) \((.*)\)$/.exec(line);
    if (!match || /\/(?:src|dist)\/engine\/(?!ops\/)|node_modules|node:internal/.test(match[2])) continue;
    const name = match[1].replace(/^(Object|Module)\./, '');
    if (!/^(infer|rule|mustHold|operands|beside|apply1?|Array\.map|new )/.test(name) && name !== names.at(-1)) names.push(name);
  }
  return names.length > 0 ? ` (in ${names.slice(0, 8).join(' < ')})` : '';
}

/** A leaf of a trace: a value that is fed at every run. */
export const inputOp: Op<Aval> = {
  name: 'input',
  infer: aval => [aval],
  lower: () => {
    throw new Error('an input is fed, not lowered');
  },
  vjp: () => [],
};

/** A value known at trace time. */
export const constantOp: Op<{ value: NDArray }> = {
  name: 'constant',
  infer: ({ value }) => [value],
  lower: (g, _, { attrs }) => [g.constant(attrs.value)],
  vjp: () => [],
};

/** The same value as a tensor of its own: what a gradient is taken with respect to. */
export const identityOp: Op<null> = {
  name: 'identity',
  infer: (_, x) => [x],
  lower: (_, [x]) => [x],
  vjp: ([ct]) => [ct],
};

/** The same value, through which no gradient flows. */
const stopGradientOp: Op<null> = { ...identityOp, name: 'stopGradient', vjp: zero };

/** A tensor with the value of `array`. */
export function constant(array: NDArray): Tensor {
  return apply1(constantOp, [], { value: array });
}

/** Fails with a {@link ShapeError} if `dtype` cannot hold `value`: integer types hold the integers in their range. */
export function mustHold(dtype: DType, value: number, where: string): void {
  rule(canHold(dtype, value), `${where}: ${dtype} cannot hold ${value}; cast the tensor to a type that can`);
}

/** A scalar of type `dtype`. @throws ShapeError if the type cannot hold the number */
export function scalar(value: number, dtype: DType): Tensor {
  mustHold(dtype, value, 'scalar');
  const array = zeros([], dtype);
  if (dtype === 'int64') (array.data as BigInt64Array)[0] = BigInt(value);
  else (array.data as Float64Array)[0] = value;
  return constant(array);
}

/** A 1-D int64 constant, the type ONNX takes indices in. */
export function int64s(values: readonly number[]): NDArray<'int64'> {
  return ndarray('int64', [values.length], BigInt64Array.from(values, BigInt));
}

/** The value of `x` as a constant: no gradient flows through it. */
export function stopGradient(x: Tensor): Tensor {
  return apply1(stopGradientOp, [x], null);
}

/** Reads the number in a scalar constant; `undefined` for anything else. */
export function scalarValue(x: Tensor): number | undefined {
  if (x.node.op !== (constantOp as Op) || x.shape.length > 0) return undefined;
  return Number((x.node.attrs as { value: NDArray }).value.data[0]);
}

/** Turns a negative axis into a position. @throws ShapeError if it is out of range. */
export function axisOf(axis: number, rank: number): number {
  rule(Number.isInteger(axis) && axis >= -rank && axis < rank, `axis ${axis} is outside a tensor of ${rank} axes`);
  return axis < 0 ? axis + rank : axis;
}

/** NumPy's rule: axes are aligned from the right; extents must be equal or 1. */
export function broadcastShapes(...shapes: readonly Shape[]): Shape {
  const rank = Math.max(...shapes.map(s => s.length));
  const out: number[] = [];
  for (let i = 0; i < rank; i++) {
    let extent = 1;
    for (const shape of shapes) {
      const e = shape[shape.length - rank + i] ?? 1;
      if (e === 1) continue;
      rule(
        extent === 1 || extent === e,
        `shapes ${shapes.map(showShape).join(' and ')} do not broadcast: extents must be equal or 1`,
      );
      extent = e;
    }
    out.push(extent);
  }
  return out;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, i) => extent === b[i]);
}
