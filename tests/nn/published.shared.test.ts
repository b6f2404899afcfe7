/** The optimisers, schedules, clipping and averages against trajectories recorded from the published programs. */

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseNpz } from '../../src/data/formats/npz.ts';
import { copyOf, type NDArray } from '../../src/engine/ndarray.ts';
import { clipByGlobalNorm } from '../../src/nn/clip.ts';
import { ema } from '../../src/nn/ema.ts';
import { adam, adamW, lars, type Optimizer, sgd } from '../../src/nn/optimizers.ts';
import type { Params } from '../../src/nn/params.ts';
import { cosine, multiStep, piecewise, type Schedule, warmup } from '../../src/nn/schedules.ts';

const folder = join(resolve(process.env.INKLING_SHARED ?? '../shared'), 'reference');
const read = (path: string) => parseNpz(readFileSync(join(folder, path)), path);
const numbers = (array: NDArray) => Array.from(array.data as Float64Array);

/** Row `at` of an array, as a copy. */
function row({ dtype, shape: [, ...shape], data }: NDArray, at: number): NDArray {
  const size = shape.reduce((a, b) => a * b, 1);
  return { dtype, shape, data: (data as Float64Array).slice(at * size, (at + 1) * size) };
}

function expectNear(got: ArrayLike<number>, want: ArrayLike<number>, rtol: number, atol: number): void {
  expect(got.length).toBe(want.length);
  const errors = Array.from(got, (value, i) => Math.abs(value - want[i]) - atol - rtol * Math.abs(want[i]));
  expect(Math.max(...errors)).toBeLessThanOrEqual(0);
}

describe('PSL optimisers (float64)', () => {
  const cases: [string, Optimizer, number[]][] = [
    ['opt_lars', lars({ momentum: 0.9, nesterov: true, weightDecay: 1e-6, adaptVectors: true }), [1.2, 1.08, 0.96, 0.84]],
    ['opt_lars_plain', lars({ momentum: 0.9, weightDecay: 0.01, adaptVectors: true }), [0.5, 0.45, 0.4, 0.35]],
    [
      'opt_sgd',
      sgd({ momentum: 0.9, nesterov: true, weightDecay: 1e-4 }),
      [0.01, 0.009000000000000001, 0.008, 0.006999999999999999],
    ],
  ];
  it.each(cases)('%s', (name, optimizer, rates) => {
    const arrays = read(`psl/${name}.npz`);
    const names = Object.keys(arrays).flatMap(key => (key.startsWith('in_p_') ? [key.slice(5)] : []));
    expect(names.length).toBe(4);
    const params: Params = Object.fromEntries(names.map(n => [n, copyOf(arrays[`in_p_${n}`])]));
    const state = optimizer.init(params);
    for (const [step, lr] of rates.entries()) {
      optimizer.update(params, Object.fromEntries(names.map(n => [n, row(arrays[`in_g_${n}`], step)])), state, lr);
      for (const n of names) expectNear(numbers(params[n]), numbers(row(arrays[`out_traj_${n}`], step)), 1e-12, 1e-14);
    }
  });
});

describe('HyRSM', () => {
  it('LARS over three steps (float64)', () => {
    const arrays = read('hyrsm/lars_3steps.npz');
    const params: Params = { w: copyOf(arrays['in.w0']), b: copyOf(arrays['in.b0']) };
    const optimizer = lars({ momentum: 0.9, weightDecay: 0.001, adaptVectors: true });
    const state = optimizer.init(params);
    for (const step of [0, 1, 2]) {
      optimizer.update(params, { w: row(arrays['in.grad_w'], step), b: row(arrays['in.grad_b'], step) }, state, 0.1);
    }
    for (const name of ['w', 'b']) expectNear(numbers(params[name]), numbers(arrays[`out.${name}`]), 1e-8, 1e-9);
  });

  it('exponential moving average (float64)', () => {
    const arrays = read('hyrsm/ema_3steps.npz');
    const at = (step: number): Params => ({ weight: row(arrays['in.weight'], step), bias: row(arrays['in.bias'], step) });
    const average = ema(0.9);
    const state = average.init(at(0));
    for (const step of [1, 2, 3]) average.update(state, at(step));
    for (const name of ['weight', 'bias']) expectNear(numbers(state.params[name]), numbers(arrays[`out.${name}`]), 1e-8, 1e-9);
  });

  const policies: [string, Schedule, number][] = [
    ['lr_k100', warmup(1, piecewise(2.2e-5, [0, 4, 6, 9], [1, 0.5, 0.1, 0.05]), { from: 5e-6 }), 100],
    ['lr_epic', warmup(1, piecewise(5e-5, [0, 4, 7], [1, 0.1, 0.01]), { from: 1e-5 }), 400],
  ];
  it.each(policies)(
    '%s: steps with relative rates, as published and with epochs counted once',
    (name, schedule, stepsPerEpoch) => {
      const arrays = read(`hyrsm/${name}.npz`);
      const iterations = numbers(arrays['in.iteration']);
      const twice = iterations.map(i => schedule(Math.floor(i / stepsPerEpoch) + i / stepsPerEpoch));
      const once = iterations.map(i => schedule(i / stepsPerEpoch));
      expectNear(twice, numbers(arrays['out.lr']), 1e-9, 1e-15);
      expectNear(once, numbers(arrays['sane.lr_single_count']), 1e-9, 1e-15);
    },
  );
});

