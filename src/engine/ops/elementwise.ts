import { type DType, showShape } from '../ndarray.ts';
import type { GraphBuilder } from '../onnx.ts';
import { apply1, broadcastShapes, mustHold, type Op, rule, ShapeError, sameShape, scalar, scalarValue, zero } from '../op.ts';
import { Tensor } from '../tensor.ts';
import { broadcastTo, sumTo, unbroadcast } from './broadcast.ts';
import { lowerErfFloat64 } from './erfFloat64.ts';
import { afterIfLarge } from './order.ts';
import { cast } from './shape.ts';

/** A tensor, or a number that takes the other operand's element type, which must be able to hold it (no 0.5 beside int32). */
export type Operand = Tensor | number;

const isFloat = (dtype: DType): boolean => dtype === 'float32' || dtype === 'float64';

/** A slope that float32 just holds. */
const steepest = 3.4e38;

// ---------------------------------------------------------------------------------------------- unary

/** y = f(x), elementwise. `derivative(ct, x, y)` is ct * f'(x). */
function unary(
  name: string,
  onnx: string | ((g: GraphBuilder, x: string, dtype: DType) => string),
  derivative: (ct: Tensor, x: Tensor, y: Tensor) => Tensor | undefined,
): (x: Tensor) => Tensor {
  const op: Op<null> = {
    name,
    infer: (_, x) => {
      rule(isFloat(x.dtype), `needs a floating type, got ${x.dtype}`);
      return [x];
    },
    lower: (g, [x], { inputs }) => [typeof onnx === 'string' ? g.node(onnx, [x]) : onnx(g, x, inputs[0].dtype)],
    vjp: ([ct], { inputs: [x], outputs: [y] }) => [ct && derivative(ct, x, y)],
  };
  return x => apply1(op, [x], null);
}

/** -x */
export const neg = unary('neg', 'Neg', ct => neg(ct));
/** e^x */
export const exp = unary('exp', 'Exp', (ct, _, y) => mul(ct, y));
/** Natural logarithm. */
export const log = unary('log', 'Log', (ct, x) => div(ct, x));
/** Square root. */
export const sqrt = unary('sqrt', 'Sqrt', (ct, _, y) => div(ct, mul(y, 2)));
/** 1/x */
export const reciprocal = unary('reciprocal', 'Reciprocal', (ct, _, y) => neg(mul(ct, mul(y, y))));
/** -1, 0 or 1. */
export const sign = unary('sign', 'Sign', () => undefined);
/** |x|; the derivative at 0 is 0. */
export const abs = unary('abs', 'Abs', (ct, x) => mul(ct, sign(x)));
export const floor = unary('floor', 'Floor', () => undefined);
export const ceil = unary('ceil', 'Ceil', () => undefined);
export const sin = unary('sin', 'Sin', (ct, x) => mul(ct, cos(x)));
export const cos: (x: Tensor) => Tensor = unary('cos', 'Cos', (ct, x) => neg(mul(ct, sin(x))));
/** max(x, 0); the derivative at 0 is 0. */
export const relu = unary('relu', 'Relu', (ct, _, y) => mul(ct, positive(afterIfLarge(y, ct))));
/**
 * 1 where x > 0, else 0, as x's type, in one pass where a comparison and a cast take two: max(0, min(1, steepest x)). In float32 a positive x below
 * 3e-39, which no longer has all its digits, gives less than 1.
 */
