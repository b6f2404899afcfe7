import { rule } from '../op.ts';
import type { Tensor } from '../tensor.ts';
import { add, addBias, mul, sub } from './elementwise.ts';
import { matmul } from './linear.ts';
import { reshape } from './shape.ts';
import { pad, slice, stack, unstack } from './slice.ts';

/**
 * From this many input times output channels on, fewer multiplications surely win over fewer passes; from half this width on they may,
 * depending on the length (bench/conv.ts).
 */
export const winogradFrom = 256 * 256;

/**
 * Convolution over time of channels-last sequences, stride 1, zero-padded to keep the length:
 * x `[batch, time, in]`, weight `[out, in, k]` (PyTorch's layout, k odd), bias `[out]` -> `[batch, time, out]`.
 *
 * Channels-last keeps each tap a plain matrix product with no transposes, forwards and backwards; wide kernels of width 3
 * in float32 use Winograd's F(2, 3), which needs 4 products for two outputs instead of 6.
 */
export function temporalConv(x: Tensor, weight: Tensor, bias?: Tensor, { dilation = 1 } = {}): Tensor {
  rule(x.rank === 3, `temporalConv: x must be [batch, time, in], got ${x.rank} axes`);
  const [outputs, inputs, width] = weight.shape;
  rule(
    weight.rank === 3 && inputs === x.shape[2],
    `temporalConv: weight [${weight.shape}] does not fit x [${x.shape}]; needs [out, in, k]`,
  );
  rule(width % 2 === 1, `temporalConv: kernel width ${width} must be odd`);
  const wide = inputs * outputs >= winogradFrom && x.dtype === 'float32';
  const y = wide && width === 3 && dilation === 1 ? convByWinograd(x, weight) : convByTaps(x, weight, dilation);
  return bias ? addBias(y, bias) : y;
}

/** y_t = sum over k of W_k x_(t + (k - (width-1)/2) dilation), one matrix product a tap. */
export function convByTaps(x: Tensor, weight: Tensor, dilation = 1): Tensor {
  const time = x.shape[1];
  const reach = ((weight.shape[2] - 1) / 2) * dilation;
  const padded = pad(x, 1, reach, reach);
  return unstack(weight, 2)
    .map((tap, k) => matmul(slice(padded, 1, k * dilation, k * dilation + time), tap, { transposeB: true }))
    .reduce((a, b) => add(a, b));
}

/**
 * Winograd's minimal filtering F(2, 3): outputs in pairs from four inputs d0..d3,
 *   m0 = (d0 - d2) g0,  m1 = (d1 + d2)(g0 + g1 + g2)/2,  m2 = (d2 - d1)(g0 - g1 + g2)/2,  m3 = (d1 - d3) g2,
 *   y0 = m0 + m1 + m2,  y1 = m1 - m2 - m3.
 * Source: Lavin & Gray, Fast Algorithms for Convolutional Neural Networks (2016), section 4.
 */
export function convByWinograd(x: Tensor, weight: Tensor): Tensor {
  const [batch, time, inputs] = x.shape;
  const pairs = Math.ceil(time / 2);
  // One zero before, and zeros behind up to a whole number of pairs: 2 (pairs + 1) rows.
  const padded = reshape(pad(x, 1, 1, 2 * pairs + 1 - time), [batch, pairs + 1, 2, inputs]);
  const [even, odd] = unstack(padded, 2);
  const [d0, d1] = [slice(even, 1, 0, pairs), slice(odd, 1, 0, pairs)];
  const [d2, d3] = [slice(even, 1, 1), slice(odd, 1, 1)];
  const [g0, g1, g2] = unstack(weight, 2);
  const [outer, middle] = [mul(add(g0, g2), 0.5), mul(g1, 0.5)];
  const product = (d: Tensor, g: Tensor) => matmul(d, g, { transposeB: true });
  const m0 = product(sub(d0, d2), g0);
  const m1 = product(add(d1, d2), add(outer, middle));
  const m2 = product(sub(d2, d1), sub(outer, middle));
  const m3 = product(sub(d1, d3), g2);
  const both = stack([add(add(m0, m1), m2), sub(sub(m1, m2), m3)], 2);
  return slice(reshape(both, [batch, 2 * pairs, weight.shape[0]]), 1, 0, time);
}
