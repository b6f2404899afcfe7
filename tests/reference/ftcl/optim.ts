import { copyOf, type NDArray, ndarray } from '../../../src/engine/ndarray.ts';
import { adam, adamW, type Optimizer } from '../../../src/nn/optimizers.ts';
import { type Adapter, compareArray, type ReferenceCase } from '../case.ts';

/** Trajectories of an optimiser: `init.p` `[...shape]`, `in.grads` `[steps, ...shape]` -> `out.trajectory` `[steps, ...shape]`. */
const trajectory: Adapter = {
  matches: ({ kind, arrays }) => kind === 'train' && 'init.p' in arrays && 'in.grads' in arrays && 'out.trajectory' in arrays,
  run(c) {
    const parameter = copyOf(float32Of(c, 'init.p'));
    const gradients = float32Of(c, 'in.grads');
    const [steps, ...shape] = gradients.shape;
    const optimizer = optimizerOf(c);
    const state = optimizer.init({ p: parameter });
    const size = parameter.data.length;
    const visited = new Float32Array(steps * size);
    for (let step = 0; step < steps; step++) {
      const gradient = ndarray('float32', shape, gradients.data.slice(step * size, (step + 1) * size));
      optimizer.update({ p: parameter }, { p: gradient }, state, numberOf(c, 'lr'));
      visited.set(parameter.data, step * size);
    }
    return [compareArray(c, 'out.trajectory', ndarray('float32', gradients.shape, visited))];
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

function float32Of(c: ReferenceCase, key: string): NDArray<'float32'> {
  const array = c.arrays[key];
  if (array.dtype !== 'float32') throw new Error(`${c.name}: expected ${key} in float32, found ${array.dtype}`);
  return array as NDArray<'float32'>;
}

/** Adapters of the optimiser cases. */
export const adapters: Adapter[] = [trajectory];
