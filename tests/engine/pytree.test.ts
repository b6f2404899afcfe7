import { describe, expect, it } from 'vitest';
import { fromNumbers, type NDArray } from '../../src/engine/index.ts';
import { isArray, leavesOf, mapTree, signatureOf } from '../../src/engine/pytree.ts';

const array = (n: number) =>
  fromNumbers(
    Array.from({ length: n }, (_, i) => i),
    [n],
  );

describe('pytrees', () => {
  const tree = { a: array(1), list: [array(2), { deep: array(3) }], rate: 0.5, name: 'x', none: null };

  it('leavesOf gives arrays in order with their paths', () => {
    const leaves = leavesOf(tree, isArray);
    expect(leaves.map(l => l.path)).toEqual(['a', 'list.0', 'list.1.deep']);
    expect(leaves.map(l => l.leaf.shape)).toEqual([[1], [2], [3]]);
  });

  it('mapTree replaces arrays and keeps the rest', () => {
    expect(mapTree(tree, isArray, (leaf: NDArray, path) => `${path}:${leaf.shape}`)).toEqual({
      a: 'a:1',
      list: ['list.0:2', { deep: 'list.1.deep:3' }],
      rate: 0.5,
      name: 'x',
      none: null,
    });
  });

  it('refuses objects that are neither arrays nor plain, naming where', () => {
    expect(() => leavesOf({ model: { cache: new Map() } }, isArray)).toThrow(
      'model.cache: expected arrays, plain objects, lists or scalars, found Map',
    );
  });

  it('signatures tell structure, types, shapes and static values apart, and nothing else', () => {
    expect(signatureOf([array(2), 1, 'a', true, null, undefined])).toBe('(float32[2],1,"a",true,null,undefined)');
    expect(signatureOf({ x: array(2) })).toBe(signatureOf({ x: fromNumbers([8, 9], [2]) }));
    const different = [
      { x: 1 },
      { x: '1' },
      { y: 1 },
      [1],
      { x: Number.NaN },
      { x: null },
      { x: array(1) },
      { x: fromNumbers([1], [1, 1]) },
    ];
    expect(new Set(different.map(signatureOf)).size).toBe(different.length);
  });
});
