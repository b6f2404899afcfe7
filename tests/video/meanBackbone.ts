/** A backbone for tests whose features can be told beforehand. */
import { encodeModel, GraphBuilder } from '../../src/engine/onnx.ts';

/**
 * A model with the mean red, green and blue of pictures `[batch, 3, 4, 4]` as its output `colours` `[batch, 3, 1, 1]`; with `clip` of
 * clips `[batch, 3, clip, 4, 4]`, as `[batch, 3, 1, 1, 1]`.
 */
export function meanBackbone({
  clip,
  batch = 'batch',
}: {
  readonly clip?: number;
  readonly batch?: number | string;
} = {}): Uint8Array {
  const g = new GraphBuilder();
  const y = g.node('GlobalAveragePool', ['pictures']);
  g.named('colours', y);
  const time = clip === undefined ? [] : [clip];
  const input = { name: 'pictures', dtype: 'float32' as const, shape: [batch, 3, ...time, 4, 4] };
  return encodeModel(g, [input], [{ name: 'colours', dtype: 'float32', shape: [batch, 3, ...time.map(() => 1), 1, 1] }]);
}
