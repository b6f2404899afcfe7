import { type NDArray, type Shape, showShape, zeros } from '../engine/ndarray.ts';
import { sumOfSquares } from './clip.ts';
import { floatData, type Gradients, mapParams, type Params } from './params.ts';

/**
 * What an optimiser remembers: plain arrays under plain names, to be saved with the parameters. The slot `step` counts the updates of each
 * parameter (int32, shape `[]`); the others have the shapes and types of the parameters.
 */
export interface OptimizerState {
  /** Updates so far. */
  step: number;
  readonly slots: Readonly<Record<string, Params>>;
}

/** How one parameter differs from the others. */
export interface ParamGroup {
  /** Factor of the learning rate; default 1. */
  readonly lrScale?: number;
  /** In the place of the optimiser's weight decay. */
  readonly weightDecay?: number;
}

/** Options that every optimiser has. */
export interface CommonOptions {
  /** Default 0. */
  readonly weightDecay?: number;
  /** The group of a parameter, by its name and shape; undefined: nothing special. */
  readonly groups?: (name: string, shape: Shape) => ParamGroup | undefined;
}

/** An optimiser: its options are in its closures, what changes is in the state. */
export interface Optimizer {
  /** The state before the first update of `params`: the parameters to be trained (arrays that are not floating are left out). */
  init(params: Readonly<Params>): OptimizerState;
  /**
   * One step, in place on `params` and `state`. A parameter whose gradient is undefined or left out is passed over entirely: no decay,
   * no momentum, no count, as in PyTorch for a gradient that is None.
   * @param lr learning rate of this step
   * @throws RangeError if a gradient has no parameter or no state, or another shape or type than its parameter, or `lr` is negative or not finite
   */
  update(params: Readonly<Params>, gradients: Gradients, state: OptimizerState, lr: number): void;
}

type Floats = Float32Array | Float64Array;

/** All that the rule of one optimiser needs to change one parameter. */
interface Turn {
  readonly weight: Floats;
  readonly gradient: Floats;
  readonly shape: Shape;
  /** The parameter's own array of a slot. */
  slot(name: string): Floats;
  /** Which update of this parameter it is, from 1. */
  readonly step: number;
  readonly lr: number;
  readonly weightDecay: number;
}

function optimizer(what: string, slotNames: readonly string[], options: CommonOptions, apply: (turn: Turn) => void): Optimizer {
  const { weightDecay = 0, groups } = options;
  requireAtLeast(what, 'weightDecay', weightDecay, 0);
  return {
    init(params) {
      const trained = Object.fromEntries(Object.entries(params).filter(([, array]) => floatData(array) !== undefined));
      const slots: Record<string, Params> = { step: mapParams(trained, () => zeros([], 'int32')) };
      for (const slot of slotNames) slots[slot] = mapParams(trained, array => zeros(array.shape, array.dtype));
      return { step: 0, slots };
    },
    update(params, gradients, state, lr) {
      requireAtLeast(what, 'lr', lr, 0);
      const used = Object.entries(gradients).filter((entry): entry is [string, NDArray] => entry[1] !== undefined);
      // Everything is checked before anything changes.
      const turns = used.map(([name, gradient]) => {
        const weight = pair(what, name, params[name], gradient);
        const slot = (slotName: string): NDArray => {
          const array = state.slots[slotName]?.[name];
          if (array === undefined)
            throw new RangeError(`${what}: the state has no ${slotName} of ${name}; was it made by init for these parameters?`);
          return array;
        };
        const count = slot('step').data as Int32Array;
        const arrays = new Map(
          slotNames.map(slotName => [slotName, pair(what, `${slotName} of ${name}`, slot(slotName), gradient)]),
        );
        const group = groups?.(name, gradient.shape);
        return { name, count, weight, gradient: gradient.data as Floats, shape: gradient.shape, arrays, group };
      });
      state.step++;
      for (const { count, weight, gradient, shape, arrays, group } of turns) {
        count[0]++;
        apply({
          weight,
          gradient,
          shape,
          slot: slotName => arrays.get(slotName) as Floats,
          step: count[0],
          lr: lr * (group?.lrScale ?? 1),
          weightDecay: group?.weightDecay ?? weightDecay,
        });
      }
    },
  };
}

