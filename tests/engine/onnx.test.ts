import { describe, expect, it } from 'vitest';
import { fromNumbers, type NDArray, ndarray } from '../../src/engine/index.ts';
import { encodeModel, GraphBuilder } from '../../src/engine/onnx.ts';
import { nodeRuntime } from '../../src/engine/runtime/node.ts';

async function run(bytes: Uint8Array, outputs: string[], feeds: Record<string, NDArray>): Promise<NDArray[]> {
  const session = await nodeRuntime('cpu').createSession(bytes, outputs, {});
  try {
    return await session.run(feeds);
  } finally {
    await session.dispose();
  }
}

describe('ONNX models', () => {
  it('hold nodes with every kind of attribute, and constants of every type', async () => {
    const g = new GraphBuilder();
    const scaled = g.node('LeakyRelu', ['x'], { alpha: { float: 0.25 } });
    const turned = g.transpose(scaled, [1, 0]);
    const summed = g.node('ReduceSum', [turned, g.ints([0])], { keepdims: { int: 0 } });
    const scattered = g.node('ScatterElements', [summed, g.ints([1, 1]), summed], { reduction: { text: 'add' } });
    const constants = [
      ndarray('float64', [1], Float64Array.of(0.1)),
      ndarray('int32', [1], Int32Array.of(-7)),
      ndarray('int64', [1], BigInt64Array.of(-(2n ** 40n))),
      ndarray('uint8', [1], Uint8Array.of(200)),
      ndarray('bool', [1], Uint8Array.of(1)),
    ];
    const names = constants.map(c => g.node('Identity', [g.constant(c)]));
    const bytes = encodeModel(
      g,
      [{ name: 'x', dtype: 'float32', shape: [2, 2] }],
      [
        { name: scattered, dtype: 'float32', shape: [2] },
        ...names.map((name, i) => ({ name, dtype: constants[i].dtype, shape: [1] })),
      ],
    );
    const [y, ...held] = await run(bytes, [scattered, ...names], { x: fromNumbers([-4, 2, 3, 5], [2, 2]) });
    // leaky: [[-1, 2], [3, 5]]; its rows summed: [1, 8]; both added at place 1: [1, 17]
    expect(y).toEqual(fromNumbers([1, 17], [2]));
    expect(held).toEqual(constants);
  });

  it('may leave extents open', async () => {
    const g = new GraphBuilder();
    const y = g.node('Neg', ['x']);
    const open = ['batch', 2];
    const bytes = encodeModel(g, [{ name: 'x', dtype: 'float32', shape: open }], [{ name: y, dtype: 'float32', shape: open }]);
    for (const batch of [1, 3]) {
      const x = fromNumbers(
        Array.from({ length: 2 * batch }, (_, i) => i + 1),
        [batch, 2],
      );
      expect((await run(bytes, [y], { x }))[0].shape).toEqual([batch, 2]);
    }
  });

  it('store metadata as text', () => {
    const bytes = encodeModel(new GraphBuilder(), [], [], { task: 'localization' });
    expect(Buffer.from(bytes).includes('localization')).toBe(true);
  });

  it('share small equal constants and keep 0 and -0, and types and shapes, apart', () => {
    const g = new GraphBuilder();
    expect(g.ints([1, 2])).toBe(g.ints([1, 2]));
    const different = [
      g.scalar(0, 'float32'),
      g.scalar(-0, 'float32'),
      g.scalar(0, 'float64'),
      g.constant(fromNumbers([0], [1])),
    ];
    expect(new Set(different).size).toBe(4);
    const large = fromNumbers(
      Array.from({ length: 65 }, () => 1),
      [65],
    );
    expect(g.constant(large)).not.toBe(g.constant(large));
  });
});
