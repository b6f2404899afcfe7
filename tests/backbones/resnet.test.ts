import { describe, expect, it } from 'vitest';
import { foldNorms, initResNet, type ResNetOptions, resnet, resnetPresets } from '../../src/backbones/index.ts';
import { convUnits, featureWidth, residualBlocks } from '../../src/backbones/resnet.ts';
import * as e from '../../src/engine/index.ts';
import type { Params, SymbolicParams } from '../../src/nn/index.ts';
import { between } from '../engine/arrays.ts';
import { check, expectClose } from '../engine/checks.ts';

const tiny: ResNetOptions = { block: 'bottleneck', blocks: [1, 2], width: 2, channels: 3 };
const tinyBasic: ResNetOptions = { ...tiny, block: 'basic' };
const isBuffer = (name: string) => /running_|num_batches/.test(name);
/** Parameters away from their first values, float64: norms that scale and shift, and statistics of their own. */
function moved(options: ResNetOptions): Params {
  let seed = 5;
  return Object.fromEntries(
    Object.entries(initResNet(options, e.random.key(3))).map(([name, array]) => {
      if (array.dtype === 'int64') return [name, array];
      const wide = e.astype(array, 'float64') as e.NDArray<'float64'>;
      const by = between(seed++, array.shape);
      return [name, { ...wide, data: wide.data.map((v, i) => v + 0.3 * by.data[i]) }];
    }),
  );
}