/** The numbers of `array`, which must be floating and fit the gradient. */
function pair(what: string, name: string, array: NDArray | undefined, gradient: NDArray): Floats {
  if (array === undefined) throw new RangeError(`${what}: there is a gradient of ${name} but no such parameter`);
  const data = floatData(array);
  if (data === undefined || gradient.dtype !== array.dtype || showShape(gradient.shape) !== showShape(array.shape)) {
    const [expected, found] = [array, gradient].map(({ dtype, shape }) => `${dtype}${showShape(shape)}`);
    throw new RangeError(`${what}: ${name} is ${expected}, its gradient ${found}; expected the same floating type and shape`);
  }
  return data;
}

function requireAtLeast(what: string, option: string, value: number, least: number): void {
  if (!(Number.isFinite(value) && value >= least))
    throw new RangeError(`${what}: expected ${option} of at least ${least}, found ${value}`);
}

function requireFraction(what: string, option: string, value: number): void {
  if (!(value >= 0 && value < 1)) throw new RangeError(`${what}: expected ${option} in [0, 1), found ${value}`);
}

/** Options of {@link adam} and {@link adamW}. */
export interface AdamOptions extends CommonOptions {
  /** Decay of the running means of the gradient and of its square; default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Added to the root of the mean square; default 1e-8. */
  readonly eps?: number;
}

/**
 * Adam, with the weight decay added to the gradient (coupled), as in PyTorch's `Adam`:
 * g += wd w;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  w -= lr m' / (sqrt(v') + eps), with m' = m / (1 - b1^t), v' = v / (1 - b2^t).
 * Slots: `exp_avg` (m), `exp_avg_sq` (v). Source: D. Kingma, J. Ba, "Adam", ICLR 2015, algorithm 1.
 */
export function adam(options: AdamOptions = {}): Optimizer {
  return adamOf('adam', false, options);
}

/**
 * Adam with decoupled weight decay, as in PyTorch's `AdamW`: w *= 1 - lr wd before a step of {@link adam} without decay.
 * Source: I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2. PyTorch's default decay of 0.01 is not
 * taken over: the default is 0, as everywhere here.
 */
export function adamW(options: AdamOptions = {}): Optimizer {
  return adamOf('adamW', true, options);
}

function adamOf(what: string, decoupled: boolean, options: AdamOptions): Optimizer {
  const { betas = [0.9, 0.999], eps = 1e-8 } = options;
  requireFraction(what, 'betas[0]', betas[0]);
  requireFraction(what, 'betas[1]', betas[1]);
  requireAtLeast(what, 'eps', eps, 0);
  return optimizer(what, ['exp_avg', 'exp_avg_sq'], options, ({ weight, gradient, slot, step, lr, weightDecay }) => {
    const stepSize = lr / (1 - betas[0] ** step);
    const rootScale = 1 / Math.sqrt(1 - betas[1] ** step);
    const [keep, coupled] = decoupled ? [1 - lr * weightDecay, 0] : [1, weightDecay];
    adamStep(weight, gradient, slot('exp_avg'), slot('exp_avg_sq'), betas[0], betas[1], keep, coupled, stepSize, rootScale, eps);
  });
}

/** The loop of {@link adam}: positional numbers and one pass, since a model's 10^7 parameters go through it at every step. */
function adamStep(
  weight: Floats,
  gradient: Floats,
  mean: Floats,
  square: Floats,
  beta1: number,
  beta2: number,
  keep: number,
  weightDecay: number,
  stepSize: number,
  rootScale: number,
  eps: number,
): void {
  const take1 = 1 - beta1;
  const take2 = 1 - beta2;
  for (let i = 0; i < weight.length; i++) {
    const w = weight[i];
    const g = gradient[i] + weightDecay * w;
    const m = beta1 * mean[i] + take1 * g;
    const v = beta2 * square[i] + take2 * g * g;
    mean[i] = m;
    square[i] = v;
    weight[i] = keep * w - (stepSize * m) / (Math.sqrt(v) * rootScale + eps);
  }
}

