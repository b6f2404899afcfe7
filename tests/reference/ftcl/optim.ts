/** Optimiser cases: trajectories of one parameter along given gradients. */

import { copyOf, type NDArray, zeros } from '../../../src/engine/ndarray.ts';
import { adam, adamW, type Optimizer } from '../../../src/nn/optimizers.ts';
import { floatData } from '../../../src/nn/params.ts';
import { type Adapter, compareArray, type ReferenceCase } from '../case.ts';

/** `init.p` `[...shape]`, `in.grads` `[steps, ...shape]` -> `out.trajectory` `[steps, ...shape]`, the parameter after each step. */
const trajectory: Adapter = {
  matches: ({ kind, arrays }) => kind === 'train' && 'init.p' in arrays && 'in.grads' in arrays && 'out.trajectory' in arrays,
  run(c) {
    const parameter = copyOf(c.arrays['init.p']);
    const gradients = c.arrays['in.grads'];
    const visited = zeros(gradients.shape, parameter.dtype);
    const optimizer = optimizerOf(c);
    const state = optimizer.init({ p: parameter });
    for (let step = 0; step < gradients.shape[0]; step++) {
      optimizer.update({ p: parameter }, { p: row(c, gradients, step) }, state, numberOf(c, 'lr'));
      floatsOf(c, row(c, visited, step)).set(floatsOf(c, parameter));
    }
    return [compareArray(c, 'out.trajectory', visited)];
  },
};

/** Adam, unless the case says `"optimizer": "adamw"` or is named after it. */
function optimizerOf(c: ReferenceCase): Optimizer {
  const { betas } = c.hyperparameters;
  if (!Array.isArray(betas) || betas.length !== 2) throw new Error(`${c.name}: expected hyperparameters.betas, two numbers`);
  const options = {
    betas: [Number(betas[0]), Number(betas[1])] as const,
    eps: numberOf(c, 'eps'),
    weightDecay: numberOf(c, 'weight_decay'),
  };
  return /adamw/i.test(String(c.hyperparameters.optimizer ?? c.name)) ? adamW(options) : adam(options);
}

function numberOf(c: ReferenceCase, name: string): number {
  const value = c.hyperparameters[name];
  if (typeof value !== 'number') throw new Error(`${c.name}: expected hyperparameters.${name}, a number`);
  return value;
}

function floatsOf(c: ReferenceCase, array: NDArray): Float32Array | Float64Array {
  const data = floatData(array);
  if (!data) throw new Error(`${c.name}: expected floating numbers, found ${array.dtype}`);
  return data;
}

/** A view of one row of `[steps, ...shape]`. */
function row(c: ReferenceCase, { dtype, shape: [, ...shape], data }: NDArray, at: number): NDArray {
  const size = shape.reduce((product, extent) => product * extent, 1);
  const view = floatsOf(c, { dtype, shape, data }).subarray(at * size, (at + 1) * size);
  return { dtype, shape, data: view };
}

/** Adapters of the optimiser cases. */
export const adapters: Adapter[] = [trajectory];
