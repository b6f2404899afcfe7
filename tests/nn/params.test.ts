import { describe, expect, it } from 'vitest';
import { fromNumbers, zeros } from '../../src/engine/ndarray.ts';
import { countParams, floatData, mapParams, mergeParams, type Params, zerosLike } from '../../src/nn/params.ts';

const model = (): Params => ({
  'fc.weight': fromNumbers([1, 2, 3, 4, 5, 6], [2, 3]),
  'fc.bias': fromNumbers([7, 8], [2], 'float64'),
  'bn.num_batches_tracked': fromNumbers([9], [], 'int64'),
});

describe('params', () => {
  it('counts values', () => {
    expect(countParams(model())).toBe(9);
    expect(countParams({})).toBe(0);
  });

  it('maps arrays with their names', () => {
    const mapped = mapParams(model(), (array, name) => zeros([name.length, ...array.shape]));
    expect(Object.entries(mapped).map(([name, { shape }]) => [name, shape])).toEqual([
      ['fc.weight', [9, 2, 3]],
      ['fc.bias', [7, 2]],
      ['bn.num_batches_tracked', [22]],
    ]);
  });

  it('makes zeros of the same shapes and types', () => {
    expect(zerosLike(model())).toEqual({
      'fc.weight': fromNumbers([0, 0, 0, 0, 0, 0], [2, 3]),
      'fc.bias': fromNumbers([0, 0], [2], 'float64'),
      'bn.num_batches_tracked': fromNumbers([0], [], 'int64'),
    });
  });

  it('tells floating arrays from others', () => {
    const params = model();
    expect(floatData(params['fc.weight'])).toBe(params['fc.weight'].data);
    expect(floatData(params['fc.bias'])).toBe(params['fc.bias'].data);
    expect(floatData(params['bn.num_batches_tracked'])).toBeUndefined();
  });
});

describe('mergeParams', () => {
  it('copies what matches, converts types, and reports the rest', () => {
    const into: Params = { ...model(), 'new.weight': fromNumbers([10], [1]), 'head.weight': fromNumbers([1, 2], [2, 1]) };
    const arrays = { ...into };
    const from: Params = {
      'head.weight': fromNumbers([3, 4, 5], [3, 1]),
      'old.bias': fromNumbers([1], [1]),
      'fc.weight': fromNumbers([-1, -2, -3, -4, -5, -6], [2, 3], 'float64'),
      'fc.bias': fromNumbers([0.5, -0.5], [2]),
      'bn.num_batches_tracked': fromNumbers([100], [], 'int64'),
    };
    expect(mergeParams(into, from)).toEqual({
      matched: ['fc.weight', 'fc.bias', 'bn.num_batches_tracked'],
      missing: ['new.weight'],
      unexpected: ['old.bias'],
      wrongShape: [{ name: 'head.weight', expected: [2, 1], found: [3, 1] }],
    });
    expect(into).toEqual({
      'fc.weight': fromNumbers([-1, -2, -3, -4, -5, -6], [2, 3]),
      'fc.bias': fromNumbers([0.5, -0.5], [2], 'float64'),
      'bn.num_batches_tracked': fromNumbers([100], [], 'int64'),
      'new.weight': fromNumbers([10], [1]),
      'head.weight': fromNumbers([1, 2], [2, 1]),
    });
    for (const name of Object.keys(into)) expect(into[name]).toBe(arrays[name]);
  });

  it('shares no memory with the source', () => {
    const into: Params = { w: fromNumbers([0], [1]) };
    const from: Params = { w: fromNumbers([1], [1]) };
    mergeParams(into, from);
    into.w.data[0] = 5;
    expect(from.w.data[0]).toBe(1);
  });
});
