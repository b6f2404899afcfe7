/** Cases of optimisers and learning rates. */

import { copyOf, fromNumbers, type NDArray } from '../../../src/engine/ndarray.ts';
import { cosine, lars, multiStep, type Schedule, sgd, warmup } from '../../../src/nn/index.ts';
import { type Adapter, compareArray, type Precision, type ReferenceCase } from '../case.ts';
import { asPrecision, numberOf } from './inputs.ts';

/** `in_p_X` along `in_g_X` `[steps, …]` -> `out_traj_X` `[steps, …]`, in both precisions. */
const trajectories: Adapter = {
  matches: ({ kind }) => kind === 'optimizer',
  run: c => (['float64', 'float32'] as const).flatMap(precision => trajectory(c, precision)),
};

function trajectory(c: ReferenceCase, precision: Precision) {
  const names = Object.keys(c.arrays).flatMap(key => (key.startsWith('in_p_') ? [key.slice(5)] : []));
  const params = Object.fromEntries(names.map(name => [name, copyOf(asPrecision(c.arrays[`in_p_${name}`], precision))]));
  const gradients = Object.fromEntries(names.map(name => [name, asPrecision(c.arrays[`in_g_${name}`], precision)]));
  const visited: Record<string, number[]> = Object.fromEntries(names.map(name => [name, []]));
  const { lr, nesterov, optimizer: kind } = c.hyperparameters;
  const options = {
    momentum: numberOf(c, 'momentum'),
    dampening: numberOf(c, 'dampening'),
    weightDecay: numberOf(c, 'weight_decay'),
    nesterov: nesterov === true,
  };
  const optimizer = kind === 'lars' ? lars({ ...options, trust: numberOf(c, 'eta'), adaptVectors: true }) : sgd(options);
  const state = optimizer.init(params);
  for (const [step, rate] of (lr as number[]).entries()) {
    optimizer.update(params, Object.fromEntries(names.map(name => [name, row(gradients[name], step)])), state, rate);
    for (const name of names) visited[name].push(...(params[name].data as Float64Array));
  }
  return names.map(name => {
    const key = `out_traj_${name}`;
    const compared = compareArray(
      c,
      key,
      fromNumbers(visited[name], gradients[name].shape, 'float64'),
      c.tolerance(key, precision),
    );
    return precision === 'float32' ? { ...compared, key: `${key} (float32)` } : compared;
  });
}

/** One row of `[steps, …]`. */
function row({ dtype, shape: [, ...shape], data }: NDArray, at: number): NDArray {
  const size = shape.reduce((product, extent) => product * extent, 1);
  return { dtype, shape, data: (data as Float64Array).slice(at * size, (at + 1) * size) };
}

const rates: Adapter = {
  matches: ({ kind }) => kind === 'lr_schedule',
  run(c) {
    const epochs = c.arrays.in_epochs;
    const schedule = scheduleOf(c);
    return [compareArray(c, 'out_lr', fromNumbers(Array.from(epochs.data as Float64Array, schedule), epochs.shape, 'float64'))];
  },
};

/** The effective base rate follows from the configured one and the batch; no warm-up for steps. */
function scheduleOf(c: ReferenceCase): Schedule {
  const { adjust, lr_steps, policy } = c.hyperparameters;
  let rate = numberOf(c, 'config_base_lr');
  if (adjust !== null) {
    const { gpus, batch_per_gpu, clips } = adjust as Record<string, number>;
    rate *= (gpus * batch_per_gpu * clips) / 256;
  }
  if (policy === 'step') return multiStep(rate, lr_steps as number[]);
  return warmup(numberOf(c, 'warmup_epochs'), cosine(rate, numberOf(c, 'max_epoch')), { from: numberOf(c, 'warmup_start_lr') });
}

/** Adapters of optimisers and learning rates. */
export const adapters: Adapter[] = [trajectories, rates];
