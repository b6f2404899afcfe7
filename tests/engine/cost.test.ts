import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { opCosts } from '../../src/engine/cost.ts';
import {
  averagePool2d,
  compile,
  conv2d,
  graphFlops,
  hostCall,
  layerNorm,
  linear,
  matmul,
  maxPool2d,
  nodeFlops,
  relu,
  softmax,
  sum,
  type Tensor,
  topK,
  transpose,
  zeros,
} from '../../src/engine/index.ts';

const engine = fileURLToPath(new URL('../../src/engine', import.meta.url));

/** Names of all op records in the engine's sources: literals, and what the factories are called with. */
function opNames(): Set<string> {
  const files = readdirSync(engine, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'));
  const names = new Set<string>();
  for (const file of files) {
    const text = readFileSync(join(engine, file), 'utf8');
    for (const [record] of text.matchAll(/: Op<[^=]*> = \{[^}]*/g))
      for (const [, name] of record.matchAll(/name: '(\w+)'/g)) names.add(name);
    for (const [, name] of text.matchAll(/= (?:unary|binary|comparison|extremum|alongAxis)\(\s*'(\w+)'/g)) names.add(name);
  }
  return names;
}

/** Operations of a function of float32 tensors of these shapes. */
function flopsOf(f: (...xs: Tensor[]) => Tensor | Tensor[], ...shapes: number[][]): number {
  return graphFlops(compile(f).graph(...shapes.map(shape => ({ dtype: 'float32' as const, shape }))));
}

describe('opCosts', () => {
  it('has every op of the engine, and no other', () => {
    const names = opNames();
    expect(names.size).toBeGreaterThan(60);
    expect(Object.keys(opCosts).sort()).toEqual([...names].sort());
  });
});

describe('graphFlops', () => {
  it('counts a multiply-add as two', () => {
    expect(flopsOf((a, b) => matmul(a, b), [3, 4], [4, 5])).toBe(2 * 3 * 4 * 5);
    expect(flopsOf((a, b) => matmul(a, b, { transposeA: true, transposeB: true }), [7, 4, 3], [7, 5, 4])).toBe(7 * 2 * 3 * 4 * 5);
    expect(flopsOf(linear, [2, 6, 4], [5, 4], [5])).toBe(2 * 12 * 4 * 5 + 12 * 5);
    // [2, 6, 9, 9] -> [2, 8, 7, 4]: groups of 3 channels, a 3 x 3 kernel, stride 1 and 2
    const strided = (x: Tensor, w: Tensor, b: Tensor) => conv2d(x, w, b, { groups: 2, stride: [1, 2] });
    expect(flopsOf(strided, [2, 6, 9, 9], [8, 3, 3, 3], [8])).toBe(2 * 8 * 7 * 4 * (2 * 27 + 1));
  });

  it('counts one an element for what is elementwise, and nothing for copies', () => {
    expect(flopsOf(x => relu(x), [2, 3, 4])).toBe(24);
    expect(flopsOf(x => transpose(x), [2, 3, 4])).toBe(0);
    expect(flopsOf(x => sum(x, 1), [2, 3, 4])).toBe(24);
    expect(flopsOf(x => softmax(x), [2, 3])).toBe(30);
    expect(flopsOf(x => layerNorm(x), [2, 3])).toBe(42);
    expect(flopsOf(x => topK(x, 7)[0], [2, 100])).toBe(200 * 3);
    expect(flopsOf(x => maxPool2d(x, 2), [1, 3, 8, 8])).toBe(3 * 16 * 4);
    expect(flopsOf(x => averagePool2d(x, 3, { stride: 1 }), [1, 1, 5, 5])).toBe(9 * 9);
  });

  it('counts an equal expression once, and leaves out what no result needs', () => {
    const f = (x: Tensor) => {
      matmul(x, transpose(x));
      return [relu(x), relu(x)];
    };
    expect(flopsOf(f, [5, 5])).toBe(25);
  });

  it('asks a host call for its own', () => {
    const call = (flops?: number) => (x: Tensor) =>
      hostCall({ name: 'count', outputs: [{ dtype: 'float32', shape: [1] }], flops, forward: () => [zeros([1])] }, [x])[0];
    expect(flopsOf(call(12), [3])).toBe(12);
    expect(() => flopsOf(call(), [3])).toThrow('host call count does not state its floating-point operations');
  });

  it('is an error for an op without a cost', () => {
    const { nodes } = compile((x: Tensor) => relu(x)).graph({ dtype: 'float32', shape: [1] });
    const node = { ...nodes[1], op: { ...nodes[1].op, name: 'fft' } };
    expect(() => nodeFlops(node)).toThrow('op fft: no cost is known');
  });
});
