import { InferenceSession } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { exportModel } from '../../src/engine/exportModel.ts';
import {
  compile,
  constant,
  hostCall,
  mean,
  mul,
  type NDArray,
  ndarray,
  relu,
  reshape,
  softmax,
  type Tensor,
  temporalConv,
  topK,
} from '../../src/engine/index.ts';
import { nodeRuntime } from '../../src/engine/runtime/node.ts';
import { between } from './arrays.ts';
import { expectClose } from './checks.ts';

type Tensors = Record<string, Tensor>;

const width = 4;
const open = { x: { dtype: 'float32', shape: ['batch', 'time', width] } } as const;

/** Outputs of an exported model, by name. */
async function run(bytes: Uint8Array, outputs: string[], feeds: Record<string, NDArray>): Promise<Record<string, NDArray>> {
  const session = await nodeRuntime('cpu').createSession(bytes, outputs, {});
  try {
    const arrays = await session.run(feeds);
    return Object.fromEntries(outputs.map((name, i) => [name, arrays[i]]));
  } finally {
    await session.dispose();
  }
}

/** Sums over chunks, the best snippets, means and convolutions over an open axis: what depends on it in every way there is. */
function net(params: Tensors, { x }: Tensors): Tensors {
  const [batch, time] = x.shape;
  const hidden = relu(temporalConv(x, params['embed.weight'], params['embed.bias']));
  const best = topK(hidden, Math.max(Math.floor(time / 8), 1), { axis: 1 })[0];
  const flat = reshape(hidden, [batch * time, 3]);
  return {
    scores: softmax(mean(best, 1), -1),
    mean: mean(hidden, 1),
    flat: mul(flat, 2),
    best,
  };
}

const params: Record<string, NDArray> = {
  'embed.weight': asFloat32(between(1, [3, width, 3])),
  'embed.bias': asFloat32(between(2, [3])),
  unused: asFloat32(between(3, [1000])),
};

function asFloat32({ shape, data }: NDArray): NDArray {
  return ndarray('float32', shape, Float32Array.from(data as Float64Array));
}

describe('exported models', () => {
  const bytes = exportModel(net, { params, inputs: open, metadata: { task: 'a test' } });
  const outputs = ['scores', 'mean', 'flat', 'best'];

  it('compute what the function computes, at sizes that were not traced, down to one', async () => {
    const compiled = compile((p: Tensors, x: Tensor) => net(p, { x }));
    for (const [batch, time] of [
      [1, 1],
      [1, 2],
      [2, 7],
      [3, 8],
      [1, 17],
      [5, 24],
      [1, 1000],
      [400, 9],
    ]) {
      const x = asFloat32(between(batch + time, [batch, time, width], -2, 2));
      const ours = await compiled(params, x);
      const theirs = await run(bytes, outputs, { x });
      for (const name of outputs) expectClose(theirs[name], ours[name], 1e-6, `${name} at ${batch} x ${time}`);
    }
    await compiled.dispose();
  });

  it('leave out no step that only some sizes need: an odd number of snippets in pairs', async () => {
    const wide = { weight: asFloat32(between(4, [256, 256, 3], -0.05, 0.05)) };
    const conv = (p: Tensors, x: Tensor): Tensor => temporalConv(x, p.weight);
    const model = exportModel((p, { x }) => ({ y: conv(p, x) }), {
      params: wide,
      // With the batch open too: its size must not be taken for what the parity of the snippets decides.
      inputs: { x: { dtype: 'float32', shape: ['batch', 'time', 256] } },
    });
    const compiled = compile(conv);
    for (const [batch, time] of [
      [1, 1],
      [1, 2],
      [2, 3],
      [1, 10],
      [2, 11],
    ]) {
      const x = asFloat32(between(time, [batch, time, 256]));
      expectClose((await run(model, ['y'], { x })).y, await compiled(wide, x), 5e-6, `at ${batch} x ${time}`);
    }
    await compiled.dispose();
  });

  it('have named inputs and outputs, with open extents by name or formula', async () => {
    const session = await InferenceSession.create(bytes);
    const shapeOf = (port: InferenceSession.ValueMetadata) => (port.isTensor ? [port.name, port.type, ...port.shape] : []);
    expect(session.inputMetadata.map(shapeOf)).toEqual([['x', 'float32', 'batch', 'time', width]]);
    expect(session.outputMetadata.map(shapeOf)).toEqual([
      ['scores', 'float32', 'batch', 3],
      ['mean', 'float32', 'batch', 3],
      ['flat', 'float32', 'batch*time', 3],
      ['best', 'float32', 'batch', 'max(floor(time/8),1)', 3],
    ]);
    await session.release();
  });

  it('hold the parameters they use under their own names, once, and the metadata', () => {
    const text = Buffer.from(bytes).toString('latin1');
    expect(text.split('embed.weight').length - 1).toBeGreaterThan(1);
    expect(text).toContain('embed.bias');
    expect(text).not.toContain('unused');
    expect(text).toContain('a test');
  });

  it('are refused where the graph itself depends on a size', () => {
    const parity = (_: Tensors, { x }: Tensors): Tensors => ({ y: x.shape[1] % 2 === 0 ? relu(x) : mul(x, 2) });
    expect(() => exportModel(parity, { params: {}, inputs: open })).toThrow(
      /^the graph depends on the open axes: its node 0 is \w+ \{\}, at batch \d+, time 1\d\d \w+ \{\}$/,
    );
    const squared = (_: Tensors, { x }: Tensors): Tensors => ({ y: mul(x, x.shape[1] ** 2) });
    expect(() => exportModel(squared, { params: {}, inputs: open })).toThrow(
      /^no formula of the open axes gives a constant of Mul: float32\[\], …$/,
    );
  });

  it('are refused where a name is taken', () => {
    const same = (_: Tensors, { x }: Tensors): Tensors => ({ x: relu(x) });
    expect(() => exportModel(same, { params: {}, inputs: open })).toThrow(
      'the name x is taken: parameters, inputs and outputs need names of their own',
    );
    const own = (_: Tensors, { x }: Tensors): Tensors => ({ t0: relu(x) });
    expect(() => exportModel(own, { params: {}, inputs: open })).toThrow('the name t0 is taken');
  });

  it('are refused for a host call, and for a tensor of another trace', () => {
    const host = (_: Tensors, { x }: Tensors): Tensors => ({
      y: hostCall({ name: 'same', outputs: [x], forward: arrays => arrays }, [x])[0],
    });
    expect(() => exportModel(host, { params: {}, inputs: open })).toThrow('a graph with a host call cannot be exported');
    let leaked: Tensor = constant(ndarray('float32', [1], Float32Array.of(1)));
    compile((t: Tensor) => {
      leaked = t;
      return t;
    }).print(asFloat32(between(1, [width])));
    expect(() => exportModel((_, { x }) => ({ y: mul(x, leaked) }), { params: {}, inputs: open })).toThrow(
      'the exported function reads a float32[4] of another trace',
    );
  });
});