const positive = unary(
  'positive',
  (g, x, dtype) =>
    dtype === 'float64'
      ? g.cast(g.node('Greater', [x, g.scalar(0, dtype)]), dtype)
      : g.node('HardSigmoid', [x], { alpha: { float: steepest }, beta: { float: 0 } }),
  () => undefined,
);
/** 1 / (1 + e^-x) */
export const sigmoid = unary('sigmoid', 'Sigmoid', (ct, _, y) => mul(ct, mul(y, sub(1, y))));
/** Hyperbolic tangent. */
export const tanh = unary('tanh', 'Tanh', (ct, _, y) => mul(ct, sub(1, mul(y, y))));
/** Error function 2/sqrt(pi) * integral of e^(-t^2) from 0 to x. */
export const erf = unary(
  'erf',
  (g, x, dtype) => (dtype === 'float64' ? lowerErfFloat64(g, x) : g.node('Erf', [x])),
  (ct, x) => mul(ct, mul(exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI))),
);
/** log(1 + e^x) = max(x, 0) + log(1 + e^-|x|): the form that neither overflows nor costs ONNX's slow Softplus. */
export const softplus = unary(
  'softplus',
  (g, x, dtype) => {
    const tail = g.node('Log', [g.node('Add', [g.node('Exp', [g.node('Neg', [g.node('Abs', [x])])]), g.scalar(1, dtype)])]);
    return g.node('Add', [g.node('Relu', [x]), tail]);
  },
  (ct, x) => mul(ct, sigmoid(x)),
);

/** x * Phi(x); `tanh` is the published approximation 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). */
export function gelu(x: Tensor, approximate: 'none' | 'tanh' = 'none'): Tensor {
  const inner =
    approximate === 'none'
      ? erf(mul(x, Math.SQRT1_2))
      : tanh(mul(mul(x, add(mul(mul(x, x), 0.044715), 1)), Math.sqrt(2 / Math.PI)));
  return mul(mul(x, 0.5), add(inner, 1));
}

/** x^2 */
export function square(x: Tensor): Tensor {
  return mul(x, x);
}

// --------------------------------------------------------------------------------------------- binary

/** Brings two operands to one element type and drops broadcasts that the op makes by itself. */
function operands(name: string, a: Operand, b: Operand): [Tensor, Tensor] {
  if (!(a instanceof Tensor) && !(b instanceof Tensor)) throw new ShapeError(`${name}(${a}, ${b}): one operand must be a tensor`);
  const text = (v: Operand) => (v instanceof Tensor ? `${v.dtype}${showShape(v.shape)}` : v);
  const beside = (v: number, { dtype }: Tensor) => {
    mustHold(dtype, v, `${name}(${text(a)}, ${text(b)})`);
    return scalar(v, dtype);
  };
  let x = a instanceof Tensor ? a : beside(a, b as Tensor);
  let y = b instanceof Tensor ? b : beside(b, x);
  if (broadcastsTo(unbroadcast(x), y, x)) x = unbroadcast(x);
  if (broadcastsTo(unbroadcast(y), x, y)) y = unbroadcast(y);
  return [x, y];
}

/** Whether `small` in the place of `wide` beside `other` gives the same shape. */
function broadcastsTo(small: Tensor, other: Tensor, wide: Tensor): boolean {
  return (
    small !== wide &&
    other.rank >= wide.rank &&
    sameShape(broadcastShapes(small.shape, other.shape), broadcastShapes(wide.shape, other.shape))
  );
}

/** z = f(x, y) with broadcasting. `derivatives` gives ct * df/dx and ct * df/dy in z's shape. */
function binary(
  name: string,
  onnx: string,
  derivatives: readonly [
    (ct: Tensor, x: Tensor, y: Tensor, z: Tensor) => Tensor | undefined,
    (ct: Tensor, x: Tensor, y: Tensor, z: Tensor) => Tensor | undefined,
  ],
): (x: Operand, y: Operand) => Tensor {
  const op: Op<null> = {
    name,
    infer: (_, x, y) => {
      rule(x.dtype === y.dtype, `element types ${x.dtype} and ${y.dtype} differ; cast one`);
      return [{ dtype: x.dtype, shape: broadcastShapes(x.shape, y.shape) }];
    },
    lower: (g, inputs) => [g.node(onnx, inputs)],
    vjp: ([ct], { inputs: [x, y], outputs: [z] }) =>
      [x, y].map((input, i) => {
        // A constant's cotangent is never asked for; not building it keeps traces short.
        if (!ct || scalarValue(input) !== undefined) return undefined;
        const cotangent = derivatives[i](ct, x, y, z);
        return cotangent && sumTo(cotangent, input.shape);
      }),
  };
  return (a, b) => apply1(op, operands(name, a, b), null);
}