describe('PSL schedules', () => {
  const policies: [string, Schedule][] = [
    ['lr_psl_8x32', warmup(5, cosine(1.2, 400), { from: 0.001 })],
    ['lr_psl_128', warmup(5, cosine(0.6, 400), { from: 0.001 })],
    ['lr_psl_ft', multiStep(0.01, [20, 40])],
  ];
  it.each(policies)('%s', (name, schedule) => {
    const arrays = read(`psl/${name}.npz`);
    expectNear(numbers(arrays.in_epochs).map(schedule), numbers(arrays.out_lr), 1e-10, 1e-14);
  });
});

describe('FuSTAL', () => {
  const policies: [string, Schedule][] = [
    ['lr_default', warmup(25, cosine(1e-4, Number.POSITIVE_INFINITY, 1e-8), { meets: 24, placed: 'before' })],
    ['lr_cosine', warmup(20, cosine(1e-3, 60, 1e-8), { meets: 19, placed: 'before' })],
    ['lr_multistep', warmup(8, multiStep(1e-3, [16, 32]), { meets: 7, placed: 'before' })],
  ];
  it.each(policies)('%s', (name, schedule) => {
    const { lr } = read(`fustal/${name}.npz`);
    expectNear(
      numbers(lr).map((_, step) => schedule(step)),
      numbers(lr),
      1e-9,
      1e-13,
    );
  });

  it('AdamW after clipping by the global norm, decay for one group', () => {
    const arrays = read('fustal/adamw_a.npz');
    const params: Params = { a: copyOf(arrays.a0), b: copyOf(arrays.b0) };
    const optimizer = adamW({ weightDecay: 0.05, groups: name => (name === 'b' ? { weightDecay: 0 } : undefined) });
    const state = optimizer.init(params);
    for (let step = 0; step < arrays.norm.shape[0]; step++) {
      const gradients = { a: row(arrays.ga, step), b: row(arrays.gb, step) };
      expectNear([clipByGlobalNorm(gradients, 1)], numbers(row(arrays.norm, step)), 1e-6, 0);
      optimizer.update(params, gradients, state, 0.01);
      for (const name of ['a', 'b']) expectNear(numbers(params[name]), numbers(row(arrays[name], step)), 1e-4, 1e-6);
    }
  });

  it('exponential moving average', () => {
    const arrays = read('fustal/ema_a.npz');
    const set = (prefix: string): Params =>
      Object.fromEntries(Object.keys(arrays).flatMap(k => (k.startsWith(prefix) ? [[k.slice(prefix.length), arrays[k]]] : [])));
    const average = ema(0.999);
    const state = average.init(set('e0.'));
    for (const step of [0, 1, 2]) {
      average.update(state, set(`m${step}.`));
      const want = set(`e${step + 1}.`);
      expect(Object.keys(state.params)).toEqual(Object.keys(want));
      for (const [name, array] of Object.entries(want)) expectNear(numbers(state.params[name]), numbers(array), 0, 1e-6);
    }
  });
});

describe('FTCL', () => {
  const cases: [string, number, Optimizer][] = [
    ['train__adam_wd', 1e-4, adam({ weightDecay: 5e-5 })],
    ['train__adam_big_wd', 0.01, adam({ weightDecay: 0.1 })],
  ];
  it.each(cases)('%s', (name, lr, optimizer) => {
    const arrays = read(`ftcl/${name}.npz`);
    const params: Params = { p: copyOf(arrays['init.p']) };
    const state = optimizer.init(params);
    for (let step = 0; step < arrays['in.grads'].shape[0]; step++) {
      optimizer.update(params, { p: row(arrays['in.grads'], step) }, state, lr);
      expectNear(numbers(params.p), numbers(row(arrays['out.trajectory'], step)), 1e-5, 1e-6);
    }
  });
});
