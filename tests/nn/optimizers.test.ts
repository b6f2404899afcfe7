import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { copyOf, type DType, fromNumbers, type NDArray } from '../../src/engine/ndarray.ts';
import { adam, adamW, lars, type Optimizer, sgd } from '../../src/nn/optimizers.ts';
import { mapParams, type Params } from '../../src/nn/params.ts';

const vector = (...values: number[]) => fromNumbers(values, [values.length], 'float64');
const optimizers: [string, () => Optimizer][] = [
  ['adam', () => adam({ weightDecay: 0.1 })],
  ['adamW', () => adamW({ weightDecay: 0.1 })],
  ['sgd', () => sgd({ momentum: 0.9, nesterov: true, weightDecay: 0.1 })],
  ['plain sgd', () => sgd({ weightDecay: 0.1 })],
  ['lars', () => lars({ momentum: 0.9, weightDecay: 0.1 })],
];

/** The values of one parameter after each update. */
function trajectory(optimizer: Optimizer, start: NDArray, gradients: NDArray[], lr: number): number[][] {
  const params: Params = { w: copyOf(start) };
  const state = optimizer.init(params);
  return gradients.map(g => {
    optimizer.update(params, { w: g }, state, lr);
    return Array.from(params.w.data as Float64Array);
  });
}

/** The equations of a paper on one number. */
const near = (got: number[][], want: number[]) => {
  expect(got.length).toBe(want.length);
  for (const [i, [value]] of got.entries()) expect(value).toBeCloseTo(want[i], 12);
};

describe('adam', () => {
  it('moves by lr against the sign of the first gradient, whatever its size', () => {
    for (const size of [1e-3, 1, 1e3]) {
      const [[a, b]] = trajectory(adam({ eps: 0 }), vector(1, 1), [vector(size, -size)], 0.01);
      expect(a).toBeCloseTo(0.99, 12);
      expect(b).toBeCloseTo(1.01, 12);
    }
  });

  it('follows the equations over several steps, decay in the gradient', () => {
    const [lr, wd, b1, b2, eps] = [0.1, 0.5, 0.8, 0.9, 1e-3];
    const gradients = [0.3, -0.7, 0.2, 0.9];
    let [w, m, v] = [2, 0, 0];
    const want = gradients.map((gradient, i) => {
      const g = gradient + wd * w;
      m = b1 * m + (1 - b1) * g;
      v = b2 * v + (1 - b2) * g * g;
      w -= (lr * (m / (1 - b1 ** (i + 1)))) / (Math.sqrt(v / (1 - b2 ** (i + 1))) + eps);
      return w;
    });
    near(
      trajectory(
        adam({ betas: [b1, b2], eps, weightDecay: wd }),
        vector(2),
        gradients.map(g => vector(g)),
        lr,
      ),
      want,
    );
  });

  it('decays without the gradient in adamW', () => {
    const [lr, wd] = [0.1, 0.5];
    const [plain] = trajectory(adam(), vector(2), [vector(0.3)], lr)[0];
    const [decayed] = trajectory(adamW({ weightDecay: wd }), vector(2), [vector(0.3)], lr)[0];
    expect(decayed).toBeCloseTo(plain - lr * wd * 2, 12);
    // With a zero gradient, adamW shrinks and adam normalises the decay to a step of lr.
    expect(trajectory(adamW({ weightDecay: wd }), vector(2), [vector(0)], lr)[0][0]).toBeCloseTo(2 * 0.95, 12);
    expect(trajectory(adam({ weightDecay: wd }), vector(2), [vector(0)], lr)[0][0]).toBeCloseTo(2 - lr, 8);
  });
});

