/** Learning rates, optimiser, averages of weights and soft targets. */
import { copyOf, fromNumbers, type NDArray, ndarray } from '../../../src/engine/ndarray.ts';
import {
  cosine,
  doubledEpochs,
  ema,
  lars,
  mixWithReverse,
  piecewise,
  type Schedule,
  softTargets,
  warmup,
} from '../../../src/nn/index.ts';
import { type Adapter, type Compared, compareArray, type Precision, type ReferenceCase } from '../case.ts';
import { adapterOf, arraysOf, compareIn, numberOf, numbersOf } from './inputs.ts';

const precisions: readonly Precision[] = ['float64', 'float32'];

/** The policy over epochs. */
function policyOf(c: ReferenceCase): Schedule {
  const rate = numberOf(c, 'BASE_LR');
  const { STEPS, LRS } = c.hyperparameters as { STEPS?: number[]; LRS?: number[] };
  const policy = STEPS && LRS ? piecewise(rate, STEPS, LRS) : cosine(rate, numberOf(c, 'MAX_EPOCH'));
  return warmup(numberOf(c, 'WARMUP_EPOCHS'), policy, { from: numberOf(c, 'WARMUP_START_LR') });
}

const compareNumbers = (c: ReferenceCase, key: string, values: readonly number[]): Compared =>
  compareArray(c, key, fromNumbers(values, c.arrays[key].shape, 'float64'));

const rates = adapterOf('lr_schedule', c => {
  const iterations = numbersOf(c, 'in.iteration');
  const every = numberOf(c, 'STEPS_ITER');
  const epochs = iterations.map(iteration => doubledEpochs(iteration, every));
  const policy = policyOf(c);
  return [
    compareNumbers(c, 'out.epoch_value', epochs),
    compareNumbers(c, 'out.lr', epochs.map(policy)),
    compareNumbers(
      c,
      'sane.lr_single_count',
      iterations.map(iteration => policy(iteration / every)),
    ),
  ];
});

const policies = adapterOf('lr_policy', c => [compareNumbers(c, 'out.lr', numbersOf(c, 'in.epoch').map(policyOf(c)))]);

/** Row `at` of `[rows, …]`. */
function row({ dtype, shape: [, ...shape], data }: NDArray, at: number): NDArray {
  const size = shape.reduce((product, extent) => product * extent, 1);
  return { dtype, shape, data: (data as Float64Array).slice(at * size, (at + 1) * size) };
}

const optimizers = adapterOf('optimizer', c =>
  precisions.flatMap(precision => {
    const arrays = arraysOf(c, 'in.', precision);
    const params = { w: copyOf(arrays.w0), b: copyOf(arrays.b0) };
    const optimizer = lars({
      momentum: numberOf(c, 'momentum'),
      weightDecay: numberOf(c, 'weight_decay'),
      trust: numberOf(c, 'eta'),
      nesterov: c.hyperparameters.nesterov === true,
      adaptVectors: true,
    });
    const state = optimizer.init(params);
    for (let step = 0; step < arrays.grad_w.shape[0]; step++)
      optimizer.update(params, { w: row(arrays.grad_w, step), b: row(arrays.grad_b, step) }, state, numberOf(c, 'lr'));
    return [compareIn(c, 'out.w', params.w, precision), compareIn(c, 'out.b', params.b, precision)];
  }),
);

const averages = adapterOf('ema', c =>
  precisions.flatMap(precision => {
    const arrays = arraysOf(c, 'in.', precision);
    const at = (step: number) => ({ weight: row(arrays.weight, step), bias: row(arrays.bias, step) });
    const average = ema(numberOf(c, 'decay'));
    const state = average.init(at(0));
    for (let step = 1; step < arrays.weight.shape[0]; step++) average.update(state, at(step));
    return ['weight', 'bias'].map(name => compareIn(c, `out.${name}`, state.params[name], precision));
  }),
);

const mixUp = adapterOf('mixup', c => {
  const smooth = softTargets(numbersOf(c, 'in.labels'), numberOf(c, 'num_classes'), numberOf(c, 'smoothing'));
  const as64 = ({ shape, data }: NDArray<'float32'>) => ndarray('float64', shape, Float64Array.from(data));
  return [
    compareArray(c, 'out.smooth', as64(smooth)),
    compareArray(c, 'out.target', as64(mixWithReverse(smooth, numberOf(c, 'lam')))),
  ];
});

/** Adapters of what training is made of. */
export const adapters: Adapter[] = [rates, policies, optimizers, averages, mixUp];
