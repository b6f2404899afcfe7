import { type NDArray, showShape, sizeOf, zeros } from './ndarray.ts';
import { apply, constant, type Op, sameShape } from './op.ts';
import type { Aval, Node, Tensor } from './tensor.ts';

/** A computation written in TypeScript over typed arrays. */
export interface HostFunction {
  readonly name: string;
  /** Types and shapes of the outputs. */
  readonly outputs: readonly Aval[];
  /** Floating-point operations of the forward part, for summaries of models. */
  readonly flops?: number;
  forward(inputs: readonly NDArray[]): readonly NDArray[];
  /** Cotangents of the inputs; without it no gradient flows. All arguments are complete (missing cotangents are zeros). */
  backward?(
    cotangents: readonly NDArray[],
    inputs: readonly NDArray[],
    outputs: readonly NDArray[],
  ): readonly (NDArray | undefined)[];
}

/** The graph is cut at nodes of this op: `compile` runs them between two sessions. */
export const hostOp: Op<HostFunction> = {
  name: 'hostCall',
  infer: f => f.outputs,
  lower: (_, __, node) => {
    throw new Error(`host call ${node.attrs.name} is run, not lowered`);
  },
  vjp: (received, { attrs: f, inputs, outputs }) => {
    const backward = f.backward;
    if (!backward) return inputs.map(() => undefined);
    const cts = outputs.map((y, i) => received[i] ?? constant(zeros(y.shape, y.dtype)));
    const n = outputs.length;
    return hostCall(
      {
        name: `${f.name}.backward`,
        outputs: inputs.map(({ dtype, shape }) => ({ dtype, shape })),
        forward: values => {
          const given = backward(values.slice(0, n), values.slice(n, n + inputs.length), values.slice(n + inputs.length));
          return inputs.map((x, i) => given[i] ?? zeros(x.shape, x.dtype));
        },
        backward: () => {
          throw new Error(`host call ${f.name} has no second derivative`);
        },
      },
      [...cts, ...inputs, ...outputs],
    );
  },
};

/**
 * Calls a TypeScript function in the middle of a traced one. The graph is cut there: what the rest needs of the first part
 * is copied out of the runtime, so use it for computations that ONNX expresses badly and whose surroundings are small.
 */
export function hostCall(f: HostFunction, inputs: readonly Tensor[]): readonly Tensor[] {
  return apply(hostOp, inputs, f);
}

/** Runs a host call and checks what it returns. @throws Error naming the call and the output that does not fit. */
export function runHostCall(node: Node<HostFunction>, inputs: readonly NDArray[]): readonly NDArray[] {
  const outputs = node.attrs.forward(inputs);
  for (const [i, { dtype, shape }] of node.attrs.outputs.entries()) {
    const got = outputs[i];
    if (got?.dtype !== dtype || !sameShape(got.shape, shape) || got.data.length !== sizeOf(shape)) {
      const found = got ? `${got.dtype}${showShape(got.shape)}` : 'nothing';
      throw new Error(`host call ${node.attrs.name}: output ${i} should be ${dtype}${showShape(shape)}, got ${found}`);
    }
  }
  return outputs;
}