describe('sgd', () => {
  it('is w - lr (g + wd w) without momentum', () => {
    near(trajectory(sgd({ weightDecay: 0.5 }), vector(2), [vector(1), vector(-1)], 0.1), [1.8, 1.8 - 0.1 * (-1 + 0.9)]);
  });

  it('starts its momentum with the whole gradient, then dampens', () => {
    // b: 1, then 0.9 + 0.5 * 2 = 1.9
    near(trajectory(sgd({ momentum: 0.9, dampening: 0.5 }), vector(0), [vector(1), vector(2)], 0.1), [-0.1, -0.29]);
  });

  it('looks ahead with Nesterov', () => {
    // b: 1, 0.9 + 2 = 2.9; steps: 1 + 0.9, 2 + 0.9 * 2.9
    near(trajectory(sgd({ momentum: 0.9, nesterov: true }), vector(0), [vector(1), vector(2)], 0.1), [-0.19, -0.19 - 0.461]);
  });

  it('keeps no buffer without momentum', () => {
    expect(Object.keys(sgd().init({ w: vector(1) }).slots)).toEqual(['step']);
    expect(Object.keys(sgd({ momentum: 0.5 }).init({ w: vector(1) }).slots)).toEqual(['step', 'momentum_buffer']);
  });

  it('rejects Nesterov without momentum, or with dampening', () => {
    expect(() => sgd({ nesterov: true })).toThrow('sgd: nesterov needs momentum and no dampening, found momentum 0, dampening 0');
    expect(() => lars({ nesterov: true, momentum: 0.9, dampening: 0.1 })).toThrow(/^lars: nesterov needs momentum/);
  });
});

describe('lars', () => {
  const matrix = fromNumbers([3, 4], [1, 2], 'float64'); // norm 5

  it('scales the step of a matrix by trust |w| / (|g| + wd |w|)', () => {
    const g = fromNumbers([0, 2], [1, 2], 'float64');
    const rate = (0.01 * 5) / (2 + 0.1 * 5) / 2;
    const [[a, b]] = trajectory(lars({ trust: 0.01, weightDecay: 0.1 }), matrix, [g], 0.5);
    expect(a).toBeCloseTo(3 - rate * 0.3, 12);
    expect(b).toBeCloseTo(4 - rate * 2.4, 12);
  });

  it('leaves a matrix alone that is zero, or has neither gradient nor decay', () => {
    const zero = fromNumbers([0, 0], [1, 2], 'float64');
    expect(trajectory(lars(), zero, [matrix], 1)).toEqual([[0, 0]]);
    expect(trajectory(lars(), matrix, [zero], 1)).toEqual([[3, 4]]);
    expect(trajectory(lars({ weightDecay: 0.1 }), zero, [zero], 1)).toEqual([[0, 0]]);
  });

  it('adapts vectors as an option only', () => {
    expect(trajectory(lars(), vector(0), [vector(2)], 0.1)[0][0]).toBeCloseTo(-0.2, 12);
    expect(trajectory(lars({ adaptVectors: true }), vector(0), [vector(2)], 0.1)).toEqual([[0]]);
  });

  it('accumulates scaled steps, so that a later rate does not change them', () => {
    const params: Params = { w: copyOf(matrix) };
    const optimizer = lars({ momentum: 0.5 });
    const state = optimizer.init(params);
    optimizer.update(params, { w: matrix }, state, 1);
    const first = 3 - Number(params.w.data[0]);
    expect(first).toBeCloseTo(0.003, 12);
    optimizer.update(params, { w: matrix }, state, 0);
    expect(params.w.data[0]).toBeCloseTo(3 - 1.5 * first, 12);
  });
});