const addTensors = binary('add', 'Add', [ct => ct, ct => ct]);
const subTensors = binary('sub', 'Sub', [ct => ct, ct => neg(ct)]);
const mulTensors = binary('mul', 'Mul', [(ct, _, y) => mul(ct, y), (ct, x) => mul(ct, x)]);
const divTensors = binary('div', 'Div', [(ct, _, y) => div(ct, y), (ct, _, y, z) => neg(mul(ct, div(z, y)))]);
// d(x^y)/dx = y x^(y-1), 0 for y = 0 even where x is 0; d/dy = x^y log x, taken as 0 where x is 0 (as its limit for y > 0)
const powTensors = binary('pow', 'Pow', [
  (ct, x, y) => {
    const exponent = scalarValue(y);
    return mul(ct, mul(y, pow(x, exponent === undefined ? where(equal(y, 0), 0, sub(y, 1)) : exponent - 1)));
  },
  (ct, x, _, z) => mul(ct, mul(z, log(where(equal(x, 0), 1, x)))),
]);

/** x + y */
export function add(x: Operand, y: Operand): Tensor {
  return y === 0 && x instanceof Tensor ? x : addTensors(x, y);
}

/** x - y */
export function sub(x: Operand, y: Operand): Tensor {
  return y === 0 && x instanceof Tensor ? x : subTensors(x, y);
}

/** x * y */
export function mul(x: Operand, y: Operand): Tensor {
  return y === 1 && x instanceof Tensor ? x : mulTensors(x, y);
}

/** x / y */
export function div(x: Operand, y: Operand): Tensor {
  return y === 1 && x instanceof Tensor ? x : divTensors(x, y);
}

/** x^y; x^0 is 1, also for x = 0, and its gradient is 0. The exponents 2, 1, 0, 0.5 and -1 become the cheaper op. */
export function pow(x: Operand, y: Operand): Tensor {
  const exponent = y instanceof Tensor ? scalarValue(y) : y;
  if (x instanceof Tensor) {
    if (exponent === 2) return mul(x, x);
    if (exponent === 1) return x;
    if (exponent === 0) return broadcastTo(scalar(1, x.dtype), x.shape);
    if (exponent === 0.5) return sqrt(x);
    if (exponent === -1) return reciprocal(x);
  }
  return powTensors(x, y);
}

/** 1 where x wins, 1/2 on a tie: the subgradient PyTorch and JAX take. */
const share = (wins: Tensor, ties: Tensor, dtype: DType): Tensor => add(cast(wins, dtype), mul(cast(ties, dtype), 0.5));

/** The larger of x and y; on a tie the gradient is halved. */
export const maximum = binary('maximum', 'Max', [
  (ct, x, y) => mul(ct, share(greater(x, y), equal(x, y), ct.dtype)),
  (ct, x, y) => mul(ct, share(greater(y, x), equal(x, y), ct.dtype)),
]);

/** The smaller of x and y; on a tie the gradient is halved. */
export const minimum = binary('minimum', 'Min', [
  (ct, x, y) => mul(ct, share(less(x, y), equal(x, y), ct.dtype)),
  (ct, x, y) => mul(ct, share(less(y, x), equal(x, y), ct.dtype)),
]);

/** x limited to [low, high]; gradient 1 inside and on the bounds, 0 outside (PyTorch's choice). */
export function clamp(x: Tensor, low: number, high: number): Tensor {
  const bound = (v: number) => (Number.isFinite(v) ? v : undefined);
  let y = x;
  if (bound(low) !== undefined) y = where(less(y, low), low, y);
  if (bound(high) !== undefined) y = where(greater(y, high), high, y);
  return y;
}