/** Options of {@link sgd} and {@link lars}. */
export interface SgdOptions extends CommonOptions {
  /** Default 0. */
  readonly momentum?: number;
  /** Share of the gradient that does not enter the momentum, after a parameter's first step; default 0. */
  readonly dampening?: number;
  /** Look ahead along the momentum; needs momentum and no dampening. Default false. */
  readonly nesterov?: boolean;
}

/**
 * Stochastic gradient descent, as in PyTorch's `SGD`: d = g + wd w;  b = d at the first step, else momentum b + (1 - dampening) d;
 * w -= lr b, or with Nesterov's momentum w -= lr (d + momentum b). Slot: `momentum_buffer` (b), with momentum only.
 */
export function sgd(options: SgdOptions = {}): Optimizer {
  return momentumOptimizer('sgd', options, ({ lr }) => ({ inner: 1, outer: lr }));
}

/** Options of {@link lars}. */
export interface LarsOptions extends SgdOptions {
  /** Trust coefficient eta; default 0.001. */
  readonly trust?: number;
  /**
   * Also adapt the rate of parameters with fewer than two axes (biases, norm weights), as the published code does. Such a parameter never moves if it
   * starts at zero. Default false: their rate is `lr`.
   */
  readonly adaptVectors?: boolean;
}

/**
 * Layer-wise adaptive rate scaling: d = r lr (g + wd w) with r = trust |w| / (|g| + wd |w|) for each parameter; then momentum as in
 * {@link sgd} on d, with nothing left to scale: w -= b. Momentum so holds scaled steps. Where |g| + wd |w| is 0, there is no step to
 * scale. Source: Y. You, I. Gitman, B. Ginsburg, "Large batch training of convolutional networks", 2017, eq. 6.
 */
export function lars(options: LarsOptions = {}): Optimizer {
  const { trust = 0.001, adaptVectors = false } = options;
  requireAtLeast('lars', 'trust', trust, 0);
  return momentumOptimizer('lars', options, ({ weight, gradient, shape, lr, weightDecay }) => {
    if (shape.length < 2 && !adaptVectors) return { inner: lr, outer: 1 };
    const norm = Math.sqrt(sumOfSquares(weight));
    const pull = Math.sqrt(sumOfSquares(gradient)) + weightDecay * norm;
    return { inner: pull === 0 ? 0 : ((trust * norm) / pull) * lr, outer: 1 };
  });
}

/** Momentum, with a factor before it (`inner`, on what enters the buffer) and one after it (`outer`, on the step). */
function momentumOptimizer(
  what: string,
  options: SgdOptions,
  scales: (turn: Turn) => { inner: number; outer: number },
): Optimizer {
  const { momentum = 0, dampening = 0, nesterov = false } = options;
  requireFraction(what, 'momentum', momentum);
  requireFraction(what, 'dampening', dampening);
  if (nesterov && (momentum === 0 || dampening !== 0)) {
    throw new RangeError(`${what}: nesterov needs momentum and no dampening, found momentum ${momentum}, dampening ${dampening}`);
  }
  return optimizer(what, momentum === 0 ? [] : ['momentum_buffer'], options, turn => {
    const { weight, gradient, step, weightDecay } = turn;
    const { inner, outer } = scales(turn);
    if (momentum === 0) {
      for (let i = 0; i < weight.length; i++) weight[i] -= outer * inner * (gradient[i] + weightDecay * weight[i]);
      return;
    }
    const buffer = turn.slot('momentum_buffer');
    const [keep, take] = step === 1 ? [0, 1] : [momentum, 1 - dampening];
    const [direct, throughBuffer] = nesterov ? [outer, outer * momentum] : [0, outer];
    for (let i = 0; i < weight.length; i++) {
      const d = inner * (gradient[i] + weightDecay * weight[i]);
      const b = keep * buffer[i] + take * d;
      buffer[i] = b;
      weight[i] -= direct * d + throughBuffer * b;
    }
  });
}