describe.each(optimizers)('%s', (_, make) => {
  const start = (dtype: DType = 'float32'): Params => ({
    a: fromNumbers([0.5, -1, 2], [3], dtype),
    b: fromNumbers([1, -2, 3, -4], [2, 2], dtype),
    unused: fromNumbers([1, 2], [2], dtype),
    count: fromNumbers([3], [], 'int64'),
  });
  const gradients = (dtype: DType = 'float32', scale = 1) => ({
    a: fromNumbers([0.1 * scale, 0, -0.3], [3], dtype),
    b: fromNumbers([1, 2 * scale, 3, 4], [2, 2], dtype),
    unused: undefined,
  });

  it('changes parameters and state in place', () => {
    const [optimizer, params] = [make(), start()];
    const arrays = Object.values(params).map(({ data }) => data);
    const state = optimizer.init(params);
    const slots = JSON.stringify(Object.keys(state.slots));
    optimizer.update(params, gradients(), state, 0.1);
    expect(Object.values(params).every(({ data }, i) => data === arrays[i])).toBe(true);
    expect(state.step).toBe(1);
    expect(state.slots.step.a).toEqual(fromNumbers([1], [], 'int32'));
    expect(JSON.stringify(Object.keys(state.slots))).toBe(slots);
    expect(params.a).not.toEqual(start().a);
  });

  it('passes over what has no gradient: no decay, no state', () => {
    const [optimizer, params] = [make(), start()];
    const state = optimizer.init(params);
    for (const scale of [1, 2]) optimizer.update(params, gradients('float32', scale), state, 0.1);
    expect(params.unused).toEqual(start().unused);
    expect(params.count).toEqual(start().count);
    for (const slot of Object.values(state.slots)) {
      expect(Array.from(slot.unused.data as Float32Array).every(v => v === 0)).toBe(true);
      expect(slot.count).toBeUndefined();
    }
  });

  it('counts the steps of each parameter: a late one starts as an early one did', () => {
    const [optimizer, late, early] = [make(), start('float64'), start('float64')];
    const { a, b } = gradients('float64');
    const [lateState, earlyState] = [optimizer.init(late), optimizer.init(early)];
    optimizer.update(late, { a }, lateState, 0.1);
    optimizer.update(late, { a, b }, lateState, 0.1);
    optimizer.update(early, { b }, earlyState, 0.1);
    expect(late.b).toEqual(early.b);
    expect([lateState.step, lateState.slots.step.a.data[0], lateState.slots.step.b.data[0]]).toEqual([2, 2, 1]);
  });

  it('goes on from a saved state to the same bits', () => {
    const run = (params: Params, state: ReturnType<Optimizer['init']>, scales: number[]) => {
      for (const scale of scales) make().update(params, gradients('float32', scale), state, 0.01);
    };
    const whole = start();
    const wholeState = make().init(whole);
    run(whole, wholeState, [1, -2, 3, 0.5]);
    const first = start();
    const firstState = make().init(first);
    run(first, firstState, [1, -2]);
    const resumed = mapParams(first, copyOf);
    const resumedState = {
      step: firstState.step,
      slots: Object.fromEntries(Object.entries(firstState.slots).map(([slot, arrays]) => [slot, mapParams(arrays, copyOf)])),
    };
    run(resumed, resumedState, [3, 0.5]);
    expect(resumed).toEqual(whole);
    expect(resumedState).toEqual(wholeState);
  });

  it('gives in float32 what it gives in float64, but for rounding', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -4, max: 4, noNaN: true }), { minLength: 2, maxLength: 6 }), scales => {
        const [single, double] = [start(), start('float64')];
        const optimizer = make();
        const [s, d] = [optimizer.init(single), optimizer.init(double)];
        for (const scale of scales) {
          const g = gradients('float32', scale);
          optimizer.update(single, g, s, 0.01);
          optimizer.update(double, { a: toDouble(g.a), b: toDouble(g.b) }, d, 0.01);
        }
        for (const name of ['a', 'b']) {
          const [x, y] = [single[name].data as Float32Array, double[name].data as Float64Array];
          for (const [i, value] of y.entries()) expect(Math.abs(x[i] - value)).toBeLessThan(1e-5);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('names what does not fit, and changes nothing', () => {
    const [optimizer, params] = [make(), start()];
    const state = optimizer.init(params);
    const { a, b } = gradients();
    const refused = (g: Record<string, NDArray>, message: string | RegExp, lr = 0.1) => {
      expect(() => optimizer.update(params, { a, ...g }, state, lr)).toThrow(message);
      expect(params).toEqual(start());
      expect(state).toEqual(optimizer.init(start()));
    };
    refused({ c: b }, 'there is a gradient of c but no such parameter');
    refused(
      { b: fromNumbers([1, 2, 3, 4], [4]) },
      'b is float32[2, 2], its gradient float32[4]; expected the same floating type and shape',
    );
    refused({ b: gradients('float64').b }, 'b is float32[2, 2], its gradient float64[2, 2]');
    refused({ count: fromNumbers([1], [], 'int64') }, /count is int64\[\]/);
    refused({}, /expected lr of at least 0, found NaN/, Number.NaN);
    refused({}, /expected lr of at least 0, found -1/, -1);
    const other = optimizer.init({ a: params.a });
    expect(() => optimizer.update(params, { b }, other, 0.1)).toThrow(
      /the state has no step of b; was it made by init for these parameters/,
    );
  });
});