const addBiasOp: Op<null> = {
  name: 'addBias',
  infer: (_, x, bias) => {
    rule(x.dtype === bias.dtype, `element types ${x.dtype} and ${bias.dtype} differ; cast one`);
    const last = x.shape[x.shape.length - 1];
    rule(bias.shape.length === 1 && bias.shape[0] === last, `the bias must be [${last}], the last extent`);
    return [x];
  },
  lower: (g, inputs) => [g.node('Add', inputs)],
  // The bias's sum comes first, so that the cotangent need not be held for it until everything else is done.
  vjp: ([ct], { inputs: [, bias] }) => {
    if (!ct) return [undefined, undefined];
    const sum = sumTo(ct, bias.shape);
    return [afterIfLarge(ct, sum), sum];
  },
};

/** x + bias along the last axis: x `[…, n]`, bias `[n]`. */
export function addBias(x: Tensor, bias: Tensor): Tensor {
  return apply1(addBiasOp, [x, bias], null);
}

// --------------------------------------------------------------------------------- comparisons, choice

function comparison(name: string, onnx: string): (x: Operand, y: Operand) => Tensor {
  const op: Op<null> = {
    name,
    infer: (_, x, y) => {
      rule(x.dtype === y.dtype, `element types ${x.dtype} and ${y.dtype} differ; cast one`);
      return [{ dtype: 'bool', shape: broadcastShapes(x.shape, y.shape) }];
    },
    lower: (g, inputs) => [g.node(onnx, inputs)],
    vjp: zero,
  };
  return (a, b) => apply1(op, operands(name, a, b), null);
}

/** x = y, as bool. */
export const equal = comparison('equal', 'Equal');
/** x > y, as bool. */
export const greater = comparison('greater', 'Greater');
/** x >= y, as bool. */
export const greaterEqual = comparison('greaterEqual', 'GreaterOrEqual');
/** x < y, as bool. */
export const less = comparison('less', 'Less');
/** x <= y, as bool. */
export const lessEqual = comparison('lessEqual', 'LessOrEqual');
/** x and y, of bools. */
export const logicalAnd = comparison('logicalAnd', 'And');
/** x or y, of bools. */
export const logicalOr = comparison('logicalOr', 'Or');

const notOp: Op<null> = {
  name: 'logicalNot',
  infer: (_, x) => {
    rule(x.dtype === 'bool', `needs bool, got ${x.dtype}`);
    return [x];
  },
  lower: (g, [x]) => [g.node('Not', [x])],
  vjp: zero,
};

/** not x, of bools. */
export function logicalNot(x: Tensor): Tensor {
  return apply1(notOp, [x], null);
}

const whereOp: Op<null> = {
  name: 'where',
  infer: (_, condition, x, y) => {
    rule(condition.dtype === 'bool', `the condition must be bool, got ${condition.dtype}`);
    rule(x.dtype === y.dtype, `element types ${x.dtype} and ${y.dtype} differ; cast one`);
    return [{ dtype: x.dtype, shape: broadcastShapes(condition.shape, x.shape, y.shape) }];
  },
  lower: (g, inputs) => [g.node('Where', inputs)],
  vjp: ([ct], { inputs: [condition, x, y] }) => [
    undefined,
    ct && sumTo(where(condition, ct, 0), x.shape),
    ct && sumTo(where(condition, 0, ct), y.shape),
  ],
};

/** x where the condition holds, y elsewhere. */
export function where(condition: Tensor, x: Operand, y: Operand): Tensor {
  const dtype = x instanceof Tensor ? x.dtype : y instanceof Tensor ? y.dtype : 'float32';
  const tensor = (v: Operand) => {
    if (v instanceof Tensor) return v;
    mustHold(dtype, v, 'where');
    return scalar(v, dtype);
  };
  return apply1(whereOp, [condition, tensor(x), tensor(y)], null);
}
