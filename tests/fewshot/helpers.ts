/** Small episodes and heads for tests. */
import { type NDArray, ndarray, random } from '../../src/engine/index.ts';
import { type HeadName, type HeadSettings, headParams, hyrsmPreset, semiPreset, trxPreset } from '../../src/fewshot/index.ts';
import type { Params } from '../../src/nn/index.ts';
import { between } from '../engine/arrays.ts';

export const width = 8;
export const frames = 4;

const hyrsm = {
  ...hyrsmPreset,
  featureDim: width,
  attentionHeads: 2,
  classes: 3,
  coherence: { window: 1, balance: 5, farWeight: 2 },
};

/** One small instance of every head. */
export const settings: { readonly [H in HeadName]: HeadSettings } = {
  'hyrsm++': { head: 'hyrsm++', ...hyrsm },
  'hyrsm++-semi': { ...semiPreset, ...hyrsm, head: 'hyrsm++-semi', threshold: 0.4 },
  hyrsm: { head: 'hyrsm', ...hyrsm },
  otam: { head: 'otam' },
  tsn: { head: 'tsn' },
  trx: { ...trxPreset, head: 'trx', featureDim: width, frames, width: 6 },
  crosstransformer: { head: 'crosstransformer', featureDim: width, width: 6, divisor: 'frames' },
  matching: { head: 'matching', metric: 'bi-mhm' },
};

export const headNames = Object.keys(settings) as HeadName[];

/** Features `[…, frames, width]` in float64. */
export function clips(seed: number, ...outer: number[]): NDArray<'float64'> {
  return between(seed, [...outer, frames, width]);
}

/** A head's first parameters in float64, biases away from zero. */
export function paramsOf(one: HeadSettings, seed = 1): Params {
  return Object.fromEntries(
    Object.entries(headParams(one, random.key(seed))).map(([name, { shape, data }]) => [
      name,
      ndarray('float64', shape, Float64Array.from(data as Float32Array)),
    ]),
  );
}
