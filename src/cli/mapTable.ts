/** Detection mAP as it is printed. */

import { thresholdName } from '../localization/thresholds.ts';
import { alignColumns, percent } from './output.ts';

/** mAP at each tIoU and their average, in fractions. */
export interface MapResult {
  readonly mAP: readonly { readonly tiou: number; readonly value: number }[];
  readonly average: { readonly range: string; readonly value: number };
}

/** `{"mAP": {"0.1": ...}, "average": {"range": "0.1:0.7", "value": ...}}`, in fractions. */
export function mapJson({ mAP, average }: MapResult): { mAP: Record<string, number>; average: MapResult['average'] } {
  return { mAP: Object.fromEntries(mAP.map(({ tiou, value }) => [thresholdName(tiou), value])), average };
}

/** A table in percent, and the average with its range. */
export function mapTable({ mAP, average }: MapResult): string[] {
  return [
    ...alignColumns([
      ['tIoU', ...mAP.map(({ tiou }) => thresholdName(tiou))],
      ['mAP %', ...mAP.map(({ value }) => percent(value))],
    ]),
    `mAP@${average.range}: ${percent(average.value)} %`,
  ];
}