describe('ResNets', () => {
  it.each([
    ['resnet18', 11_176_512, 512, 20],
    ['resnet34', 21_284_672, 512, 36],
    ['resnet50', 23_508_032, 2048, 53],
  ] as const)('%s has %i values, features of %i and %i convolutions', (name, values, width, convolutions) => {
    const options = resnetPresets[name];
    const units = convUnits(options);
    // A convolution has its weight, its norm a weight and a bias.
    expect(units.reduce((n, { shape }) => n + e.sizeOf(shape) + 2 * shape[0], 0)).toBe(values);
    expect(featureWidth(options)).toBe(width);
    expect(units.length).toBe(convolutions);
  });

  it('start from the published distributions', () => {
    const params = initResNet({ ...resnetPresets.resnet18, blocks: [2, 1] }, e.random.key(0), 'net.');
    const weight = params['net.layer2.0.conv1.weight'];
    expect(weight.shape).toEqual([128, 64, 3, 3]);
    const data = weight.data as Float32Array;
    const deviation = Math.sqrt(data.reduce((sum, v) => sum + v * v, 0) / data.length);
    expect(deviation).toBeCloseTo(Math.sqrt(2 / (128 * 9)), 3);
    expect([...params['net.layer1.1.bn2.weight'].data]).toEqual(Array(64).fill(1));
    expect([...params['net.layer1.1.bn2.bias'].data]).toEqual(Array(64).fill(0));
  });

  it('put the stride of a bottleneck in its 3x3 convolution, that of a basic block in the first', () => {
    const strides = (options: ResNetOptions) =>
      residualBlocks(options).map(({ branch, shortcut }) => [branch.map(u => u.stride), shortcut?.stride]);
    expect(strides(tiny)).toEqual([
      [[1, 1, 1], 1],
      [[1, 2, 1], 2],
      [[1, 1, 1], undefined],
    ]);
    expect(strides(tinyBasic)).toEqual([
      [[1, 1], undefined],
      [[2, 1], 2],
      [[1, 1], undefined],
    ]);
  });

  it('give stages of halved resolution, and features', () => {
    const trace = e.compile((p: SymbolicParams, x: e.Tensor) =>
      resnet(p, x, { ...resnetPresets.resnet50, width: 4 }, { norm: 'running' }),
    );
    const params = initResNet({ ...resnetPresets.resnet50, width: 4 }, e.random.key(0));
    const { outputs } = trace.graph(params as never, { dtype: 'float32', shape: [2, 3, 70, 96] } as never);
    expect(outputs.map(t => t.shape)).toEqual([
      [2, 128],
      [2, 4, 18, 24],
      [2, 16, 18, 24],
      [2, 32, 9, 12],
      [2, 64, 5, 6],
      [2, 128, 3, 3],
    ]);
  });

  it.each([tiny, tinyBasic])('have the gradients of finite differences, $block', async options => {
    const params = moved(options);
    const trained = Object.keys(params).filter(name => !isBuffer(name));
    const rest = Object.fromEntries(Object.entries(params).filter(([name]) => isBuffer(name)));
    const x = between(1, [2, 3, 12, 10]);
    const fn = (...[frames, ...weights]: e.Tensor[]) => {
      const all = Object.fromEntries(trained.map((name, i) => [name, weights[i]]));
      const still = Object.fromEntries(Object.entries(rest).map(([name, array]) => [name, e.constant(array)]));
      return resnet({ ...still, ...all }, frames, options, { norm: 'batch' }).features;
    };
    const inputs = [x, ...trained.map(name => params[name])];
    const forward = e.compile(fn as never);
    const expected = (await (forward as unknown as (...a: unknown[]) => Promise<e.NDArray>)(...inputs)) as e.NDArray;
    await forward.dispose();
    // With this seed no difference steps over the kink of a relu.
    await check({ inputs, fn, expected }, 5, 2);
  });

  it('move the running statistics by a tenth of the batch, with its unbiased variance', async () => {
    const params = moved(tiny);
    const x = between(1, [2, 3, 12, 10]);
    const weight = params['conv1.weight'];
    const run = e.compile((p: SymbolicParams, frames: e.Tensor) => ({
      buffers: resnet(p, frames, tiny, { norm: 'batch' }).buffers,
      first: e.conv2d(frames, e.constant(weight), undefined, { stride: 2, padding: 3 }),
    }));
    const { buffers, first } = await run(params as never, x as never);
    await run.dispose();
    const data = first.data as Float64Array;
    const area = data.length / 4;
    for (const channel of [0, 1]) {
      const values = [0, 1].flatMap(b => [...data.slice((2 * b + channel) * area, (2 * b + channel + 1) * area)]);
      const mean = values.reduce((a, b) => a + b) / values.length;
      const variance = values.reduce((a, v) => a + (v - mean) ** 2, 0) / (values.length - 1);
      const before = ['running_mean', 'running_var'].map(s => Number(params[`bn1.${s}`].data[channel]));
      expect(buffers['bn1.running_mean'].data[channel]).toBeCloseTo(0.9 * before[0] + 0.1 * mean, 12);
      expect(buffers['bn1.running_var'].data[channel]).toBeCloseTo(0.9 * before[1] + 0.1 * variance, 12);
    }
    expect([...buffers['layer2.1.bn3.num_batches_tracked'].data]).toEqual([1n]);
    expect(Object.keys(buffers).sort()).toEqual(Object.keys(params).filter(isBuffer).sort());
  });

  it('freeze: the stem alone moves its statistics, the others normalise by the running ones', async () => {
    const params = moved(tiny);
    const x = between(1, [2, 3, 12, 10]);
    const run = e.compile((p: SymbolicParams, frames: e.Tensor) => {
      const [part, batch] = (['stemOnly', 'batch'] as const).map(norm => resnet(p, frames, tiny, { norm }));
      // What the stem gives, run through the rest on its own.
      const stages = resnet(p, frames, tiny, { norm: 'running' }).stages;
      return { part: part.buffers, stem: part.stem, batchStem: batch.stem, stage: part.stages[0], running: stages[0] };
    });
    const { part, stem, batchStem, stage, running } = await run(params as never, x as never);
    await run.dispose();
    expect(Object.keys(part).sort()).toEqual(['bn1.num_batches_tracked', 'bn1.running_mean', 'bn1.running_var']);
    expectClose(stem, batchStem, 1e-12);
    expect([...stage.data]).not.toEqual([...running.data]);
  });

  it('fold their norms into their convolutions for inference', async () => {
    const params = moved(tiny);
    const folded = foldNorms(params, convUnits(tiny));
    expect(Object.keys(folded).sort()).toEqual(
      convUnits(tiny)
        .flatMap(u => [`${u.conv}.weight`, `${u.conv}.bias`])
        .sort(),
    );
    const x = between(1, [2, 3, 12, 10]);
    const run = e.compile((p: SymbolicParams, f: SymbolicParams, frames: e.Tensor) =>
      [p, f].map(at => resnet(at, frames, tiny, { norm: 'running' }).features),
    );
    const [plain, fused] = await run(params as never, folded as never, x as never);
    await run.dispose();
    expectClose(fused, plain, 1e-12);
    expect(() => foldNorms({}, convUnits(tiny), 'net.')).toThrow('parameter net.conv1.weight is missing');
  });

  it('refuse frames of another kind', () => {
    const trace = e.compile((x: e.Tensor) => resnet({}, x, tiny, { norm: 'running' }).features);
    expect(() => trace.print(e.zeros([2, 4, 8, 8]) as never)).toThrow(/frames must be \[batch, 3, H, W\], got \[2,4,8,8\]/);
  });
});
