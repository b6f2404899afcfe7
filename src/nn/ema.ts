import { copyOf, showShape } from '../engine/ndarray.ts';
import { floatData, mapParams, type Params } from './params.ts';

/** An average of parameters over the updates so far; `params` can be used as it is at any time. */
export interface EmaState {
  updates: number;
  readonly params: Params;
}

/** How the average begins. */
export interface EmaOptions {
  /**
   * - `plain` (default): every update has the decay d. The first parameters weigh d^n after n updates.
   * - `ramp`: the n-th update has min(d, (1 + n) / (10 + n)), so that a short run is not held at its start.
   * - `unbiased`: the n-th update has d (1 - d^(n-1)) / (1 - d^n). The first parameters weigh nothing, and the weights of the others are those of the
   *   plain average divided by their sum (the correction that Adam makes, as a recursion that needs no division when read).
   */
  readonly start?: 'plain' | 'ramp' | 'unbiased';
}

/** Exponential moving average of parameters and buffers. */
export interface Ema {
  /** A copy of `params`, with which the average begins. */
  init(params: Readonly<Params>): EmaState;
  /**
   * average = d average + (1 - d) params, in place on the state. Arrays that are not floating (counters) are copied.
   * @throws RangeError if the names, shapes or types differ from those of the state
   */
  update(state: EmaState, params: Readonly<Params>): void;
}

/**
 * Exponential moving average with decay `decay`.
 * @throws RangeError unless 0 <= decay < 1
 */
export function ema(decay: number, { start = 'plain' }: EmaOptions = {}): Ema {
  if (!(decay >= 0 && decay < 1)) throw new RangeError(`ema: expected a decay in [0, 1), found ${decay}`);
  const decayOf = {
    plain: () => decay,
    ramp: (n: number) => Math.min(decay, (1 + n) / (10 + n)),
    unbiased: (n: number) => (decay * (1 - decay ** (n - 1))) / (1 - decay ** n),
  }[start];
  return {
    init: params => ({ updates: 0, params: mapParams(params, copyOf) }),
    update(state, params) {
      for (const name of new Set([...Object.keys(state.params), ...Object.keys(params)])) requireSame(name, state.params, params);
      const d = decayOf(++state.updates);
      for (const [name, average] of Object.entries(state.params)) {
        const [a, p] = [floatData(average), floatData(params[name])];
        if (a && p) blend(a, p, d);
        else (average.data as Int32Array).set(params[name].data as Int32Array);
      }
    },
  };
}

function requireSame(name: string, average: Readonly<Params>, params: Readonly<Params>): void {
  const show = (set: Readonly<Params>) => (set[name] ? `${set[name].dtype}${showShape(set[name].shape)}` : 'missing');
  if (show(average) !== show(params))
    throw new RangeError(`ema: ${name} is ${show(average)} in the average, ${show(params)} in the parameters`);
}

function blend(average: Float32Array | Float64Array, params: Float32Array | Float64Array, decay: number): void {
  const take = 1 - decay;
  for (let i = 0; i < average.length; i++) average[i] = decay * average[i] + take * params[i];
}
