import { expect, test } from 'vitest';
import { initTada, tadaConv, tadaRoute } from '../../src/backbones/tada.ts';
import { type NDArray, random, sum, type Tensor } from '../../src/engine/index.ts';
import type { SymbolicParams } from '../../src/nn/index.ts';
import { between } from '../engine/arrays.ts';
import { checkGradient, numbers, once } from '../localization/tensors.ts';

const options = { inputs: 8, outputs: 6, kernel: 3 };

test('a new layer is the plain convolution of every frame', async () => {
  const params = initTada('conv', 'route', options, random.key(1));
  expect(params['conv.weight'].shape).toEqual([1, 1, 6, 8, 3, 3]);
  expect(params['route.a.weight'].shape).toEqual([2, 8, 3, 1, 1]);
  expect(params['route.b.bias']).toBeUndefined();
  const x = random.normal(random.key(2), [2, 8, 4, 5, 6]);
  const [alpha, y] = (await once(
    (p: SymbolicParams, clip: Tensor) => {
      const [calibration] = tadaRoute(p, 'route', clip, { training: false });
      return [calibration, tadaConv(p, 'conv', clip, calibration, { padding: 1, stride: 2 })];
    },
    params,
    x,
  )) as readonly NDArray[];
  expect(alpha.shape).toEqual([2, 8, 4, 1, 1]);
  expect(new Set(numbers(alpha))).toEqual(new Set([1]));
  expect(y.shape).toEqual([2, 6, 4, 3, 3]);
});

test('the calibration depends on other frames, and has gradients', async () => {
  const params = {
    ...initTada('conv', 'route', options, random.key(3)),
    'route.b.weight': random.normal(random.key(4), [8, 2, 3, 1, 1]),
  };
  const route = (p: SymbolicParams, clip: Tensor) => tadaRoute(p, 'route', clip, { training: true });
  const x = random.normal(random.key(5), [2, 8, 4, 3, 3]);
  const changed = { ...x, data: x.data.slice() };
  // The first frame of the first channel of the first clip.
  for (let i = 0; i < 9; i++) changed.data[i] += 5;
  const [[before, buffers], [after]] = (await Promise.all([once(route, params, x), once(route, params, changed)])) as unknown as [
    NDArray,
    Record<string, NDArray>,
  ][];
  expect(Object.keys(buffers)).toContain('route.bn.running_mean');
  const last = (alpha: NDArray) => numbers(alpha).filter((_, i) => i % 4 === 3);
  expect(last(after)).not.toEqual(last(before));

  const weight = between(1, [1, 1, 2, 2, 1, 1], -1, 1);
  const clip = between(2, [1, 2, 3, 2, 2], -1, 1);
  const alpha = between(3, [1, 2, 3, 1, 1], 0.5, 1.5);
  await checkGradient((w, c, a) => sum(tadaConv({ 'conv.weight': w }, 'conv', c, a)), [weight, clip, alpha]);
});