describe('groups', () => {
  const params = (): Params => ({ 'head.weight': vector(2, 4), 'head.bias': vector(2, 4), 'body.weight': vector(2, 4) });
  const g = vector(1, 1);

  it('scale the rate and replace the decay, by name and shape', () => {
    const optimizer = sgd({
      weightDecay: 0.5,
      groups: (name, shape) => {
        if (name.endsWith('bias') && shape.length === 1) return { weightDecay: 0 };
        return name.startsWith('head') ? { lrScale: 10 } : undefined;
      },
    });
    const trained = params();
    optimizer.update(trained, { 'head.weight': g, 'head.bias': g, 'body.weight': g }, optimizer.init(trained), 0.01);
    const values = mapParams(trained, a => a);
    expect(Array.from(values['head.weight'].data as Float64Array)).toEqual(
      [2 - 0.1 * 2, 4 - 0.1 * 3].map(v => expect.closeTo(v, 12)),
    );
    expect(Array.from(values['head.bias'].data as Float64Array)).toEqual([2 - 0.01, 4 - 0.01].map(v => expect.closeTo(v, 12)));
    expect(Array.from(values['body.weight'].data as Float64Array)).toEqual([2 - 0.02, 4 - 0.03].map(v => expect.closeTo(v, 12)));
  });

  it('reach adam and adamW as well', () => {
    for (const make of [adam, adamW]) {
      const grouped = make({ weightDecay: 0.5, groups: () => ({ lrScale: 0.5, weightDecay: 0.1 }) });
      const alone = make({ weightDecay: 0.1 });
      expect(trajectory(grouped, vector(2, 4), [g, g], 0.1)).toEqual(trajectory(alone, vector(2, 4), [g, g], 0.05));
    }
  });
});

describe('options', () => {
  it('are checked when the optimiser is made', () => {
    expect(() => adam({ betas: [1, 0.9] })).toThrow('adam: expected betas[0] in [0, 1), found 1');
    expect(() => adamW({ betas: [0.9, Number.NaN] })).toThrow('adamW: expected betas[1] in [0, 1), found NaN');
    expect(() => adam({ eps: -1 })).toThrow('adam: expected eps of at least 0, found -1');
    expect(() => sgd({ weightDecay: -0.1 })).toThrow('sgd: expected weightDecay of at least 0, found -0.1');
    expect(() => sgd({ momentum: 1 })).toThrow('sgd: expected momentum in [0, 1), found 1');
    expect(() => lars({ trust: Number.POSITIVE_INFINITY })).toThrow('lars: expected trust of at least 0, found Infinity');
  });
});

function toDouble(array: NDArray): NDArray {
  return fromNumbers(Array.from(array.data as Float32Array), array.shape, 'float64');
}
