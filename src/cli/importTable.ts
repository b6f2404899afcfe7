/** How the names of imported weights match those of a model, as a table. */

import { type DType, showShape } from '../engine/ndarray.ts';
import type { Matched } from '../train/matchWeights.ts';
import type { SourceWeights } from '../train/sourceWeights.ts';
import { padRight, textWidth } from './textWidth.ts';

/** A row for each parameter of the model in its order, then for each tensor that it does not have. */
export function importTable(
  { tensors, others }: SourceWeights,
  { params, merged }: Pick<Matched, 'params' | 'merged'>,
): string[] {
  const missing = new Set(merged.missing);
  const wrong = new Map(merged.wrongShape.map(({ name, found }) => [name, found]));
  const rows = [
    ['parameter', 'shape', ''],
    ...Object.entries(params).map(([name, { shape }]) => {
      const other = wrong.get(name);
      if (other) return [name, showShape(shape), `wrong shape: ${showShape(other)}`];
      const dtype = tensors.get(name)?.dtype ?? '';
      const match = isSame(dtype, params[name].dtype) ? 'matched' : `matched (${dtype}, now ${params[name].dtype})`;
      return [name, showShape(shape), missing.has(name) ? 'missing: stays at its initial value' : match];
    }),
    ...merged.unexpected.map(name => [name, showShape(tensors.get(name)?.shape ?? []), 'unexpected: not used']),
    ...others.map(name => [name, '', 'unexpected: no array, not used']),
  ];
  const widths = [0, 1].map(column => Math.max(...rows.map(row => textWidth(row[column]))));
  return rows.map(([name, shape, text]) => `${padRight(name, widths[0])}  ${padRight(shape, widths[1])}  ${text}`.trimEnd());
}

/** Whether a type, by its own name or that of the safetensors format, is one of ours. */
function isSame(type: string, dtype: DType): boolean {
  return type.toLowerCase() === dtype || type === dtype.replace(/^float/, 'F').replace(/^int/, 'I');
}
