import type { Shape } from '../ndarray.ts';
import { sizeOf } from '../ndarray.ts';
import type { GraphBuilder } from '../onnx.ts';
import { combinations, type Window } from './window.ts';

/**
 * Convolution as one matrix product for each tap of the kernel, summed. ONNX Runtime's `Conv` on the CPU knows float32 only;
 * this form serves float64 (gradient checks, reference cases). x `[B, C, …]`, w `[O, C/groups, …]` -> `[B, O, …]`.
 */
export function lowerConvFloat64(
  g: GraphBuilder,
  [x, w]: readonly string[],
  [xShape, wShape, outShape]: readonly Shape[],
  { kernel, stride, dilation, before, after }: Window,
  groups: number,
): string {
  const [batch, channels] = xShape;
  const [outChannels, channelsPerGroup] = wShape;
  const spatial = outShape.slice(2);
  const axes = spatial.map((_, i) => i + 2);
  const padded = g.node('Pad', [x, g.ints([0, 0, ...before, 0, 0, ...after]), g.scalar(0, 'float64')]);
  const taps = g.reshape(w, [groups, outChannels / groups, channelsPerGroup, sizeOf(kernel)]);
  let total: string | undefined;
  for (const [k, tap] of combinations(kernel).entries()) {
    const starts = tap.map((t, i) => t * dilation[i]);
    const ends = starts.map((start, i) => start + (spatial[i] - 1) * stride[i] + 1);
    const seen = g.node('Slice', [padded, g.ints(starts), g.ints(ends), g.ints(axes), g.ints(stride)]);
    const columns = g.reshape(seen, [batch, groups, channels / groups, sizeOf(spatial)]);
    const weight = g.node('Gather', [taps, g.scalar(k, 'int64')], { axis: { int: 3 } });
    const product = g.node('MatMul', [weight, columns]);
    total = total === undefined ? product : g.node('Add', [total, product]);
  }
  return g.reshape(total as string, outShape);
}
