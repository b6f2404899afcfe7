/** What the HyRSM adapters read of a case. */

import { astype, type NDArray, type Tensor, take } from '../../../src/engine/index.ts';
import {
  byClass,
  type HeadSettings,
  hyrsmPreset,
  publishedHeads,
  type Shots,
  semiPreset,
  trxPreset,
} from '../../../src/fewshot/index.ts';
import type { Precision, ReferenceCase } from '../case.ts';
import { isRecord } from '../case.ts';

/** A number among the hyperparameters. @throws Error if it is none */
export function numberOf(c: ReferenceCase, name: string): number {
  const value = c.hyperparameters[name];
  if (typeof value !== 'number') throw new Error(`${c.name}: expected hyperparameters.${name}, a number`);
  return value;
}

/** A record among the hyperparameters, empty where there is none. */
export function recordOf(c: ReferenceCase, name: string): Record<string, unknown> {
  const value = c.hyperparameters[name];
  return isRecord(value) ? value : {};
}

/** An array in a precision. */
export function asPrecision(array: NDArray, precision: Precision): NDArray {
  return astype(array, precision);
}

/** Arrays whose key has this prefix, by the rest of the key. */
export function arraysWith(c: ReferenceCase, prefix: string): Record<string, NDArray> {
  const found = Object.entries(c.arrays).filter(([key]) => key.startsWith(prefix));
  return Object.fromEntries(found.map(([key, array]) => [key.slice(prefix.length), array]));
}

/** In a precision, all of them that are floating. */
export function allAs(arrays: Record<string, NDArray>, precision: Precision): Record<string, NDArray> {
  return Object.fromEntries(
    Object.entries(arrays).map(([name, array]) => [
      name,
      array.dtype.startsWith('float') ? asPrecision(array, precision) : array,
    ]),
  );
}

/** Integers of an array. */
export function integersOf(array: NDArray): number[] {
  return Array.from(array.data as Int32Array, Number);
}

/** The supports of a case in the order of their classes, and the way back. */
export interface SupportOrder {
  readonly shots: Shots;
  /** Rows `[S, …]` of the case -> in the order of classes. */
  readonly sort: (x: Tensor) => Tensor;
  /** Rows of ours -> in the order of the case, along an axis. */
  readonly unsort: (x: Tensor, axis: number) => Tensor;
}

/** From the case's support labels. */
export function supportOrder(labels: readonly number[]): SupportOrder {
  const { order, shots } = byClass(labels, Math.max(...labels) + 1);
  const back = order.map((_, i) => order.indexOf(i));
  return { shots, sort: x => take(x, order, 0), unsort: (x, axis) => take(x, back, axis) };
}

/** Our settings of a case's head. */
export function settingsOf(c: ReferenceCase, featureDim: number): HeadSettings {
  const name = c.hyperparameters.head as keyof typeof publishedHeads;
  const published = publishedHeads[name];
  if (!published) throw new Error(`${c.name}: unknown head ${name}`);
  const train = recordOf(c, 'train');
  const pins = recordOf(c, 'pins');
  const { head } = published;
  if (head === 'otam' || head === 'tsn') return { head };
  if (head === 'crosstransformer') return { head, featureDim, width: Number(pins.hidden_dim), divisor: 'published' };
  if (head === 'trx')
    return {
      ...trxPreset,
      head,
      featureDim,
      frames: numberOf(c, 'T'),
      width: Number(pins.trans_linear_out_dim),
      tupleSizes: pins.temp_set as number[],
    };
  const isFirst = head === 'hyrsm';
  const common = {
    ...hyrsmPreset,
    featureDim,
    references: published.references,
    attentionHeads: Number(train.HEAD ?? 8),
    positions:
      'NO_POSITION' in train ? null : { attenuation: Number(train.POSITION_A ?? 10), weight: Number(train.POSITION_B ?? 1) },
    classes: isFirst || head === 'hyrsm++-semi' || train.USE_CLASSIFICATION ? Number(train.NUM_CLASS ?? 64) : 0,
    coherence: isFirst
      ? null
      : {
          window: Number(train.WINDOW_SIZE),
          balance: Number(train.TEMPORAL_BALANCE),
          farWeight: Number(train.BALANCE_COEFFICIENT) || 1,
        },
  };
  if (head !== 'hyrsm++-semi') return { head, ...common };
  return {
    ...semiPreset,
    ...common,
    head,
    temperature: Number(train.SEMI_TEMPORAL),
    threshold: Number(train.SEMI_THRESHOLD),
    selection: 'published',
  };
}
