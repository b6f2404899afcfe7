/**
 * CrossTransformer over frames: each frame of a query is compared to what it finds among the frames of a class. Source: C. Doersch et al.,
 * "CrossTransformers", NeurIPS 2020, over frames in the place of positions, as published with HyRSM++.
 */
import {
  concat,
  div,
  linear,
  matmul,
  maximum,
  mul,
  reshape,
  softmax,
  split,
  sqrt,
  square,
  stack,
  sum,
  type Tensor,
} from '../../engine/index.ts';
import { type ParamSpec, parameter, pytorchDefault, type SymbolicParams } from '../../nn/index.ts';
import { ofClasses } from '../classMeans.ts';
import { type Episodes, type HeadOutput, headPrefix } from './head.ts';

export interface CrossTransformerOptions {
  /** D. */
  readonly featureDim: number;
  /** Of keys and values; published: 1024. */
  readonly width: number;
  /** Cosines of a query's frames are added up and divided by their number, or, as published, by 8 always. */
  readonly divisor: 'frames' | 'published';
}

export const crossTransformerPreset = { width: 1024, divisor: 'frames' } as const satisfies Partial<CrossTransformerOptions>;

/** `key_head.weight` (of queries, too) and `value_head.weight` `[width, D, 1]`, without bias. */
export function crossTransformerSpecs({ featureDim, width }: CrossTransformerOptions): Record<string, ParamSpec> {
  const spec: ParamSpec = { shape: [width, featureDim, 1], init: pytorchDefault(featureDim) };
  return { [`${headPrefix}key_head.weight`]: spec, [`${headPrefix}value_head.weight`]: spec };
}

export function crossTransformer(
  params: SymbolicParams,
  { support, query, shots }: Episodes,
  { divisor }: CrossTransformerOptions,
): HeadOutput {
  const parts = [support.shape[1], query.shape[1]];
  const [episodes, q, frames] = query.shape;
  const videos = concat([support, query], 1);
  const project = (part: string): Tensor[] => {
    const weight = parameter(params, `${headPrefix}${part}.weight`);
    return split(linear(videos, reshape(weight, weight.shape.slice(0, 2))), parts, 1);
  };
  const [supportKeys, queryKeys] = project('key_head');
  const [supportValues, queryValues] = project('value_head');
  const width = queryKeys.shape[3];
  const flat = (x: Tensor) => reshape(x, [episodes, -1, width]);
  const asked = mul(flat(queryKeys), 1 / Math.sqrt(width));
  const own = flat(queryValues);
  const values = ofClasses(supportValues, shots, 1).map(flat);
  const classes = ofClasses(supportKeys, shots, 1).map((keys, n) => {
    const found = matmul(softmax(matmul(asked, flat(keys), { transposeB: true })), values[n]);
    const each = reshape(rowCosines(own, found), [episodes, q, frames]);
    return mul(sum(each, -1), 1 / (divisor === 'published' ? 8 : frames));
  });
  return { logits: stack(classes, 2) };
}

/** Cosine of each row of x with the same row of y, `[…, D]` -> `[…]`; lengths are at least 1e-8. */
function rowCosines(x: Tensor, y: Tensor): Tensor {
  const length = (v: Tensor) => sqrt(maximum(sum(square(v), -1), 1e-16));
  return div(sum(mul(x, y), -1), mul(length(x), length(y)));
}
